"""A restore is whole or did not happen, and whoever has the database open goes on."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liteshift.errors import LiteshiftError, Locked, UsageError
from liteshift.sqlite.backup import create
from liteshift.sqlite.connect import PRAGMAS, connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.restore import restore
from liteshift.sqlite.shelf import Backup, backups

if TYPE_CHECKING:
    from tests.sqlite.conftest import Content, Writer

    Reader = Callable[[Path], Content]


@pytest.fixture
def made(database: Path, tmp_path: Path) -> Backup:
    """A backup of the database, which is then changed."""
    made = create(database, tmp_path / "b")
    with closing(connect(database)) as connection:
        connection.execute("DELETE FROM child WHERE id > 10")
        connection.execute("INSERT INTO t VALUES (1, 'later')")
    return made


def other_page_size(path: Path, size: int = 1024) -> Path:
    """The same database with another page size."""
    copy = path.with_name(f"pages{size}.db")
    with closing(connect(path)) as connection:
        connection.execute(f"PRAGMA page_size={size}")
        connection.execute("PRAGMA journal_mode=delete")
        connection.execute("VACUUM INTO ?", (str(copy),))
        connection.execute("PRAGMA journal_mode=wal")
    with closing(connect(copy, read_only=True)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (size,)
    return copy


def test_into_a_database_in_use(database: Path, made: Backup, tmp_path: Path, content: Reader) -> None:
    later = content(database)
    with closing(connect(database)) as user, closing(connect(database)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM child").fetchone() == (10,)
        done = restore(made.path, database, tmp_path / "b")
        assert reader.execute("SELECT count(*) FROM child").fetchone() == (10,)  # what it was reading stays
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM child").fetchone() == (3000,)
        user.execute("INSERT INTO t VALUES (2, 'on it goes')")
    assert content(database) == {**content(made.path), "t": [(2, "on it goes")]}
    assert done.safety
    assert content(done.safety.path) == later
    with closing(connect(database)) as connection:
        assert {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS["fast"]} == PRAGMAS["fast"]


def test_as_a_new_database(made: Backup, tmp_path: Path, content: Reader) -> None:
    before = os.umask(0)
    try:
        done = restore(made.path, tmp_path / "new.db", tmp_path / "b")
    finally:
        os.umask(before)
    assert done.safety is None
    assert content(tmp_path / "new.db") == content(made.path)
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.db", "b", "new.db"]
    with closing(connect(tmp_path / "new.db", read_only=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_sidecars_of_a_database_that_is_gone_are_set_aside(database: Path, made: Backup, content: Reader) -> None:
    with closing(connect(database)) as connection:
        connection.execute("UPDATE parent SET name = 'in the log'")
        log = database.with_name("app.db-wal").read_bytes()
    database.unlink()
    database.with_name("app.db-wal").write_bytes(log)
    restore(made.path, database)
    assert content(database) == content(made.path)
    assert database.with_name("app.db-wal.orphan").read_bytes() == log


def test_a_writer_goes_on_through_many_restores(
    database: Path, made: Backup, tmp_path: Path, start_writer: Callable[[], Writer], content: Reader
) -> None:
    writer = start_writer()
    for _ in range(5):
        restore(made.path, database, tmp_path / "b")
        since = writer.acknowledged + 1
        writer.wait_for(since + 20)
    acknowledged = writer.kill()
    found = content(database)
    assert found["child"] == content(made.path)["child"]
    assert {row[0] for row in found["t"]} >= set(range(since + 1, acknowledged + 1))
    with closing(connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert all(one.good for one in backups(tmp_path / "b"))


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 4] = os.urandom(4096)
    path.write_bytes(data)


def forget_manifest(path: Path) -> None:
    path.with_name(f"{path.name}.json").unlink()


def spoil_and_forget(path: Path) -> None:
    forget_manifest(path)
    spoil(path)


def empty_and_forget(path: Path) -> None:
    forget_manifest(path)
    os.truncate(path, 0)


def become_another(path: Path) -> None:
    forget_manifest(path)
    path.unlink()
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE something_else(i)")


def become_a_link(path: Path) -> None:
    path.rename(path.with_name("real.db"))
    path.symlink_to("real.db")


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILERS: dict[str, Callable[[Path], object]] = {
    "changed": spoil,
    "damaged": spoil_and_forget,
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": empty_and_forget,
    "no database": lambda path: path.write_text("no database " * 1000),
    "another's": become_another,
    "a link": become_a_link,
    "a hard link": lambda path: path.with_name("second.db").hardlink_to(path),
    "a folder": become_a_folder,
    "missing": Path.unlink,
    "no manifest of ours": lambda path: path.with_name(f"{path.name}.json").write_text("[]"),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_a_bad_backup_touches_nothing(database: Path, made: Backup, tmp_path: Path, content: Reader, name: str) -> None:
    SPOILERS[name](made.path)
    before = content(database)
    files = sorted((tmp_path / "b").iterdir())
    with pytest.raises(LiteshiftError):
        restore(made.path, database, tmp_path / "b")
    assert content(database) == before
    assert sorted((tmp_path / "b").iterdir()) == files
    if name != "another's":
        with pytest.raises(LiteshiftError):
            restore(made.path, tmp_path / "new.db", tmp_path / "b")
        assert not list(tmp_path.glob("*new.db*"))


def test_a_database_is_not_restored_from_itself(made: Backup, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="itself"):
        restore(made.path, made.path, tmp_path / "b")


def test_a_held_database_is_refused_in_time(
    database: Path, made: Backup, tmp_path: Path, hold: Callable[[str], None], content: Reader
) -> None:
    hold("write")
    before = content(database)
    with pytest.raises(Locked, match="locked by another connection") as caught:
        restore(made.path, database, tmp_path / "b", patience=0.2)
    assert caught.value.hint
    assert content(database) == before


def test_another_page_size_needs_the_database_alone(
    database: Path, made: Backup, tmp_path: Path, content: Reader
) -> None:
    smaller = other_page_size(made.path)
    with closing(connect(database)) as user:
        user.execute("SELECT * FROM t").fetchall()
        with pytest.raises(Locked, match="page size"):
            restore(smaller, database, tmp_path / "b", patience=0.1)
        assert user.execute("SELECT * FROM t").fetchall() == [(1, "later")]
    restore(smaller, database, tmp_path / "b")
    assert content(database) == content(smaller)
    with closing(connect(database, read_only=True)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (1024,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_damaged_database_can_be_restored(database: Path, made: Backup, tmp_path: Path, content: Reader) -> None:
    spoil(database)
    done = restore(made.path, database, tmp_path / "b")
    assert content(database) == content(made.path)
    assert done.safety
    assert done.safety.problems
    assert sorted(one.good for one in backups(tmp_path / "b")) == [False, True]


def test_a_database_beyond_help_is_refused_with_advice(database: Path, made: Backup, tmp_path: Path) -> None:
    database.write_text("no database " * 1000)
    with pytest.raises(LiteshiftError, match="too damaged") as caught:
        restore(made.path, database, tmp_path / "b")
    assert caught.value.hint
    assert "move" in caught.value.hint


def test_a_rollback_mode_backup_of_anybodys_enters_wal(database: Path, made: Backup, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with closing(dbapi.connect(foreign)) as connection:
        connection.execute("CREATE TABLE t(i)")
        connection.execute("PRAGMA journal_mode=delete")
    restore(foreign, database, tmp_path / "b")
    with closing(dbapi.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


DYING = """
import os, sys
from pathlib import Path
from liteshift.sqlite.restore import restore
def die(step):
    if step.done >= int(sys.argv[4]):
        os.kill(os.getpid(), 9)
restore(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), progress=die)
"""


def test_killed_in_the_middle_nothing_has_happened(
    database: Path, made: Backup, tmp_path: Path, content: Reader
) -> None:
    small = restore(other_page_size(made.path, 512), tmp_path / "small.db", tmp_path / "b").database
    with closing(connect(small)) as connection:  # so that it takes several steps
        connection.executescript("INSERT INTO t SELECT id, hex(randomblob(500)) FROM parent;")
    big = create(small, tmp_path / "b")
    with closing(connect(small)) as connection:
        connection.execute("UPDATE t SET x = zeroblob(900)")
    before = content(small)
    for target in (small, tmp_path / "new.db"):
        command = [sys.executable, "-c", DYING, str(big.path), str(target), str(tmp_path / "b"), "4000"]
        assert subprocess.run(command, check=False).returncode == -9
    assert content(small) == before
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(Locked, match="was killed") as caught:
        restore(big.path, tmp_path / "new.db", tmp_path / "b")
    assert str(tmp_path / ".new.db.restoring") in str(caught.value.hint)
    restore(big.path, small, tmp_path / "b")
    assert content(small) == content(big.path)


def test_killed_at_any_moment_it_is_all_or_nothing(
    database: Path, made: Backup, tmp_path: Path, content: Reader
) -> None:
    script = "import sys; from pathlib import Path; from liteshift.sqlite.restore import restore; print(flush=True);" \
        "restore(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))"  # fmt: skip
    old, new = content(database), content(made.path)
    for turn in range(10):
        command = [sys.executable, "-c", script, str(made.path), str(database), str(tmp_path / "b")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        try:
            process.wait(turn * 0.004)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        assert content(database) in (old, new)
        with closing(connect(database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert all(one.good for one in backups(tmp_path / "b"))
