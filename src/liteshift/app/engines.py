"""SQLAlchemy engines for an application, sync and async, on SQLite and on PostgreSQL alike.

Two engines for one database: a writer and a reader. On SQLite a transaction that reads first and then writes fails at
once when somebody else wrote in between, whatever the busy timeout; so the writer begins with BEGIN IMMEDIATE on the
one connection of its pool, where an application's own writers queue up in order, and readers have a pool of
connections that refuse to write. On PostgreSQL both share a pool, and the reader's transactions are READ ONLY.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, QueuePool

from liteshift.app.dialects import ASYNC_DRIVER, SYNC_DRIVER
from liteshift.errors import UsageError
from liteshift.sqlite.connect import Preset, connect

if TYPE_CHECKING:
    from sqlalchemy import URL, Pool
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

    from liteshift.route import Side
    from liteshift.sqlite.library import dbapi


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many connections, and for how long; on SQLite the size is the readers', for there is one writer.

    Attributes:
        size: connections kept open.
        max_overflow: connections beyond them, closed after use.
        timeout: seconds to wait for a free connection before sqlalchemy.exc.TimeoutError.
        recycle: seconds after which a connection is replaced.
        pre_ping: ask each connection whether it is alive before it is handed out.
    """

    size: int = 20
    max_overflow: int = 0
    timeout: float = 30
    recycle: int = 3600
    pre_ping: bool = True


POOL = PoolSettings()


@dataclass(frozen=True, slots=True)
class Engines:
    """The writer and the reader of one database."""

    writer: Engine
    reader: Engine

    def dispose(self) -> None:
        """Close the connections that nobody is using."""
        self.reader.dispose()
        self.writer.dispose()


@dataclass(frozen=True, slots=True)
class AsyncEngines:
    """The writer and the reader of one database, for asyncio."""

    writer: AsyncEngine
    reader: AsyncEngine

    async def dispose(self) -> None:
        """Close the connections that nobody is using."""
        await self.reader.dispose()
        await self.writer.dispose()


def side_of(url: str) -> Side:
    """Which of the two databases a URL names; raises as `make_engines`."""
    return "postgresql" if _parse(url)[1] is None else "sqlite"


def make_engines(
    url: str,
    *,
    preset: Preset = "fast",
    pool: PoolSettings = POOL,
    create: bool = True,
    echo: bool = False,
) -> Engines:
    """The engines for `sqlite:///path` or `postgresql://…`.

    Args:
        url: the driver may be spelled out (`sqlite+aiosqlite`, `postgresql+psycopg`); it makes no difference.
        preset: SQLite's settings.
        pool: see PoolSettings.
        create: make the SQLite file when it isn't there.
        echo: log every statement.

    Raises:
        UsageError: another kind of URL, or one for SQLite that names no file.
    """
    parsed, path = _parse(url)
    if path:
        common: dict[str, Any] = {"poolclass": QueuePool, "echo": echo}
        writer = create_engine(parsed.set(drivername=SYNC_DRIVER), **_writer(path, preset, pool, create), **common)
        reader = create_engine(parsed.set(drivername=SYNC_DRIVER), **_reader(path, preset, pool, create), **common)
        _stay_with(path, writer, reader)
    else:
        writer = create_engine(parsed, echo=echo, **_sizes(pool))
        event.listen(writer, "connect", _speak_utc)
        reader = writer.execution_options(postgresql_readonly=True)
    _alive.update((writer, reader))
    return Engines(writer, reader)


def make_async_engines(
    url: str,
    *,
    preset: Preset = "fast",
    pool: PoolSettings = POOL,
    create: bool = True,
    echo: bool = False,
) -> AsyncEngines:
    """As `make_engines`, for asyncio."""
    parsed, path = _parse(url)
    if path:
        common: dict[str, Any] = {"poolclass": AsyncAdaptedQueuePool, "echo": echo}
        driver = parsed.set(drivername=ASYNC_DRIVER)
        writer = create_async_engine(driver, **_writer(path, preset, pool, create), **common)
        reader = create_async_engine(driver, **_reader(path, preset, pool, create), **common)
        _stay_with(path, writer.sync_engine, reader.sync_engine)
    else:
        writer = create_async_engine(parsed, echo=echo, **_sizes(pool))
        event.listen(writer.sync_engine, "connect", _speak_utc)
        reader = writer.execution_options(postgresql_readonly=True)
    _alive.update((writer.sync_engine, reader.sync_engine))
    return AsyncEngines(writer, reader)


def make_tool_engine(url: str, *, preset: Preset = "fast", foreign_keys: bool = True, echo: bool = False) -> Engine:
    """One engine for Alembic and scripts: each connection new, each transaction a writer's.

    Args:
        foreign_keys: False for migrations, which on SQLite rebuild tables that others refer to, and can't switch it
            off inside their transaction. SQLite only.

    Raises:
        UsageError: as `make_engines`.
    """
    parsed, path = _parse(url)
    if path:
        arguments = {"connector": lambda: connect(path, preset=preset, foreign_keys=foreign_keys)}
        target = parsed.set(drivername=SYNC_DRIVER)
        return create_engine(target, begin="BEGIN IMMEDIATE", connect_args=arguments, poolclass=NullPool, echo=echo)
    engine = create_engine(parsed, poolclass=NullPool, echo=echo)
    event.listen(engine, "connect", _speak_utc)
    return engine


def _parse(url: str) -> tuple[URL, Path | None]:
    """The URL with our driver, and the file where it is SQLite's."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError(
            "this database URL can't be read", hint="Write sqlite:///path or postgresql://user@host/name."
        ) from error
    match parsed.drivername:
        case "postgresql" | "postgres" | "postgresql+psycopg":
            return parsed.set(drivername="postgresql+psycopg"), None
        case "sqlite" | "sqlite+pysqlite" | "sqlite+aiosqlite":
            if parsed.host or parsed.query or parsed.database in (None, "", ":memory:"):
                raise UsageError(f"{url} names no SQLite file", hint="Write sqlite:///relative or sqlite:////absolute.")
            return parsed, Path(str(parsed.database)).absolute()
    raise UsageError(
        f"{parsed.drivername} is no database of ours", hint="Write sqlite:///path or postgresql://user@host/name."
    )


def _sizes(pool: PoolSettings, size: int | None = None) -> dict[str, Any]:
    return {
        "pool_size": size or pool.size,
        "max_overflow": 0 if size else pool.max_overflow,
        "pool_timeout": pool.timeout,
        "pool_recycle": pool.recycle,
        "pool_pre_ping": pool.pre_ping,
        "pool_use_lifo": True,  # few connections work, and only theirs are the caches that fill
    }


def _writer(path: Path, preset: Preset, pool: PoolSettings, create: bool) -> dict[str, Any]:
    def connector() -> dbapi.Connection:
        return connect(path, preset=preset, create=create)

    return {"begin": "BEGIN IMMEDIATE", "connect_args": {"connector": connector}, **_sizes(pool, 1)}


def _reader(path: Path, preset: Preset, pool: PoolSettings, create: bool) -> dict[str, Any]:
    def connector() -> dbapi.Connection:
        connection = connect(path, preset=preset, create=create)
        connection.execute("PRAGMA query_only=1")
        return connection

    return {"begin": "BEGIN", "connect_args": {"connector": connector}, **_sizes(pool)}


def _stay_with(path: Path, *engines: Engine) -> None:
    """Hand out no connection to a file that is no longer in its place: what is written there, nobody finds again."""

    def remember(_: object, record: ConnectionPoolEntry) -> None:
        record.info["file"] = _identity(path)

    def compare(_: object, record: ConnectionPoolEntry, __: object) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError(f"{path} is another file now")  # the pool opens that one

    for engine in engines:
        event.listen(engine, "connect", remember)
        event.listen(engine, "checkout", compare)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        there = path.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _speak_utc(connection: Any, _: object) -> None:
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SET TIME ZONE 'UTC'")
    cursor.close()
    connection.autocommit = False


_alive: WeakSet[Engine] = WeakSet()
_inherited: list[Pool] = []


def _leave_to_the_parent() -> None:
    """In a forked child: use no connection of the parent's, and close none either."""
    for engine in list(_alive):
        _inherited.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_leave_to_the_parent)
