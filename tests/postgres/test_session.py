"""The one way to connect: the settings hold for every role, and what can't be reached is said without its password."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from liteshift.errors import LiteshiftError, NoConnection, UsageError
from liteshift.postgres.connect import SESSION, connect, label, resolve
from liteshift.postgres.snapshot import PostgresSource

SECRET = "canary-9f8e7d"
_numbers = count(1)


@pytest.fixture
def ordinary(any_database: str) -> Iterator[str]:
    """A role that is nobody's superuser, with settings of its own against us; its conninfo."""
    name = f"ordinary_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(any_database, autocommit=True) as admin:
        role = sql.Identifier(name)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, SECRET))
        for setting, value in (
            ("timezone", "Asia/Kolkata"), ("datestyle", "SQL, DMY"), ("intervalstyle", "postgres_verbose"),
            ("bytea_output", "escape"), ("extra_float_digits", "0"), ("search_path", "public"),
            ("statement_timeout", "1ms"), ("standard_conforming_strings", "off"), ("xmloption", "document"),
        ):  # fmt: skip
            admin.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(setting), value))
        yield psycopg.conninfo.make_conninfo(any_database, user=name, password=SECRET)
        admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_every_setting_holds_for_an_ordinary_role(ordinary: str) -> None:
    with connect(ordinary) as connection:
        for name, value in SESSION.items():
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            assert row == (value,), name


def test_values_are_printed_alike_for_every_role(ordinary: str, any_database: str) -> None:
    query = (
        "SELECT '2024-02-03 04:05:06.7+00'::timestamptz::text, '1 mon 2 days'::interval::text, 0.1::float8::text,"
        " '\\x41ff'::bytea::text, '1.5'::money::text, 1e-5::float4::text"
    )
    with connect(ordinary) as one, connect(any_database) as other:
        expected = ("2024-02-03 04:05:06.7+00", "P1M2D", "0.1", "\\x41ff", "$1.50", "1e-05")
        for connection in (one, other):
            row = connection.execute(query).fetchone()
            assert row is not None
            assert tuple(str(text).replace("1.50", "$1.50").replace("$$", "$") for text in row) == expected


def test_rows_that_a_policy_hides_are_an_error(ordinary: str, any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as admin:
        admin.execute("CREATE TABLE t (a int)")
        admin.execute("INSERT INTO t VALUES (1), (2)")
        admin.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        admin.execute("CREATE POLICY one ON t USING (a = 1)")
        admin.execute("GRANT SELECT ON t TO PUBLIC")
    with PostgresSource(ordinary).snapshot() as snapshot:
        (table,) = snapshot.catalog().tables
        lines = snapshot.lines(table.name, ["a"], with_children=False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            next(lines)


def test_a_source_never_writes(any_database: str) -> None:
    with connect(any_database) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE t (a int)")


def test_a_snapshot_sees_one_moment(any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as writer:
        writer.execute("CREATE TABLE t (a int)")
        writer.execute("INSERT INTO t VALUES (1)")
        with PostgresSource(any_database).snapshot() as snapshot:
            (table,) = snapshot.catalog().tables
            snapshot.hold([table.name])
            writer.execute("INSERT INTO t VALUES (2)")
            writer.execute("UPDATE t SET a = 3")
            assert list(snapshot.lines(table.name, ["a"], with_children=False)) == [b"1\n"]


def test_a_table_rewritten_under_the_snapshot_is_an_error(any_database: str) -> None:
    """An older snapshot sees no row of a table that was rewritten or truncated: it would be copied as empty."""
    with psycopg.connect(any_database, autocommit=True) as writer:
        for change in ("ALTER TABLE t ALTER a TYPE bigint", "TRUNCATE t"):
            writer.execute("DROP TABLE IF EXISTS t")
            writer.execute("CREATE TABLE t (a int)")
            writer.execute("INSERT INTO t VALUES (1)")
            with (
                pytest.raises(LiteshiftError, match=r"public\.t"),
                PostgresSource(any_database).snapshot() as snapshot,
            ):
                (table,) = snapshot.catalog().tables
                writer.execute(change.encode())
                snapshot.hold([table.name])


def test_held_tables_keep_their_shape(any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as writer:
        writer.execute("CREATE TABLE t (a int)")
        with PostgresSource(any_database).snapshot() as snapshot:
            snapshot.hold([table.name for table in snapshot.catalog().tables])
            writer.execute("INSERT INTO t VALUES (1)")
            writer.execute("SET lock_timeout = '50ms'")
            for change in ("ALTER TABLE t ADD b int", "TRUNCATE t", "DROP TABLE t"):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    writer.execute(change.encode())


@pytest.mark.parametrize(
    "given", ["postgresql://u:{}@h/d", "host=h password={} dbname=d", "postgresql://h/d?password={}"]
)
def test_a_password_in_the_arguments_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="holds a password") as caught:
        resolve(given.format(SECRET))
    assert SECRET not in f"{caught.value.message}{caught.value.hint}"


def test_a_password_in_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql+psycopg://u:{SECRET}@h:5433/d"
    monkeypatch.setenv("LITESHIFT_SOURCE", url)
    found = resolve(None)
    assert psycopg.conninfo.conninfo_to_dict(found)["password"] == SECRET
    assert label(found) == "h:5433/d"


@pytest.mark.parametrize("given", ["", "postgres", "mysql://h/d", "host", f"postgresql://u:{SECRET}@h:port/d x y"])
def test_what_is_no_source_is_said_without_repeating_it(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LITESHIFT_SOURCE", raising=False)
    with pytest.raises(UsageError) as caught:
        resolve(given)
    assert SECRET not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.hint


def test_a_wrong_password_is_no_connection(any_database: str) -> None:
    wrong = psycopg.conninfo.make_conninfo(any_database, password=SECRET)
    with pytest.raises(NoConnection, match="password authentication failed") as caught:
        connect(wrong)
    assert SECRET not in f"{caught.value.message}{caught.value.hint}{caught.value.__cause__}"


def test_an_unknown_database_and_a_closed_port_are_no_connection(any_database: str) -> None:
    with pytest.raises(NoConnection, match="does not exist"):
        connect(psycopg.conninfo.make_conninfo(any_database, dbname="no such one"))
    with pytest.raises(NoConnection, match="refused"):
        connect("host=127.0.0.1 port=1 dbname=d")


def test_a_service_file_names_the_source(any_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(any_database)
    service = tmp_path / "services"
    service.write_text("[mine]\n" + "".join(f"{key}={value}\n" for key, value in parts.items()))
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    info = resolve("service=mine")
    assert label(info) == "service mine"
    connect(info).close()
