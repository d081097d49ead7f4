"""What is easily typed by mistake in a live move, and would cost rows or requests."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.interrupt.walk import SCHEMA, Mover, Operator, leftovers, tokens, write

from liteshift.keeper import Keeper
from liteshift.phases import Phase
from liteshift.postgres.embedded import FAST, EmbeddedServer
from liteshift.sqlite.connect import connect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("live", [[], ["--live"]])
def test_a_file_that_the_application_stays_on_is_not_replaced(
    moved: tuple[str, Mover, Operator], tmp_path: Path, live: list[str]
) -> None:
    _, mover, operator = moved
    operator.gets("cutover", "--yes", "--skip-backup", "app.db")
    write(mover.file, "sqlite", "only here", 35)
    operator.gets("finalize", "--yes", "app.db")
    for words in (["--overwrite", "app.db"], ["app.db"]):
        refused = operator.types("migrate", *live, *words)
        assert (refused.returncode, "the application lives on app.db" in refused.stderr) == (2, True), refused.stderr
    assert "only here" in tokens(mover.file)
    mover.workdir.path.rename(tmp_path / "old move")
    mover.file.rename(tmp_path / "old.db")
    assert operator.types("migrate", "--accept-losses", "app.db").returncode == 0


def test_a_gate_is_not_forgotten(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    operator = Operator(database, tmp_path)
    with Keeper(tmp_path / "app.db.route") as keeper:
        keeper.establish("postgresql")
    refused = operator.types("migrate", "--live", "app.db")
    assert (refused.returncode, "Say --gate app.db.route" in refused.stderr) == (2, True), refused.stderr
    assert leftovers(database) == []


def test_without_a_gate_the_question_says_so(moved: tuple[str, Mover, Operator]) -> None:
    _, _, operator = moved
    assert "nobody tells it" in operator.types("cutover", "app.db").stderr


def test_another_database_is_not_taken_for_the_source(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, _ = moved
    named = {key: str(value) for key, value in conninfo_to_dict(url).items() if key != "password"}
    operator = Operator(url, mover.file.parent, PGPASSWORD=str(conninfo_to_dict(url)["password"]))
    other = make_conninfo(**named | {"dbname": "postgres"})
    for verb in ("verify", "cutover", "abort"):
        refused = operator.types(verb, *(["--yes"] if verb != "verify" else []), other, "app.db")
        assert (refused.returncode, "is moved from" in refused.stderr) == (2, True), (verb, refused.stderr)
    assert mover.phase() is Phase.FOLLOWING
    alias = make_conninfo(**named | {"host": "localhost"})  # the same by another name
    assert operator.types("verify", alias, "app.db").returncode == 0


def test_a_switch_ends_though_nobody_reads_what_it_says(moved: tuple[str, Mover, Operator]) -> None:
    _, mover, operator = moved
    assert mover.interrupted() == 16
    command = [sys.executable, "-m", "liteshift", "cutover", "--yes", "--skip-backup", "app.db"]
    with subprocess.Popen(
        command, env=operator.environment, cwd=operator.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0
    assert mover.phase() is Phase.REVERSING


def test_a_file_in_use_is_refused_before_anything_is_made(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    operator = Operator(database, tmp_path)
    with closing(connect(tmp_path / "app.db")) as application:
        application.execute("CREATE TABLE mine (id INTEGER PRIMARY KEY)")
        refused = operator.types("migrate", "--live", "--overwrite", "app.db")
    assert (refused.returncode, "in use" in refused.stderr) == (1, True), refused.stderr
    assert leftovers(database) == []
    assert not (tmp_path / "app.db.liteshift").exists()


def test_status_says_why_nobody_runs_a_move(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    while "position" not in operator.gets("status", "app.db")["now"]:
        pass
    assert mover.interrupted() == 16
    assert "the last one stopped" in operator.types("status", "app.db").stdout
    with psycopg.connect(url, autocommit=True) as source:
        source.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    again = operator.types("migrate", "--live", "app.db")
    assert again.returncode == 13, again.stderr
    stopped = operator.gets("status", "app.db")["now"]["stopped"]
    assert stopped.split(": ", 1)[1] in again.stderr
    operator.gets("abort", "--yes", "app.db")
    assert "stopped" not in operator.gets("status", "app.db")["now"]


def test_what_is_to_be_replaced_needs_to_be_said_once(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    (tmp_path / "app.db").write_bytes(b"")
    mover, operator = Mover(database, tmp_path, "--overwrite", gate=False), Operator(database, tmp_path)
    mover.start("slot-made")
    assert mover.ended() < 0
    with operator.begins("migrate", "--live", "app.db") as process:
        assert process.stdout is not None
        while "follows" not in (line := process.stdout.readline()):
            assert line, process.communicate()
    assert operator.types("abort", "--yes", "app.db").returncode == 0


def test_a_source_that_goes_down_as_the_following_begins_is_waited_for(tmp_path: Path) -> None:
    """It goes between the copy and the program that follows, which is started anew."""
    gone = tmp_path / "gone"
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pathlib, time\n"
        f"gone = pathlib.Path({str(gone)!r})\n"
        "while 'LITESHIFT_LOCK' in os.environ and not gone.exists(): time.sleep(0.05)\n"
    )
    with EmbeddedServer.temporary(settings=FAST) as server:
        url = server.url()
        with psycopg.connect(url, autocommit=True) as source:
            source.execute(SCHEMA.encode())
        operator = Operator(url, tmp_path, PYTHONPATH=str(tmp_path))
        with operator.begins("migrate", "--live", "app.db") as process:
            assert process.stdout is not None
            while "follows" not in (line := process.stdout.readline()):
                assert line, process.communicate()
            server.stop()
            gone.touch()
            assert process.stderr is not None
            while "trying again" not in (line := process.stderr.readline()):
                assert line, process.returncode
