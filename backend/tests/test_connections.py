"""Every road to the SQLite file has the same settings; slow statements are logged; asyncio is served as well."""

from __future__ import annotations

import asyncio
import logging

import pytest
from alembic import command
from alembic.runtime.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database, open_async_engines
from app.main import create_app
from app.models import Party
from liteshift.app.engines import make_tool_engine
from liteshift.sqlite.library import dbapi
from tests.conftest import alembic_config, settings_for

# What the service promises, and SQLite's own words for it.
PRAGMAS = {
    "foreign_keys": 1,
    "journal_mode": "wal",
    "synchronous": 1,  # NORMAL
    "cache_size": -64000,
    "temp_store": 2,  # MEMORY
    "mmap_size": 268435456,
    "busy_timeout": 30000,
    "page_size": 4096,
}


def read_back(connection: Connection) -> dict[str, object]:
    """The settings as the connection has them."""
    return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
class TestPragmas:
    def test_sync(self, database_url: str) -> None:
        database = Database(settings_for(database_url))
        for engine in (database.engines.writer, database.engines.reader):
            with engine.connect() as connection:
                assert read_back(connection) == PRAGMAS
        with database.reading() as session:
            assert read_back(session.connection()) == PRAGMAS
        with database.writing() as session:
            assert read_back(session.connection()) == PRAGMAS
        database.close()

    def test_async(self, database_url: str) -> None:
        async def check() -> None:
            engines = open_async_engines(settings_for(database_url))
            for engine in (engines.writer, engines.reader):
                async with engine.connect() as connection:
                    assert await connection.run_sync(read_back) == PRAGMAS
            await engines.dispose()

        asyncio.run(check())

    def test_alembic(self, empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[dict[str, object]] = []
        run = MigrationContext.run_migrations

        def look(self: MigrationContext, **arguments: object) -> None:
            assert self.connection is not None
            seen.append(read_back(self.connection))
            self.connection.rollback()
            run(self, **arguments)

        monkeypatch.setattr(MigrationContext, "run_migrations", look)
        command.upgrade(alembic_config(empty_url), "head")
        # A table that others refer to is built anew, so foreign keys are checked at the end instead of all the time.
        assert seen == [{**PRAGMAS, "foreign_keys": 0}]

    def test_script(self, database_url: str) -> None:
        with make_tool_engine(database_url).connect() as connection:
            assert read_back(connection) == PRAGMAS

    def test_one_library(self, database_url: str) -> None:
        with make_tool_engine(database_url).connect() as connection:
            assert connection.exec_driver_sql("SELECT sqlite_version()").scalar() == dbapi.sqlite_version

        async def check() -> None:
            engines = open_async_engines(settings_for(database_url))
            async with engines.reader.connect() as connection:
                answer = await connection.exec_driver_sql("SELECT sqlite_version()")
                assert answer.scalar() == dbapi.sqlite_version
            await engines.dispose()

        asyncio.run(check())


def test_pool_settings_arrive(database_url: str) -> None:
    database = Database(settings_for(database_url, pool_size=3, pool_timeout=7, pool_recycle=60))
    pool = database.engines.reader.pool
    assert (pool.size(), pool.timeout(), pool._recycle) == (3, 7, 60)  # type: ignore[attr-defined]
    database.close()


def test_readers_can_not_write(database_url: str) -> None:
    database = Database(settings_for(database_url))
    with database.reading() as session, pytest.raises(DBAPIError):
        session.add(Party(name="No", type="vendor"))
        session.flush()
    database.close()


def test_one_request_sees_one_state(database_url: str) -> None:
    database = Database(settings_for(database_url))
    count = select(func.count()).select_from(Party)
    with database.reading() as session:
        assert session.scalar(count) == 0
        with database.writing() as other:
            other.add(Party(name="Meanwhile", type="vendor"))
        assert session.scalar(count) == 0
    with database.reading() as session:
        assert session.scalar(count) == 1
    database.close()


def test_async_sessions(database_url: str) -> None:
    async def write_and_read() -> None:
        engines = open_async_engines(settings_for(database_url))
        async with AsyncSession(engines.writer) as session, session.begin():
            session.add(Party(name="Äsync", type="vendor"))
        async with AsyncSession(engines.reader) as session:
            party = (await session.scalars(select(Party))).one()
            assert (party.name, party.name_folded, party.is_active) == ("Äsync", "äsync", True)
            assert party.created_at.tzinfo is not None
        await engines.dispose()

    asyncio.run(write_and_read())


def test_slow_statements_are_logged(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    for threshold, logged in ((0, True), (60, False)):
        caplog.clear()
        with TestClient(create_app(settings_for(database_url, slow_query_seconds=threshold))) as client:
            client.get("/api/parties?search=somebody")
        assert ("slow query, " in caplog.text) is logged
        assert "somebody" not in caplog.text  # a statement is no secret, the values in it may be


def test_debug_logs_every_statement(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("sqlalchemy.engine")
    level = logger.level
    try:
        with TestClient(create_app(settings_for(database_url, DEBUG=True))) as client:
            client.get("/api/parties")
    finally:
        logger.setLevel(level)
    assert "SELECT parties.id" in caplog.text
