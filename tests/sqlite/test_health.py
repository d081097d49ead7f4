"""Health sees what is wrong and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liteshift.errors import Locked, NotInitialised
from liteshift.sqlite.connect import PRAGMAS, connect
from liteshift.sqlite.health import health
from liteshift.sqlite.library import dbapi, wal_reset_bug

if TYPE_CHECKING:
    from tests.sqlite.conftest import Writer


def test_a_good_one(database: Path) -> None:
    found = health(database)
    assert found.good
    assert found.verdict == ("warning" if wal_reset_bug() else "good")
    assert found.bytes == database.stat().st_size
    assert found.rows == {"child": 3000, "parent": 2000, "t": 0}
    assert found.connection == PRAGMAS["fast"]
    assert found.stored["journal_mode"] == "wal"
    assert found.stored["page_size"] == 4096
    assert found.sqlite_version == dbapi.sqlite_version
    assert found.wal_reset_bug == wal_reset_bug()
    assert found.disk_free > 0


@pytest.mark.parametrize("kind", ["closed", "crashed", "delete", "open"])
def test_it_leaves_no_trace(database: Path, tmp_path: Path, kind: str, start_writer: Callable[[], Writer]) -> None:
    if kind == "crashed":
        start_writer().kill()
    with closing(connect(database)) as connection:
        if kind == "delete":
            connection.execute("PRAGMA journal_mode=delete")
        if kind != "open":
            connection.close()
        before = {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in tmp_path.glob("app.db*")}
        assert health(database).good
        after = {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in tmp_path.glob("app.db*")}
    before.pop("app.db-shm", None), after.pop("app.db-shm", None)
    assert after == before


def test_a_database_in_use(database: Path, start_writer: Callable[[], Writer]) -> None:
    writer = start_writer()
    for _ in range(3):
        found = health(database)
        assert found.good
        assert found.log_bytes > 0
        writer.wait_for(writer.acknowledged + 20)
    acknowledged = writer.kill()
    assert health(database).rows["t"] >= acknowledged


def test_damage(database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096))
    found = health(database)
    assert found.verdict == "bad"
    assert found.problems


def test_half_a_file(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)
    assert health(database).verdict == "bad"


def test_no_database_at_all(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_text("no database " * 1000)
    found = health(tmp_path / "app.db")
    assert found.verdict == "bad"
    assert found.problems == ("file is not a database",)
    with pytest.raises(NotInitialised):
        health(tmp_path / "none.db")


def test_dangling_references(database: Path) -> None:
    with closing(connect(database, foreign_keys=False)) as connection:
        connection.execute("DELETE FROM parent WHERE id = 7")
    assert health(database).problems == ("2 rows of child refer to rows of parent that are not there",)


def test_what_should_be_seen_to(database: Path) -> None:
    with closing(connect(database)) as connection:
        connection.execute("DELETE FROM child")
        connection.execute("DELETE FROM parent")
        connection.execute("PRAGMA journal_mode=delete")
    found = health(database)
    assert found.verdict == "warning"
    assert any("journal mode is delete" in warning for warning in found.warnings)
    assert any("free pages" in warning for warning in found.warnings)


def test_a_locked_rollback_mode_database(database: Path) -> None:
    with closing(connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=delete")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Locked):
            health(database, patience=0.1)
