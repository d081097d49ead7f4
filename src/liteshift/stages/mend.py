"""Brings tables that an earlier run has copied up to this run's snapshot: their rows may have changed since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from liteshift.ends import Snapshot, Staging
from liteshift.plan import Plan, TablePlan
from liteshift.progress import Progress
from liteshift.reports import CopiedTable, Reject
from liteshift.stages.copy import copy_rows
from liteshift.stages.repair import write_differences
from liteshift.stages.verify import Comparison


def mend(
    snapshot: Snapshot,
    plan: Plan,
    staging: Staging,
    copied: Sequence[CopiedTable],
    progress: Progress,
    reject: Callable[[Reject], None],
    strike: Callable[[str], None],
) -> tuple[CopiedTable, ...]:
    """Compare each table of which rows were kept, write what differs, and copy anew what differs too much.

    Args:
        copied: what is in the file.
        strike: takes back what was rejected of a source's table.

    Returns:
        What is in the file now.
    """
    tables = {table.target: table for table in plan.tables}
    mended = []
    for item in copied:
        if item.kept:
            item = _mend(snapshot, tables[item.target], plan, staging, item, progress, reject, strike)
        mended.append(item)
    return tuple(mended)


def _mend(
    snapshot: Snapshot,
    table: TablePlan,
    plan: Plan,
    staging: Staging,
    item: CopiedTable,
    progress: Progress,
    reject: Callable[[Reject], None],
    strike: Callable[[str], None],
) -> CopiedTable:
    with staging.mending() as rows:
        comparison = Comparison(snapshot, rows, table, progress)
        found = comparison.run(limit=0)
        if not comparison.partial and not found.rejected:
            removed, written = write_differences(comparison, rows, table)
            return replace(item, rows=item.rows - removed + written, mended=removed + written)
    # Rejected rows are named again as well, or nobody would hear of those that the earlier run has named.
    strike(str(table.source))
    staging.clear(table.target)
    alone = replace(plan, tables=(table,))
    (item,) = copy_rows(snapshot, alone, staging, progress, reject)
    return item
