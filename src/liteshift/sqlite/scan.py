"""Reads the target: its tables and their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

from liteshift.ends import Digest
from liteshift.errors import NotInitialised
from liteshift.quoting import quote
from liteshift.sqlite.digest import digest
from liteshift.sqlite.library import dbapi
from liteshift.value import Value

any_text = partial(str, encoding="utf-8", errors="surrogateescape")
"""For a connection's `text_factory`: a text that is not UTF-8, as damage leaves it, is a text all the same."""
SCAN_CACHE = "PRAGMA cache_size=-2000"
"""For a connection that reads everything once: pages it has passed are of no more use."""


def scan(connection: dbapi.Connection, table: str, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
    """Every row of a table, from its own b-tree and in that order; or of a view."""
    names = ", ".join(map(quote, columns))
    cursor = connection.execute(f"SELECT {names} FROM {quote(table)} NOT INDEXED")  # noqa: S608 - every name is quoted
    with closing(cursor):
        yield from cursor


class SqliteReading:
    """See `liteshift.ends.Reading`."""

    def __init__(self, connection: dbapi.Connection, label: str) -> None:
        connection.text_factory = any_text
        self._connection = connection
        self._label = label

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
        """Every row."""
        return scan(self._connection, table, columns)

    def digest(self, table: str, columns: Sequence[str], into: Digest) -> bool:
        """Put every row into a digest; whether all went in."""
        return digest(self._connection, table, columns, into)

    def rows_of(
        self, table: str, columns: Sequence[str], key: Sequence[str], keys: Sequence[Sequence[Value]]
    ) -> Iterator[Sequence[Value]]:
        """The rows that have these keys, each once."""
        names, width = ", ".join(map(quote, [*columns, *key])), len(columns)
        where = " AND ".join(f"{quote(name)} IS ?" for name in key)
        query = f"SELECT {names} FROM {quote(table)} WHERE {where}"  # noqa: S608 - every name is quoted
        seen: set[Sequence[Value]] = set()  # the keys as they are stored: some may be equal, and spelled otherwise
        for values in keys:
            found = self._connection.execute(query, values).fetchall()
            yield from (row[:width] for row in found if row[width:] not in seen)
            seen.update(row[width:] for row in found)

    def captured(self) -> int:
        """The number of the last change that was captured up to this moment."""
        row = self._connection.execute("SELECT max(id) FROM liteshift_capture").fetchone()
        return int(row[0] or 0)

    def require(self, tables: Mapping[str, Sequence[str]]) -> None:
        """See that the file has these tables with these columns.

        Raises:
            NotInitialised: it lacks one.
        """
        for table, columns in tables.items():
            found = {name for (name,) in self._connection.execute("SELECT name FROM pragma_table_xinfo(?)", (table,))}
            for column in columns:
                if column not in found:
                    missing = f"the column {column} of the table {table}" if found else f"the table {table}"
                    raise NotInitialised(
                        f"{self._label} lacks {missing}",
                        hint="Is it the file of another database? If it is of this one, made with other choices, say"
                        " the same --profile, --include and --exclude.",
                    )
