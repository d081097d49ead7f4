"""The file in the making: nobody sees it before it is whole, and nothing is left of one that never was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from liteshift.errors import LiteshiftError, Locked, NotInitialised
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget


def _make(path: Path, *, overwrite: bool = False, rows: int = 3) -> None:
    with SqliteTarget(path).staging(overwrite=overwrite) as staging:
        staging.execute(['CREATE TABLE "t" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "a" TEXT)'])
        staging.load("t", ["id", "a"], ((number, "x") for number in range(rows)))
        staging.set_sequence("t", 99)
        staging.execute(['CREATE INDEX "i" ON "t" ("a")'])
        assert staging.check() == ([], [])
        staging.seal()
        assert len(list(staging.rows("t", ["id"]))) == rows
        assert not path.exists() or overwrite
        staging.publish()


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    _make(path)
    assert [found.name for found in tmp_path.iterdir()] == ["a.db"]
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("INSERT INTO t (a) VALUES ('y') RETURNING id").fetchone() == (100,)
        assert connection.execute("SELECT count(*) FROM sqlite_stat1").fetchone() != (0,)


def test_a_staging_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), SqliteTarget(tmp_path / "a.db").staging(overwrite=False) as staging:
        staging.execute(["CREATE TABLE t (a)"])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_rows_come_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> object:
        yield (1,)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), SqliteTarget(tmp_path / "a.db").staging(overwrite=False) as staging:
        staging.execute(["CREATE TABLE t (a)"])
        staging.load("t", ["a"], rows())  # type: ignore[arg-type]  # a generator of rows
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_replaced_only_when_said(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    _make(path)
    with pytest.raises(LiteshiftError, match="exists already"):
        _make(path)
    _make(path, overwrite=True, rows=7)
    with closing(connect(path, read_only=True)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (7,)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_a_log_that_stands_there_alone_is_not_touched(tmp_path: Path, suffix: str) -> None:
    beside = tmp_path / f"a.db{suffix}"
    beside.write_text("somebody's")
    with pytest.raises(LiteshiftError, match="exists already"):
        _make(tmp_path / "a.db")
    assert beside.read_text() == "somebody's"


def test_a_target_that_comes_into_being_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with pytest.raises(LiteshiftError, match="exists"), SqliteTarget(path).staging(overwrite=False) as staging:
        staging.execute(["CREATE TABLE t (a)"])
        staging.seal()
        path.write_text("somebody's")
        staging.publish()
    assert path.read_text() == "somebody's"
    assert [found.name for found in tmp_path.iterdir()] == ["a.db"]


def test_what_a_killed_run_left_is_removed_and_what_others_make_is_not(tmp_path: Path) -> None:
    for name in (".a.db.staging", ".b.db.staging"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.db").write_text("half")
    _make(tmp_path / "a.db")
    assert {found.name for found in tmp_path.iterdir()} == {"a.db", ".b.db.staging"}


def test_one_process_makes_a_target_at_a_time(tmp_path: Path) -> None:
    with SqliteTarget(tmp_path / "a.db").staging(overwrite=False) as staging:
        staging.execute(["CREATE TABLE t (a)"])
        with pytest.raises(Locked, match="another process"), SqliteTarget(tmp_path / "a.db").staging(overwrite=False):
            pass
        staging.load("t", ["a"], [(1,)])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised, match="there is no file"), SqliteTarget(tmp_path / "a.db").reading():
        pass
    _make(tmp_path / "a.db")
    with SqliteTarget(tmp_path / "a.db").reading() as reading:
        reading.require({"t": ["id", "a"]})
        with pytest.raises(NotInitialised, match="lacks the column b"):
            reading.require({"t": ["id", "b"]})
        with pytest.raises(NotInitialised, match="lacks the table u"):
            reading.require({"u": ["id"]})


def test_what_is_read_is_of_the_moment_at_which_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    _make(path)
    with SqliteTarget(path).reading() as rows, closing(connect(path)) as other:
        other.execute("INSERT INTO t (a) VALUES ('later')")
        assert len(list(rows.rows("t", ["id"]))) == 3
