"""Copies every row of the plan into the staging file, then makes the indexes and checks the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from liteshift.codec.copy_text import decode, fields
from liteshift.codec.values import Unrepresentable, codec
from liteshift.ends import Range, Snapshot, Staging
from liteshift.errors import LiteshiftError, NotFit
from liteshift.plan import Plan, TablePlan
from liteshift.progress import Progress, Step
from liteshift.reports import CopiedTable, Reject
from liteshift.stages.build import build_tables, can_build
from liteshift.stages.stream import stored
from liteshift.value import Value

_TELL_EVERY = 2000  # rows


def copy_rows(
    snapshot: Snapshot,
    plan: Plan,
    staging: Staging,
    progress: Progress,
    reject: Callable[[Reject], None],
    *,
    jobs: int = 1,
) -> tuple[CopiedTable, ...]:
    """Copy every table, or what is missing of it.

    Args:
        snapshot: the source at one moment.
        plan: what to copy.
        staging: an empty file, or one that an earlier run has begun.
        progress: told about rows as they come.
        reject: told about each row that can't be carried; the copy goes on.
        jobs: how many connections copy at the same time; tables that the native core can't build come one by one.
    """
    fresh = not staging.begun
    if fresh:
        staging.execute(table.create for table in plan.tables)
    copied, wanted = dict[str, CopiedTable](), list[TablePlan]()
    for table in plan.tables:
        kept = staging.kept.get(table.target)
        if kept is not None and kept.whole:
            rows, road = kept.rows, kept.road
            copied[table.target] = CopiedTable(str(table.source), table.target, rows, 0, 0.0, road, kept=rows)
        elif (kept is None or kept.road == "native") and can_build(staging, table):
            wanted.append(table)
    if fresh:
        # On an empty table they cost nothing, and the core fills them when the rows are there.
        staging.execute(statement for table in wanted for statement in table.indexes)
    copied.update(build_tables(snapshot, wanted, staging, progress, jobs))
    for table in plan.tables:
        if table.target not in copied:
            copied[table.target] = _insert(snapshot, table, staging, progress, reject)
        if table.sequence is not None:
            staging.set_sequence(table.target, table.sequence)
    return tuple(copied[table.target] for table in plan.tables)


def _insert(
    snapshot: Snapshot, table: TablePlan, staging: Staging, progress: Progress, reject: Callable[[Reject], None]
) -> CopiedTable:
    """Python's road: every row decoded by the definition, and inserted."""
    started = time.monotonic()
    kept = staging.kept.get(table.target)
    sources, targets = [column.source for column in stored(table)], [column.target for column in stored(table)]
    ranges = snapshot.ranges(
        table.source, with_children=table.partitioned, keyed=False, after=kept.after if kept else ""
    )
    if ranges is None:
        staging.clear(table.target)
        kept, ranges = None, [Range()]
    rows = _TableCopy(table, progress, reject, kept.rows if kept else 0)
    for number, one in enumerate(ranges, start=1):
        lines = snapshot.lines(table.source, sources, with_children=table.partitioned, within=one)
        last = number == len(ranges)
        staging.load(table.target, targets, rows.values(lines), after=one.name, last=last)
    rows.end()
    seconds = time.monotonic() - started
    had = kept.rows if kept else 0
    return CopiedTable(str(table.source), table.target, rows.count, rows.rejected, seconds, "python", kept=had)


def make_indexes(plan: Plan, staging: Staging, progress: Progress) -> None:
    """Make every index, after the rows."""
    staging.index(
        {table.target: table.indexes for table in plan.tables},
        lambda table, done, total: progress(Step("index", table, done, total)),
    )


def make_triggers(plan: Plan, staging: Staging) -> None:
    """Make every trigger, when nothing is written any more."""
    staging.execute(statement for table in plan.tables for statement in table.triggers)


def check_file(staging: Staging, rejected: int) -> tuple[str, ...]:
    """SQLite's own checks of the whole file.

    Args:
        staging: the loaded file.
        rejected: how many rows were left out; their children may point nowhere.

    Returns:
        Rows without their parent, which only rejected rows excuse.

    Raises:
        LiteshiftError: the file is not sound.
        NotFit: rows point nowhere though none was rejected.
    """
    unsound, orphans = staging.check()
    if unsound:
        staging.discard()
        raise LiteshiftError(f"the new file is not sound: {'; '.join(unsound[:5])}")
    if orphans and not rejected:
        staging.discard()
        raise NotFit(
            f"rows break a foreign key that the source takes for valid: {'; '.join(orphans[:5])}",
            hint="They were written past it, as by a restore without triggers: mend them on the source, or drop the key"
            " there and add it again as NOT VALID, which leaves it out. liteshift assess --deep counts them all.",
        )
    return tuple(orphans)


class _TableCopy:
    """One table's rows on their way, counted."""

    def __init__(self, table: TablePlan, progress: Progress, reject: Callable[[Reject], None], count: int) -> None:
        self.count = count
        self.rejected = 0
        self._table = table
        self._columns = stored(table)
        self._codecs = [codec(column.form) for column in self._columns]
        self._progress = progress
        self._reject = reject

    def values(self, lines: Iterator[bytes]) -> Iterator[Sequence[Value]]:
        """Each line's row as SQLite will hold it; what can't be carried is rejected and passed over."""
        codecs, name = self._codecs, str(self._table.source)
        total = self._table.rows if self._table.rows >= 0 else None
        self._progress(Step("copy", name, self.count, total))
        for line in lines:
            try:
                row = decode(codecs, line)
            except (Unrepresentable, UnicodeDecodeError):
                self.rejected += 1
                self._reject(self._explain(line))
                continue
            self.count += 1
            if self.count % _TELL_EVERY == 0:
                self._progress(Step("copy", name, self.count, total))
            yield row

    def end(self) -> None:
        """All lines have come."""
        self._progress(Step("copy", str(self._table.source), self.count, self.count))

    def _explain(self, line: bytes) -> Reject:
        """Which row it is, and which value can't be carried."""
        name = str(self._table.source)
        number: dict[str, str | None] = {"row": str(self.count + self.rejected)}
        try:
            texts = fields(line)
        except UnicodeDecodeError:
            return Reject(name, number, "", "its text is not UTF-8")
        pairs = list(zip(self._columns, texts, strict=True))
        own = self._table.identity or self._table.key  # as the log will name the row when it is changed
        key = {column.source: text for column, text in pairs if column.target in own} or number
        for form, (column, text) in zip(self._codecs, pairs, strict=True):
            try:
                if text is not None:
                    form.from_pg(text)
            except Unrepresentable as error:
                return Reject(name, key, column.source, str(error))
        raise AssertionError("a row was rejected for no reason")
