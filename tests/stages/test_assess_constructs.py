"""Each construct of the list, on both databases: found, and SQLite does with it what the list says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from liteshift.assessment import Effect
from liteshift.catalog import Catalog
from liteshift.postgres.snapshot import PostgresSource
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.survey import Statements, StatementStats
from liteshift.translate import constructs
from liteshift.translate.constructs import CONSTRUCTS, Construct
from liteshift.translate.lexer import read
from liteshift.translate.workload import judge, known

IN_TREE = [one for one in vars(constructs).values() if isinstance(one, Construct)]

POSTGRES = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE t (
    id serial PRIMARY KEY, name text, price numeric(10, 2), made timestamp, tags int[], doc jsonb, flag bool, mood mood
);
INSERT INTO t (name, price, made, tags, doc, flag, mood) VALUES
    ('a', 3, '2026-01-02', '{1,2}', '{"a": 1}', true, 'sad'),
    (NULL, 0.1, now(), '{}', '{}', false, 'happy'),
    ('B', 0.2, '2026-01-02', '{}', '{}', false, 'sad');
CREATE MATERIALIZED VIEW m AS SELECT 1 AS x;
CREATE FUNCTION own_function(int) RETURNS int LANGUAGE sql AS 'SELECT 1'
"""
SQLITE = """
CREATE TABLE t (
    id integer PRIMARY KEY, name text, price numeric(10, 2), made datetime, tags json, doc json, flag, mood text);
INSERT INTO t (name, price, made, tags, doc, flag, mood) VALUES
    ('a', 3, '2026-01-02 00:00:00.000000', '[1, 2]', '{"a": 1}', 1, 'sad'),
    (NULL, 0.1, '2026-01-03 00:00:00.000000', '[]', '{}', 0, 'happy'),
    ('B', 0.2, '2026-01-02 00:00:00.000000', '[]', '{}', 0, 'sad');
"""


class Server(Protocol):
    """What this needs of conftest's Server."""

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


@pytest.fixture(scope="module")
def postgres(_servers: dict[str, Server]) -> Iterator[str]:
    server = _servers["16"]
    database = server.create_database("liteshift_constructs")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(POSTGRES.encode())
    yield database
    server.drop_database("liteshift_constructs")


@pytest.fixture(scope="module")
def catalog(postgres: str) -> Catalog:
    with PostgresSource(postgres).snapshot() as snapshot:
        return snapshot.catalog()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[dbapi.Connection]:
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.executescript(SQLITE)
        yield connection


def found(statement: str, catalog: Catalog) -> set[str]:
    statements = Statements(statements=(StatementStats(statement, 1, 1.0),))
    return {use.title for use in judge(statements, known(replace(catalog, collation="en_US.UTF-8"))).uses}


def on_postgres(database: str, statement: str) -> list[Any]:
    """What it gives there; undone."""
    with psycopg.connect(database) as connection:
        try:
            cursor = connection.execute(statement.encode())
        except psycopg.errors.ObjectNotInPrerequisiteState:  # prepared transactions would have to be allowed
            return []
        rows = cursor.fetchall() if cursor.description else []
        connection.rollback()
    return rows


@pytest.mark.parametrize("construct", [*IN_TREE, *CONSTRUCTS], ids=lambda one: one.title)
def test_sqlite_does_what_the_list_says(
    construct: Construct, postgres: str, sqlite: dbapi.Connection, catalog: Catalog
) -> None:
    assert construct.title in found(construct.example, catalog)
    there = on_postgres(postgres, construct.example)
    if construct.effect is Effect.FAILS:
        with pytest.raises(dbapi.Error):
            sqlite.execute(construct.example)
        return
    here = sqlite.execute(construct.example).fetchall()
    if construct.effect is Effect.DIFFERS:
        assert repr(here) != repr(there)
    else:
        assert repr(here) == repr(there)


def test_plain_sql_uses_none_of_them(catalog: Catalog) -> None:
    for statement in (
        "SELECT id, name FROM t WHERE id = $1 AND name IN ($2, $3) LIMIT $4 OFFSET $5",
        "SELECT count(*), max(id) FROM t AS a JOIN t AS b ON a.id = b.id GROUP BY a.id HAVING count(*) > $1",
        "INSERT INTO t (id, name) VALUES ($1, $2), ($3, $4)",
        "INSERT INTO t (id) SELECT coalesce(max(id), $1) + $2 FROM t",
        "UPDATE t SET name = $1, flag = NOT flag WHERE id BETWEEN $2 AND $3 OR name IS NULL",
        "DELETE FROM t WHERE EXISTS (SELECT FROM t o WHERE o.id = t.id - $1)",
        "SELECT CASE WHEN id > $1 THEN $2 ELSE name || $3 END FROM t ORDER BY id DESC",
        "SELECT id FROM t WHERE id IN (SELECT id FROM t UNION ALL (SELECT id FROM t))",
        "INSERT INTO left (age) VALUES ($1)",
        "/* ILIKE */ SELECT id -- ~ 'x'::text\n FROM t WHERE name = 'LATERAL :: @> FOR UPDATE'",
        'SELECT "now(" FROM t',
        "BEGIN",
        "COMMIT",
    ):
        assert found(statement, catalog) == set(), statement


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SELECT 'it''s', E'a\\'b', $$ x $$, $tag$ $$ $tag$, U&'\\0041', 1.5e-3, x'ff'", "SELECT …, …, …, …, …, …, …"),
        ("SELECT 1 /* a /* nested */ 'secret' */ + 2 -- 'secret'\n", "SELECT … + …"),
        ("SELECT 'never ends", "SELECT …"),
        ("SELECT $x$never ends", "SELECT …"),
        ("SELECT 1 /* never ends", "SELECT …"),
        ('SELECT "a""b", $1,$2::text', 'SELECT "a""b", $1,$2::text'),
        ("SELECT id IN (1, $2,3), (4)", "SELECT id IN (…), (…)"),
        ("SELECT a=-1,b", "SELECT a=-…,b"),
        ("\x00\udcff§", "\x00\udcff§"),
    ],
)
def test_constants_and_comments_are_not_shown(text: str, shown: str) -> None:
    assert read(text).shown == shown


def test_a_deep_statement_is_looked_at_word_by_word(catalog: Catalog) -> None:
    deep = "SELECT " + "(" * 5000 + "id" + ")" * 5000 + " FROM t WHERE name ILIKE 'x'"
    statements = Statements(statements=(StatementStats(deep, 1, 1.0),))
    workload = judge(statements, known(catalog))
    assert workload.unparsed == 1
    assert [use.title for use in workload.uses] == ["ILIKE"]
