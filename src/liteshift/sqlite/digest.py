"""Lets SQLite hand its rows to the native core, without a Python object per value."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from liteshift import native
from liteshift.quoting import quote
from liteshift.sqlite.library import MODULES, dbapi

if TYPE_CHECKING:
    from liteshift.ends import Digest


def offer() -> None:
    """Give connections that are opened from now on the SQL function of the native core, where that can be done."""
    if native.CORE is not None:
        _offered(dbapi.__name__)


@cache
def _offered(name: str) -> bool:
    """The core calls the very library that Python's connections use, so it needs the addresses of its functions."""
    try:
        library = ctypes.CDLL(importlib.import_module(MODULES[name]).__file__)  # it is loaded already
        functions = [library[function] for function in native.CORE.sqlite_names()]
        library.sqlite3_libversion.restype = ctypes.c_char_p
        if library.sqlite3_libversion().decode() != dbapi.sqlite_version:
            return False
    except (KeyError, ImportError, OSError, AttributeError, TypeError):
        return False  # such as a Python that SQLite is built into
    return bool(native.CORE.offer([ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions]))


def digest(connection: dbapi.Connection, table: str, columns: Sequence[str], into: Digest) -> bool:
    """Put every row of a table into a digest; whether all went in.

    The rows are read from the table itself, where SQLite might else take an index that has all of the columns.

    Raises:
        dbapi.DatabaseError: SQLite can't read them.
    """
    names = "".join(f", {quote(column)}" for column in columns)
    query = f"SELECT liteshift_digest(?{names}) FROM {quote(table)} NOT INDEXED"  # noqa: S608 - every name is quoted
    if connection.execute("PRAGMA encoding").fetchone() != ("UTF-8",):
        return False
    try:
        connection.execute(f"EXPLAIN {query}", (into.number,)).close()
    except dbapi.OperationalError:
        return False  # the connection lacks the function, or SQLite gives no function so many columns
    try:
        connection.execute(query, (into.number,)).fetchall()
    except dbapi.DatabaseError:
        if into.ended:
            return False
        raise
    return True
