"""Goes on with what an interrupted move has left: decides whether it can be used, and brings the file into order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from liteshift import native
from liteshift.ends import Task, Unbuildable
from liteshift.errors import LiteshiftError
from liteshift.quoting import quote
from liteshift.sqlite.build import recovered
from liteshift.sqlite.halfway import Halfway, Record, this_boot, this_version
from liteshift.sqlite.library import dbapi

SCHEMA = 1
"""The root page of the schema itself."""


def resume(half: Halfway, task: Task, opened: Callable[[], dbapi.Connection]) -> str:
    """Go on with what there is, where it is about the same; else begin anew.

    Args:
        opened: opens the file.

    Returns:
        Why what there was is thrown away; empty where it is used, or there was nothing.

    Raises:
        LiteshiftError: a move about something else has left it.
    """
    record = half.record
    if record is None or not record.tables:
        half.begin(task)
        return ""
    if record.task.asked != task.asked:
        raise LiteshiftError(
            f"a move that was interrupted has left {half.folder}, and it was about something else: {record.task.asked}",
            hint="Say the same source and choices as then to go on with it, or --restart to throw it away.",
        )
    reason = _unusable(record, task)
    if not reason:
        half.taken = True
        half.older = {name for name, entry in record.tables.items() if not entry.kept.whole or entry.aside}
        try:
            _bring_into_order(half, record, opened)
        except (dbapi.Error, OSError, Unbuildable):
            reason = "the half-done file is damaged"
    if reason or not half.tables:
        half.begin(task)
    return reason


def _unusable(record: Record, task: Task) -> str:
    if record.task.plan != task.plan:
        return "the source's schema has changed since"
    if record.version != this_version():
        return f"it was made by another liteshift ({record.version})"
    if record.boot != this_boot():
        return "the machine has been started anew since"
    return ""


def _bring_into_order(half: Halfway, record: Record, opened: Callable[[], dbapi.Connection]) -> None:
    with closing(opened()) as connection:  # rolls back what a killed process left in the middle
        if record.coming is not None:
            table, entry, number = record.coming
            if connection.execute("PRAGMA user_version").fetchone() == (number,):
                half.note(table, entry, at_once=True)
        for kind, name in _later(connection, record.task):
            connection.execute(f"DROP {kind} {quote(name)}").close()
        begun = half.tables
        if native.CORE is None:
            for table in set(record.task.tables) - set(begun):
                connection.execute(f"DELETE FROM {quote(table)}").close()  # noqa: S608 - the name is quoted
            return
        filled = {name for name, entry in begun.items() if entry.indexed or entry.kept.road == "python"}
        whole = {name for name, entry in begun.items() if entry.kept.whole or entry.kept.road == "python"}
        keep, empty = [SCHEMA], list[int]()
        for kind, name, table, root in connection.execute(
            "SELECT type, name, tbl_name, rootpage FROM sqlite_schema WHERE rootpage > 0"
        ).fetchall():
            stays = name.startswith("sqlite_") and kind == "table"
            (keep if stays or table in (whole if kind == "table" else filled) else empty).append(root)
    recovered(half, keep, empty)


def _later(connection: dbapi.Connection, task: Task) -> list[tuple[str, str]]:
    """Kind and name of what was made after the rows: triggers, views, and tables that are in no plan."""
    found = connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view')"
        " OR type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY type = 'table', type"
    ).fetchall()
    return [(kind, name) for kind, name in found if kind != "table" or name not in task.tables]


def roots(connection: dbapi.Connection) -> list[int]:
    """The root pages of all trees."""
    found = connection.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0").fetchall()
    return [SCHEMA, *(root for (root,) in found)]
