"""A file that follows takes no writes but those of the one who follows."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from liteshift.errors import LiteshiftError
from liteshift.position import Lsn
from liteshift.sqlite import guard, state, triggers
from liteshift.sqlite.apply import applying
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.part import release

WRITES = (
    "INSERT INTO t VALUES (3, 'c')",
    "INSERT OR IGNORE INTO t VALUES (3, 'c')",
    "REPLACE INTO t VALUES (1, 'c')",
    "INSERT INTO t VALUES (1, 'c') ON CONFLICT DO UPDATE SET v = 'd'",
    "UPDATE t SET v = 'd'",
    "UPDATE OR IGNORE t SET id = 9 WHERE id = 1",
    "DELETE FROM t",
    "DELETE FROM t WHERE id = 2",
)
FOREIGN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    try:
        connection.execute(statement)
    except sqlite3.Error as error:
        print(error)
    else:
        print("written:", statement)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that follows."""
    path = tmp_path / "file.db"
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)").close()
        connection.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')").close()
        state.make(connection)
        state.put(connection, state.POSITION, "0/10")
        state.put(connection, state.MOVE, "liteshift_m")
        triggers.change(connection, make=guard.guards(guard.guarded_tables(connection)))
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(connect(path)) as connection:
        return connection.execute("SELECT * FROM t ORDER BY id").fetchall()


def foreign(path: Path, *statements: str) -> list[str]:
    """What another program hears, of a process of its own with SQLite's settings as they come."""
    run = subprocess.run(
        [sys.executable, "-c", FOREIGN, str(path), *statements], capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


@pytest.mark.parametrize("settings", [(), ("PRAGMA recursive_triggers=ON", "PRAGMA foreign_keys=ON")])
def test_another_program_is_refused(path: Path, settings: tuple[str, ...]) -> None:
    heard = foreign(path, *settings, *WRITES)[len(settings) :]
    assert heard == [guard.FOLLOWS] * len(WRITES)
    assert rows(path) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("reached", [True, False])
def test_who_follows_is_not(path: Path, monkeypatch: pytest.MonkeyPatch, reached: bool) -> None:
    if not reached:
        monkeypatch.setattr(guard, "MODULES", {})
    with applying(path, "file") as applier:
        applier.begin()
        assert applier.run("INSERT INTO t VALUES (?, ?)", [(3, "c"), (4, "d")], expect_each=True) is None
        assert applier.run("UPDATE t SET v = ? WHERE id = ?", [("e", 1)], expect_each=True) is None
        assert applier.run("DELETE FROM t WHERE id = ?", [(2,)], expect_each=True) is None
        assert applier.run("REPLACE INTO t VALUES (?, ?)", [(3, "f")], expect_each=False) is None
        applier.commit(Lsn(32))
        with closing(connect(path)) as other, pytest.raises(dbapi.IntegrityError, match="follows PostgreSQL"):
            other.execute("DELETE FROM t")
        applier.begin()
        assert applier.run("DELETE FROM t", [()], expect_each=False) is None
        assert applier.run("INSERT INTO t VALUES (?, ?)", [(3, "c")], expect_each=True) is None
        applier.commit(Lsn(48))
    assert rows(path) == [(3, "c")]


def test_the_library_is_reached_here(path: Path) -> None:
    """Else each row would pay for triggers that do nothing."""
    with closing(guard.passing_guards(lambda: connect(path))) as connection:
        plan = connection.execute("EXPLAIN INSERT INTO t VALUES (3, 'c')").fetchall()
    assert "Program" not in {row[1] for row in plan}


def test_a_file_that_was_given_up_is_like_any_other(path: Path) -> None:
    release(path, "file", "liteshift_another")
    with closing(connect(path)) as connection:
        assert guard.standing(connection)
    release(path, "file", "liteshift_m")
    release(path, "file", "liteshift_m")
    assert foreign(path, *WRITES[:1]) == [f"written: {WRITES[0]}"]
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'liteshift%'").fetchall() == []


def test_one_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "file.db").write_text("no database, but long enough to be taken for one" * 100)
    with pytest.raises(LiteshiftError):
        release(tmp_path / "file.db", "file", "liteshift_m")
