"""What stands in a database beside its tables: each object not carried is named, with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from liteshift.catalog import Catalog, Table
from liteshift.plan import Finding, Severity
from liteshift.translate.columns import Report

_WHY = {
    "materialized view": "SQLite has none",
    "foreign table": "SQLite has none",
    "function": "SQLite runs no stored code",
    "procedure": "SQLite runs no stored code",
    "aggregate": "SQLite runs no stored code",
    "window function": "SQLite runs no stored code",
    "trigger": "it stands on a view, or on one partition only",
    "rule": "SQLite has none",
    "policy": "SQLite has no users",
    "extension": "what uses it is named at its own place",
    "event trigger": "SQLite has none",
    "operator": "SQLite has no operators of one's own",
    "cast": "SQLite has no casts of one's own",
    "text search configuration": "SQLite has none",
    "collation": "what uses it is named at its own place",
    "operator class": "what uses it is named at its own place",
    "text search dictionary": "SQLite has none",
    "language": "SQLite runs no stored code",
    "publication": "SQLite publishes nothing",
    "subscription": "SQLite subscribes to nothing",
    "foreign server": "SQLite has none",
    "sequence": "no column of a carried table is fed by it",
}
_WHOLE = "of the database"
_INSTEAD = {
    "materialized view": "make it a table that the application fills",
    "function": "move it into the application",
    "procedure": "move it into the application",
    "policy": "check rights in the application",
}


def report_others(catalog: Catalog, chosen: Sequence[Table], report: Report) -> None:
    """Report every object that is no table, and every sequence that no carried column uses."""
    used = {column.sequence for table in chosen for column in table.columns}
    left_out = {table.name for table in catalog.tables} - {table.name for table in chosen}
    for sequence in catalog.sequences:
        owner = sequence.owner[0] if sequence.owner else None
        if sequence.name not in used and owner not in left_out:
            _report(report, "sequence", str(sequence.name))
    for other in catalog.others:
        if other.table in left_out:
            continue
        subject = f"{other.table}.{other.name.name}" if other.table else str(other.name).lstrip(".")
        if other.kind == "statistics object":
            report(Finding(Severity.NOTE, other.kind, subject, "is not carried", "SQLite keeps its own statistics"))
        else:
            _report(report, other.kind, _signature(other.kind, other.definition) or subject)
    if catalog.comments:
        what = f"({catalog.comments}) are not carried"
        report(Finding(Severity.LOSS, "comments", _WHOLE, what, "SQLite keeps none"))
    if catalog.granted:
        what = f"(others than the owner may use {catalog.granted} tables, views or sequences) are not carried"
        why, instead = "SQLite has no users: who can open the file can do everything", "guard the file"
        report(Finding(Severity.LOSS, "privileges", _WHOLE, what, why, instead))
    if any(column.sorted for table in chosen for column in table.columns) and not catalog.sorts_by_code_point:
        what = f"is no longer {catalog.collation}: texts sort by code point"
        report(Finding(Severity.LOSS, "collation", _WHOLE, what, "SQLite does not have this collation"))
    if catalog.encoding == "SQL_ASCII":
        what = "its texts must be UTF-8; a row whose text is not is rejected"
        report(Finding(Severity.NOTE, "database", catalog.database, what, "its encoding is SQL_ASCII"))


def _report(report: Report, kind: str, subject: str) -> None:
    why = _WHY.get(kind, "SQLite has none")
    report(Finding(Severity.LOSS, kind, subject, "is not carried", why, _INSTEAD.get(kind, "")))


def _signature(kind: str, definition: str) -> str:
    return definition if kind in ("function", "procedure", "aggregate", "window function", "operator") else ""
