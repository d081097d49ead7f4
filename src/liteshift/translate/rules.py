"""The rules of the source's tables, so that a later look tells what has come or gone: new tables, other rules.

They are PostgreSQL's own words, not a plan's: what depends on rows, or on who made the plan, is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from liteshift.catalog import Catalog, Column, PgType, Table, TypeKind
from liteshift.plan import Choices, Plan

Rules = Mapping[str, Mapping[str, str]]
"""By table: the definition of each rule, by its kind and name."""

_NOT_VALID = " NOT VALID"  # whether older rows were looked at too; the rule is the same


def rules(catalog: Catalog) -> Rules:
    """What every table asks of its rows: its columns, constraints, unique indexes, triggers, and its types' own rules.

    Partitions count as their table; a table that is not logged, or has no columns, can't be moved and is left out.
    """
    tables = (table for table in catalog.tables if table.columns and not table.unlogged)
    return {str(table.name): dict(_rules(table)) for table in tables}


def changed(before: Rules, now: Rules, plan: Plan, choices: Choices) -> Sequence[str]:
    """What has changed that matters to a move, each in words.

    Args:
        before: the rules when the plan was made.
        choices: those of the plan, which say whether a new table would belong to it.
    """
    found = [f"the table {name} is new" for name in now if name not in before and choices.takes(name)]
    for table in map(str, (one.source for one in plan.tables)):
        old, new = before.get(table, {}), now.get(table, {})
        found += [f"{rule} of {table} is new" for rule in new if rule not in old]
        found += [f"{rule} of {table} is gone" for rule in old if rule not in new]
        found += [
            f"{rule} of {table} is {new[rule]} now, and was {old[rule]}"
            for rule in old
            if rule in new and old[rule] != new[rule]
        ]
    return found


def _rules(table: Table) -> Iterator[tuple[str, str]]:
    for column in table.columns:
        yield f"the column {column.name}", _column(column)
        yield from _type(column.type)
    for constraint in table.constraints:
        yield f"the {constraint.kind} {constraint.name}", constraint.definition.removesuffix(_NOT_VALID)
    for index in table.indexes:
        if index.unique and index.valid:
            yield f"the unique index {index.name}", index.definition
    for trigger in table.triggers:
        if trigger.enabled:
            yield f"the trigger {trigger.name}", trigger.definition


def _column(column: Column) -> str:
    words = [column.type_text, "NOT NULL" if column.not_null else ""]
    words += [f"COLLATE {column.collation}" if column.collation else ""]
    words += [f"DEFAULT {column.default}" if column.default else ""]
    words += [f"GENERATED ALWAYS AS ({column.generated})" if column.generated else ""]
    words += [f"GENERATED {column.identity} AS IDENTITY".upper() if column.identity else ""]
    return " ".join(filter(None, words))


def _type(kind: PgType) -> Iterator[tuple[str, str]]:
    """The rules of a type of the user's, and of those that it is made of."""
    if kind.kind is TypeKind.ENUM:
        yield f"the type {kind.name}", f"ENUM ({', '.join(kind.labels)})"
    elif kind.kind is TypeKind.DOMAIN:
        words = ["NOT NULL"] if kind.not_null else []
        words += [f"DEFAULT {kind.default}"] if kind.default else []
        words += [f"CONSTRAINT {name} CHECK {expression or 'not looked at'}" for name, expression in kind.checks]
        yield f"the domain {kind.name}", " ".join(words) or "without rules"
    if kind.base is not None:
        yield from _type(kind.base)
    for field in kind.fields:
        yield from _type(field.type)
