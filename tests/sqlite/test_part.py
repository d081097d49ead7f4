"""A backup of a file that is part of a live move becomes a file like any other, wherever it is restored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.sqlite.test_capture import CREATE, TRIGGER, plan

from liteshift.errors import LiteshiftError, Locked
from liteshift.position import Lsn
from liteshift.sqlite import guard, rejected, state, triggers
from liteshift.sqlite.backup import create
from liteshift.sqlite.capture import SqliteCapture, capture
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.part import Part, part, release, remember_triggers
from liteshift.sqlite.restore import restore

MOVE = "liteshift_m"
OURS = "SELECT name FROM sqlite_schema WHERE name LIKE 'liteshift%'"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that follows, as `migrate --live` leaves it; its plan has a trigger."""
    path = tmp_path / "app.db"
    with closing(connect(path)) as connection:
        for _, statement in CREATE.values():
            connection.execute(statement).close()
        connection.execute("INSERT INTO person (id, name) VALUES (1, 'a')").close()
        state.make(connection)
        state.put(connection, state.MOVE, MOVE)
        state.put(connection, state.POSITION, "0/10")
        rejected.make(connection)
        later = [triggers.of_plan(text, table.target) for table in plan().tables for text in table.triggers]
        remember_triggers(connection, later)
        triggers.change(connection, make=guard.guards(guard.guarded_tables(connection)))
    return path


@pytest.fixture
def armed(path: Path) -> Iterator[SqliteCapture]:
    """The same, once the application lives on it, and has written."""
    with capture(path, "the file") as kept:
        kept.arm(plan(), epoch=1, last={})
        with closing(connect(path)) as connection:
            connection.execute("INSERT INTO person (id, name) VALUES (2, 'b')").close()
        yield kept


def see_that_it_is_free(path: Path) -> None:
    """An application writes there, the plan's trigger is at work, and nothing of ours is there."""
    with closing(dbapi.connect(path, isolation_level=None)) as connection:  # an application that knows nothing of us
        assert connection.execute(OURS).fetchall() == []
        connection.execute("INSERT INTO person (id, name) VALUES (7, 'c')")
        connection.execute("UPDATE person SET name = 'd' WHERE id = 7")
        assert connection.execute("SELECT name, seen FROM person WHERE id = 7").fetchone() == ("d", 1)
        made = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        assert made == [(TRIGGER,)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_of_one_that_follows(path: Path, tmp_path: Path) -> None:
    made = create(path, tmp_path / "b")
    done = restore(made.path, tmp_path / "new.db", tmp_path / "b")
    assert done.part == Part(MOVE, lived_on=False)
    see_that_it_is_free(tmp_path / "new.db")
    with closing(connect(path)) as connection, pytest.raises(dbapi.IntegrityError, match=guard.FOLLOWS):
        connection.execute("DELETE FROM person")


def test_of_one_that_the_application_lives_on(path: Path, armed: SqliteCapture, tmp_path: Path) -> None:
    made = create(path, tmp_path / "b")
    done = restore(made.path, tmp_path / "new.db", tmp_path / "b")
    assert done.part == Part(MOVE, lived_on=True)
    see_that_it_is_free(tmp_path / "new.db")
    armed.refuse(until=time.time() + 60)  # and so it is within a rollback
    restore(create(path, tmp_path / "b").path, tmp_path / "newer.db", tmp_path / "b")
    see_that_it_is_free(tmp_path / "newer.db")
    with pytest.raises(Locked, match="PostgreSQL follows"):
        restore(made.path, path, tmp_path / "b")
    armed.allow()
    with armed.changes(0) as found:
        assert [change.new for change in found if change.new] == [(2, "b", None, None)], "the moved file has kept it"


def test_into_a_database_in_use_it_is_free_from_the_first_moment_on(path: Path, tmp_path: Path) -> None:
    made = create(path, tmp_path / "b")
    there = restore(made.path, tmp_path / "new.db", tmp_path / "b").database
    seen = []
    with closing(connect(there)) as user:
        restore(made.path, there, tmp_path / "b", progress=lambda _: seen.append(user.execute(OURS).fetchall()))
        user.execute("INSERT INTO person (id) VALUES (5)").close()
    assert seen
    assert not any(seen)
    see_that_it_is_free(there)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.db", "b", "new.db"]


def test_back_after_a_rollback_it_has_its_triggers_too(path: Path, armed: SqliteCapture) -> None:
    armed.forget(armed.last(), returned=0)
    armed.disarm(position=Lsn(32))
    with closing(connect(path)) as connection:
        assert part(connection) == Part(MOVE, lived_on=False)
        assert TRIGGER not in [text for (text,) in connection.execute("SELECT sql FROM sqlite_schema")]
    release(path, "the file", MOVE)
    see_that_it_is_free(path)


@pytest.mark.parametrize("spoilt", ["[", "[[1]]", '[["t", "person", "CREATE TRIGGER t NONSENSE"]]', '[["", "", ""]]'])
def test_one_that_remembers_nonsense_touches_nothing(path: Path, tmp_path: Path, spoilt: str) -> None:
    with closing(connect(path)) as connection:
        state.put(connection, state.TRIGGERS, spoilt)
    made = create(path, tmp_path / "b")
    with pytest.raises(LiteshiftError):
        restore(made.path, tmp_path / "new.db", tmp_path / "b")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.db", "b"]
