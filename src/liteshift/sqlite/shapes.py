"""Remembers how the captured tables looked when the capture was armed, and tells what has become of them since.

A table that is built anew, as Alembic's batch mode does, loses its triggers with the old one; a column that is added is
in no trigger. Neither may pass in silence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liteshift.sqlite.witnesses import Witnessed, names

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi

TABLE = "liteshift_captured"


@dataclass(frozen=True, slots=True)
class Shape:
    """A captured table as it was when the capture was armed.

    Attributes:
        columns: the captured columns, in the order of the log.
        every: all its columns.
        unique: its unique indexes.
        triggers: its triggers, ours among them.
    """

    number: int
    name: str
    columns: tuple[str, ...]
    every: tuple[str, ...]
    unique: tuple[str, ...]
    triggers: tuple[str, ...]


def remember(connection: dbapi.Connection, tables: Sequence[Witnessed]) -> None:
    """Write down how the tables are now, their triggers included."""
    connection.execute(f"CREATE TABLE {TABLE} (tbl INTEGER PRIMARY KEY, name TEXT, shape TEXT)").close()
    found = _triggers(connection)
    shapes = [{"columns": table.columns, **_look(connection, table.name, found)} for table in tables]
    rows = [(table.number, table.name, json.dumps(shape)) for table, shape in zip(tables, shapes, strict=True)]
    connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?)", rows).close()  # noqa: S608 - our own name


def remembered(connection: dbapi.Connection) -> list[Shape]:
    """The captured tables."""
    rows = connection.execute(f"SELECT tbl, name, shape FROM {TABLE} ORDER BY tbl").fetchall()  # noqa: S608 - our own
    shapes = [(number, name, json.loads(shape)) for number, name, shape in rows]
    return [
        Shape(number, name, *(tuple(shape[part]) for part in ("columns", "every", "unique", "triggers")))
        for number, name, shape in shapes
    ]


def changed(connection: dbapi.Connection, tables: Sequence[Shape]) -> list[str]:
    """What has changed so that the capture may have missed something; empty where all is well."""
    found = _triggers(connection)
    return [fault for table in tables for fault in _faults(table, _look(connection, table.name, found))]


def newcomers(connection: dbapi.Connection, tables: Sequence[Shape]) -> list[str]:
    """The tables that were made since, whose rows are in no log."""
    known = {table.name for table in tables}
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND name NOT LIKE 'liteshift\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [str(name) for (name,) in rows.fetchall() if name not in known]


def _triggers(connection: dbapi.Connection) -> dict[str, list[str]]:
    """The triggers of each table, by its name in lower case."""
    found: dict[str, list[str]] = {}
    for name, table in connection.execute(
        "SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid"
    ):
        found.setdefault(str(table).lower(), []).append(str(name))
    return found


def _look(connection: dbapi.Connection, table: str, triggers: Mapping[str, list[str]]) -> dict[str, list[str]]:
    every = connection.execute("SELECT name FROM pragma_table_xinfo(?)", (table,)).fetchall()
    unique = connection.execute('SELECT name FROM pragma_index_list(?) WHERE "unique"', (table,)).fetchall()
    return {
        "every": [str(name) for (name,) in every],
        "unique": [str(name) for (name,) in unique],
        "triggers": triggers.get(table.lower(), []),
    }


def _faults(table: Shape, now: dict[str, list[str]]) -> list[str]:
    if not now["every"]:
        return [f"the table {table.name} is gone"]
    faults = []
    missing = [name for name in table.every if name not in now["every"]]
    added = [name for name in now["every"] if name not in table.every]
    faults += [f"the column {name} of {table.name} is gone" for name in missing]
    faults += [f"the column {name} of {table.name} is new" for name in added]
    if any(name not in now["triggers"] for name in names(table.number)):
        faults.append(f"{table.name} was built anew, or its triggers were dropped: changes to it may be missing")
    faults += [f"the unique rule {name} of {table.name} is new" for name in now["unique"] if name not in table.unique]
    faults += [f"the trigger {name} of {table.name} is new" for name in now["triggers"] if name not in table.triggers]
    return faults
