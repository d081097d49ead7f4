"""What an assessment finds in the rows: each value the contract refuses, counted, and what `migrate` then does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from liteshift import migration
from liteshift.assessment import Assessment, BrokenKey, Decision, Level, TableFacts
from liteshift.catalog import Name
from liteshift.errors import NotFit
from liteshift.plan import Choices, Profile
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import MigrateReport
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.assess import assess
from liteshift.survey import Oddity, TableQuestion


def fill(database: str, *statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def assessed(database: str, *, deep: bool = False, choices: Choices | None = None) -> Assessment:
    return assess(PostgresSource(database), choices or Choices(), deep=deep, progress=silent)


def migrated(database: str, path: Path, choices: Choices | None = None) -> MigrateReport:
    source, target = PostgresSource(database), SqliteTarget(path)
    return migration.migrate(
        source, target, choices or Choices(), rejects=path.with_suffix(".rejects"), overwrite=False, progress=silent
    )


def table(found: Assessment, name: str) -> TableFacts:
    return next(one for one in found.tables if one.name.name == name)


def odd(facts: TableFacts) -> dict[tuple[str, Oddity], int]:
    return {(one.column, one.oddity): one.rows for one in facts.odd}


def test_counts_every_value_that_migrate_rejects(any_database: str, tmp_path: Path) -> None:
    fill(
        any_database,
        "CREATE DOMAIN day AS date",
        "CREATE TABLE t (id serial PRIMARY KEY, f float8, r real, n numeric(10, 2), d day, t time, ts timestamp,"
        " tz timestamptz, many timestamptz[], name text)",
        "INSERT INTO t (f) VALUES ('NaN'), ('NaN'), ('-0')",
        "INSERT INTO t (r) VALUES ('NaN'), ('-0')",
        "INSERT INTO t (n) VALUES ('NaN')",
        "INSERT INTO t (d) VALUES ('infinity'), ('-infinity'), ('0044-03-15 BC'), ('10000-01-01')",
        "INSERT INTO t (t) VALUES ('24:00:00')",
        "INSERT INTO t (ts) VALUES ('infinity'), ('0001-12-31 23:59:59.999999 BC'), ('10000-01-01')",
        "INSERT INTO t (tz) VALUES ('-infinity'), ('0044-03-15 BC'), ('20000-01-01')",
        "INSERT INTO t (many) VALUES ('{2026-01-01,infinity}'), ('{10000-01-01}'), (NULL), ('{}'), ('{NULL}')",
        "INSERT INTO t (name) VALUES (E'a bell\\x07')",
        "INSERT INTO t (f, r, n, d, t, ts, tz, many, name) VALUES ('Infinity', 0, 0, '0001-01-01', '23:59:59.999999',"
        " '9999-12-31 23:59:59.999999', '0001-01-01 00:00:00Z', '{0001-01-01 00:00:00Z}', E'\\t\\n')",
    )
    found = assessed(any_database)
    facts = table(found, "t")
    assert odd(facts) == {
        ("f", Oddity.NAN): 2,
        ("f", Oddity.NEGATIVE_ZERO): 1,
        ("r", Oddity.NAN): 1,
        ("r", Oddity.NEGATIVE_ZERO): 1,
        ("n", Oddity.NAN): 1,
        ("d", Oddity.INFINITY): 2,
        ("d", Oddity.BEFORE_CHRIST): 1,
        ("d", Oddity.PAST_9999): 1,
        ("t", Oddity.HOUR_24): 1,
        ("ts", Oddity.INFINITY): 1,
        ("ts", Oddity.BEFORE_CHRIST): 1,
        ("ts", Oddity.PAST_9999): 1,
        ("tz", Oddity.INFINITY): 1,
        ("tz", Oddity.BEFORE_CHRIST): 1,
        ("tz", Oddity.PAST_9999): 1,
        ("many", Oddity.INFINITY): 1,
        ("many", Oddity.PAST_9999): 1,
        ("name", Oddity.CONTROL): 1,
    }
    assert (facts.rows, facts.read, facts.whole) == (24, 24, True)
    assert facts.odd[0].example == {"id": "1"}
    assert found.verdict.decision is Decision.CHANGES
    assert migrated(any_database, tmp_path / "t.db").rejected == sum(one.rows for one in facts.odd if one.refused)


def test_looks_into_composites(any_database: str, tmp_path: Path) -> None:
    fill(
        any_database,
        'CREATE TYPE visit AS ("the day" date, f float8, times time[])',
        "CREATE DOMAIN known AS visit",
        "CREATE TYPE guest AS (name text, last known, all_of_them visit[])",
        "CREATE TABLE t (id serial PRIMARY KEY, g guest, many guest[])",
        "INSERT INTO t (g) VALUES (ROW('a', ROW('infinity', 'NaN', '{}'), NULL)), (ROW('b', NULL, NULL)), (NULL)",
        "INSERT INTO t (g) VALUES (ROW('c', NULL, ARRAY[ROW(NULL, NULL, '{24:00}'), NULL]::visit[]))",
        "INSERT INTO t (many) VALUES (ARRAY[NULL, ROW('d', ROW('0044-03-15 BC', NULL, NULL), NULL)]::guest[]), ('{}')",
    )
    facts = table(assessed(any_database), "t")
    assert odd(facts) == {
        ("g.last.the day", Oddity.INFINITY): 1,
        ("g.all_of_them.times", Oddity.HOUR_24): 1,
        ("many.last.the day", Oddity.BEFORE_CHRIST): 1,
    }
    assert migrated(any_database, tmp_path / "t.db").rejected == 3


def test_knows_what_django_would_round(database: str, tmp_path: Path) -> None:
    fill(
        database,
        "CREATE TABLE t (id serial PRIMARY KEY, n numeric(20, 4))",
        "INSERT INTO t (n) VALUES (12345678901.2345), (-123456789012.3456), (0.0001)",
    )
    choices = Choices(Profile.DJANGO)
    assert odd(table(assessed(database, choices=choices), "t")) == {("n", Oddity.PAST_15_DIGITS): 1}
    assert migrated(database, tmp_path / "t.db", choices).rejected == 1
    assert odd(table(assessed(database), "t")) == {}


def test_reads_a_sample_of_a_large_table_and_all_of_it_when_deep(database: str) -> None:
    fill(
        database,
        "CREATE TABLE big (id int PRIMARY KEY, at timestamp)",
        "INSERT INTO big SELECT i, timestamp '2026-01-01' FROM generate_series(1, 250000) i",
        "INSERT INTO big VALUES (0, 'infinity')",
        "CREATE TABLE parts (id int, at timestamp) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100)",
        "INSERT INTO parts VALUES (1, 'infinity')",
        "ANALYZE",
    )
    sampled, deep = assessed(database), assessed(database, deep=True)
    facts = table(sampled, "big")
    assert not facts.whole
    assert facts.rows == 250_001
    assert 50_000 < facts.read < 150_000
    assert table(sampled, "parts").whole
    assert odd(table(sampled, "parts")) == {("at", Oddity.INFINITY): 1}
    facts = table(deep, "big")
    assert facts.whole
    assert facts.read == 250_001
    assert odd(facts) == {("at", Oddity.INFINITY): 1}


def test_says_where_15_digits_would_do_and_the_statement_works(any_database: str) -> None:
    fill(
        any_database,
        'CREATE TABLE "a ""b" (id int, "n\nm" numeric, long numeric, odd numeric, empty numeric(30, 2))',
        'INSERT INTO "a ""b" VALUES (1, 123.4500, 1e20, \'NaN\', NULL), (2, -7, 0.5, 1.5, NULL)',
    )
    before = table(assessed(any_database), 'a "b').numerics
    assert [(one.column, one.before, one.after, bool(one.fits)) for one in before] == [
        ("n\nm", 3, 2, True),
        ("long", 21, 1, False),
        ("odd", 1, 1, True),
        ("empty", 0, 0, False),
    ]
    assert all(one.fits.isprintable() for one in before)
    fill(any_database, before[0].fits)
    assert [one.column for one in table(assessed(any_database), 'a "b').numerics] == ["long", "odd", "empty"]


def test_counts_rows_without_their_parent(database: str) -> None:
    fill(
        database,
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "CREATE TABLE child (id int PRIMARY KEY, parent int)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1, 1), (2, 2), (3, 3), (4, NULL)",
        "ALTER TABLE child ADD CONSTRAINT child_fk FOREIGN KEY (parent) REFERENCES parent NOT VALID",
    )
    found = assessed(database)
    assert [(one.key, one.orphans) for one in found.broken_keys] == [("public.child.child_fk", 2)]
    assert any("child_fk" in reason.what for reason in found.verdict.reasons)


def test_deep_finds_rows_written_past_a_foreign_key(any_database: str, tmp_path: Path) -> None:
    fill(
        any_database,
        "CREATE TABLE parent (id int PRIMARY KEY)",
        "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)",
        "SET session_replication_role = replica",
        "INSERT INTO child VALUES (1, 7)",
    )
    assert assessed(any_database).broken_keys == ()
    found = assessed(any_database, deep=True)
    assert found.broken_keys == (BrokenKey("public.child.child_parent_fkey", 1, trusted=True),)
    assert found.verdict.decision is Decision.NO_GO
    with pytest.raises(NotFit, match="child row 1"):
        migrated(any_database, tmp_path / "t.db")
    assert not (tmp_path / "t.db").exists()
    fill(
        any_database,
        "ALTER TABLE child DROP CONSTRAINT child_parent_fkey",
        "ALTER TABLE child ADD FOREIGN KEY (parent) REFERENCES parent NOT VALID",
    )
    assert migrated(any_database, tmp_path / "t.db").verdict.equal


def test_a_unique_rule_under_lower_depends_on_the_letters(any_database: str) -> None:
    fill(
        any_database,
        "CREATE TABLE people (id int PRIMARY KEY, email text)",
        "CREATE UNIQUE INDEX people_email ON people (lower(email))",
        "INSERT INTO people VALUES (1, 'anna@example.org')",
    )
    assert assessed(any_database).verdict.decision is Decision.CHANGES
    fill(any_database, "INSERT INTO people VALUES (7, 'jürgen@example.org')")
    found = assessed(any_database)
    assert found.verdict.decision is Decision.NO_GO
    assert found.verdict.reasons[0].level is Level.STOP
    assert [one.example for one in table(found, "people").odd] == [{"id": "7"}]


@pytest.fixture
def ascii_database(database: str) -> Iterator[str]:
    """A database that takes bytes of any kind for text."""
    name = f"liteshift_ascii_{os.getpid()}"
    fill(database, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    yield psycopg.conninfo.make_conninfo(database, dbname=name)
    fill(database, f"DROP DATABASE {name}")


def test_finds_bytes_that_are_no_utf8(ascii_database: str, tmp_path: Path) -> None:
    fill(ascii_database, "CREATE TABLE t (id text PRIMARY KEY, name text)")
    with psycopg.connect(ascii_database, autocommit=True) as connection:
        for text in (b"plain", "é€😀".encode(), b"bs\\x", b"", b"caf\xe9", b"\xed\xa0\x80"):
            insert = "INSERT INTO t VALUES (md5(%s), convert_from(%s, 'SQL_ASCII'))"
            connection.execute(insert, (text, text))
    found = assessed(ascii_database)
    assert odd(table(found, "t")) == {("name", Oddity.NOT_UTF8): 2}
    assert table(found, "t").odd[0].example == {}
    assert migrated(ascii_database, tmp_path / "t.db").rejected == 2


def test_finds_rows_larger_than_sqlite_holds(any_database: str) -> None:
    fill(
        any_database,
        "CREATE TABLE t (id int PRIMARY KEY, b bytea, j jsonb, c text)",
        "INSERT INTO t SELECT 1, decode(repeat('00', 600), 'hex'), '{}', repeat('x', 10)",
        "INSERT INTO t SELECT 2, NULL, NULL, repeat('é', 300)",
    )
    with PostgresSource(any_database).snapshot() as snapshot:
        asked = TableQuestion(Name("public", "t"), False, texts=("c",), blobs=("b",), packed=("j",), row_limit=1000)
        answer = snapshot.survey().table(asked)
        assert answer.oversize == 1
        assert 1210 <= answer.widest < 1250
        assert snapshot.survey().table(replace(asked, row_limit=500)).oversize == 2


@pytest.mark.parametrize("profile", [Profile.SQLALCHEMY, Profile.PLAIN])
def test_predicts_the_size_of_the_file(database: str, tmp_path: Path, profile: Profile) -> None:
    fill(
        database,
        "CREATE TABLE a (id bigserial PRIMARY KEY, name text, price numeric(10, 2), at timestamptz DEFAULT now())",
        "CREATE INDEX ON a (name, at)",
        "CREATE TABLE b (id uuid PRIMARY KEY, a bigint REFERENCES a, flag boolean, doc jsonb, data bytea)",
        "INSERT INTO a (name, price) SELECT 'number ' || i, i / 7.0 FROM generate_series(1, 6000) i",
        "INSERT INTO b SELECT md5(i::text)::uuid, i, i % 2 = 0, jsonb_build_object('n', i, 'x', repeat('x', i % 50)),"
        " decode(repeat('ab', i % 40), 'hex') FROM generate_series(1, 6000) i",
        "ANALYZE",
    )
    choices = Choices(profile)
    predicted = assessed(database, choices=choices).prediction
    made = migrated(database, tmp_path / "t.db", choices)
    assert predicted.rows == made.rows
    assert predicted.bytes == pytest.approx(made.bytes, rel=0.15)


def test_goes_where_nothing_stands_in_the_way(any_database: str) -> None:
    fill(any_database, "CREATE TABLE t (id serial PRIMARY KEY, name varchar(20) NOT NULL)")
    found = assessed(any_database)
    assert found.verdict.decision is Decision.GO
    assert [reason.what.partition(":")[0] for reason in found.verdict.reasons] == [
        "the application's own SQL was not seen"
    ]
    assert {item.kind for item in found.objects} == {"table", "column", "sequence", "primary key"}


def test_says_no_where_there_is_nothing(database: str) -> None:
    assert assessed(database).verdict.decision is Decision.NO_GO
