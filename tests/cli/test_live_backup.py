"""Backups of the file of a live move, as they are restored in an emergency."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.interrupt.walk import Mover, Operator, leftovers, rows, tokens, write

from liteshift.phases import Phase
from liteshift.sqlite.connect import connect
from liteshift.sqlite.guard import FOLLOWS

if TYPE_CHECKING:
    from pathlib import Path


def lose(file: Path) -> None:
    """As a disk does."""
    for suffix in ("", "-wal", "-shm"):
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)


def backup_of(operator: Operator) -> str:
    return str(operator.gets("backup", "create", "app.db")["path"])


def test_restored_elsewhere_it_takes_writes_and_pushes_nothing(
    moved: tuple[str, Mover, Operator], tmp_path: Path
) -> None:
    url, mover, operator = moved
    for side, name in (("followed PostgreSQL", "one.db"), ("the application lived on", "two.db")):
        done = operator.types("backup", "restore", backup_of(operator), name)
        assert done.returncode == 0, done.stderr
        assert side in done.stdout
        assert "it takes writes, and they go nowhere else" in done.stdout
        write(tmp_path / name, "sqlite", "elsewhere", 35)
        refused = operator.types("backup", "restore", backup_of(operator), "app.db", "--yes")
        assert refused.returncode == 11, refused.stderr
        assert "restore to another file" in refused.stderr
        if name == "one.db":
            operator.gets("cutover", "--yes", "--skip-backup", "app.db")
            write(mover.file, "sqlite", "here", 35)
    operator.gets("rollback", "--yes", "app.db")
    assert rows(url) == rows(mover.file)
    assert "here" in tokens(url)
    assert "elsewhere" not in tokens(url)
    with closing(connect(mover.file)) as file, pytest.raises(Exception, match=FOLLOWS):
        file.execute("DELETE FROM loose")


def test_a_lost_file_closes_the_way_back_and_says_so(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    operator.gets("cutover", "--yes", "--skip-backup", "app.db")
    write(mover.file, "sqlite", "saved", 35)
    backup = backup_of(operator)
    write(mover.file, "sqlite", "after the backup", 35)
    operator.gets("verify", "app.db")  # PostgreSQL has it
    lose(mover.file)
    restored = operator.types("backup", "restore", backup, "app.db")
    assert restored.returncode == 0, restored.stderr
    assert "the way back is closed" in restored.stdout
    write(mover.file, "sqlite", "on the restored", 35)  # the application is at work again

    assert mover._process is not None
    assert mover._process.wait(60) in (10, 13), mover.log.read_text()
    for words in (["rollback", "--yes"], ["migrate", "--live"], ["abort", "--yes"]):
        done = operator.types(*words, "app.db")
        assert done.returncode == 13, (words, done.stderr)
        assert "is not the file that the application moved to" in done.stderr
        assert "liteshift finalize" in done.stderr
    assert mover.phase() is Phase.REVERSING
    assert "after the backup" in tokens(url), "PostgreSQL keeps what it has"
    assert "on the restored" not in tokens(url)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        write(url, "postgresql", "refused", 35)

    operator.gets("finalize", "--yes", "app.db")
    assert leftovers(url) == []
    assert {"saved", "on the restored"} <= set(tokens(mover.file))
    assert "another file" in operator.gets("status", "app.db")["entries"][-2]["note"]


def test_a_lost_file_that_followed_is_given_up(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    backup = backup_of(operator)
    mover.kill()
    lose(mover.file)
    restored = operator.types("backup", "restore", backup, "app.db")
    assert restored.returncode == 0, restored.stderr
    assert "liteshift abort" in restored.stdout
    done = operator.types("migrate", "--live", "app.db")
    assert done.returncode == 10, done.stderr
    assert "liteshift abort" in done.stderr
    assert operator.types("abort", "--yes", "app.db").returncode == 0
    assert leftovers(url) == []


def test_an_older_file_of_the_same_move_closes_it_too(moved: tuple[str, Mover, Operator]) -> None:
    """One that somebody copied into place, as it was when the application lived there before."""
    _, mover, operator = moved
    operator.gets("cutover", "--yes", "--skip-backup", "app.db")
    older = mover.file.with_name("older.db")
    with closing(connect(mover.file)) as file:
        file.execute("VACUUM INTO ?", (str(older),))
    operator.gets("rollback", "--yes", "app.db")
    operator.gets("cutover", "--yes", "--skip-backup", "app.db")
    mover.kill()
    lose(mover.file)
    older.rename(mover.file)
    done = operator.types("rollback", "--yes", "app.db")
    assert done.returncode == 13, done.stderr
    assert "or not as it was then" in done.stderr
