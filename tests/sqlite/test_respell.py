"""Rows are written as PostgreSQL has them, and no trigger fires: neither ours nor the application's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from liteshift.catalog import Name
from liteshift.changes import Respelling
from liteshift.plan import ColumnPlan, Plan, Profile, TablePlan
from liteshift.sqlite import guard
from liteshift.sqlite.capture import SqliteCapture, capture
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi

CREATE = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT UNIQUE, touched INTEGER, gone INTEGER)"
TRIGGERS = tuple(
    f"CREATE TRIGGER {name} {event} ON t FOR EACH ROW BEGIN {body}; END"
    for name, event, body in (
        ("touch", "AFTER INSERT", "UPDATE t SET touched = coalesce(touched, 0) + 1 WHERE rowid = NEW.rowid"),
        ("Touch_again", "AFTER UPDATE OF doc", "UPDATE t SET touched = touched + 1 WHERE rowid = NEW.rowid"),
        ("count_gone", "BEFORE DELETE", "UPDATE t SET gone = coalesce(gone, 0) + 1"),
        ("another", "AFTER INSERT", "INSERT INTO other SELECT NEW.doc"),
        ("emptied", "AFTER DELETE", "DELETE FROM other"),
    )
)
COLUMNS = ("id", "doc", "touched", "gone")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a table, and another."""
    path = tmp_path / "file.db"
    with closing(connect(path)) as connection:
        connection.execute(CREATE).close()
        connection.execute("CREATE TABLE other (doc TEXT)").close()
    return path


@pytest.fixture
def kept(path: Path) -> Iterator[SqliteCapture]:
    """Its capture, armed, with triggers of the application's."""
    columns = tuple(ColumnPlan(column, column, "text", "", "text") for column in COLUMNS)
    table = TablePlan(Name("public", "t"), "t", columns, (), CREATE, (), TRIGGERS, (), 0, 0, 5)
    with capture(path, "the file") as kept:
        kept.arm(Plan(Profile.SQLALCHEMY, "test", 160000, (table,), (), ()), epoch=1, last={})
        yield kept


def schema(path: Path) -> list[tuple[object, ...]]:
    with closing(connect(path)) as connection:
        return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, rowid").fetchall()


def rows(path: Path, table: str = "t") -> list[tuple[object, ...]]:
    with closing(connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()


def numbers(kept: SqliteCapture) -> list[int]:
    with kept.changes(0) as found:
        return [change.number for change in found]


@pytest.mark.parametrize("reached", [True, False])
def test_no_trigger_fires(kept: SqliteCapture, path: Path, monkeypatch: pytest.MonkeyPatch, reached: bool) -> None:
    if not reached:
        monkeypatch.setattr(guard, "MODULES", {})
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO t (doc) VALUES ('a b'), ('c d')").close()
    before, was = numbers(kept), schema(path)
    one, two = (1, "a b", 1, None), (2, "c d", 1, None)
    assert rows(path) == [one, two], "the application's own writes fire them"
    new = [Respelling("t", 1, one, (1, "a b!", 1, None)), Respelling("t", 2, two, (2, "c d!", 1, None))]
    late = Respelling("t", 1, one, (1, "a b", 1, 5))
    taken = Respelling("t", 2, new[1].new, (2, "a b!", 1, None))  # what is unique in the file
    assert kept.respell([*new, late, taken]) == 2
    assert rows(path) == [row.new for row in new]
    assert rows(path, "other") == [("a b",), ("c d",)]
    assert numbers(kept) == before, "nothing of it was kept"
    assert schema(path) == was
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM liteshift_stash WHERE gone").fetchone() == (0,)
        connection.execute("DELETE FROM t WHERE id = 1").close()
    assert len(numbers(kept)) > len(before)
    assert rows(path, "other") == []


@pytest.mark.parametrize("reached", [True, False])
def test_while_writes_are_refused(
    kept: SqliteCapture, path: Path, monkeypatch: pytest.MonkeyPatch, reached: bool
) -> None:
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO t (doc) VALUES ('a')").close()
    kept.refuse(until=time.time() + 60)
    if not reached:
        monkeypatch.setattr(guard, "MODULES", {})
    assert kept.respell([Respelling("t", 1, (1, "a", 1, None), (1, "b", 1, None))]) == 1
    assert rows(path) == [(1, "b", 1, None)]
    with closing(connect(path)) as connection, pytest.raises(dbapi.IntegrityError, match="moved to PostgreSQL"):
        connection.execute("INSERT INTO t (doc) VALUES ('c')")


def test_a_respell_that_fails_leaves_all_as_it_was(
    kept: SqliteCapture, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO t (doc) VALUES ('a')").close()
    was, written = schema(path), rows(path)
    monkeypatch.setattr(guard, "MODULES", {})
    rewritten = Respelling("t", 1, (1, "a", 1, None), (1, "b", 1, None))
    with pytest.raises(KeyError):
        kept.respell([rewritten, Respelling("no such table", 1, (1,), (2,))])
    assert schema(path) == was
    assert rows(path) == written
