"""Generated columns by which PostgreSQL finds a row: in a primary key, and in an index chosen for the identity."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from tests.postgres.test_publication import established
from tests.walk.test_walk import Walk

from liteshift.errors import NotFit
from liteshift.live import ending
from liteshift.plan import Choices

IN_THE_KEY = {
    "alone": "CREATE TABLE t (a int, id int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY, v text)",
    "of two": "CREATE TABLE t (a int, id int GENERATED ALWAYS AS (a + 1) STORED, v text, PRIMARY KEY (a, id))",
    "of two, first": "CREATE TABLE t (a int, id int GENERATED ALWAYS AS (a % 2) STORED, v text, PRIMARY KEY (id, a))",
}
CHANGES = [
    "INSERT INTO t (a, v) VALUES (11, 'n')",
    "UPDATE t SET v = 'w' WHERE a = 2",
    "UPDATE t SET a = 20 WHERE a = 3",
    "DELETE FROM t WHERE a = 4",
]
ROWS = "INSERT INTO t (a, v) SELECT i, 'v' FROM generate_series(1, 9) i"


def there_and_back(walk: Walk, *, writes: list[str]) -> None:
    """Changes on PostgreSQL, then others on SQLite, and once more on PostgreSQL."""
    walk.on_postgresql(CHANGES)
    walk.are_equal()
    walk.cut_over()
    walk.on_sqlite(writes)
    walk.are_equal()
    walk.ask("rollback")
    walk.on_postgresql(["UPDATE t SET a = a + 100"])
    walk.are_equal()
    ending.abort(walk.move)


@pytest.mark.parametrize("name", IN_THE_KEY)
def test_in_a_primary_key(any_database: str, tmp_path: Path, name: str) -> None:
    """Before 18 such a column is not in the log, so nobody could say which row changed: refused by name, at once."""
    with psycopg.connect(any_database, autocommit=True) as source:
        source.execute(IN_THE_KEY[name].encode())
        source.execute(ROWS.encode())
        in_the_log = source.info.server_version >= 180000
    walk = Walk(any_database, tmp_path, Choices())
    if not in_the_log:
        with pytest.raises(NotFit, match=r"public\.t\.id is generated") as caught:
            walk.copy()
        assert "Exclude the table" in str(caught.value.hint)
        ending.abort(walk.move)
        return
    walk.copy()
    there_and_back(
        walk,
        writes=["UPDATE t SET v = 'x' WHERE a = 5", "DELETE FROM t WHERE a = 6"],
    )


@pytest.mark.parametrize(
    ("columns", "keyed"), [("twice", False), ("twice", True), ("a, twice", False)], ids=["alone", "keyed", "of two"]
)
def test_in_an_index_that_was_chosen_for_the_identity(
    any_database: str, tmp_path: Path, columns: str, keyed: bool
) -> None:
    key = "PRIMARY KEY" if keyed else "NOT NULL"
    with psycopg.connect(any_database, autocommit=True) as source:
        source.execute(
            f"CREATE TABLE t (a int {key}, v text, twice int GENERATED ALWAYS AS (a * 2) STORED NOT NULL);"
            f"CREATE UNIQUE INDEX chosen ON t ({columns}); ALTER TABLE t REPLICA IDENTITY USING INDEX chosen".encode()
        )
        source.execute(ROWS.encode())
        walk = Walk(any_database, tmp_path, Choices())
        walk.copy()
        found = source.execute("SELECT relreplident::text FROM pg_class WHERE relname = 't'").fetchone()
        assert found == ("d" if keyed else "f",)
        there_and_back(walk, writes=[*CHANGES[1:3], "INSERT INTO t (a, v) VALUES (12, 'm')"])
        restored = source.execute(
            "SELECT relreplident::text, indisreplident FROM pg_class c, pg_index"
            " WHERE relname = 't' AND indexrelid = 'chosen'::regclass"
        ).fetchone()
        assert restored == ("i", True)


def test_what_other_publications_leave_out_comes_all_the_same(any_database: str, tmp_path: Path) -> None:
    with psycopg.connect(any_database, autocommit=True) as source:
        source.execute(b"CREATE TABLE t (a int PRIMARY KEY, v text, w text)")
        source.execute(ROWS.encode())
        source.execute(b"CREATE PUBLICATION every FOR ALL TABLES WITH (publish = 'insert')")
        if source.info.server_version >= 150000:
            source.execute(b"CREATE PUBLICATION theirs FOR TABLE t (a, v) WHERE (a > 100)")
        walk = Walk(any_database, tmp_path, Choices())
        walk.copy()
        there_and_back(walk, writes=["UPDATE t SET w = 'x' WHERE a = 5", "INSERT INTO t VALUES (200, 'y', 'z')"])
        left = source.execute("SELECT pubname FROM pg_publication ORDER BY 1").fetchall()
        assert ("every",) in left, "and they are left alone"
        assert all(not str(name).startswith("liteshift") for (name,) in left)


def test_named_before_anything_is_made(any_database: str) -> None:
    with psycopg.connect(any_database) as source:
        if source.info.server_version >= 180000:
            pytest.skip("the log has it")
    with pytest.raises(NotFit, match="SQLite can't compute it"):
        established(any_database, IN_THE_KEY["alone"])
    with psycopg.connect(any_database) as source:
        assert source.execute("SELECT to_regnamespace('liteshift')").fetchone() == (None,)
