"""Partitions become one table: what stands on the leaves only is lifted to the whole, or named as lost."""

from __future__ import annotations

from dataclasses import replace

from liteshift.catalog import Constraint, ConstraintKind, Index, Table
from liteshift.plan import Finding, Severity
from liteshift.translate.columns import Report
from liteshift.translate.constraints import lost

UNIQUE = (ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY)


def leaf_foreign_keys(table: Table) -> list[tuple[Constraint, int]]:
    """Foreign keys that stand on leaves only, each once, with how many leaves have it."""
    found: dict[tuple[object, ...], tuple[Constraint, int]] = {}
    for leaf in table.partitions:
        for constraint in leaf.constraints:
            if constraint.kind is ConstraintKind.FOREIGN_KEY:
                identity = (constraint.columns, constraint.reference)
                first, holders = found.get(identity, (constraint, 0))
                found[identity] = (first, holders + 1)
    return list(found.values())


def lifted_foreign_keys(table: Table, report: Report) -> list[Constraint]:
    """The leaves' foreign keys for the whole table; their other constraints are reported."""
    for leaf in table.partitions:
        for constraint in leaf.constraints:
            subject = f"{leaf.name}.{constraint.name}"
            if constraint.kind in (ConstraintKind.CHECK, ConstraintKind.EXCLUSION):
                lost(report, constraint.kind, subject, "it stands on one partition only")
            elif constraint.kind in UNIQUE:
                _refuse(constraint.kind, subject, report)
    lifted = leaf_foreign_keys(table)
    for constraint, holders in lifted:
        why = f"{holders} of {len(table.partitions)} partitions have it; they become one table"
        subject = f"{table.name}.{constraint.name}"
        report(Finding(Severity.NOTE, "foreign key", subject, "stands on the whole table", why))
    return [constraint for constraint, _ in lifted]


def lifted_indexes(table: Table, report: Report) -> list[Index]:
    """The leaves' indexes for the whole table, one of each shape."""
    lifted: dict[tuple[object, ...], Index] = {}
    for leaf in table.partitions:
        for index in leaf.indexes:
            subject = f"{leaf.name}.{index.name}"
            if index.unique:
                _refuse("unique index", subject, report)
                continue
            kept = lifted.setdefault((index.keys, index.predicate, index.method, index.included), index)
            if kept is not index:
                why = "the partitions become one table"
                report(Finding(Severity.NOTE, "index", subject, f"is one with {kept.name}", why))
    return [replace(index, unique=False) for index in lifted.values()]


def _refuse(kind: str, subject: str, report: Report) -> None:
    what, why = "can't be carried, and it is a unique rule", "it stands on one partition only"
    report(Finding(Severity.REFUSAL, kind, subject, what, why, "exclude the table"))
