"""The native road: tables whose pages the core builds from COPY's binary format, several at the same time if asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial

from liteshift.ends import Builder, Building, Kept, Range, Snapshot, Staging, Unbuildable, Unbuilt
from liteshift.plan import TablePlan
from liteshift.progress import Progress, Step
from liteshift.reports import CopiedTable
from liteshift.stages import stream
from liteshift.stages.at_once import Work, at_once
from liteshift.stages.split import Split
from liteshift.stages.stream import Stream, stored

_AHEAD = 2  # parts of a split table for each connection


def can_build(staging: Staging, table: TablePlan) -> bool:
    """Whether the core can build a table."""
    columns = stored(table)
    return staging.can_build(table.target, [column.target for column in columns], [column.form for column in columns])


def build_tables(
    snapshot: Snapshot, tables: Sequence[TablePlan], staging: Staging, progress: Progress, jobs: int
) -> Mapping[str, CopiedTable]:
    """Build these tables, which can be built; those that turn out not to be are left out, and empty.

    Args:
        jobs: how many connections copy at the same time, each a table, or a part of a big one.
    """
    if not tables:
        return {}
    forms = {table.target: [column.form for column in stored(table)] for table in tables}
    with staging.building(forms) as building:
        tasks = _Tasks(building, dict(staging.kept))
        if jobs == 1:
            for table in tables:
                tasks.whole(table, snapshot, progress)
        else:
            largest_first = sorted(tables, key=lambda table: -table.bytes)
            works = [work for table in largest_first for work in tasks.works(table, snapshot, jobs)]
            if len(works) == 1:
                works[0](snapshot, progress)
            else:
                at_once(snapshot, works, progress, min(jobs, len(works)))
    return tasks.copied


class _Tasks:
    """What is to be done, and what is.

    Attributes:
        copied: the tables that are built.
    """

    def __init__(self, building: Building, kept: Mapping[str, Kept]) -> None:
        self.copied = dict[str, CopiedTable]()
        self._building = building
        self._kept = kept

    def works(self, table: TablePlan, snapshot: Snapshot, jobs: int) -> list[Work]:
        """A table as work for so many connections: a big one in parts."""
        whole: list[Work] = [partial(self.whole, table)]
        kept = self._kept.get(table.target)
        if kept is not None and kept.above is not None:
            return whole
        ranges = Stream(snapshot, table).ranges(kept.after if kept else "", jobs)
        if ranges is None or len(ranges) == 1:
            return whole
        try:
            builder = self._building.builder(table.target)
        except Unbuildable:
            return whole  # which finds out the same
        split = Split(table, ranges, builder, kept.rows if kept else 0, _AHEAD * jobs)
        return [partial(self._part, split, table, number) for number in range(len(ranges))]

    def whole(self, table: TablePlan, snapshot: Snapshot, progress: Progress) -> None:
        """Build a table over one connection."""
        started = time.monotonic()
        rows = _build(snapshot, table, self._building, self._kept.get(table.target), progress)
        self._done(table, rows, started)

    def _part(self, split: Split, table: TablePlan, number: int, snapshot: Snapshot, progress: Progress) -> None:
        if not split.copy(number, snapshot, progress):
            return
        try:
            rows: int | None = split.end(progress)
        except Unbuildable as error:
            disordered = error.why is Unbuilt.DISORDERED
            rows = _build(snapshot, table, self._building, None, progress) if disordered else None
        self._done(table, rows, split.started)

    def _done(self, table: TablePlan, rows: int | None, started: float) -> None:
        if rows is not None:
            kept = self._kept.get(table.target)
            seconds, had = time.monotonic() - started, kept.rows if kept else 0
            self.copied[table.target] = CopiedTable(str(table.source), table.target, rows, 0, seconds, "native", had)


def _build(
    snapshot: Snapshot, table: TablePlan, building: Building, kept: Kept | None, progress: Progress
) -> int | None:
    """How many rows it has; None where it can't be built."""
    copy = _Copy(snapshot, table, building, progress)
    try:
        if kept is not None and kept.above is not None:
            return copy.by_key(kept.above)
        ranges = copy.stream.ranges(kept.after if kept else "")
        if ranges is None:
            building.builder(table.target).abandon()
            ranges = copy.stream.ranges("")
        try:
            return copy.by_ranges(ranges or [Range()])
        except Unbuildable as error:
            if error.why is not Unbuilt.DISORDERED:
                raise
        return copy.by_key(None)  # a heap that was updated is not in order, and sorting costs
    except Unbuildable:
        return None


class _Copy:
    """One table on its way."""

    def __init__(self, snapshot: Snapshot, table: TablePlan, building: Building, progress: Progress) -> None:
        self.stream = Stream(snapshot, table)
        self._table = table
        self._building = building
        self._progress = progress

    def by_ranges(self, ranges: Sequence[Range]) -> int:
        """Copy it as the heap has it."""
        with self._builder() as builder:
            for number, one in enumerate(ranges, start=1):
                with closing(self.stream.within(one)) as pieces:
                    for piece in pieces:
                        self._tell(builder.feed(piece))
                if number < len(ranges):
                    builder.keep(one.name, in_order=False)
            return self._told(builder.finish())

    def by_key(self, above: int | None) -> int:
        """Copy it in its key's order."""
        size = 0
        with self._builder() as builder, closing(self.stream.by_key(above)) as pieces:
            for piece in pieces:
                self._tell(builder.feed(piece))
                size += len(piece)
                if size > stream.KEEP_EVERY:
                    builder.keep("", in_order=True)
                    size = 0
            return self._told(builder.finish())

    @contextmanager
    def _builder(self) -> Iterator[Builder]:
        """Where it can't be built, it is left empty; where we are interrupted, it stays for a later run."""
        builder = self._building.builder(self._table.target)
        try:
            yield builder
        except Unbuildable:
            builder.abandon()
            raise

    def _tell(self, rows: int) -> None:
        total = self._table.rows if self._table.rows >= 0 else None
        self._progress(Step("copy", str(self._table.source), rows, total))

    def _told(self, rows: int) -> int:
        self._progress(Step("copy", str(self._table.source), rows, rows))
        return rows
