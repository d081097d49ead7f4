"""Triggers: the common one that keeps the time of the last change is translated; the others are named as lost."""

from __future__ import annotations

import re
from collections.abc import Mapping

from liteshift.catalog import Table, Trigger
from liteshift.plan import Finding, Severity
from liteshift.quoting import quote
from liteshift.translate.columns import PlannedColumn, Report
from liteshift.translate.constraints import lost
from liteshift.translate.defaults import translate_default
from liteshift.translate.expressions import Untranslatable
from liteshift.translate.names import fold

# The whole body: one assignment of the current time to one column, then RETURN NEW.
_TOUCH = re.compile(
    r"""\s*BEGIN\s+NEW\.("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)\s*:?=\s*
    (now\(\s*\)|current_timestamp|transaction_timestamp\(\s*\)|localtimestamp|clock_timestamp\(\s*\))\s*;
    \s*RETURN\s+NEW\s*;\s*END\s*;?\s*""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


def trigger_statement(
    table: Table, trigger: Trigger, name: str, target: str, columns: Mapping[str, PlannedColumn], report: Report
) -> str:
    """The CREATE TRIGGER statement; empty where the trigger is not carried, which is then reported.

    `BEFORE UPDATE … NEW.column = now()` becomes an AFTER UPDATE that sets the column. It fires itself once more where
    triggers are recursive; SQLite's clock stands still within a statement, so the second time finds nothing to do.
    """
    subject = f"{table.name}.{trigger.name}"
    instead = "make it anew on SQLite, or move it into the application"
    column = _touched(trigger, columns)
    rowid = next((word for word in _ROWID_NAMES if word not in {fold(c.plan.target) for c in columns.values()}), None)
    if column is None or rowid is None or column.plan.generated:
        lost(report, "trigger", subject, "only triggers that keep the time of the last change are translated", instead)
        return ""
    try:
        now = translate_default(
            "now()", column.operand.family, column.operand.form, column.source.type, column.source.typmod
        )
    except Untranslatable as error:
        lost(report, "trigger", subject, f"not translated: {error}", instead)
        return ""
    own = quote(column.plan.target)
    what = f"sets {column.plan.target} after the update, in milliseconds"
    why = "SQLite's triggers can't change a row before it is stored; UPDATE … RETURNING shows the old value"
    report(Finding(Severity.NOTE, "trigger", subject, what, why))
    table_name, when = quote(target), f"NEW.{own} IS NOT {now}"
    update = f"UPDATE {table_name} SET {own} = {now} WHERE {rowid} = NEW.{rowid};"  # noqa: S608 - names are quoted
    return f"CREATE TRIGGER {quote(name)} AFTER UPDATE ON {table_name} FOR EACH ROW WHEN {when}\nBEGIN\n  {update}\nEND"


def _touched(trigger: Trigger, columns: Mapping[str, PlannedColumn]) -> PlannedColumn | None:
    """The column whose time of change the trigger keeps, if that is all it does."""
    plain = trigger.before and trigger.row and trigger.events == ("update",) and trigger.enabled
    if not plain or trigger.condition or trigger.columns or trigger.language != "plpgsql":
        return None
    match = _TOUCH.fullmatch(trigger.source)
    if match is None:
        return None
    word = match[1]
    return columns.get(word[1:-1].replace('""', '"') if word.startswith('"') else word.lower())
