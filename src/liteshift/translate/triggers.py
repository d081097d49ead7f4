"""Triggers: the common one that keeps the time of the last change is translated; the others are named as lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from liteshift.catalog import Table, Trigger
from liteshift.plan import Finding, Severity
from liteshift.quoting import quote
from liteshift.translate.columns import PlannedColumn, Report
from liteshift.translate.constraints import lost
from liteshift.translate.defaults import translate_default
from liteshift.translate.expressions import Untranslatable
from liteshift.translate.names import fold

_NAME = r"""("(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)"""
_NOW = r"(?:now\(\s*\)|current_timestamp|(?:transaction|statement|clock)_timestamp\(\s*\)|localtimestamp)"
_UTC = rf"\(?\s*(?P<utc>{_NOW}\s+AT\s+TIME\s+ZONE\s+'utc'|timezone\(\s*'utc'\s*,\s*{_NOW}\s*\))\s*\)?"
_CHANGED = r"|".join(
    rf"(?:{one}|{one}\.\*|ROW\(\s*{one}\.\*\s*\))\s+IS\s+DISTINCT\s+FROM\s+(?:{other}|{other}\.\*|ROW\(\s*{other}\.\*\s*\))"
    for one, other in (("NEW", "OLD"), ("OLD", "NEW"))
)
_FLAGS = re.IGNORECASE | re.VERBOSE | re.ASCII
_TOUCHES = rf"\.(?P<column>{_NAME})\s*:?=\s*(?:{_NOW}|{_UTC})\s*;"
# The whole body: one assignment of the current time to one column, then RETURN NEW; also by way of a copy of NEW.
_BODIES = (
    re.compile(rf"\s*BEGIN\s+NEW{_TOUCHES}\s*RETURN\s+NEW\s*;\s*END\s*;?\s*", _FLAGS),
    re.compile(
        rf"\s*BEGIN\s+IF\s*\(?\s*(?P<changed>{_CHANGED})\s*\)?\s*THEN\s+NEW{_TOUCHES}"
        r"\s*END\s+IF\s*;\s*RETURN\s+NEW\s*;\s*END\s*;?\s*",
        _FLAGS,
    ),
    re.compile(
        rf"\s*DECLARE\s+(?P<copy>[a-z_]+)\s+record\s*;\s*BEGIN\s+(?P=copy)\s*:?=\s*NEW\s*;\s*(?P=copy){_TOUCHES}"
        r"\s*RETURN\s+(?P=copy)\s*;\s*END\s*;?\s*",
        _FLAGS,
    ),
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WHEN_CHANGED = " FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE "
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True, slots=True)
class _Touch:
    """What a trigger does that keeps the time of the last change: `changed` where it looks whether there was one."""

    column: PlannedColumn
    changed: bool
    utc: bool


def trigger_statements(
    table: Table,
    trigger: Trigger,
    names: Callable[[str], str],
    target: str,
    columns: Mapping[str, PlannedColumn],
    report: Report,
) -> tuple[str, ...]:
    """The CREATE TRIGGER statements, one for each event; none where the trigger is not carried, which is then reported.

    `BEFORE UPDATE … NEW.column = now()` becomes an AFTER UPDATE that sets the column. It fires itself once more where
    triggers are recursive; SQLite's clock stands still within a statement, so the second time finds nothing to do.

    Args:
        table: the table it stands on.
        trigger: the trigger.
        names: gives a statement's trigger its name in SQLite.
        target: its table's name in SQLite.
        columns: the table's columns by source name.
        report: takes the findings.
    """
    subject = f"{table.name}.{trigger.name}"
    instead = "make it anew on SQLite, or move it into the application"
    touch = _touch(trigger, columns)
    rowid = next((word for word in _ROWID_NAMES if word not in {fold(c.plan.target) for c in columns.values()}), None)
    if touch is None or rowid is None or touch.column.plan.generated:
        lost(report, "trigger", subject, "only triggers that keep the time of the last change are translated", instead)
        return ()
    column = touch.column
    try:
        if touch.utc and column.operand.family != "timestamp":
            raise Untranslatable("a time in UTC, in a column that has a time zone, or no time")
        if "insert" in trigger.events and "NOT NULL" in column.plan.rules and not _has_default(column):
            raise Untranslatable("a first value for a column that is NOT NULL and has no default")
        changed = _changed(columns) if touch.changed else ""
        now = translate_default(
            "now()", column.operand.family, column.operand.form, column.source.type, column.source.typmod
        )
    except Untranslatable as error:
        lost(report, "trigger", subject, f"not translated: {error}", instead)
        return ()
    own = quote(column.plan.target)
    what = f"sets {column.plan.target} after the {' or '.join(trigger.events)}, in milliseconds"
    why = "SQLite's triggers can't change a row before it is stored; RETURNING shows the old value"
    report(Finding(Severity.NOTE, "trigger", subject, what, why))
    table_name, when = quote(target), f"NEW.{own} IS NOT {now}{changed}"
    update = f"UPDATE {table_name} SET {own} = {now} WHERE {rowid} = NEW.{rowid};"  # noqa: S608 - names are quoted
    made = []
    for event in trigger.events:
        name = names(trigger.name if event == trigger.events[0] else f"{trigger.name}_{event}")
        on = f"AFTER {event.upper()} ON {table_name} FOR EACH ROW WHEN {when}"
        made.append(f"CREATE TRIGGER {quote(name)} {on}\nBEGIN\n  {update}\nEND")
    return tuple(made)


def _touch(trigger: Trigger, columns: Mapping[str, PlannedColumn]) -> _Touch | None:
    """The column whose time of change the trigger keeps, if that is all it does."""
    events = set(trigger.events)
    if not (trigger.before and trigger.row and trigger.enabled and events <= {"insert", "update"}) or trigger.columns:
        return None
    changed = trigger.condition
    if changed and (trigger.definition.count(" EXECUTE ") != 1 or _WHEN_CHANGED not in trigger.definition):
        return None
    if trigger.language == "c" and trigger.source == "moddatetime":
        column = columns.get(trigger.argument or "")
        return _Touch(column, changed, utc=False) if column and events == {"update"} else None
    if trigger.language != "plpgsql":
        return None
    body = _COMMENT.sub(" ", trigger.source)
    match = next((found for pattern in _BODIES if (found := pattern.fullmatch(body))), None)
    if match is None:
        return None
    groups, word = match.groupdict(), match["column"]
    looks = changed or bool(groups.get("changed"))
    if looks and events != {"update"}:
        return None
    column = columns.get(word[1:-1].replace('""', '"') if word.startswith('"') else word.lower())
    return _Touch(column, looks, bool(groups.get("utc"))) if column else None


def _changed(columns: Mapping[str, PlannedColumn]) -> str:
    """Whether the row is another than before, as a further condition.

    Raises:
        Untranslatable: values may be equal to PostgreSQL and not the same here, or the other way round.
    """
    stored = [column for column in columns.values() if not column.plan.generated]
    for column in stored:
        if not column.operand.keeps_unique:
            raise Untranslatable(f"whether {column.source.name} is another value than before")
    names = [quote(column.plan.target) for column in stored]
    return f" AND ({' OR '.join(f'OLD.{name} IS NOT NEW.{name}' for name in names)})"


def _has_default(column: PlannedColumn) -> bool:
    return any(rule.startswith("DEFAULT") for rule in column.plan.rules)
