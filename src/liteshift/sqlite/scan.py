"""Reads a table's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from liteshift.ends import Value
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.quote import quote


def scan(connection: dbapi.Connection, table: str, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
    """Every row of a table, in the order of its b-tree."""
    names = ", ".join(map(quote, columns))
    cursor = connection.execute(f"SELECT {names} FROM {quote(table)}")  # noqa: S608 - every name is quoted
    with closing(cursor):
        yield from cursor
