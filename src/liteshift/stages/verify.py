"""Compares every row on both sides, by value and in no order, in memory that does not grow with the table.

Where the native core finds both sides of a table equal, they are. Else what SQLite holds is rendered back into the very
line that PostgreSQL's COPY sends. The lines' hashes are summed per bucket, where order does not matter; only where the
sums differ are rows looked at one by one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice

from liteshift.codec.copy_text import decode, encode, fields
from liteshift.codec.values import Codec, Unrepresentable, codec, lenient
from liteshift.ends import Rows, Snapshot
from liteshift.plan import Plan, TablePlan
from liteshift.progress import Progress, Step
from liteshift.reports import Difference, Verdict, VerifiedTable
from liteshift.stages.digest import equal_rows
from liteshift.stages.held import BUCKETS, Held, Key, Line, bucket
from liteshift.value import Value

_HOLD = 20_000  # rows looked at one by one, about at the most, per side and table
_HOLD_BYTES = 32 << 20
_TELL_EVERY = 5000  # rows

_UNREADABLE = (ValueError, KeyError, TypeError, ArithmeticError, RecursionError)  # what a foreign value may lead to


def verify(
    snapshot: Snapshot, rows: Rows, plan: Plan, progress: Progress, *, limit: int = 20, lived_in: bool = False
) -> Verdict:
    """Compare every table of a plan.

    Args:
        snapshot: the source at one moment.
        rows: the file at one moment.
        plan: which tables and columns stand for which.
        progress: told about rows as they are read.
        limit: how many differing rows to tell per table.
        lived_in: whether an application has written to the file: what it worked out counts by its fifteen digits.
    """
    tables = tuple(Comparison(snapshot, rows, table, progress, lived_in=lived_in).run(limit) for table in plan.tables)
    return Verdict(snapshot.position, tables)


class Sums:
    """A multiset of lines, as one sum of hashes per bucket.

    Python's own hash of bytes is SipHash under a key of this process: a changed line changes its sum but for one
    chance in 2^64, and both sides are summed in this one process.
    """

    def __init__(self) -> None:
        self.count = 0
        self.buckets = [0] * BUCKETS

    def add(self, line: Line) -> None:
        """Count a line in."""
        digest = hash(line)
        self.count += 1
        self.buckets[bucket(line)] += digest


class Comparison:
    """One table's two sides.

    Attributes:
        missing: the lines of the source's rows that the target lacks, a changed row's among them; known after `run`.
        extra: the lines of the target's rows that the source lacks.
        partial: whether more rows differ than these: not all could be looked at.
    """

    def __init__(
        self, snapshot: Snapshot, rows: Rows, table: TablePlan, progress: Progress, *, lived_in: bool = False
    ) -> None:
        self._snapshot = snapshot
        self._rows = rows
        self._table = table
        self._progress = progress
        codecs = [codec(column.form) for column in table.columns]
        self._codecs = [lenient(own) for own in codecs] if lived_in else codecs
        self._names = [column.source for column in table.columns]
        self.missing: list[Line] = []
        self.extra: list[Line] = []
        self.partial = False

    def run(self, limit: int) -> VerifiedTable:
        """Compare; tell no more than so many differing rows."""
        started, name = time.monotonic(), str(self._table.source)
        count = equal_rows(self._snapshot, self._rows, self._table, self._tell)
        if count is not None:
            self._progress(Step("verify", name, count, count))
            return VerifiedTable(
                name, self._table.target, count, count, 0, (), False, time.monotonic() - started, "native"
            )
        source, target = self._sum(self._source()), self._sum(self._target())
        suspect = {at for at in range(BUCKETS) if source.buckets[at] != target.buckets[at]}
        rejected, differences = 0, list[Difference]()
        if suspect:
            rejected, suspect = self._without_rejected(suspect, target)
        if suspect:
            self._look_closely(suspect, max(1, _HOLD * BUCKETS // max(source.count, target.count)))
            differences = list(islice(self._match(self.missing, self.extra), limit + 1))
        self._progress(Step("verify", name, source.count, source.count))
        return VerifiedTable(
            source=name,
            target=self._table.target,
            source_rows=source.count,
            target_rows=target.count,
            rejected=rejected,
            differences=tuple(differences[:limit]),
            more=self.partial or len(differences) > limit,
            seconds=time.monotonic() - started,
            road="python",
            partial=self.partial,
        )

    def _tell(self, rows: int) -> None:
        total = self._table.rows
        self._progress(Step("verify", str(self._table.source), rows, total if total >= 0 else None))

    def _source(self) -> Iterator[Line]:
        return self._snapshot.lines(self._table.source, self._names, with_children=self._table.partitioned)

    def _target(self) -> Iterator[Line]:
        codecs = self._codecs
        for row in self._rows.rows(self._table.target, [column.target for column in self._table.columns]):
            yield line_of(codecs, row)

    def _sum(self, lines: Iterator[Line]) -> Sums:
        sums = Sums()
        add = sums.add
        for line in lines:
            add(line)
            if sums.count % _TELL_EVERY == 0:
                self._tell(sums.count // 2)
        return sums

    def _without_rejected(self, suspect: set[int], target: Sums) -> tuple[int, set[int]]:
        """How many rows of the suspect buckets can't be carried, and which buckets differ without those."""
        rejected, carried = 0, Sums()
        for line in self._source():
            if bucket(line) in suspect:
                if self._carried(line):
                    carried.add(line)
                else:
                    rejected += 1
        return rejected, {at for at in suspect if carried.buckets[at] != target.buckets[at]}

    def _look_closely(self, suspect: set[int], most: int) -> None:
        """Find the rows that differ in so many of the suspect buckets, or in fewer where they are large."""
        held = Held(sorted(suspect)[:most], _HOLD_BYTES, self._key if self._table.key else None)
        for line in self._source():
            if bucket(line) in held.buckets and self._carried(line):
                held.of_source(line)
        for line in self._target():
            if bucket(line) in held.buckets:
                held.of_target(line)
        if held.buckets < suspect and self._table.key:
            self._find_counterparts(held)
        self.missing, self.extra, self.partial = held.missing, held.extra, held.buckets < suspect

    def _find_counterparts(self, held: Held) -> None:
        """A changed row's two lines are in two buckets: look for those that are in none of the chosen ones."""
        if wanted := held.wanted_of_source():
            for line in self._source():
                if self._key(line) in wanted and self._carried(line) and not held.add_of_source(line):
                    wanted = held.wanted_of_source()
        if wanted := held.wanted_of_target():
            for line in self._target():
                if self._key(line) in wanted and not held.add_of_target(line):
                    wanted = held.wanted_of_target()

    def _carried(self, line: Line) -> bool:
        try:
            decode(self._codecs, line)
        except (Unrepresentable, UnicodeDecodeError):
            return False
        return True

    def _match(self, missing: Sequence[Line], extra: Sequence[Line]) -> Iterator[Difference]:
        """Each row that differs, matched by key."""
        keyed = bool(self._table.key)
        by_key = {self._key(line): line for line in extra} if keyed else {}
        for line in missing:
            other = by_key.pop(self._key(line), None) if keyed else None
            if other is None:
                yield Difference("missing", self._shown_key(line), {})
            elif columns := self._differing(line, other):
                yield Difference("different", self._shown_key(line), columns)
        for line in by_key.values() if keyed else extra:
            yield Difference("extra", self._shown_key(line), {})

    def _key(self, line: Line) -> Key:
        texts = _texts(line, len(self._names))
        return tuple(
            text for column, text in zip(self._table.columns, texts, strict=True) if column.target in self._table.key
        )

    def _shown_key(self, line: Line) -> dict[str, str | None]:
        texts = _texts(line, len(self._names))
        return {
            column.source: text
            for column, text in zip(self._table.columns, texts, strict=True)
            if not self._table.key or column.target in self._table.key
        }

    def _differing(self, line: Line, other: Line) -> dict[str, tuple[str | None, str | None]]:
        pairs = zip(self._names, _texts(line, len(self._names)), _texts(other, len(self._names)), strict=True)
        return {name: (source, target) for name, source, target in pairs if source != target}


def line_of(codecs: Sequence[Codec], row: Sequence[Value]) -> Line:
    """A stored row as PostgreSQL's COPY would send it; never the line of another row."""
    try:
        return encode(codecs, row)
    except _UNREADABLE:
        return _unreadable(codecs, row)


def _unreadable(codecs: Sequence[Codec], row: Sequence[Value]) -> Line:
    """A row with a value that its form never stores, which shows as `?` and what it is.

    The escape `\\?` is one that COPY never sends, so that such a line equals no line of the source.
    """
    parts = []
    for own, value in zip(codecs, row, strict=True):
        try:
            parts.append(encode([own], [value])[:-1])
        except _UNREADABLE:
            parts.append(b"\\?" + f"{type(value).__name__} {value!r}".encode().replace(b"\\", b"\\\\"))
    return b"\t".join(parts) + b"\n"


def _texts(line: Line, width: int) -> list[str | None]:
    try:
        return fields(line)
    except UnicodeDecodeError:
        return [repr(line)] * width
