"""Makes and drops many triggers at once, in the transaction that is open.

`CREATE TRIGGER` looks through the whole schema each time, so that the time for all grows with the square of their
number, and the application's writes wait meanwhile. So their rows are written into the schema as SQLite itself would
write them (`PRAGMA writable_schema`), and SQLite then reads the whole schema anew, still within the transaction: text
that it can't read ends that transaction, never the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liteshift.errors import LiteshiftError
from liteshift.quoting import quote
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    from types import TracebackType

_NAME = re.compile(r'CREATE TRIGGER ("(?:[^"]|"")*"|\w+)')


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger: its name, its table, and the statement that makes it."""

    name: str
    table: str
    text: str


def of_plan(statement: str, table: str) -> Trigger:
    """A trigger of a plan's."""
    match = _NAME.match(statement)
    if match is None:
        raise LiteshiftError(f"a CREATE TRIGGER expected, found {statement[:40]!r}")
    name = match[1]
    return Trigger(name[1:-1].replace('""', '"') if name.startswith('"') else name, table, statement)


def read(connection: dbapi.Connection, names: Set[str] | None = None) -> list[Trigger]:
    """The file's triggers, or those that bear these names, from the oldest to the youngest."""
    rows = connection.execute("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid")
    return [Trigger(*map(str, row)) for row in rows.fetchall() if names is None or row[0] in names]


def change(connection: dbapi.Connection, *, drop: Iterable[str] = (), make: Sequence[Trigger] = ()) -> None:
    """Drop triggers, of which those that are gone are left alone; then make others, the later the younger."""
    doomed, rows = list(drop), [(trigger.name, trigger.table, trigger.text) for trigger in make]
    with _Opened(connection) as opened:
        if opened.possible:
            removed = "DELETE FROM sqlite_schema WHERE type = 'trigger' AND name IN (SELECT value FROM json_each(?))"
            connection.execute(removed, (json.dumps(doomed),)).close()
            made = "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('trigger', ?, ?, 0, ?)"
            connection.executemany(made, rows).close()
            return
    for name in doomed:
        connection.execute(f"DROP TRIGGER IF EXISTS {quote(name)}").close()
    for trigger in make:
        connection.execute(trigger.text).close()


class _Opened:
    """The schema, open for writing; at the end it is read anew.

    Attributes:
        possible: whether it can be written; some builds of SQLite never allow it.
    """

    def __init__(self, connection: dbapi.Connection) -> None:
        self._connection = connection
        self.possible = False

    def __enter__(self) -> _Opened:
        self._run("PRAGMA writable_schema=ON")
        try:
            self._run("UPDATE sqlite_schema SET sql = sql WHERE false")
            self.possible = True
        except dbapi.Error:
            self._run("PRAGMA writable_schema=OFF")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self.possible:
            return
        if error is None:
            (version,) = self._connection.execute("PRAGMA schema_version").fetchone()
            self._run(f"PRAGMA schema_version={version + 1}")
        self._run("PRAGMA writable_schema=RESET")
        if error is None:
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def _run(self, statement: str) -> None:
        self._connection.execute(statement).close()
