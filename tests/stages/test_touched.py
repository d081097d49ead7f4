"""What is compared in the pause: the rows that were changed since all was compared, each of them once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.stages.live import NAME, Live, copied
from tests.stages.moved import move

from liteshift.catalog import Name
from liteshift.errors import DifferencesFound
from liteshift.postgres.control import control
from liteshift.sqlite.connect import connect
from liteshift.sqlite.guard import passing_guards
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.touched import compare_touched, count_touched

SCHEMA = "CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE loose (t text)"

KEYS = {
    "numeric": ("1.0", "1.00", "1.000"),
    "citext": ("A", "a"),
}
"""Equal keys, spelled otherwise."""


def test_how_many_keys_are_to_be_compared(database: str, tmp_path: Path) -> None:
    plan = copied(database, tmp_path / "app.db", SCHEMA).plan
    keyed, loose = Name("public", "keyed"), Name("public", "loose")
    assert count_touched(plan, {}, whole=1001) == 0
    assert count_touched(plan, {keyed: {("1",), ("2",)}, loose: None}, whole=1001) == 2
    assert count_touched(plan, {keyed: None, loose: None}, whole=1001) == 1001  # too many: all is compared anew


def compared(live: Live, *statements: str, damage: str = "") -> int:
    """Follow some statements, and compare what they have touched, after somebody has written past the guards."""
    with live.following() as follower:
        live.execute(*statements)
        with live.origin.moment() as (position, _):
            assert follower.until(position, seconds=120)
        with closing(passing_guards(lambda: connect(live.target.path))) as file:
            file.execute(damage).close()
        with control(live.url, NAME, live.plan, "file") as there, live.target.reading() as here:
            count, passed_over = compare_touched(there, here, live.plan, follower.touched)
    assert passed_over == ()
    return count


def test_one_row_under_equal_keys(database: str, tmp_path: Path) -> None:
    _one_row(database, tmp_path, "numeric")


def test_one_row_under_equal_keys_of_citext(contrib_database: str, tmp_path: Path) -> None:
    with psycopg.connect(contrib_database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION citext")
    _one_row(contrib_database, tmp_path, "citext")


def _one_row(url: str, folder: Path, kind: str) -> None:
    first, *others = KEYS[kind]
    live = copied(
        url,
        folder / "file.db",
        f"CREATE TABLE t (n int, id {kind}, rowid int, _rowid_ int, v text, PRIMARY KEY (n, id));"
        f" INSERT INTO t VALUES (1, '{first}', 1, 1, 'x'), (2, '{first}', 1, 1, 'y')",
    )
    again = [f"UPDATE t SET id = '{other}', v = v || 'z' WHERE n = 1" for other in others]
    assert compared(live, "UPDATE t SET v = 'a' WHERE n = 1", *again) == len(KEYS[kind])


MANY = """
CREATE TABLE t (id numeric, n int, v text, PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (150);
CREATE TABLE high PARTITION OF t FOR VALUES FROM (150) TO (300);
INSERT INTO t SELECT 1, n, 'x' FROM generate_series(0, 299) n;
"""


def test_more_keys_than_one_query_asks_for(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "file.db", MANY)
    touching = ("UPDATE t SET v = 'y'", "UPDATE t SET id = 1.0")
    assert compared(live, *touching) == 600
    for damage in ("UPDATE t SET v = 'z' WHERE n = 299", "DELETE FROM t WHERE n = 299"):
        with pytest.raises(DifferencesFound, match=r"n = 299$"):
            compared(live, *touching, damage=damage)


def test_on_the_way_back(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", "CREATE TABLE t (id numeric PRIMARY KEY, v text)")
    with moved.reverser() as (reverser, _):
        moved.write("INSERT INTO t VALUES ('1.0', 'x')")
        reverser.step()
        moved.write("UPDATE t SET id = '1.00', v = 'y'")
        reverser.step()
        target = SqliteTarget(moved.path)
        with control(moved.conninfo, NAME, moved.plan, "file") as there, target.reading() as here:
            assert compare_touched(there, here, moved.plan, reverser.touched) == (2, ())
