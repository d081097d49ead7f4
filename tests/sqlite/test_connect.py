"""Every connection has its settings, and reading leaves no trace."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from liteshift.errors import LiteshiftError, Locked, NoConnection
from liteshift.sqlite.connect import PRAGMAS, Preset, connect
from liteshift.sqlite.faults import explained
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    from pathlib import Path


def answers(connection: dbapi.Connection, names: object = PRAGMAS["fast"]) -> dict[str, object]:
    assert isinstance(names, dict)
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


def sidecars(path: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in path.parent.glob(f"{path.name}-*")}


def crash_with_a_log(path: Path) -> None:
    """Leave a database whose only row is in the log, as a killed application does."""
    script = """
import os, sys
from liteshift.sqlite.connect import connect
c = connect(sys.argv[1])
c.execute("CREATE TABLE t(i)"); c.execute("INSERT INTO t VALUES (1)")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script, path], check=True)


@pytest.mark.parametrize("preset", ["fast", "durable"])
def test_every_pragma_reads_back(tmp_path: Path, preset: Preset) -> None:
    for _ in range(2):  # the file is new, then it is there
        with closing(connect(tmp_path / "a.db", preset=preset)) as connection:
            assert answers(connection) == PRAGMAS[preset]


def test_the_presets_are_what_was_asked_for() -> None:
    fast = dict(PRAGMAS["fast"])
    assert fast.pop("recursive_triggers") == 1
    assert fast.pop("trusted_schema") == 0
    assert fast == {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 1,
        "cache_size": -64000,
        "temp_store": 2,
        "mmap_size": 268435456,
        "busy_timeout": 30000,
        "page_size": 4096,
    }
    assert {**PRAGMAS["fast"], "synchronous": 2, "mmap_size": 0} == PRAGMAS["durable"]


@pytest.mark.parametrize("name", ["a b.db", "q?mode=ro.db", "50%.db", "#1.db", "ünïcode.db", "-x.db", "a'b\"c.db"])
def test_any_file_name(tmp_path: Path, name: str) -> None:
    with closing(connect(tmp_path / name)) as connection:
        connection.execute("CREATE TABLE t(i)")
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_an_old_file_keeps_its_page_size_and_enters_wal(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(dbapi.connect(path)) as old:
        old.execute("PRAGMA page_size=1024")
        old.execute("CREATE TABLE t(i)")
    with closing(connect(path)) as connection:
        assert answers(connection) == {**PRAGMAS["fast"], "page_size": 1024}


def test_no_file_is_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(NoConnection), explained("x"):
        connect(tmp_path / "none.db", create=False)
    with pytest.raises(NoConnection), explained("x"):
        connect(tmp_path / "none.db", read_only=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["wal", "crashed", "delete", "open"])
def test_reading_leaves_no_trace(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.db"
    if kind == "crashed":
        crash_with_a_log(path)
    else:
        with closing(connect(path)) as connection:
            connection.execute("CREATE TABLE t(i)")
            connection.execute("INSERT INTO t VALUES (1)")
            if kind == "delete":
                connection.execute("PRAGMA journal_mode=delete")
    writer = connect(path) if kind == "open" else None
    if writer:
        writer.execute("INSERT INTO t VALUES (2)")
    content = None if writer else hashlib.sha256(path.read_bytes()).digest()
    before = sidecars(path)
    with closing(connect(path, read_only=True)) as reader:
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (2 if writer else 1,)
        with pytest.raises(dbapi.OperationalError, match="readonly"):
            reader.execute("INSERT INTO t VALUES (3)")
    assert sidecars(path) == before
    if writer:
        writer.close()
    else:
        assert hashlib.sha256(path.read_bytes()).digest() == content


def test_many_processes_make_the_same_file_at_once(tmp_path: Path) -> None:
    script = """
import sys
from liteshift.sqlite.connect import connect
sys.stdin.readline()
c = connect(sys.argv[1])
c.execute("CREATE TABLE IF NOT EXISTS t(i)"); c.execute("INSERT INTO t VALUES (1)")
c.close()
"""
    for turn in range(4):
        path = tmp_path / f"{turn}.db"
        command = [sys.executable, "-c", script, str(path)]
        processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(6)]
        for process in processes:
            assert process.stdin
            process.stdin.write(b"\n")
            process.stdin.flush()
        assert [process.wait() for process in processes] == [0] * 6
        for process in processes:
            assert process.stdin
            process.stdin.close()
        with closing(connect(path, read_only=True)) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (6,)


def test_a_lock_is_named_and_nothing_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(connect(path)) as holder, closing(connect(path, busy_timeout=0)) as other:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked, match="SQLITE_BUSY") as caught, explained(path):
            other.execute("BEGIN IMMEDIATE")
        assert caught.value.hint
        assert caught.value.exit_code == 11


def test_closing_ends_the_transaction_even_under_a_live_cursor(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = connect(path)
    connection.execute("CREATE TABLE t(i)")
    connection.execute("INSERT INTO t VALUES (1), (2), (3)")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM t WHERE i = 1")
    cursor = connection.execute("SELECT i FROM t")
    assert cursor.fetchone() == (2,)
    connection.close()
    connection.close()
    with closing(connect(path, busy_timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)
    del cursor


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all, " * 100)
    with pytest.raises(LiteshiftError, match="SQLITE_NOTADB"), explained(path):
        connect(path)
    assert path.read_bytes().startswith(b"not a database")
