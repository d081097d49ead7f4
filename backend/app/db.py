"""The database: a writer and a reader, how long a request may wait for either, and which of two databases is live."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from liteshift.app.engines import Engines, make_async_engines, make_engines
from liteshift.app.gate import Gate
from liteshift.app.gated import GatedEngines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from app.config import DatabaseType, Settings
    from liteshift.app.engines import AsyncEngines

Done = TypeVar("Done")
log = logging.getLogger("app.sql")

# What was read for the answer stays readable after the commit.
sessions = sessionmaker(expire_on_commit=False)


def open_engines(settings: Settings) -> Engines:
    """The engines that the service uses: its endpoints run in threads, which suits SQLite best."""
    return _prepare(settings, settings.DATABASE_TYPE, make_engines(settings.DATABASE_URL, pool=settings.pool))


def open_async_engines(settings: Settings) -> AsyncEngines:
    """The same for asyncio, for code that needs it."""
    engines = make_async_engines(settings.DATABASE_URL, pool=settings.pool)
    _prepare(settings, settings.DATABASE_TYPE, Engines(engines.writer.sync_engine, engines.reader.sync_engine))
    return engines


def open_database(settings: Settings) -> Database:
    """The database, or while the service is moved the two databases, of which one is live.

    Raises:
        LiteshiftError: nothing says which one is live.
    """
    return MovingDatabase(settings, settings.ROUTE_FILE) if settings.ROUTE_FILE else Database(settings)


class Database:
    """Sessions on the service's engines.

    A session is one transaction. It is committed when its block ends, so end the block before the answer leaves:
    a commit that fails is then an answer that says so. (The exit code of a `yield` dependency runs too late for that.)
    """

    def __init__(self, settings: Settings) -> None:
        self._kind = settings.DATABASE_TYPE
        self._engines = open_engines(settings)

    @property
    def live(self) -> DatabaseType:
        """Which kind of database it is now."""
        return self._kind

    @property
    def engines(self) -> Engines:
        """Its engines."""
        return self._engines

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and can't change it."""
        with sessions(bind=self.engines.reader) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end of the block, or rolled back when the block raises."""
        with sessions(bind=self.engines.writer) as session, session.begin():
            yield session

    def write(self, work: Callable[[Session], Done]) -> Done:
        """Do a piece of work in a `writing` session; it may be done twice, the first time for nothing."""
        with self.writing() as session:
            return work(session)

    def close(self) -> None:
        """Close all connections."""
        self.engines.dispose()


class MovingDatabase(Database):
    """As Database, behind the gate: on whichever of the two databases is live, from one session to the next."""

    def __init__(self, settings: Settings, route: Path) -> None:
        self._gate = Gate(route, patience=settings.gate_patience_seconds)
        self._gated = GatedEngines(
            self._gate, settings.urls, pool=settings.pool, sessions=sessions, prepare=partial(_prepare, settings)
        )

    @property
    def live(self) -> DatabaseType:
        """Which kind of database is live at this moment."""
        return self._gate.reading()

    @property
    def engines(self) -> Engines:
        """The live database's engines."""
        return self._gated.engines(self.live)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """As Database's; never waits for the move."""
        with self._gated.reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """As Database's.

        Raises:
            GateTimeout: the move held writes for too long; nothing was done.
        """
        with self._gated.writing() as session:
            yield session

    def write(self, work: Callable[[Session], Done]) -> Done:
        """As Database's; done twice where it is refused because the service has moved on. Raises as `writing`."""
        return self._gated.write(work)

    def close(self) -> None:
        """Close all connections, and the gate."""
        self._gated.dispose()
        self._gate.close()


@contextmanager
def live_url(settings: Settings) -> Iterator[str]:
    """The database that is live, for a tool; it stays so until the block ends.

    Raises:
        LiteshiftError: nothing says which one is live, or a move held writes for too long.
    """
    if settings.ROUTE_FILE is None:
        yield settings.DATABASE_URL
        return
    gate = Gate(settings.ROUTE_FILE, patience=settings.gate_patience_seconds)
    try:
        with gate.writing() as side:
            yield settings.urls[side]
    finally:
        gate.close()


def _prepare(settings: Settings, kind: DatabaseType, engines: Engines) -> Engines:
    # Where the reader is a view of the writer (on PostgreSQL), what the writer does the reader does too.
    for engine in {engines.reader.pool: engines.reader, engines.writer.pool: engines.writer}.values():
        _limit_waiting(engine, kind, settings.busy_timeout_seconds)
        _log_slow_statements(engine, settings.slow_query_seconds)
    if kind == "sqlite":
        return engines
    # As on SQLite: all that one request reads, it reads from one state of the database.
    return Engines(engines.writer, engines.reader.execution_options(isolation_level="REPEATABLE READ"))


def _limit_waiting(engine: Engine, kind: DatabaseType, seconds: float) -> None:
    limit = "PRAGMA busy_timeout" if kind == "sqlite" else "SET lock_timeout"
    statement = f"{limit} = {round(seconds * 1000)}"

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
