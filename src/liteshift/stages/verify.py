"""Compares every row on both sides, by value and in no order, in memory that does not grow with the table.

Where the native core finds both sides of a table equal, they are. Else what SQLite holds is rendered back into the very
line that PostgreSQL's COPY sends. The lines' hashes are summed per bucket, where order does not matter; only where the
sums differ are rows looked at one by one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from liteshift.codec.copy_text import decode, encode, fields
from liteshift.codec.values import Codec, Unrepresentable, codec, lenient
from liteshift.ends import Rows, Snapshot
from liteshift.plan import Plan, TablePlan
from liteshift.progress import Progress, Step
from liteshift.reports import Difference, Verdict, VerifiedTable
from liteshift.stages.digest import equal_rows
from liteshift.value import Value

_BUCKETS = 1 << 14
_MASK = _BUCKETS - 1
_HOLD = 20_000  # rows looked at one by one, at the most, per side and table
_HOLD_BYTES = 1 << 28
_TELL_EVERY = 5000  # rows

_UNREADABLE = (ValueError, KeyError, TypeError, ArithmeticError, RecursionError)  # what a foreign value may lead to

Line = bytes


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
        self.buckets = [0] * _BUCKETS

    def add(self, line: Line) -> None:
        """Count a line in."""
        digest = hash(line)
        self.count += 1
        self.buckets[digest & _MASK] += digest


class Comparison:
    """One table's two sides.

    Attributes:
        missing: the lines of the source's rows that the target lacks, a changed row's among them; known after `run`.
        extra: the lines of the target's rows that the source lacks.
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
        suspect = {at for at in range(_BUCKETS) if source.buckets[at] != target.buckets[at]}
        rejected, differences, more = 0, list[Difference](), False
        if suspect:
            rejected, suspect = self._without_rejected(suspect, target)
            chosen = set(sorted(suspect)[: max(1, self._room() * _BUCKETS // max(source.count, target.count))])
            more = len(chosen) < len(suspect)
            differences = self._look_closely(chosen, others_differ=more)
        self._progress(Step("verify", name, source.count, source.count))
        return VerifiedTable(
            source=name,
            target=self._table.target,
            source_rows=source.count,
            target_rows=target.count,
            rejected=rejected,
            differences=tuple(differences[:limit]),
            more=more or len(differences) > limit,
            seconds=time.monotonic() - started,
            road="python",
        )

    def _tell(self, rows: int) -> None:
        total = self._table.rows
        self._progress(Step("verify", str(self._table.source), rows, total if total >= 0 else None))

    def _room(self) -> int:
        """How many rows to look at one by one: fewer where they are large."""
        size = self._table.bytes // self._table.rows if self._table.rows > 0 else 0
        return max(1, min(_HOLD, _HOLD_BYTES // max(size, 1)))

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
            if hash(line) & _MASK in suspect:
                if self._carried(line):
                    carried.add(line)
                else:
                    rejected += 1
        return rejected, {at for at in suspect if carried.buckets[at] != target.buckets[at]}

    def _look_closely(self, chosen: set[int], *, others_differ: bool) -> list[Difference]:
        """The rows of some buckets that differ, matched by key."""
        missing, extra = Counter[Line](), Counter[Line]()
        for line in self._source():
            if hash(line) & _MASK in chosen and self._carried(line):
                missing[line] += 1
        for line in self._target():
            if hash(line) & _MASK in chosen:
                if missing[line] > 0:
                    missing[line] -= 1
                else:
                    extra[line] += 1
        self.missing, self.extra = list(missing.elements()), list(extra.elements())
        if others_differ and self._table.key:
            self._find_counterparts()
        return self._match(self.missing, self.extra)

    def _find_counterparts(self) -> None:
        """A changed row's two lines are in two buckets: look for those that are in none of the chosen ones."""
        missing, extra = ({self._key(line) for line in lines} for lines in (self.missing, self.extra))
        if wanted := extra - missing:
            self.missing += [line for line in self._source() if self._key(line) in wanted and self._carried(line)]
        if wanted := missing - extra:
            self.extra += [line for line in self._target() if self._key(line) in wanted]

    def _carried(self, line: Line) -> bool:
        try:
            decode(self._codecs, line)
        except (Unrepresentable, UnicodeDecodeError):
            return False
        return True

    def _match(self, missing: Sequence[Line], extra: Sequence[Line]) -> list[Difference]:
        keyed = bool(self._table.key)
        by_key = {self._key(line): line for line in extra} if keyed else {}
        differences = []
        for line in missing:
            other = by_key.pop(self._key(line), None) if keyed else None
            if other is None:
                differences.append(Difference("missing", self._shown_key(line), {}))
            elif columns := self._differing(line, other):
                differences.append(Difference("different", self._shown_key(line), columns))
        left = by_key.values() if keyed else extra
        return differences + [Difference("extra", self._shown_key(line), {}) for line in left]

    def _key(self, line: Line) -> tuple[str | None, ...]:
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
