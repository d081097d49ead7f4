"""The native road: tables whose pages the core builds from COPY's binary format, several at the same time if asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from queue import SimpleQueue

from liteshift.codec.copy_binary import wire
from liteshift.ends import Builder, Building, Kept, Range, Snapshot, Staging, Unbuildable, Unbuilt
from liteshift.plan import ColumnPlan, TablePlan
from liteshift.progress import Progress, Step
from liteshift.reports import CopiedTable

_KEEP_EVERY = 64 << 20  # bytes of rows that come in their key's order
_LOOK = 0.2  # seconds


def stored(table: TablePlan) -> Sequence[ColumnPlan]:
    """The columns that are copied; SQLite computes the others."""
    return [column for column in table.columns if not column.generated]


def can_build(staging: Staging, table: TablePlan) -> bool:
    """Whether the core can build a table."""
    columns = stored(table)
    return staging.can_build(table.target, [column.target for column in columns], [column.form for column in columns])


def build_tables(
    snapshot: Snapshot, tables: Sequence[TablePlan], staging: Staging, progress: Progress, jobs: int
) -> Mapping[str, CopiedTable]:
    """Build these tables, which can be built; those that turn out not to be are left out, and empty.

    Args:
        jobs: how many at the same time, each on a connection of its own.
    """
    if not tables:
        return {}
    copied = dict[str, CopiedTable]()
    forms = {table.target: [column.form for column in stored(table)] for table in tables}
    with staging.building(forms) as building:
        had = {name: kept.rows for name, kept in staging.kept.items()}

        def one(snapshot: Snapshot, table: TablePlan, progress: Progress) -> None:
            started = time.monotonic()
            rows = _build(snapshot, table, building, staging.kept.get(table.target), progress)
            if rows is not None:
                kept = had.get(table.target, 0)
                name, seconds = str(table.source), time.monotonic() - started
                copied[table.target] = CopiedTable(name, table.target, rows, 0, seconds, "native", kept)

        if jobs == 1 or len(tables) == 1:
            for table in tables:
                one(snapshot, table, progress)
        else:
            _at_once(snapshot, tables, one, progress, min(jobs, len(tables)))
    return copied


class _Stopped(Exception):
    pass


def _at_once(
    snapshot: Snapshot,
    tables: Sequence[TablePlan],
    one: Callable[[Snapshot, TablePlan, Progress], None],
    progress: Progress,
    jobs: int,
) -> None:
    """Do it with each table, the largest first, in threads of their own."""
    stop, steps = threading.Event(), SimpleQueue[Step]()

    def tell(step: Step) -> None:
        if stop.is_set():
            raise _Stopped
        steps.put(step)

    with ExitStack() as stack:
        snapshots = SimpleQueue[Snapshot]()
        for _ in range(jobs):
            snapshots.put(stack.enter_context(snapshot.another()))

        def work(table: TablePlan) -> None:
            own = snapshots.get()
            try:
                one(own, table, tell)
            finally:
                snapshots.put(own)

        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        try:
            waiting = {pool.submit(work, table) for table in sorted(tables, key=lambda table: -table.bytes)}
            while waiting:
                done, waiting = wait(waiting, timeout=_LOOK, return_when=FIRST_COMPLETED)
                while not steps.empty():
                    progress(steps.get())
                for job in done:
                    job.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _build(
    snapshot: Snapshot, table: TablePlan, building: Building, kept: Kept | None, progress: Progress
) -> int | None:
    """How many rows it has; None where it can't be built."""
    copy = _Copy(snapshot, table, building, progress)
    try:
        if kept is not None and kept.above is not None:
            return copy.by_key(kept.above)
        ranges = copy.ranges(kept.after if kept else "")
        if ranges is None:
            building.builder(table.target).abandon()
            ranges = copy.ranges("")
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
        self._snapshot = snapshot
        self._table = table
        self._building = building
        self._progress = progress
        self._columns = [(column.source, wire(column.form, column.source_type)) for column in stored(table)]
        self._key = [column for column in stored(table) if column.target in table.key]

    def ranges(self, after: str) -> Sequence[Range] | None:
        """Its parts, in the order in which they must come."""
        keyed = [column.form for column in self._key] == ["integer"]
        return self._snapshot.ranges(
            self._table.source, with_children=self._table.partitioned, keyed=keyed, after=after
        )

    def by_ranges(self, ranges: Sequence[Range]) -> int:
        """Copy it as the heap has it, which costs the source least."""
        with self._builder() as builder:
            for number, one in enumerate(ranges, start=1):
                with closing(self._pieces(within=one)) as pieces:
                    for piece in pieces:
                        self._tell(builder.feed(piece))
                if number < len(ranges):
                    builder.keep(one.name, in_order=False)
            return self._told(builder.finish())

    def by_key(self, above: int | None) -> int:
        """Copy it in its key's order."""
        order, size = [column.source for column in self._key], 0
        with self._builder() as builder, closing(self._pieces(order=order, above=above)) as pieces:
            for piece in pieces:
                self._tell(builder.feed(piece))
                size += len(piece)
                if size > _KEEP_EVERY:
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

    def _pieces(
        self, *, within: Range | None = None, order: Sequence[str] = (), above: int | None = None
    ) -> Generator[bytes, None, int]:
        table = self._table
        return self._snapshot.binary(
            table.source, self._columns, with_children=table.partitioned, within=within, order=order, above=above
        )

    def _tell(self, rows: int) -> None:
        total = self._table.rows if self._table.rows >= 0 else None
        self._progress(Step("copy", str(self._table.source), rows, total))

    def _told(self, rows: int) -> int:
        self._progress(Step("copy", str(self._table.source), rows, rows))
        return rows
