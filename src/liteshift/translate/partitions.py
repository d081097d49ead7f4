"""Partitions become one table: what stands on the leaves only is lifted to the whole, or named as lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from liteshift.catalog import Constraint, ConstraintKind, Index, Name, Table
from liteshift.plan import Finding, Severity
from liteshift.translate.columns import Report
from liteshift.translate.constraints import lost

UNIQUE = (ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY)


def leaf_foreign_keys(table: Table) -> list[tuple[Constraint, int]]:
    """Foreign keys that stand on leaves only and can be lifted, each once, with how many leaves have it.

    One that shares its columns with another can't: the partitions point at different parents.
    """
    found: dict[tuple[object, ...], tuple[Constraint, int]] = {}
    for leaf in table.partitions:
        for constraint in _foreign_keys(leaf):
            identity = (constraint.columns, constraint.reference)
            first, holders = found.get(identity, (constraint, 0))
            found[identity] = (first, holders + 1)
    columns = Counter(constraint.columns for constraint, _ in found.values())
    return [(constraint, holders) for constraint, holders in found.values() if columns[constraint.columns] == 1]


def lifted_foreign_keys(table: Table, orphans: Mapping[tuple[Name, str], int], report: Report) -> list[Constraint]:
    """The leaves' foreign keys for the whole table; what can't be lifted is reported.

    Args:
        table: the root.
        orphans: how many rows of the whole table break a foreign key, by table and name.
        report: takes the findings.
    """
    lifted = leaf_foreign_keys(table)
    columns = {constraint.columns for constraint, _ in lifted}
    for leaf in table.partitions:
        for constraint in leaf.constraints:
            subject = f"{leaf.name}.{constraint.name}"
            if constraint.kind in UNIQUE:
                _refuse(constraint.kind, subject, report)
            elif constraint.kind is not ConstraintKind.FOREIGN_KEY:
                lost(report, constraint.kind, subject, "it stands on one partition only")
            elif constraint.columns not in columns:
                lost(report, "foreign key", subject, "the partitions become one table, and point at different parents")
    for constraint, holders in lifted:
        subject = f"{table.name}.{constraint.name}"
        broken = orphans.get((table.name, constraint.name), 0)
        if broken:
            lost(report, "foreign key", subject, f"it stands on some partitions only, and {broken} other rows break it")
        elif holders == len(table.leaves):
            why = "every partition has it, and they become one table"
            report(Finding(Severity.NOTE, "foreign key", subject, "stands on the whole table", why))
        else:
            why = f"{holders} of {len(table.leaves)} partitions have it, and they become one table"
            what = "binds the rows of all partitions; those that are there obey it"
            report(Finding(Severity.LOSS, "foreign key", subject, what, why))
    return [constraint for constraint, _ in lifted if not orphans.get((table.name, constraint.name))]


def _foreign_keys(table: Table) -> list[Constraint]:
    return [constraint for constraint in table.constraints if constraint.kind is ConstraintKind.FOREIGN_KEY]


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
