"""A backup is a whole and checked copy of one moment, or it isn't there."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liteshift.errors import LiteshiftError, Locked, NoConnection, NotInitialised, UsageError
from liteshift.progress import Step
from liteshift.sqlite import backup
from liteshift.sqlite.backup import create
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.shelf import backups, verify

if TYPE_CHECKING:
    from tests.sqlite.conftest import Content, Writer

    Reader = Callable[[Path], Content]


def test_a_backup_and_its_manifest(database: Path, tmp_path: Path, content: Reader) -> None:
    with closing(connect(database)) as connection:
        connection.execute("CREATE TABLE alembic_version(version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('ab12')")
        made = create(database, tmp_path / "backups")  # while it is open
    assert made.path.parent == tmp_path / "backups"
    assert made.path.name == f"backup_{made.created_at:%Y%m%d_%H%M%S}_app.db"
    assert content(made.path) == content(database)
    assert json.loads(made.path.with_name(f"{made.path.name}.json").read_text()) == {
        "created_at": f"{made.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "source": str(database),
        "sha256": hashlib.sha256(made.path.read_bytes()).hexdigest(),
        "bytes": made.path.stat().st_size,
        "sqlite_version": dbapi.sqlite_version,
        "page_size": 4096,
        "rows": {"alembic_version": 1, "child": 3000, "parent": 2000, "t": 0},
        "problems": [],
        "alembic_revision": "ab12",
        "position": None,
        "format": 1,
    }
    assert sorted(file.name for file in made.path.parent.iterdir()) == [made.path.name, f"{made.path.name}.json"]
    assert verify(made.path) == backups(made.path.parent)[0] == made


def test_only_the_owner_reads_backups(database: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = create(database, tmp_path / "deep" / "backups")
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in made.path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


def test_two_in_the_same_second_have_two_names(database: Path, tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from liteshift.sqlite.backup import create; " \
        "create(Path(sys.argv[1]), Path(sys.argv[2]))"  # fmt: skip
    command = [sys.executable, "-c", script, str(database), str(tmp_path / "b")]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    found = backups(tmp_path / "b")
    assert len({one.path for one in found}) == 3
    assert all(one.good for one in found)


def test_another_one_that_is_just_finished_is_no_trouble(tmp_path: Path) -> None:
    folder, end = tmp_path / "b", threading.Event()
    folder.mkdir(mode=0o700)

    def others() -> None:
        while not end.is_set():
            for number in range(20):
                (folder / f".backup_{number}.partial").touch()
            for number in range(20):
                (folder / f".backup_{number}.partial").unlink()

    thread = threading.Thread(target=others)
    thread.start()
    try:
        for _ in range(300):
            backup._prepare(folder)
    finally:
        end.set()
        thread.join()


def test_a_backup_of_a_busy_database_is_one_moment(
    database: Path, tmp_path: Path, start_writer: Callable[[], Writer], content: Reader
) -> None:
    writer = start_writer()
    for turn in range(3):
        before = writer.acknowledged
        made = create(database, tmp_path / "b")
        after = writer.acknowledged + 1
        numbers = [row[0] for row in content(made.path)["t"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert before <= len(numbers) <= after
        writer.wait_for(after + 20 * turn)
    assert content(database)["t"][: writer.kill()]


@pytest.mark.parametrize("kind", ["closed", "crashed", "delete"])
def test_the_source_is_left_as_it_was(
    database: Path, tmp_path: Path, kind: str, start_writer: Callable[[], Writer], content: Reader
) -> None:
    if kind == "crashed":
        start_writer().kill()
    if kind == "delete":
        with closing(connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=delete")

    def trace() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in tmp_path.glob("app.db*") if not file.name.endswith("-shm")}

    before, rows = trace(), content(database)
    assert content(create(database, tmp_path / "b").path) == rows
    assert trace() == before


def test_progress_tells_pages(database: Path, tmp_path: Path) -> None:
    steps: list[Step] = []
    create(database, tmp_path / "b", progress=steps.append)
    pages = database.stat().st_size // 4096
    assert steps[-1] == Step("backup", str(database), pages, pages)


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised):
        create(tmp_path / "app.db", tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_a_damaged_database_gives_no_backup_unasked(database: Path, tmp_path: Path) -> None:
    with database.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096))
    with pytest.raises(LiteshiftError, match="is damaged") as caught:
        create(database, tmp_path / "b")
    assert caught.value.hint
    assert not list((tmp_path / "b").iterdir())
    made = create(database, tmp_path / "b", keep_damaged=True)
    assert made.problems
    assert not backups(tmp_path / "b")[0].good


def test_dangling_references_are_damage(database: Path, tmp_path: Path) -> None:
    with closing(connect(database, foreign_keys=False)) as connection:
        connection.execute("DELETE FROM parent WHERE id = 7")
    with pytest.raises(LiteshiftError, match="2 rows of child refer to rows of parent that are not there"):
        create(database, tmp_path / "b")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_text("hello " * 1000)
    with pytest.raises(LiteshiftError, match="not a database"):
        create(tmp_path / "app.db", tmp_path / "b")
    assert not list((tmp_path / "b").iterdir())


def test_a_folder_that_others_may_write_to(database: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b").chmod(0o770)
    with pytest.raises(UsageError, match="others may write") as caught:
        create(database, tmp_path / "b")
    assert caught.value.hint == f"Take that away: chmod go-w {tmp_path / 'b'}"


def test_a_folder_that_cannot_be(database: Path, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("")
    with pytest.raises(LiteshiftError, match="no backup of"):
        create(database, tmp_path / "b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(database: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir(mode=0o500)
    with pytest.raises(NoConnection):
        create(database, tmp_path / "b")


def test_somebody_holds_a_rollback_mode_database(database: Path, tmp_path: Path) -> None:
    with closing(connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=delete")
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Locked):
            create(database, tmp_path / "b", patience=0.1)
    assert not list((tmp_path / "b").iterdir())


def test_a_disk_that_fills_up_leaves_nothing(database: Path, tmp_path: Path) -> None:
    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, "-m", "liteshift", "backup", "create", str(database), "--to", str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=small_disk)
    assert done.returncode in {1, 15}
    assert done.stderr.startswith("error: ")
    assert not list((tmp_path / "b").iterdir())


def test_killed_at_any_moment_there_is_no_half_backup(database: Path, tmp_path: Path, content: Reader) -> None:
    script = "import sys; from pathlib import Path; from liteshift.sqlite.backup import create; print(flush=True);" \
        "create(Path(sys.argv[1]), Path(sys.argv[2]))"  # fmt: skip
    command = [sys.executable, "-c", script, str(database), str(tmp_path / "b")]
    for turn in range(10):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        try:
            process.wait(turn * 0.004)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
    assert all(one.good for one in backups(tmp_path / "b"))
    assert create(database, tmp_path / "b").good
    assert content(database)["parent"]
