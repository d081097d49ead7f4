"""The database: a writer and a reader, and how long a request may wait for either."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from liteshift.app.engines import make_async_engines, make_engines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from app.config import Settings
    from liteshift.app.engines import AsyncEngines, Engines

log = logging.getLogger("app.sql")


def open_engines(settings: Settings) -> Engines:
    """The engines that the service uses: its endpoints run in threads, which suits SQLite best."""
    engines = make_engines(settings.DATABASE_URL, pool=settings.pool)
    _prepare(settings, engines.reader, engines.writer)
    return engines


def open_async_engines(settings: Settings) -> AsyncEngines:
    """The same for asyncio, for code that needs it."""
    engines = make_async_engines(settings.DATABASE_URL, pool=settings.pool)
    _prepare(settings, engines.reader.sync_engine, engines.writer.sync_engine)
    return engines


class Database:
    """Sessions on the service's engines.

    A session is one transaction. It is committed when its block ends, so end the block before the answer leaves:
    a commit that fails is then an answer that says so. (The exit code of a `yield` dependency runs too late for that.)
    """

    def __init__(self, settings: Settings) -> None:
        self.engines = open_engines(settings)
        self._reader = self.engines.reader
        if settings.DATABASE_TYPE == "postgresql":
            # As on SQLite: all that one request reads, it reads from one state of the database.
            self._reader = self._reader.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and can't change it."""
        with Session(self._reader) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end of the block, or rolled back when the block raises."""
        # What was read for the answer stays readable after the commit.
        with Session(self.engines.writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engines.dispose()


def _prepare(settings: Settings, reader: Engine, writer: Engine) -> None:
    # Where the reader is a view of the writer (on PostgreSQL), what the writer does the reader does too.
    for engine in {reader.pool: reader, writer.pool: writer}.values():
        _limit_waiting(engine, settings)
        _log_slow_statements(engine, settings.slow_query_seconds)


def _limit_waiting(engine: Engine, settings: Settings) -> None:
    limit = "PRAGMA busy_timeout" if settings.DATABASE_TYPE == "sqlite" else "SET lock_timeout"
    statement = f"{limit} = {round(settings.busy_timeout_seconds * 1000)}"

    @event.listens_for(engine, "connect")
    def set_limit(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()


def _log_slow_statements(engine: Engine, threshold: float) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def start_clock(_c: object, _cursor: object, _s: str, _p: object, context: Any, _many: bool) -> None:
        context.app_started = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def read_clock(_c: object, _cursor: object, statement: str, _p: object, context: Any, _many: bool) -> None:
        seconds = time.perf_counter() - context.app_started
        if seconds >= threshold:
            log.warning("slow query, %.0f ms: %s", seconds * 1000, " ".join(statement.split()))
