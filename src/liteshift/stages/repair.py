"""Makes the target equal to the source again: writes the rows that differ, in one transaction that can be undone."""

from __future__ import annotations

from collections import Counter

from liteshift.codec.copy_text import decode
from liteshift.codec.values import codec
from liteshift.ends import Repairing, Snapshot
from liteshift.errors import DifferencesFound
from liteshift.plan import Plan, TablePlan
from liteshift.progress import Progress
from liteshift.reports import RepairedTable
from liteshift.stages.verify import Comparison, line_of, verify


def repair(snapshot: Snapshot, target: Repairing, plan: Plan, progress: Progress) -> tuple[RepairedTable, ...]:
    """Write what differs.

    Args:
        snapshot: the source at one moment.
        target: the file, in a write transaction that ends with our caller.
        plan: which tables and columns stand for which.
        progress: told about rows as they are read.

    Raises:
        DifferencesFound: too much differs, or something still does afterwards; nothing was changed.
    """
    repaired = []
    for table in plan.tables:
        comparison = Comparison(snapshot, target, table, progress)
        comparison.run(limit=0)
        if comparison.partial:
            raise DifferencesFound(
                f"too many rows of {table.target} differ to be repaired",
                hint="Move the database again: liteshift migrate --overwrite SOURCE TARGET",
            )
        removed, written = write_differences(comparison, target, table)
        if removed or written:
            repaired.append(RepairedTable(str(table.source), table.target, removed, written))
    if not verify(snapshot, target, plan, progress).equal:
        raise DifferencesFound("the repair would not have made both sides equal, so nothing was changed")
    return tuple(repaired)


def write_differences(comparison: Comparison, target: Repairing, table: TablePlan) -> tuple[int, int]:
    """Write what a comparison has found; how many rows were removed, and how many written."""
    if not comparison.missing and not comparison.extra:
        return 0, 0
    codecs = [codec(column.form) for column in table.columns]
    names = [column.target for column in table.columns]
    doomed, numbers = Counter(comparison.extra), []
    for number, row in target.numbered(table.target, names):
        line = line_of(codecs, row)
        if doomed[line] > 0:
            doomed[line] -= 1
            numbers.append(number)
    stored = [at for at, column in enumerate(table.columns) if not column.generated]
    rows = [[row[at] for at in stored] for row in (decode(codecs, line) for line in comparison.missing)]
    target.replace(table.target, [names[at] for at in stored], numbers, rows)
    return len(numbers), len(rows)
