"""Which rows of the source are not in the file, because they can't be carried: a table of ours while it follows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from liteshift.reports import Reject

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi

TABLE = "liteshift_rejects"


def make(connection: dbapi.Connection) -> None:
    """Make the table in a new file."""
    connection.execute(
        f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL,"
        ' "column" TEXT NOT NULL, reason TEXT NOT NULL)'
    ).close()
    connection.execute(f"CREATE INDEX {TABLE}_key ON {TABLE} (source, key)").close()


def add(connection: dbapi.Connection, reject: Reject) -> None:
    """Write one down, in the caller's transaction."""
    connection.execute(
        f'INSERT INTO {TABLE} (source, key, "column", reason) VALUES (?, ?, ?, ?)',  # noqa: S608 - our own name
        (reject.table, _text(reject.key), reject.column, reject.reason),
    ).close()


def strike(connection: dbapi.Connection, source: str, key: Mapping[str, str | None] | None) -> None:
    """Strike out one of a table's by its key, any of them where the table has no key; all of them without."""
    if key is None:
        connection.execute(f"DELETE FROM {TABLE} WHERE source = ?", (source,)).close()  # noqa: S608 - our own name
        return
    one = f"SELECT id FROM {TABLE} WHERE source = ? AND (key = ? OR ?) ORDER BY id LIMIT 1"  # noqa: S608
    connection.execute(f"DELETE FROM {TABLE} WHERE id IN ({one})", (source, _text(key), not key)).close()  # noqa: S608


def read(connection: dbapi.Connection) -> list[Reject]:
    """All of them, the oldest first."""
    rows = connection.execute(f'SELECT source, key, "column", reason FROM {TABLE} ORDER BY id')  # noqa: S608
    return [Reject(source, json.loads(key), column, reason) for source, key, column, reason in rows.fetchall()]


def _text(key: Mapping[str, str | None]) -> str:
    return json.dumps(dict(sorted(key.items())), ensure_ascii=False)
