"""Which SQLite library serves this process; decided here, once, for every connection.

SQLite 3.7.0 to 3.51.2 can lose or damage committed data in WAL mode when two connections write and checkpoint in the
same instant. So the wheel `pysqlite3`, which brings a fixed SQLite, goes before whatever Python was linked with.
Nothing else imports `sqlite3`: two libraries on one file in one process cancel each other's locks.

`LITESHIFT_SQLITE=stdlib` or `=pysqlite3` overrides the choice. One reason to: the wheel is compiled to keep all
temporary data in memory whatever `temp_store` says, so building an index or VACUUM takes as much memory as the index
or the file; the standard library's SQLite spills to disk (`TEMP_IN_MEMORY` says which it is).

Errors carry `sqlite_errorname`, but the wheel's are primary codes (`SQLITE_CONSTRAINT`, `SQLITE_BUSY`) where the
standard library's may be extended ones (`SQLITE_CONSTRAINT_UNIQUE`): compare beginnings.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from liteshift.errors import UsageError

if TYPE_CHECKING:
    import sqlite3 as dbapi
    from types import ModuleType

__all__ = ["MODULES", "TEMP_IN_MEMORY", "VERSION", "dbapi", "wal_reset_bug"]

MODULES = {"sqlite3": "_sqlite3", "pysqlite3.dbapi2": "pysqlite3._sqlite3"}
"""The compiled module that holds SQLite, for each that `dbapi` may be."""


def _choose(wanted: str) -> ModuleType:
    match wanted:
        case "stdlib":
            return importlib.import_module("sqlite3")
        case "pysqlite3":
            return importlib.import_module("pysqlite3.dbapi2")
        case "":
            try:
                return importlib.import_module("pysqlite3.dbapi2")
            except ImportError:
                return importlib.import_module("sqlite3")
    raise UsageError(
        f"LITESHIFT_SQLITE is {wanted!r}, and no such SQLite library is known", hint="Use stdlib or pysqlite3."
    )


if not TYPE_CHECKING:
    dbapi = _choose(os.environ.get("LITESHIFT_SQLITE", ""))

VERSION: tuple[int, int, int] = dbapi.sqlite_version_info


def wal_reset_bug(version: tuple[int, int, int] = VERSION) -> bool:
    """Whether this SQLite can corrupt a WAL database when two connections write and checkpoint at once.

    Fixed in 3.51.3, and carried back to 3.50.7 and 3.44.6.
    """
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    return (3, 7, 0) <= version < (3, 51, 3)


def _temp_in_memory() -> bool:
    connection = dbapi.connect(":memory:")
    try:
        return ("TEMP_STORE=3",) in connection.execute("PRAGMA compile_options").fetchall()
    finally:
        connection.close()


TEMP_IN_MEMORY: bool = _temp_in_memory()
