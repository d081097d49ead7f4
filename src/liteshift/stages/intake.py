"""Takes the source's log in: reads its messages, and turns each change into work on the file.

With the native core, common changes are read and sorted there; what is rare, and all without it, is read here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from liteshift import native
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
from liteshift.codec.pgoutput import Decoder, Malformed, message_at, seconds_of
from liteshift.errors import LiteshiftError, NotFit
from liteshift.flow import Applier
from liteshift.plan import Plan
from liteshift.position import Lsn
from liteshift.stages.aside import Aside
from liteshift.stages.routes import Key, Route, Statement, Uncarried
from liteshift.stages.work import Work, missed
from liteshift.value import Value

FENCE = Name("liteshift", "fence")
PREFIX = "liteshift"
_MOST_TOUCHED = 100_000  # keys per table


class Intake:
    """What one stream's messages have said so far.

    Attributes:
        inside: a transaction of the source's has begun and not ended.
        end: where the last one ended that is not committed in the file yet.
        seconds: when the last one that began was committed, in seconds since 1970.
        began: when we began a transaction of ours, by `time.monotonic`; None outside of one.
        token: the last token that came and is not committed in the file yet.
        transactions: how many of the source's have ended.
        rows: how many changes of rows came.
        touched: see `Follower`.
    """

    def __init__(self, plan: Plan, shapes: Mapping[Name, Shape], applier: Applier, *, any_bytes: bool) -> None:
        self.inside = False
        self.end: Lsn | None = None
        self.seconds = 0.0
        self.began: float | None = None
        self.token: str | None = None
        self.transactions = 0
        self.rows = 0
        self.touched: dict[Name, set[Key] | None] = {}
        self.work = Work(applier)
        self._applier = applier
        self._any_bytes = any_bytes
        self._tables = {table.source: table for table in plan.tables}
        self._by_oid = {shape.oid: name for name, shape in shapes.items()}
        self._shapes = shapes
        self._decoder = Decoder()
        self._routes: dict[int, Route | None] = {}
        self._asides: dict[int, Aside] = {}
        rejects = applier.rejects()
        self._lost = Counter((reject.table, _frozen(reject.key)) for reject in rejects)
        self._lost_in = Counter(reject.table for reject in rejects)
        self._native: Any = native.CORE.Gatherer() if native.CORE else None
        self._telling: set[int] = set()  # tables of which the native core tells the keys that were touched
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            Begin: self._begins,
            Commit: self._ends,
            Delete: self._delete,
            Insert: self._insert,
            Message: self._message,
            Relation: self._describe,
            Truncate: self._truncate,
            Update: self._update,
        }

    @property
    def rejected(self) -> dict[str, int]:
        """How many rows of the source's tables are not in the file, as they can't be carried, where there are any."""
        return {table: count for table, count in self._lost_in.items() if count}

    def take(self, piece: bytes, at: int, limit: Lsn | None) -> int:
        """Take messages from a place in a piece on, up to its end, or up to a transaction that is past the limit.

        Returns:
            The place after what was taken.

        Raises:
            NotFit: a table is not as it was planned.
            LiteshiftError: the log can't be read.
        """
        take = self._take if self._native is None else self._take_natively
        try:
            return take(piece, at, limit)
        except Malformed as error:
            raise LiteshiftError(f"the source's log can't be read: {error}") from error

    def committed(self) -> None:
        """All that was taken is committed in the file."""
        self.end = self.token = self.began = None

    def _take(self, piece: bytes, at: int, limit: Lsn | None) -> int:
        decode, begun = self._decoder.decode, at
        while at < len(piece):
            message, after = message_at(piece, at)
            event = decode(message)
            if isinstance(event, Begin) and limit is not None and event.final >= limit:
                break
            at = after
            if event is not None:
                self._handle(event)
        self.work.count(at - begun)
        return at

    def _take_natively(self, piece: bytes, at: int, limit: Lsn | None) -> int:
        held = False
        while at < len(piece) and not held:
            self._agree_on_touched()
            try:
                found: Any = self._native.take(piece, at, limit)
            except ValueError as error:
                raise Malformed(str(error)) from error
            items, after, rows, transactions, end, micros, held = found
            if items or transactions or micros is not None:
                self._begin()
            if micros is not None:
                self.seconds = seconds_of(micros)
            for item in items:
                if isinstance(item, bytes):
                    self._handle_message(item)
                else:
                    self._run_all(*item)
            self.work.count(after - at)
            at = after
            self.rows += rows
            self.transactions += transactions
            self.inside = self._native.inside
            if end is not None:
                self.end = max(self.end or Lsn(0), Lsn(end))
        return at

    def _handle_message(self, message: bytes) -> None:
        event = self._decoder.decode(message)
        if event is not None:
            self._handle(event)

    def _run_all(self, oid: int, runs: Any, keys: Any) -> None:
        route = self._routes[oid]
        assert route is not None  # noqa: S101 - only its routes are known to the native core
        for op, rows in runs:
            statement = route.insert if op == "I" else route.delete if op == "D" else route.setting(op)
            self.work.extend(route, statement, rows)
        touched = self.touched.setdefault(route.table.source, set())
        if touched is not None:
            touched.update(keys)
            if len(touched) > _MOST_TOUCHED or not route.told:
                self.touched[route.table.source] = None

    def _agree_on_touched(self) -> None:
        """Have keys told of those tables only that do not count as changed in every row."""
        for oid, route in self._routes.items():
            if route is not None and route.told:
                wanted = self.touched.get(route.table.source, ()) is not None
                if wanted != (oid in self._telling):
                    self._teach(oid, route)

    def _teach(self, oid: int, route: Route) -> None:
        """Let the native core read a table's changes, as long as none of its rows is amiss."""
        if self._native is None:
            return
        if self._any_bytes or self._lost_in[route.name] or oid in self._asides:
            self._native.leave(oid)
            return
        wanted = self.touched.get(route.table.source, ()) is not None
        self._native.route(oid, route.kinds(native.CORE.knows), route.identity, route.told if wanted else [])
        (self._telling.add if wanted else self._telling.discard)(oid)

    def _handle(self, event: Event) -> None:
        self._handlers[type(event)](event)

    def _begin(self) -> None:
        if self.began is None:
            self.began = time.monotonic()
            self._applier.begin()

    def _begins(self, event: Begin) -> None:
        self.inside = True
        self.seconds = event.seconds
        self._begin()

    def _ends(self, event: Commit) -> None:
        self.inside = False
        self.end = event.end
        self.transactions += 1
        for aside in self._asides.values():
            aside.settle()

    def _message(self, event: Message) -> None:
        if event.prefix == PREFIX and event.transactional:
            self.token = event.content.decode(errors="replace")

    def _describe(self, relation: Relation) -> None:
        table = self._tables.get(relation.name)
        if table is None:
            planned = self._by_oid.get(relation.oid)
            if planned is not None:
                raise NotFit(
                    f"the table {planned} is called {relation.name} now",
                    hint="Rename it back, or begin anew: liteshift abort, then liteshift migrate --live --overwrite.",
                )
            self._routes[relation.oid] = None
            return
        self.work.flush()
        route = Route(table, relation, self._shapes[relation.name], any_bytes=self._any_bytes)
        self._routes[relation.oid] = route
        if self._shapes[relation.name].deferrable:
            aside = self._asides.get(relation.oid)
            if aside is None:
                self._asides[relation.oid] = Aside(self._applier, route)
            else:
                aside.describe(route)
        self._teach(relation.oid, route)

    def _insert(self, event: Insert) -> None:
        route = self._routes[event.relation.oid]
        if route is None:
            if event.relation.name == FENCE:
                self.token = str(event.new[0])
            return
        self.rows += 1
        self._touch(route, event.new)
        try:
            self._run(route, route.insert, route.values(event.new))
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
                self._run(route, *change)
        except Uncarried as error:
            self._run(route, route.delete, route.where_values(before))
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
            self._run(route, route.delete, route.where_values(event.old))

    def _truncate(self, event: Truncate) -> None:
        for relation in event.relations:
            route = self._routes[relation.oid]
            if route is None:
                continue
            self.touched[route.table.source] = None
            self.work.flush()
            self._run(route, route.empty, ())
            self.work.flush()
            if event.restart_identity and route.table.sequence is not None:
                self._applier.restart_numbers(route.table.target)
            if self._lost_in.pop(route.name, 0):
                self._applier.forgive(route.name, None)
                self._lost = Counter({key: count for key, count in self._lost.items() if key[0] != route.name})
                self._teach(relation.oid, route)

    def _run(self, route: Route, statement: Statement, row: Sequence[Value]) -> None:
        aside = self._asides.get(route.relation.oid)
        if aside is None:
            self.work.add(route, statement, row)
        else:
            self.work.rows += 1
            if aside.run(statement, row) is not None:
                raise missed(route, statement, row)

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
        if route.identity:
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
        self._teach(route.relation.oid, route)

    def _forgive(self, route: Route, fields: Fields) -> None:
        self._applier.forgive(route.name, route.reject_key(fields))
        self._lost[_lost_key(route, fields)] -= 1
        self._lost_in[route.name] -= 1
        self._teach(route.relation.oid, route)

    def _find(self, route: Route, before: Fields, new: Fields) -> None:
        """A row that could not be carried was changed: can it be now?"""
        self._forgive(route, before)
        try:
            if UNCHANGED in new:
                column = route.relation.columns[new.index(UNCHANGED)].name
                raise route.fault(new) or Uncarried(column, "its value did not come again: write it anew on the source")
            self._run(route, route.insert, route.values(new))
        except Uncarried as error:
            self._lose(route, new, error)


def _lost_key(route: Route, fields: Fields) -> tuple[str, frozenset[tuple[str, str | None]]]:
    return route.name, _frozen(route.reject_key(fields))


def _frozen(key: Mapping[str, str | None]) -> frozenset[tuple[str, str | None]]:
    return frozenset(key.items())
