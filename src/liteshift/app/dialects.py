"""SQLAlchemy's SQLite dialects over our own connections: one for threads, one for asyncio.

They differ from SQLAlchemy's in four things. The SQLite library is ours (`sqlite.library`), for aiosqlite as well,
which by itself would take the standard library's. A transaction begins with a BEGIN of ours, where the driver would
begin late and deferred. SQL's own floor() stays: theirs fails on NULL and answers an integer. And an application's
models give the objects that they give on PostgreSQL (`app.types`, `app.compilers`).
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiosqlite
from sqlalchemy import NUMERIC
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_dbapi, SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import reflection

from liteshift.app.compilers import Compiler, TypeCompiler
from liteshift.app.types import COLSPECS
from liteshift.codec import decimals
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL, Connection
    from sqlalchemy.engine.interfaces import ConnectArgsType, DBAPIConnection, DBAPIModule
    from sqlalchemy.pool import PoolProxiedConnection

SYNC_DRIVER = "sqlite+liteshift"
ASYNC_DRIVER = "sqlite+aioliteshift"

_AUTOINCREMENT = re.compile(r"\bPRIMARY\s+KEY\s+AUTOINCREMENT\b", re.IGNORECASE)


def _regexp(pattern: str, value: str | None) -> bool | None:
    return None if value is None else re.search(pattern, value) is not None


class _AsyncConnection(aiosqlite.Connection):
    def stop(self) -> Any:
        """Stop the thread, once: nobody answers a second request, and who waits for that answer waits for ever."""
        return super().stop() if self._running else None


class _Begins(SQLiteDialect_pysqlite):
    """What both dialects share.

    create_engine takes `begin`, the statement that begins a transaction, and `connect_args={"connector": f}`, where
    `f()` makes a connection.
    """

    statement_compiler = Compiler
    type_compiler_cls = TypeCompiler
    colspecs = {**SQLiteDialect_pysqlite.colspecs, **COLSPECS}  # noqa: RUF012 - as SQLAlchemy has it

    def __init__(self, begin: str = "BEGIN", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.begin = begin

    def create_connect_args(self, url: URL) -> ConnectArgsType:
        return (), {}

    def on_connect(self) -> Callable[[DBAPIConnection], None]:
        def register(connection: Any) -> None:
            connection.create_function("regexp", 2, _regexp)

        return register

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        cast("Any", dbapi_connection).execute(self.begin)

    @reflection.cache
    def get_table_options(self, connection: Connection, table_name: str, schema: Any = None, **words: Any) -> Any:
        """As SQLAlchemy's, and AUTOINCREMENT, which a table built anew by Alembic then keeps."""
        options = dict(super().get_table_options(connection, table_name, schema=schema, **words))
        text = self._get_table_sql(connection, table_name, schema=schema, **words)
        return {**options, "sqlite_autoincrement": True} if _AUTOINCREMENT.search(text or "") else options

    def _resolve_type_affinity(self, type_: str) -> Any:
        limits = decimals.limits(type_)
        return NUMERIC(*limits) if limits else super()._resolve_type_affinity(type_)


class Dialect(_Begins):
    """For threads."""

    driver = "liteshift"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> DBAPIModule:
        return cast("DBAPIModule", dbapi)

    def connect(self, *_: Any, **arguments: Any) -> DBAPIConnection:
        return cast("DBAPIConnection", arguments["connector"]())


class AsyncDialect(_Begins, SQLiteDialect_aiosqlite):
    """For asyncio: aiosqlite's worker threads around connections of ours."""

    driver = "aioliteshift"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> AsyncAdapt_aiosqlite_dbapi:
        # SQLAlchemy takes error classes and version from the module `aiosqlite`, where they are the standard library's.
        names = ["sqlite_version", "sqlite_version_info", "DatabaseError", "Error", "IntegrityError"]
        names += ["NotSupportedError", "OperationalError", "ProgrammingError"]
        module: Any = SimpleNamespace(**{name: getattr(dbapi, name) for name in names})
        module.__version__ = aiosqlite.__version__
        module.Connection = _AsyncConnection
        module.connect = lambda connector: _AsyncConnection(connector, iter_chunk_size=64)
        return AsyncAdapt_aiosqlite_dbapi(module, cast("Any", dbapi))


registry.register("sqlite.liteshift", __name__, "Dialect")
registry.register("sqlite.aioliteshift", __name__, "AsyncDialect")
