"""Looks at the source and makes the plan."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import replace
from hashlib import sha256

from liteshift.catalog import Catalog, Name
from liteshift.ends import Snapshot, Task
from liteshift.errors import NotFit
from liteshift.plan import Choices, Plan, Severity, as_json
from liteshift.translate.facts import Facts, doubtful_foreign_keys, doubtful_texts
from liteshift.translate.names import fold
from liteshift.translate.planner import chosen_tables, make_plan


def prepare(snapshot: Snapshot, choices: Choices) -> Plan:
    """The plan for the source as the snapshot shows it.

    Raises:
        UsageError: a pattern names no table.
    """
    catalog = snapshot.catalog()
    chosen = {table.name for table in chosen_tables(catalog, choices)}
    return make_plan(catalog, choices, _ask(snapshot, catalog, chosen))


def _ask(snapshot: Snapshot, catalog: Catalog, chosen: Set[Name]) -> Facts:
    orphans = {}
    for table, key in doubtful_foreign_keys(catalog):
        if key.reference is not None and {table.name, key.reference.table} <= chosen:
            parent, full = key.reference, key.reference.match_full
            found = snapshot.orphans(table.name, key.columns, parent.table, parent.columns, match_full=full)
            orphans[table.name, key.name] = found
    ascii_only = {
        (table.name, column)
        for table, column in doubtful_texts(catalog)
        if table.name in chosen and snapshot.is_ascii(table.name, column)
    }
    return Facts(orphans, frozenset(ascii_only))


def task_of(identity: str, choices: Choices, plan: Plan) -> Task:
    """What a move is about: what two moves must have in common for one to go on with what the other left.

    Args:
        identity: the source's database.
    """
    asked = f"{identity}, {choices.said}"
    # What the catalog estimates, and where sequences are, may change from run to run.
    tables = [replace(table, rows=0, bytes=0, sequence=None) for table in plan.tables]
    planned = json.dumps([as_json(tables), as_json(plan.views)], sort_keys=True)
    return Task(asked, sha256(planned.encode()).hexdigest(), tuple(table.target for table in plan.tables))


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


def refuse_unfit_to_live(plan: Plan) -> None:
    """Stop before a byte is copied where a table could be moved, but not kept up with while an application uses it.

    Raises:
        NotFit: the message names the table.
    """
    for table in plan.tables:
        taken = {fold(column.target) for column in table.columns}
        if {"rowid", "_rowid_", "oid"} <= taken:
            raise NotFit(
                f"changes to the table {table.source} could not be kept on SQLite: its columns take every name that"
                " SQLite has for the number of a row",
                hint="Rename one of its columns rowid, _rowid_ and oid, leave the table out with --exclude, or move"
                " without --live.",
            )
