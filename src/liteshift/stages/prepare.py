"""Looks at the source and makes the plan."""

from __future__ import annotations

from collections.abc import Sequence

from liteshift.ends import Snapshot
from liteshift.errors import NotFit
from liteshift.plan import Plan, Profile, Severity
from liteshift.translate.planner import doubtful_foreign_keys, make_plan


def prepare(snapshot: Snapshot, profile: Profile, include: Sequence[str], exclude: Sequence[str]) -> Plan:
    """The plan for the source as the snapshot shows it.

    Raises:
        UsageError: a pattern names no table.
    """
    catalog = snapshot.catalog()
    orphans = {}
    for table, key in doubtful_foreign_keys(catalog):
        if key.reference is not None:
            found = snapshot.orphans(table.name, key.columns, key.reference.table, key.reference.columns)
            orphans[table.name, key.name] = found
    return make_plan(catalog, profile, include=include, exclude=exclude, orphans=orphans)


def refuse_unfit(plan: Plan) -> None:
    """Stop before a byte is copied where the plan says so.

    Raises:
        NotFit: the plan has refusals; the message names each.
    """
    refusals = plan.of(Severity.REFUSAL)
    if refusals:
        listed = "; ".join(f"{item.kind} {item.subject} {item.what}: {item.why}" for item in refusals)
        raise NotFit(
            f"{plan.database} can't be moved as it is: {listed}",
            hint="; or ".join({item.instead for item in refusals}) + ".",
        )
    if not plan.tables:
        raise NotFit(
            f"{plan.database} has no table to move", hint="Look at the database's name, and at --include and --exclude."
        )
