"""The way back, on real servers: what is written on SQLite arrives in PostgreSQL, once, and both sides are equal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.stages.moved import move

from liteshift import durable
from liteshift.catalog import Name
from liteshift.errors import DifferencesFound
from liteshift.postgres.connect import connect as postgres
from liteshift.postgres.fence import PostgresFence
from liteshift.postgres.schema import read_catalog
from liteshift.postgres.takeback import PostgresTakeback
from liteshift.sqlite.connect import connect
from liteshift.translate.takeback import Takeback
from liteshift.writes import Refused

SCHEMA = """
CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, j jsonb);
CREATE TABLE child (id serial PRIMARY KEY, parent int NOT NULL REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE keyless (a text, b int);
INSERT INTO parent (name, j) VALUES ('a', '{"a": 1}'), ('b', NULL);
INSERT INTO child (parent) VALUES (1), (1), (2);
INSERT INTO keyless VALUES ('x', 1), ('x', 1), (NULL, NULL), ('y', NULL);
"""


def test_what_is_written_arrives(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", SCHEMA)
    moved.write(
        "INSERT INTO parent (name) VALUES ('c'), ('d')",
        "UPDATE parent SET j = '{\"b\": 2}' WHERE id = 1",
        "INSERT INTO child (parent) VALUES (3)",
        "UPDATE parent SET id = 40 WHERE id = 4",
        "UPDATE parent SET id = 10 WHERE id = 1",
        "INSERT OR REPLACE INTO parent (id, name) VALUES (2, 'again')",
        "DELETE FROM parent WHERE id = 3",
        "DELETE FROM keyless WHERE rowid = 1",
        "UPDATE keyless SET b = 5 WHERE a IS NULL",
        "INSERT INTO keyless VALUES ('z', 1)",
    )
    assert moved.back().changes > 0
    assert moved.compare().equal
    assert moved.back().changes == 0
    assert moved.query("SELECT nextval('child_id_seq')") == [(5,)]


def test_only_its_own_transactions_pass_the_fence(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", "CREATE TABLE t (id int PRIMARY KEY)")
    table = Name("public", "t")
    with postgres(database, writes=True) as owner, closing(PostgresTakeback(database, "test", [table])) as applier:
        assert applier.applied() == 0
        owner.execute("CREATE TABLE liteshift.fence (token text PRIMARY KEY)")
        fence = PostgresFence(owner, "test", [table], "file.db", "the source")
        fence.prepare(seconds=5)
        fence.up("token", seconds=5)
        fence.keep()
        moved.write("INSERT INTO t VALUES (1)")
        with moved.reverser() as (_, kept), kept.changes(0) as changes, postgres(database) as reader:
            takeback = Takeback(moved.plan, read_catalog(reader))
            applier.apply(takeback.writes(changes))
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):  # the next one that a pooler gives this session to
            applier._open().execute("INSERT INTO public.t VALUES (2)")
    assert moved.query("SELECT * FROM t") == [(1,)]


def test_a_power_cut_takes_nothing_that_postgresql_has(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.db"
    moved = move(database, path, SCHEMA)
    files = [path, path.with_name("file.db-wal")]
    disk: dict[Path, bytes] = {}

    def synced(file: Path) -> None:
        durable.sync(file)
        disk.update({one: one.read_bytes() for one in files if one.exists()})

    monkeypatch.setattr("liteshift.sqlite.capture.sync", synced)
    with closing(connect(path, preset="fast", create=False)) as application:
        application.execute("INSERT INTO parent (name) VALUES ('durable'), ('as well')").close()
        synced(path.parent)
        application.execute("INSERT INTO parent (name) VALUES ('in the cache of the disk')").close()
        with moved.reverser() as (reverser, _):
            reverser.step()
    for file in files:
        file.unlink(missing_ok=True)
    for file, content in disk.items():
        file.write_bytes(content)
    moved.write("INSERT INTO parent (name) VALUES ('after the power cut')")
    moved.back()
    assert moved.compare().equal
    assert moved.query("SELECT count(*) FROM parent WHERE name = 'after the power cut'") == [(1,)]


def test_a_row_that_is_not_as_it_was_stops_it(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", SCHEMA)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE parent SET name = 'past the fence' WHERE id = 2")
    moved.write("UPDATE parent SET j = '1' WHERE id = 2")
    with pytest.raises(DifferencesFound, match="name was expected to be 'b' and is 'past the fence'"):
        moved.back()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE parent SET name = 'b' WHERE id = 2")
    assert moved.back().changes == 1
    assert moved.compare().equal


def test_a_row_that_was_refused_can_be_mended(database: str, tmp_path: Path) -> None:
    moved = move(
        database,
        tmp_path / "file.db",
        "CREATE TABLE t (id int PRIMARY KEY, n smallint, u int UNIQUE);"
        "CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t ON UPDATE CASCADE);"
        "CREATE TABLE k (a smallint, b text); INSERT INTO k VALUES (1, 'x'), (1, 'x');",
    )
    moved.write(
        "INSERT INTO t VALUES (1, 1, 1)",
        "INSERT INTO t VALUES (2, 70000, 2)",
        "INSERT INTO c VALUES (1, 2)",
        "UPDATE t SET id = 5 WHERE id = 2",
        "UPDATE t SET n = 'seven' WHERE id = 1",
        "UPDATE k SET a = 70000",
        "INSERT INTO k VALUES (80000, 'y'), (80000, 'y')",
    )
    with pytest.raises(Refused, match=r"public.t \(id = '1'\).*column n.*an integer expected, found 'seven'"):
        moved.back()
    moved.write("UPDATE t SET n = 7 WHERE id = 1")
    with pytest.raises(Refused, match=r"public.k \(a = '70000', b = 'x'\), column a,"):
        moved.back()
    moved.write("UPDATE k SET a = 2 WHERE a = 70000", "DELETE FROM k WHERE a = 80000 AND rowid = 3")
    with pytest.raises(Refused, match=r"public.t \(id = '5'\), column n,.*70000.*out of range for type smallint"):
        moved.back()
    moved.write("UPDATE t SET n = 2 WHERE id = 5")
    with pytest.raises(Refused, match=r"public.k \(a = '80000', b = 'y'\)"):
        moved.back()
    moved.write("UPDATE k SET a = 3 WHERE a = 80000")
    assert moved.back().changes == 16
    assert moved.compare().equal
    assert moved.query("SELECT a, b FROM k ORDER BY 1") == [(2, "x"), (2, "x"), (3, "y")]


def test_a_conflict_tells_only_what_differs(database: str, tmp_path: Path) -> None:
    moved = move(
        database,
        tmp_path / "file.db",
        "CREATE TABLE t (id int PRIMARY KEY, j jsonb, n int, m text GENERATED ALWAYS AS (md5(n::text)) STORED)",
    )
    moved.write('INSERT INTO t (id, j, n) VALUES (1, \'{"b": 1, "a": 2}\', 5)')
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO t (id, j, n) VALUES (1, '{}', 1)")
    with pytest.raises(Refused, match=r"public.t \(id = '1'\) .*duplicate key value.*Key \(id\)=\(1\) already exists"):
        moved.back()
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM t")
    moved.back()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE t SET n = 7")
    moved.write('UPDATE t SET j = \'{"d": 1, "c": 2}\'', "DELETE FROM t")
    with pytest.raises(DifferencesFound) as caught:
        moved.back()
    assert caught.value.message == ("public.t (id = '1') can't be taken back: n was expected to be '5' and is '7'")
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM t")
    with pytest.raises(DifferencesFound, match="PostgreSQL has no such row"):
        moved.back()


def test_texts_that_no_text_can_hold(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", "CREATE TABLE t (id int PRIMARY KEY, j json, a text[])")
    for value in ("'{\"a\": \"' || char(0) || '\"}'", "CAST(x'22ff22' AS TEXT)"):
        moved.write("DELETE FROM t", f"INSERT INTO t (id, j) VALUES (1, {value})")
        with pytest.raises(Refused, match=r"public.t \(id = '1'\), column j,.*no text of PostgreSQL's can hold this"):
            moved.back()
    moved.write("UPDATE t SET j = '1'")
    moved.back()
    assert moved.compare().equal
