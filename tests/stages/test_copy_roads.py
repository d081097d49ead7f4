"""The native road and Python's give the same file, and what the one can't carry the other does."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from liteshift import migration, native
from liteshift.plan import Choices, Profile
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget

if TYPE_CHECKING:
    from liteshift.reports import MigrateReport

pytestmark = pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN price AS numeric(10,2);
CREATE TABLE every (
  id int PRIMARY KEY, i2 smallint, i8 bigint, o oid, ok bool, r real, f float8, n numeric(10,2), p price,
  big numeric(40,20), free numeric, t text, v varchar(30), c char(6), m mood, b bytea, u uuid, d date, tm time,
  ts timestamp(3), tz timestamptz, iv interval, j json, jb jsonb, a int[], ip inet, money money, "odd ""name" text
);
INSERT INTO every
SELECT g, g, g * 1000000007::bigint, g, g % 2 = 0, g / 3.0, g / 7.0::float8, g / 100.0, g, g / 9.0,
       g / 11.0, repeat('é', g % 900), 'v' || g, 'c' || g, 'ok', decode(md5(g::text), 'hex'), md5(g::text)::uuid,
       date '2000-01-01' + g,
       time '00:00' + g * interval '1.5 s',
       timestamp '1999-01-01' + g * interval '1.001 s', timestamptz '2024-01-01' + g * interval '1 min',
       g * interval '1 hour',
       '{"a" : 1}', jsonb_build_object('é', g), ARRAY[g, NULL], '10.0.0.1', g, NULL
  FROM generate_series(1, 3000) g;
INSERT INTO every (id) VALUES (5000);
CREATE TABLE keyless AS SELECT g % 7 AS a, 'x' || g AS b FROM generate_series(1, 5000) g;
CREATE TABLE pair (a text, b int, PRIMARY KEY (a, b), UNIQUE (b));
INSERT INTO pair SELECT md5(g::text), g FROM generate_series(1, 5000) g;
CREATE TABLE empty (id int PRIMARY KEY);
CREATE TABLE parted (id int PRIMARY KEY, t text) PARTITION BY RANGE (id);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
INSERT INTO parted SELECT g, 'p' || g FROM generate_series(0, 199) g;
CREATE TABLE counted (id serial PRIMARY KEY, t text);
INSERT INTO counted (t) SELECT 'x' FROM generate_series(1, 10);
UPDATE counted SET t = 'later' WHERE id = 2;
DELETE FROM counted WHERE id = 10;
"""


def move(database: str, path: Path, profile: Profile = Profile.SQLALCHEMY) -> MigrateReport:
    return migration.migrate(
        PostgresSource(database), SqliteTarget(path), Choices(profile),
        rejects=path.with_suffix(".rejects"), overwrite=False, progress=silent,
    )  # fmt: skip


def roads(report: MigrateReport) -> dict[str, str]:
    return {table.target: table.road for table in report.copied}


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's rows with the storage class of each value."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with closing(connect(path, read_only=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%stat%'")
        for (name,) in names.fetchall():
            rows = connection.execute(f'SELECT rowid, * FROM "{name}" ORDER BY rowid').fetchall()
            found[name] = [tuple((type(value), value) for value in row) for row in rows]
    return found


def both(database: str, folder: Path, monkeypatch: pytest.MonkeyPatch, profile: Profile) -> MigrateReport:
    """Move it both ways; the report of the native core's."""
    report = move(database, folder / "native.db", profile)
    with monkeypatch.context() as patch:
        patch.setattr(native, "CORE", None)
        plain = move(database, folder / "python.db", profile)
    assert set(roads(plain).values()) == {"python"}
    assert contents(folder / "native.db") == contents(folder / "python.db")
    assert [item.rows for item in report.copied] == [item.rows for item in plain.copied]
    assert report.verdict.equal and plain.verdict.equal
    return report


def run(database: str, statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statements.encode())


@pytest.mark.parametrize("profile", list(Profile))
def test_both_roads_give_the_same_file(
    any_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Profile
) -> None:
    run(any_database, SCHEMA)
    found = roads(both(any_database, tmp_path, monkeypatch, profile))
    if profile is Profile.DJANGO:
        assert found.pop("every") == "python"  # its long numbers are refused there
    assert set(found.values()) == {"native"}


def test_a_heap_in_no_order_is_read_in_its_keys_order(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        database,
        "CREATE TABLE t (id bigint PRIMARY KEY, v text);"
        "INSERT INTO t SELECT g, repeat('x', 300) FROM generate_series(1, 60000) g ORDER BY md5(g::text)",
    )
    assert roads(both(database, tmp_path, monkeypatch, Profile.SQLALCHEMY)) == {"t": "native"}


def test_rows_that_were_updated_are_inserted_afterwards(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        database,
        "CREATE TABLE t (id bigint PRIMARY KEY, v text, UNIQUE (v));"
        "INSERT INTO t SELECT g, repeat('x', 300) || g FROM generate_series(1, 60000) g;"
        "UPDATE t SET v = 'late' || id WHERE id % 1000 = 1",
    )
    assert roads(both(database, tmp_path, monkeypatch, Profile.SQLALCHEMY)) == {"t": "native"}


def test_a_row_that_cant_be_carried_is_named_as_on_the_other_road(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        database,
        "CREATE TABLE a (id int PRIMARY KEY, f float8, d date);"
        "INSERT INTO a VALUES (1, 1, 'today'), (2, 'NaN', NULL), (3, 1, 'infinity');"
        "CREATE TABLE b (id int PRIMARY KEY, f float8); INSERT INTO b VALUES (1, 1)",
    )
    assert roads(both(database, tmp_path, monkeypatch, Profile.SQLALCHEMY)) == {"a": "python", "b": "native"}
    assert (tmp_path / "native.rejects").read_text() == (tmp_path / "python.rejects").read_text()


def test_a_late_refusal_ends_a_long_copy_and_keeps_the_snapshot(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        database,
        "CREATE TABLE a (id int PRIMARY KEY, f float8, t text);"
        "INSERT INTO a SELECT g, CASE WHEN g = 5000 THEN float8 'NaN' ELSE 1 END, repeat('x', 500)"
        " FROM generate_series(1, 100000) g",
    )
    assert roads(both(database, tmp_path, monkeypatch, Profile.SQLALCHEMY)) == {"a": "python"}


def test_a_generated_column_is_sqlites_to_compute(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        database,
        "CREATE TABLE a (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);"
        "INSERT INTO a VALUES (1), (2)",
    )
    assert roads(both(database, tmp_path, monkeypatch, Profile.SQLALCHEMY)) == {"a": "python"}


def test_without_the_address_of_libpq_psycopg_reads_the_rows(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(database, SCHEMA)
    monkeypatch.setattr("liteshift.postgres.binary.addresses", lambda: None)
    report = both(database, tmp_path, monkeypatch, Profile.SQLALCHEMY)
    assert set(roads(report).values()) == {"native"}
