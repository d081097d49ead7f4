"""An assessment under a role that may do little, and the statements that mend what the live move lacks."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from liteshift.assessment import Assessment, Check, Decision, State
from liteshift.plan import Choices
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.stages.assess import assess

ROLE = 'read"er'
PASSWORD = "not-a-secret"


def run(database: str, *statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def reader(any_database: str) -> Iterator[str]:
    """A role that may log in, and no more; the database's conninfo under it."""
    role = sql.Identifier(ROLE).as_string()
    run(any_database, f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    yield psycopg.conninfo.make_conninfo(any_database, user=ROLE, password=PASSWORD)
    run(any_database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def assessed(database: str) -> Assessment:
    return assess(PostgresSource(database), Choices(), deep=False, progress=silent)


def check(found: Assessment, name: str) -> Check:
    return next(one for one in found.live if one.name == name)


def test_select_is_enough(any_database: str, reader: str) -> None:
    run(
        any_database,
        "CREATE TABLE t (id serial PRIMARY KEY, at timestamp)",
        "INSERT INTO t (at) VALUES (now())",
        'GRANT SELECT ON t, t_id_seq TO "read""er"',
    )
    found = assessed(reader)
    assert found.verdict.decision is Decision.GO
    assert check(found, "SELECT on the tables and sequences").state is State.READY
    assert check(found, "the role's REPLICATION").state is State.MISSING
    assert check(found, "the right to publish the tables").state is State.MISSING


def test_says_what_it_may_not_see_and_what_would_show_it(any_database: str, reader: str) -> None:
    run(
        any_database,
        "CREATE SCHEMA closed",
        'CREATE TABLE "no\ntable" (id serial PRIMARY KEY)',
        "CREATE TABLE closed.t (id int PRIMARY KEY)",
        "CREATE TABLE hidden (id int PRIMARY KEY)",
        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY",
        "CREATE TABLE seen (id int PRIMARY KEY, a text)",
        'GRANT SELECT ON hidden TO "read""er"',
        'GRANT SELECT (id, a) ON seen TO "read""er"',
    )
    found = assessed(reader)
    assert found.verdict.decision is Decision.CHANGES
    assert found.verdict.reasons[0].what.startswith("not everything could be read")
    assert {one.name.name: one.unread for one in found.tables} == {
        "no\ntable": "this role has no SELECT on it",
        "t": "its schema is closed to this role",
        "hidden": "row level security hides rows from this role",
        "seen": "",
    }
    run(any_database, *check(found, "SELECT on the tables and sequences").fix)
    found = assessed(reader)
    assert check(found, "SELECT on the tables and sequences").state is State.READY
    assert not any(one.unread for one in found.tables)


def test_its_statements_make_the_live_move_ready(any_database: str, reader: str) -> None:
    hostile = 'U+202E \u202e "; DROP TABLE t; --\x1b[31m\n\\'
    quoted = sql.Identifier(hostile).as_string()
    run(
        any_database,
        f"CREATE TABLE {quoted} (id int)",
        "CREATE TABLE nothing (id int PRIMARY KEY)",
        "ALTER TABLE nothing REPLICA IDENTITY NOTHING",
        "CREATE TABLE parts (id int) PARTITION BY LIST (id)",
        "CREATE TABLE part PARTITION OF parts DEFAULT",
        "CREATE UNLOGGED TABLE cache (id int PRIMARY KEY)",
        "CREATE TABLE full_row (id int)",
        "ALTER TABLE full_row REPLICA IDENTITY FULL",
        'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "read""er"',
    )
    names = ("logged tables", "the role's REPLICATION", "the right to publish the tables")
    found = assessed(reader)
    assert [check(found, name).state for name in names] == [State.MISSING] * 3
    fixes = [statement for name in names for statement in check(found, name).fix]
    assert check(found, "replica identities").found.startswith("missing on 3")  # and given by the move itself
    assert all(statement.isprintable() for statement in fixes)
    run(any_database, *fixes)
    found = assessed(reader)
    assert [check(found, name).state for name in names] == [State.READY] * 3


def test_a_generated_column_that_only_postgresql_computes_needs_18(any_database: str) -> None:
    run(any_database, "CREATE TABLE t (a int, id int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY)")
    with psycopg.connect(any_database) as connection:
        in_the_log = connection.info.server_version >= 180000
    found = check(assessed(any_database), "generated columns")
    assert found.state is (State.READY if in_the_log else State.MISSING)
    assert in_the_log or "public.t.id" in found.found


def test_settings_of_the_server(any_database: str) -> None:
    run(any_database, "CREATE TABLE t (id int PRIMARY KEY)")
    found = assessed(any_database)
    assert check(found, "wal_level").state is State.READY
    assert check(found, "replication slots").state is State.READY
    assert check(found, "the output plugin pgoutput").state is State.READY
    assert check(found, "WAL kept for a slot").state is State.ADVICE
    assert {statement.partition(" ")[0] for one in found.live for statement in one.fix} == {"ALTER", "SELECT"}
