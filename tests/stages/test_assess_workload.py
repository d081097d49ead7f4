"""The application's own SQL, as a server with pg_stat_statements keeps it, and how much it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg
import pytest

from liteshift.assessment import Assessment, ConstructUse, Decision, Effect, Effort, Load
from liteshift.plan import Choices, as_json
from liteshift.postgres.embedded import FAST, EmbeddedServer
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.stages.assess import assess

SECRET = "s3cr3t-literal"
PRELOAD = {**FAST, "shared_preload_libraries": "pg_stat_statements"}


class Server(Protocol):
    """What this needs of conftest's Server."""

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/lib/pg_stat_statements.so"))
    if not found:
        pytest.skip("no PostgreSQL with pg_stat_statements here")
    return found[-1].parents[1] / "bin"


@pytest.fixture(scope="module")
def preloaded() -> Iterator[EmbeddedServer]:
    with EmbeddedServer.temporary(binaries=_binaries(), settings=PRELOAD) as server:
        yield server


@pytest.fixture
def application(preloaded: EmbeddedServer) -> Iterator[str]:
    """A database whose application has worked for a while."""
    url = preloaded.create_database("application")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute(
            "CREATE TABLE jobs"
            " (id serial PRIMARY KEY, name text, price numeric(10, 2), doc jsonb, done boolean NOT NULL)"
        )
        connection.execute("CREATE FUNCTION own_code(int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        connection.execute("INSERT INTO jobs (name, done) SELECT 'n' || i, false FROM generate_series(1, 100) i")
        connection.execute("SELECT pg_stat_statements_reset()")
        for _ in range(5):
            connection.execute("SELECT id FROM jobs WHERE name ILIKE %s", (SECRET,), prepare=False)
            connection.execute(
                "UPDATE jobs SET done = true WHERE id = (SELECT id FROM jobs FOR UPDATE SKIP LOCKED LIMIT 1)"
            )
        connection.execute(f"SELECT '{SECRET}' || own_code(7), sum(price) / 3 FROM public.jobs /* {SECRET} */".encode())
        connection.execute("LISTEN channel")
        connection.execute("SELECT name FROM jobs WHERE doc @> '{}' ORDER BY name")
        connection.execute("INSERT INTO jobs (name, done) VALUES ('x', true) ON CONFLICT DO NOTHING RETURNING id")
        connection.execute("BEGIN")
        connection.execute(f"SET LOCAL application_name = '{SECRET}'".encode())
        connection.execute("COMMIT")
        connection.execute("SELECT relname FROM pg_catalog.pg_class WHERE relname ILIKE 'x'")
        connection.execute(f"ALTER ROLE postgres SET application_name = '{SECRET}'".encode())
    yield url
    preloaded.drop_database("application")


def assessed(database: str) -> Assessment:
    return assess(PostgresSource(database), Choices(), deep=False, progress=silent)


def uses(found: Assessment) -> dict[str, ConstructUse]:
    return {use.title: use for use in found.workload.uses}


def test_finds_what_the_application_uses(application: str) -> None:
    found = assessed(application)
    used = uses(found)
    assert set(used) == {
        "SKIP LOCKED and NOWAIT",
        "FOR UPDATE and FOR SHARE",
        "LISTEN and NOTIFY",
        "ILIKE",
        "calls of functions of one's own",
        "sums of numeric",
        "division of numeric",
        "schema-qualified names",
        "operators of JSON and arrays",
        "ORDER BY a column that may be NULL",
        "ON CONFLICT",
        "RETURNING",
    }
    assert used["ILIKE"].calls == 5
    assert used["ILIKE"].effort is Effort.ORM
    assert used["SKIP LOCKED and NOWAIT"].statements == 1
    assert used["RETURNING"].effect is Effect.WORKS
    assert all(0 <= use.share <= 1 for use in used.values())
    assert found.workload.uses[0].effort is Effort.REDESIGN
    assert found.workload.uses[-1].effort is Effort.NONE
    assert found.workload.write_calls == 6
    assert found.workload.since
    assert found.verdict.decision is Decision.CHANGES


def test_never_tells_a_constant(application: str) -> None:
    assert SECRET not in str(as_json(assessed(application)))


def test_leaves_out_its_own_statements(application: str) -> None:
    first, second = assessed(application), assessed(application)
    assert second.workload.statements == first.workload.statements
    assert uses(second).keys() == uses(first).keys()


def test_says_that_others_statements_are_hidden(application: str) -> None:
    with psycopg.connect(application, autocommit=True) as connection:
        connection.execute("CREATE ROLE small LOGIN PASSWORD 'x'")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO small")
        try:
            found = assessed(psycopg.conninfo.make_conninfo(application, user="small", password="x"))
        finally:
            connection.execute("DROP OWNED BY small")
            connection.execute("DROP ROLE small")
    assert found.workload.hidden > 5
    assert found.workload.uses == ()


def test_says_how_to_get_it_where_it_is_not(database: str) -> None:
    workload = assessed(database).workload
    assert workload.missing == "the extension pg_stat_statements is not there"
    assert any("CREATE EXTENSION" in line for line in workload.remedy)


def test_says_so_where_the_library_is_not_loaded(debian_server: Server) -> None:
    name = "liteshift_not_preloaded"
    database = debian_server.create_database(name)
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            loaded = connection.execute("SHOW shared_preload_libraries").fetchone()
            if loaded != ("",) or not _binaries():
                pytest.skip("this server is set up otherwise")
            connection.execute("CREATE EXTENSION pg_stat_statements")
        found = assessed(database)
        assert "shared_preload_libraries" in found.workload.missing
    finally:
        debian_server.drop_database(name)


def test_counts_what_is_written(application: str) -> None:
    found = assessed(application)
    assert found.writes.load in (Load.LIGHT, Load.BUSY)  # the server has just started: its average is high
    assert [str(one.table) for one in found.writes.busiest] == ["public.jobs"]
    assert found.writes.busiest[0].inserted == 101
    assert found.writes.busiest[0].updated == 5
    assert found.writes.writers == 0


def test_sees_who_is_writing(application: str) -> None:
    with psycopg.connect(application) as connection:
        connection.execute("UPDATE jobs SET done = true WHERE id = 1")
        assert assessed(application).writes.writers == 1
