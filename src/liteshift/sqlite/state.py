"""What the file remembers of a live move beside its rows: a table of keys, written in the rows' own transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liteshift.value import Value

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi

TABLE = "liteshift_state"
POSITION = "position"
"""Up to where the source's commits are in the file, as PostgreSQL prints it."""
TOKEN = "token"  # noqa: S105 - what travels through the source's log to prove that all is here
"""The last token that came through the source's log."""
MOVE = "move"
"""The name of the move that made the file."""
ARMED = "armed"
"""The epoch that the capture is armed for; not there while the file follows."""
RETURNED = "returned"
"""The highest number of a captured change that the source has said to have; one that says less was set back."""
TRIGGERS = "triggers"
"""The plan's triggers, which the file gets once it no longer follows: name, table and statement of each, as JSON."""


def make(connection: dbapi.Connection) -> None:
    """Make the table; made already is fine."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (key TEXT NOT NULL PRIMARY KEY, value)").close()


def get(connection: dbapi.Connection, key: str) -> Value:
    """What is remembered; None for nothing, and where there is no such table."""
    known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    if connection.execute(known, (TABLE,)).fetchone() is None:
        return None
    row = connection.execute(f"SELECT value FROM {TABLE} WHERE key = ?", (key,)).fetchone()  # noqa: S608 - our own name
    return row[0] if row else None


def put(connection: dbapi.Connection, key: str, value: Value) -> None:
    """Remember it, in the transaction that is open; None forgets it."""
    if value is None:
        connection.execute(f"DELETE FROM {TABLE} WHERE key = ?", (key,)).close()  # noqa: S608 - our own name
        return
    statement = f"INSERT INTO {TABLE} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"  # noqa: S608
    connection.execute(statement, (key, value)).close()
