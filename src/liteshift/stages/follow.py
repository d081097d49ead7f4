"""Follows the source: what its log tells is written into the file, whole transactions at a time, each exactly once."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liteshift.catalog import Name
from liteshift.changes import (
    UNCHANGED,
    Begin,
    Commit,
    Delete,
    Event,
    Fields,
    Insert,
    Message,
    Relation,
    Shape,
    Truncate,
    Update,
)
from liteshift.codec.pgoutput import Decoder, Malformed
from liteshift.ends import Value
from liteshift.errors import DifferencesFound, LiteshiftError, NotFit
from liteshift.flow import Applier, Stream
from liteshift.plan import Plan
from liteshift.position import Lsn
from liteshift.stages.routes import Key, Route, Statement, Uncarried
from liteshift.stops import Stop, passing

FENCE = Name("liteshift", "fence")
PREFIX = "liteshift"
_HOLD_ROWS = 5_000  # changes that wait to be run, at the most
_HOLD_BYTES = 8 << 20
_COMMIT_ROWS = 50_000  # after so many, or after so long, a transaction of ours ends with the next of the source's
_COMMIT_SECONDS = 0.2
_LINGER = 0.01  # seconds to wait for more, before a transaction ends early
_IDLE_SECONDS = 10.0  # how often the position is written down while the source does nothing that concerns us
_MOST_TOUCHED = 100_000  # keys per table


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the file is behind: bytes of the source's log, and seconds since the commit that is being applied."""

    bytes: int
    seconds: float


class Follower:
    """Takes changes from the stream to the file.

    Attributes:
        transactions: how many of the source's it has seen.
        rows: how many changes of rows.
        touched: for each changed table the keys of the rows that were changed since this began, as PostgreSQL prints
            them in the key's order; None for a table that counts as changed in every row.

    Args:
        plan: what stands for what.
        shapes: how the tables look on the source.
        stream: the source's log from the file's position on.
        applier: the file.
    """

    def __init__(self, plan: Plan, shapes: Mapping[Name, Shape], stream: Stream, applier: Applier) -> None:
        self.transactions = 0
        self.rows = 0
        self.touched: dict[Name, set[Key] | None] = {}
        self._tables = {table.source: table for table in plan.tables}
        self._by_oid = {shape.oid: name for name, shape in shapes.items()}
        self._shapes = shapes
        self._stream = stream
        self._applier = applier
        self._decoder = Decoder()
        self._routes: dict[int, Route | None] = {}
        self._events: deque[bytes] = deque()
        self._limit: Lsn | None = None
        self._work = _Work(applier)
        self._lost = Counter((reject.table, _frozen(reject.key)) for reject in applier.rejects())
        self._lost_in = Counter(reject.table for reject in applier.rejects())
        self._inside = False
        self._seen: Lsn | None = None  # the end of the last transaction that is not committed here yet
        self._token: str | None = None
        self._seconds = 0.0
        self._begun = 0.0
        self._noted = time.monotonic()

    @property
    def rejected(self) -> int:
        """How many rows of the source are not in the file, as they can't be carried."""
        return sum(self._lost_in.values())

    @property
    def position(self) -> Lsn:
        """Up to where all is durable in the file."""
        return self._applier.position

    def lag(self) -> Lag:
        """How far behind it is."""
        behind = self._inside or self._seen is not None or bool(self._events) or self._stream.waiting
        seconds = max(0.0, time.time() - self._seconds) if behind and self._seconds else 0.0
        return Lag(max(0, self._stream.newest - self.position) if behind else 0, seconds)

    def step(self, seconds: float) -> bool:
        """Take what is there, and wait so long where nothing is; whether something came.

        Raises:
            NoConnection: the connection broke; follow anew from `position`.
            NotFit: a table is not as it was planned.
            DifferencesFound: the file does not have a row that was changed.
            NoSpace: the disk is full.
        """
        try:
            return self._step(seconds)
        except BaseException:
            self._applier.roll_back()
            raise

    def until(self, position: Lsn, *, seconds: float | None = None) -> bool:
        """Follow up to a position and not a transaction further; whether it was reached in time.

        The file then shows just what the source did at this position.

        Raises:
            LiteshiftError: the file is past it already.
        """
        if self.position > position or (self._seen or 0) > position:
            raise LiteshiftError(f"the file is past {position} already, at {self.position}")
        deadline = None if seconds is None else time.monotonic() + seconds
        self._limit = position
        try:
            while not self._is_at(position):
                if deadline is not None and time.monotonic() > deadline:
                    return False
                self.step(_LINGER)
            self._commit(position)
        finally:
            self._limit = None
        return True

    def until_token(self, token: str, *, seconds: float) -> bool:
        """Follow until a token that was put into the source's log is in the file; whether it came in time."""
        deadline = time.monotonic() + seconds
        while self._applier.token() != token:
            if time.monotonic() > deadline:
                return False
            self.step(min(_LINGER, seconds))
        return True

    def _is_at(self, position: Lsn) -> bool:
        if self._inside:
            return False
        if self._events:
            return True  # only the limit leaves any
        return not self._stream.waiting and max(self._stream.reached, self.position, self._seen or Lsn(0)) >= position

    def _step(self, seconds: float) -> bool:
        came = bool(self._events)
        if not came:
            wait = seconds if self._seen is None and not self._inside else min(seconds, _LINGER)
            messages = self._stream.read(seconds=wait)
            self._events.extend(messages)
            came = bool(messages)
        self._take()
        if self._inside:
            return came
        if self._seen is not None:
            due = self._work.since_commit >= _COMMIT_ROWS or time.monotonic() > self._begun + _COMMIT_SECONDS
            if due or self._token is not None or not (came or self._stream.waiting):
                self._commit(max(self._seen, self._settled()))
        elif self._settled() > self.position and (self._stream.asked or self._is_note_due()):
            self._commit(self._settled())
        return came

    def _is_note_due(self) -> bool:
        return time.monotonic() > self._noted + _IDLE_SECONDS

    def _settled(self) -> Lsn:
        """Up to where the log holds nothing that has not been read, while nothing waits to be taken."""
        return Lsn(0) if self._events else self._stream.reached

    def _commit(self, position: Lsn) -> None:
        self._work.flush()
        passing(Stop.FOLLOW_BEFORE_COMMIT)
        self._applier.commit(position, token=self._token)
        passing(Stop.FOLLOW_COMMITTED)
        self._stream.confirm(position)
        passing(Stop.FOLLOW_CONFIRMED)
        self._work.since_commit = 0
        self._seen = self._token = None
        self._noted = time.monotonic()

    def _take(self) -> None:
        """Take messages until none is left, or until the limit."""
        events, decode = self._events, self._decoder.decode
        while events:
            try:
                event = decode(events[0])
            except Malformed as error:
                raise LiteshiftError(f"the source's log can't be read: {error}") from error
            if isinstance(event, Begin) and self._limit is not None and event.final >= self._limit:
                return
            events.popleft()
            if event is not None:
                self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case Insert():
                self._insert(event)
            case Update():
                self._update(event)
            case Delete():
                self._delete(event)
            case Begin():
                self._inside = True
                self._seconds = event.seconds
                if self._seen is None:
                    self._begun = time.monotonic()
                    self._applier.begin()
            case Commit():
                self._inside = False
                self._seen = event.end
                self.transactions += 1
            case Relation():
                self._describe(event)
            case Truncate():
                for relation in event.relations:
                    self._truncate(relation, restart=event.restart_identity)
            case Message():
                if event.prefix == PREFIX and event.transactional:
                    self._token = event.content.decode(errors="replace")

    def _describe(self, relation: Relation) -> None:
        table = self._tables.get(relation.name)
        if table is None:
            planned = self._by_oid.get(relation.oid)
            if planned is not None:
                raise NotFit(
                    f"the table {planned} is called {relation.name} now",
                    hint="Rename it back, or begin anew: liteshift abort, then liteshift migrate --live.",
                )
            self._routes[relation.oid] = None
            return
        shape = self._shapes[relation.name]
        self._work.flush()
        self._routes[relation.oid] = Route(table, relation, shape, any_bytes=self._stream.any_bytes)

    def _insert(self, event: Insert) -> None:
        route = self._routes[event.relation.oid]
        if route is None:
            if event.relation.name == FENCE:
                self._token = str(event.new[0])
            return
        self.rows += 1
        self._touch(route, event.new)
        try:
            self._work.add(route, route.insert, route.values(event.new))
        except Uncarried as error:
            self._lose(route, event.new, error)

    def _update(self, event: Update) -> None:
        route = self._routes[event.relation.oid]
        if route is None:
            return
        self.rows += 1
        old, new = event.old, event.new
        if old is not None:
            self._touch(route, old)
            if event.whole:  # the row before has every large value that the row after leaves out
                new = tuple(was if now is UNCHANGED else now for was, now in zip(old, new, strict=True))
        self._touch(route, new)
        before = new if old is None else old
        if self._is_lost(route, before):
            self._find(route, before, new)
            return
        try:
            if (change := route.update(old, new)) is not None:
                self._work.add(route, *change)
        except Uncarried as error:
            self._work.add(route, route.delete, route.where_values(before))
            self._lose(route, new, error)

    def _delete(self, event: Delete) -> None:
        route = self._routes[event.relation.oid]
        if route is None:
            return
        self.rows += 1
        self._touch(route, event.old)
        if self._is_lost(route, event.old):
            self._forgive(route, event.old)
        else:
            self._work.add(route, route.delete, route.where_values(event.old))

    def _truncate(self, relation: Relation, *, restart: bool) -> None:
        route = self._routes[relation.oid]
        if route is None:
            return
        self.touched[route.table.source] = None
        self._work.flush()
        self._work.add(route, route.empty, ())
        self._work.flush()
        if restart and route.table.sequence is not None:
            self._applier.restart_numbers(route.table.target)
        if self._lost_in.pop(route.name, 0):
            self._applier.forgive(route.name, None)
            self._lost = Counter({key: count for key, count in self._lost.items() if key[0] != route.name})

    def _touch(self, route: Route, fields: Fields) -> None:
        keys = self.touched.setdefault(route.table.source, set())
        if keys is None:
            return
        key = route.touched(fields)
        if key is None or len(keys) >= _MOST_TOUCHED:
            self.touched[route.table.source] = None
        else:
            keys.add(key)

    def _is_lost(self, route: Route, fields: Fields) -> bool:
        """Whether a row is none of the file's, because it could not be carried."""
        if route.keyed:
            return bool(self._lost_in[route.name]) and self._lost[_lost_key(route, fields)] > 0
        try:
            route.where_values(fields)
        except Uncarried:
            return True
        return False

    def _lose(self, route: Route, fields: Fields, error: Uncarried) -> None:
        self._applier.reject(route.reject(fields, error))
        self._lost[_lost_key(route, fields)] += 1
        self._lost_in[route.name] += 1

    def _forgive(self, route: Route, fields: Fields) -> None:
        key = _lost_key(route, fields)
        self._applier.forgive(route.name, route.reject_key(fields))
        self._lost[key] -= 1
        self._lost_in[route.name] -= 1

    def _find(self, route: Route, before: Fields, new: Fields) -> None:
        """A row that could not be carried was changed: can it be now?"""
        self._forgive(route, before)
        try:
            if UNCHANGED in new:
                column = route.relation.columns[new.index(UNCHANGED)].name
                raise route.fault(new) or Uncarried(column, "its value did not come again: write it anew on the source")
            self._work.add(route, route.insert, route.values(new))
        except Uncarried as error:
            self._lose(route, new, error)


class _Work:
    """What waits to be run: for each table in the order of its changes. Tables do not wait for each other, as no
    trigger and no foreign key joins them while the file follows.
    """

    def __init__(self, applier: Applier) -> None:
        self.since_commit = 0
        self._applier = applier
        self._waiting: dict[str, list[tuple[Route, Statement, list[Sequence[Value]]]]] = {}
        self._count = 0
        self._bytes = 0

    def add(self, route: Route, statement: Statement, row: Sequence[Value]) -> None:
        """Run a statement, now or later."""
        runs = self._waiting.setdefault(route.name, [])
        if runs and runs[-1][1] is statement:
            runs[-1][2].append(row)
        else:
            runs.append((route, statement, [row]))
        self._count += 1
        for value in row:
            if isinstance(value, str | bytes):
                self._bytes += len(value)
        if self._count >= _HOLD_ROWS or self._bytes > _HOLD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Run all that waits.

        Raises:
            DifferencesFound: a row that was changed is not in the file.
        """
        waiting, self._waiting = self._waiting, {}
        self.since_commit += self._count
        self._count = self._bytes = 0
        for runs in waiting.values():
            for route, statement, rows in runs:
                missed = self._applier.run(statement.text, rows, expect_each=statement.expect_each)
                if missed is not None:
                    raise DifferencesFound(
                        f"the source changed a row of {route.name} that the file does not have as it was:"
                        f" {route.described(statement, rows[missed])}",
                        hint="Compare both sides: liteshift verify SOURCE TARGET",
                    )


def _lost_key(route: Route, fields: Fields) -> tuple[str, frozenset[tuple[str, str | None]]]:
    return route.name, _frozen(route.reject_key(fields))


def _frozen(key: Mapping[str, str | None]) -> frozenset[tuple[str, str | None]]:
    return frozenset(key.items())
