"""Large objects: they stand in no table of the user's and no stream of changes, so they are refused or left out."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from liteshift.catalog import Catalog, PgType, Table
from liteshift.plan import Choices, Finding, Severity
from liteshift.translate.columns import Report
from liteshift.translate.readiness import sql_name, sql_table

TABLE = "pg_catalog.pg_largeobject"
"""Where PostgreSQL keeps them; `--exclude` takes it for them all."""
_NAMED = 3


def report_large_objects(catalog: Catalog, chosen: Sequence[Table], choices: Choices, report: Report) -> None:
    """Refuse a database that has large objects, unless the user leaves them out; then name the columns that suffer.

    Where `--include` picks tables none of which could hold their numbers, they are left out as well.
    """
    count = catalog.large_objects
    if not count:
        return
    holders = [(table, column.name) for table in chosen for column in table.columns if _holds_numbers(column.type)]
    named = any(fnmatchcase(TABLE, pattern) for pattern in choices.exclude)
    what = f"{count} large object{'s' if count > 1 else ''}"
    if named or (choices.include and not holders):
        report(Finding(Severity.NOTE, "large objects", TABLE, f"{what} left out", "as --include and --exclude say"))
        for table, column in holders:
            subject, why = f"{table.name}.{column}", "the large objects are left out, as --exclude says"
            report(Finding(Severity.LOSS, "column", subject, "keeps numbers only, which may name large objects", why))
        return
    why, instead = "SQLite has none", f"leave them behind with --exclude {TABLE}"
    if holders:
        where = ", ".join(f"{table.name}.{column}" for table, column in holders[:_NAMED])
        more = f" and {len(holders) - _NAMED} more" if len(holders) > _NAMED else ""
        why += f"; their numbers may stand in {where}{more}"
        instead = f"bring them into a column first: {_carried_over(*holders[0])}; or {instead}"
    report(Finding(Severity.REFUSAL, "large objects", TABLE, f"{what} can't be carried", why, instead))


def _carried_over(table: Table, column: str) -> str:
    """The statements that turn a column of numbers into one of bytes, and then take the large objects away."""
    name, own = sql_table(table.name), sql_name(column)
    add = f"ALTER TABLE {name} ADD COLUMN bytes bytea"
    fill = f"UPDATE {name} SET bytes = lo_get({own})"  # noqa: S608 - shown, not run
    clear = f"SELECT lo_unlink({own}) FROM {name} WHERE {own} IS NOT NULL"  # noqa: S608 - shown, not run
    return f"{add}; {fill}; {clear}"


def _holds_numbers(kind: PgType) -> bool:
    """Whether a column's values may be numbers of large objects: oid, lo, or an array or composite of them."""
    if kind.base is not None:
        return _holds_numbers(kind.base)
    return str(kind.name) == "pg_catalog.oid" or any(_holds_numbers(field.type) for field in kind.fields)
