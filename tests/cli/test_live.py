"""The live move as it is typed: every verb, every phase, and what it answers where it can't."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.interrupt.walk import SCHEMA, Mover, Operator, leftovers, rows, write

from liteshift.app.gate import Gate
from liteshift.asking import Request
from liteshift.keeper import Keeper
from liteshift.phases import Phase
from liteshift.sqlite.connect import connect
from liteshift.sqlite.guard import FOLLOWS, passing_guards
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    from pathlib import Path


def test_the_whole_way_as_it_is_typed(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    write(url, "postgresql", "one", 35)
    assert operator.gets("verify", "app.db")["tables"][0]["differences"] == []
    status = operator.gets("status", "app.db")
    assert (status["phase"], status["running"]) == ("following", True)
    with pytest.raises(dbapi.IntegrityError, match=FOLLOWS):
        write(mover.file, "sqlite", "too early", 35)
    assert status["held_bytes"] is not None
    assert "cutover" in status["next"]

    proof = operator.gets("cutover", "--yes", "app.db")
    assert (proof["kind"], proof["epoch"], proof["held"]) == ("cutover", 1, None)
    assert len(proof["token"]) == 32
    assert proof["verified_rows"] >= 250
    assert [name for name, _ in proof["steps"]][-1] == "application switched"
    page = (mover.workdir.path / "cutover-1.html").read_text()
    assert proof["token"] in page
    assert "<script" not in page

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="has moved to SQLite"):
        write(url, "postgresql", "refused", 35)
    write(mover.file, "sqlite", "two", 35)
    assert operator.gets("verify", "app.db")["tables"][0]["differences"] == []
    assert rows(url) == rows(mover.file)

    refused = operator.types("abort", "--yes", "app.db")
    assert refused.returncode == 2
    assert "rollback" in refused.stderr

    back = operator.gets("rollback", "--yes", "app.db")
    assert (back["kind"], back["epoch"]) == ("rollback", 2)
    assert back["captured"] > 0
    assert back["refused"] == 1
    with pytest.raises(dbapi.IntegrityError, match=FOLLOWS):
        write(mover.file, "sqlite", "nowhere", 35)
    write(url, "postgresql", "three", 35)
    assert operator.gets("cutover", "--yes", "--skip-backup", "app.db")["epoch"] == 3
    write(mover.file, "sqlite", "four", 35)

    ended = operator.gets("finalize", "--yes", "app.db")
    assert ended["phase"] == "finalized"
    assert leftovers(url) == []
    with closing(connect(mover.file)) as file:
        assert file.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'liteshift%'").fetchall() == []
        found = file.execute("SELECT token FROM entry WHERE token NOT LIKE 'old%' ORDER BY id").fetchall()
    assert found == [("one",), ("two",), ("three",), ("four",)]
    status = operator.gets("status", "app.db")
    assert (status["cleared"], status["next"]) == (True, "")
    for verb in ("finalize", "rollback", "cutover"):
        refused = operator.types(verb, "--yes", "app.db")
        assert (refused.returncode, "finalized already" in refused.stderr) == (2, True)


def test_aborted_it_leaves_nothing_on_the_source(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    assert leftovers(url)
    done = operator.types("abort", "--yes", "app.db")
    assert done.returncode == 0, done.stderr
    assert "the slot" in done.stdout
    assert leftovers(url) == []
    write(url, "postgresql", "on", 35)
    write(mover.file, "sqlite", "a file like any other", 35)


def test_a_file_that_was_put_back_after_the_end_is_let_go(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    operator.gets("verify", "app.db")
    mover.kill()
    kept = [(path, path.read_bytes()) for path in mover.file.parent.glob("app.db*") if path.is_file()]

    def put_back() -> None:
        for path, content in kept:
            path.write_bytes(content)

    assert operator.types("abort", "--yes", "app.db").returncode == 0
    put_back()
    with pytest.raises(dbapi.IntegrityError, match=FOLLOWS):
        write(mover.file, "sqlite", "refused", 35)
    again = operator.gets("abort", "--yes", "app.db")
    assert (again["phase"], "no longer is" in again["note"]) == ("aborted", True)
    write(mover.file, "sqlite", "a file like any other", 35)
    assert operator.types("abort", "--yes", "app.db").returncode == 2

    shutil.rmtree(mover.workdir.path)  # nor does it need the folder
    put_back()
    unsure = operator.types("abort", "--yes", "app.db")
    assert unsure.returncode == 10, unsure.stderr
    name = unsure.stderr.split("--move ")[1].split(".")[0]
    assert operator.types("abort", "--yes", "--move", "liteshift_another", "app.db").returncode == 10
    assert operator.gets("abort", "--yes", "--move", name, "app.db")["phase"] == "aborted"
    write(mover.file, "sqlite", "a file like any other", 35)
    assert operator.types("abort", "--yes", "--move", name, "app.db").returncode == 10
    assert leftovers(url) == []


def test_whoever_asks_for_the_end_does_what_is_left_of_it(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    mover.kill()
    mover.start("abort-removed")
    while not mover.workdir.is_run():
        pass
    done = operator.types("abort", "--yes", "app.db")
    assert done.returncode == 0, done.stderr
    assert operator.gets("status", "app.db")["cleared"]
    assert leftovers(url) == []


def test_interrupted_it_can_be_gone_on_with_and_a_single_verb_needs_no_runner(
    moved: tuple[str, Mover, Operator],
) -> None:
    url, mover, operator = moved
    assert mover._process is not None
    while operator.gets("status", "app.db")["now"].get("position") is None:
        time.sleep(0.05)
    mover._process.send_signal(signal.SIGTERM)
    assert mover._process.wait(60) == 16
    assert "liteshift status" in mover.log.read_text()
    status = operator.gets("status", "app.db")
    assert (status["phase"], status["running"]) == ("following", False)
    assert "follows on" in status["resume"]

    write(url, "postgresql", "meanwhile", 35)
    assert operator.gets("cutover", "--yes", "app.db")["compared_keys"] == 0
    assert operator.gets("status", "app.db")["now"]["waiting"] == 0
    write(mover.file, "sqlite", "here", 35)
    assert operator.gets("status", "app.db")["now"]["waiting"] > 2
    back = operator.types("rollback", "--yes", "--json", "app.db")
    assert "comparing every row" in back.stdout + back.stderr
    assert json.loads(back.stdout.splitlines()[-1])["captured"] > 0
    assert rows(url) == rows(mover.file)
    assert "comparing every row" in operator.types("verify", "app.db").stderr
    assert operator.types("abort", "--yes", "app.db").returncode == 0
    assert leftovers(url) == []


def test_a_second_one_is_refused(moved: tuple[str, Mover, Operator]) -> None:
    _, _, operator = moved
    second = operator.types("migrate", "--live", "app.db")
    assert second.returncode == 11
    assert "another process runs the move" in second.stderr


def test_a_second_move_from_one_database_is_refused(moved: tuple[str, Mover, Operator], tmp_path: Path) -> None:
    _, mover, operator = moved
    second = operator.types("migrate", "--live", "other.db")
    assert second.returncode == 11, second.stderr
    assert "another live move" in second.stderr
    assert mover.phase() is Phase.FOLLOWING
    assert list(tmp_path.glob("other*")) == []
    assert operator.types("abort", "--yes", "other.db").returncode == 11  # whoever runs it is to be asked
    operator.gets("verify", "app.db")  # nothing was taken away from it


def test_a_move_whose_folder_is_lost_can_be_given_up(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    (mover.workdir.path / "logbook.json").rename(mover.workdir.path / "kept")
    running = operator.types("abort", "--yes", "app.db")
    assert running.returncode == 11, running.stderr
    assert "another process runs the move" in running.stderr
    elsewhere = operator.types("abort", "--yes", "other.db")
    assert elsewhere.returncode in (2, 11), elsewhere.stderr  # it follows just now, or is about to
    (mover.workdir.path / "kept").rename(mover.workdir.path / "logbook.json")

    operator.gets("cutover", "--yes", "app.db")
    mover.kill()
    (mover.workdir.path / "logbook.json").rename(mover.workdir.path / "kept")
    away = operator.types("abort", "--yes", "app.db")
    assert away.returncode == 2, away.stderr
    assert "the application lives on SQLite" in away.stderr
    (mover.workdir.path / "kept").rename(mover.workdir.path / "logbook.json")
    operator.gets("rollback", "--yes", "app.db")

    shutil.rmtree(mover.workdir.path)
    elsewhere = operator.types("abort", "--yes", "other.db")
    assert elsewhere.returncode == 2, elsewhere.stderr
    assert "--move liteshift_" in elsewhere.stderr
    assert "the slot" in operator.gets("abort", "--yes", "app.db")["note"]
    assert leftovers(url) == []
    assert operator.types("abort", "--yes", "app.db").returncode == 10


def test_what_is_for_a_live_move_is_refused_at_rest(database: str, tmp_path: Path) -> None:
    done = Operator(database, tmp_path).types("migrate", "--on-cutover", "true", "app.db")
    assert done.returncode == 2
    assert "--live" in done.stderr


def test_without_a_yes_nobody_is_moved_unasked(moved: tuple[str, Mover, Operator]) -> None:
    _, mover, operator = moved
    for verb in ("cutover", "abort", "finalize", "rollback"):
        assert operator.types(verb, "app.db").returncode == 2
    assert mover.phase() is Phase.FOLLOWING


def test_where_nothing_was_begun_it_says_so(database: str, tmp_path: Path) -> None:
    operator = Operator(database, tmp_path)
    for words in (["status", "app.db"], ["cutover", "app.db"], ["abort", "app.db"]):
        done = operator.types(*words)
        assert done.returncode == 10, done.stderr
        assert "migrate --live" in done.stderr


def test_what_stands_in_the_way_is_seen_before_anything_is_made(database: str, tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"")
    refused = Operator(database, tmp_path).types("migrate", "--live", "app.db")
    assert (refused.returncode, "exists already" in refused.stderr) == (1, True)
    assert leftovers(database) == []
    assert [path.name for path in tmp_path.glob("app.db.liteshift/logbook*")] == []


def test_a_move_that_could_not_begin_is_begun_by_no_other_verb(database: str, tmp_path: Path) -> None:
    mover, operator = Mover(database, tmp_path, gate=False), Operator(database, tmp_path)
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover.start("established")
    assert mover._process is not None
    assert mover._process.wait(60) == -signal.SIGKILL
    for verb in (["verify"], ["cutover", "--yes"], ["rollback", "--yes"]):
        refused = operator.types(*verb, "app.db")
        assert (refused.returncode, "not been copied" in refused.stderr) == (2, True), refused.stderr
    assert not (tmp_path / "app.db").exists()
    nowhere = psycopg.conninfo.make_conninfo(database, dbname="nowhere_at_all")
    status = Operator(nowhere, tmp_path).gets("status", "app.db")
    assert "no connection" in status["now"]["source"]
    assert status["phase"] == "copying"
    assert operator.types("abort", "--yes", "app.db").returncode == 0
    assert leftovers(database) == []


def test_while_the_rows_are_copied_nobody_waits_unknowingly(database: str, tmp_path: Path) -> None:
    mover, operator = Mover(database, tmp_path, gate=False), Operator(database, tmp_path)
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    with psycopg.connect(database) as foreign:
        foreign.execute("CREATE TABLE keeps_the_slot_waiting ()")
        mover.start()
        while not (mover.workdir.is_run() and mover.phase() is Phase.COPYING):
            time.sleep(0.02)
        refused = operator.types("abort", "--yes", "app.db")
        assert (refused.returncode, "just being copied" in refused.stderr) == (11, True), refused.stderr
        with operator.begins("cutover", "--yes", "app.db") as asking:
            assert asking.stderr is not None
            assert "still being copied" in asking.stderr.readline()
            while not mover.workdir.asking.is_asked():
                time.sleep(0.02)
            asking.send_signal(signal.SIGINT)
            assert asking.wait(60) == 16
        assert mover.interrupted() == 16
    assert operator.types("abort", "--yes", "app.db").returncode == 0
    assert leftovers(database) == []


def test_an_interrupt_while_it_starts_anew_after_the_copy(database: str, tmp_path: Path) -> None:
    """It is sent as Python starts, before anything of ours could take it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\nif 'LITESHIFT_LOCK' in os.environ: os.kill(os.getpid(), signal.SIGINT)\n"
    )
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    operator = Operator(database, tmp_path, PYTHONPATH=str(tmp_path))
    done = operator.types("migrate", "--live", "app.db")
    assert (done.returncode, "the move stands where it was" in done.stderr) == (16, True), done.stderr
    assert operator.gets("status", "app.db")["phase"] == "following"
    assert operator.types("abort", "--yes", "app.db").returncode == 0


def test_what_can_not_begin_leaves_nothing(database: str, tmp_path: Path) -> None:
    nowhere = psycopg.conninfo.make_conninfo(database, dbname="nowhere_at_all")
    refused = Operator(nowhere, tmp_path).types("migrate", "--live", "--gate", "app.route", "app.db")
    assert refused.returncode == 12, refused.stderr
    with psycopg.connect(database, autocommit=True) as source:
        source.execute("CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY)")
    refused = Operator(database, tmp_path).types("migrate", "--live", "--gate", "app.route", "app.db")
    assert refused.returncode == 13, refused.stderr
    assert list(tmp_path.iterdir()) == []
    assert leftovers(database) == []


def test_a_move_keeps_what_it_was_begun_with_but_for_commands(
    moved: tuple[str, Mover, Operator], tmp_path: Path
) -> None:
    _, mover, operator = moved
    mover.kill()
    for option in (["--gate", "other.route"], ["--profile", "django"]):
        refused = operator.types("migrate", "--live", *option, "app.db")
        assert (refused.returncode, "was begun with" in refused.stderr) == (2, True), refused.stderr
    assert list(tmp_path.glob("other*")) == []
    with operator.begins("migrate", "--live", "--on-cutover", "touch told", "app.db"):
        while not mover.workdir.is_run():
            time.sleep(0.05)
        operator.gets("cutover", "--yes", "--skip-backup", "app.db")
    assert (tmp_path / "told").exists()


def test_losses_that_nobody_accepts_are_told_at_the_end(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute("CREATE TABLE plain (id int PRIMARY KEY)")
        source.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    for accepted, code in (([], 3), (["--accept-losses"], 0)):
        folder = tmp_path / str(code)
        folder.mkdir()
        operator = Operator(database, folder)
        with operator.begins("migrate", "--live", *accepted, "app.db") as process:
            assert process.stdout is not None
            while "follows" not in process.stdout.readline():
                assert process.poll() is None
            operator.gets("cutover", "--yes", "--skip-backup", "app.db")
            ended = operator.types("finalize", "--yes", "app.db")
            assert (ended.returncode, "PostgreSQL takes writes again" in ended.stderr) == (0, True), ended.stderr
            out, error = process.communicate(timeout=60)
            assert process.returncode == code, error
        assert "the move is finalized" in out
        assert ("every row, without 1 object of" in error) is bool(code)  # what we have made there is none


def test_without_a_gate_the_operator_is_told_to_tell_the_application(moved: tuple[str, Mover, Operator]) -> None:
    _, _, operator = moved
    assert "point it at app.db now" in operator.types("cutover", "--yes", "--skip-backup", "app.db").stderr
    assert "point it at PostgreSQL now" in operator.types("rollback", "--yes", "app.db").stderr


def test_a_row_that_differs_stops_the_cutover_and_nothing_has_changed(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    with closing(passing_guards(lambda: connect(mover.file))) as file:
        file.execute("UPDATE customer SET name = 'changed behind our back' WHERE id = 3")
    done = operator.types("cutover", "--yes", "app.db")
    assert done.returncode == 14, done.stderr
    assert "not equal" in done.stderr
    assert mover.phase() is Phase.FOLLOWING
    write(url, "postgresql", "goes on", 35)


def test_rows_that_go_past_the_log_stop_the_cutover(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(
            """
            CREATE TABLE part (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE low PARTITION OF part FOR VALUES FROM (0) TO (10);
            CREATE TABLE high PARTITION OF part FOR VALUES FROM (10) TO (20);
            INSERT INTO part SELECT generate_series(0, 19);
            """
        )
        mover, operator = Mover(database, tmp_path, gate=False), Operator(database, tmp_path)
        mover.start()
        try:
            mover.until(Phase.FOLLOWING)
            operator.gets("verify", "app.db")
            source.execute("VACUUM FULL low")  # nothing has gone
            assert operator.gets("cutover", "--yes", "app.db")["epoch"] == 1
            operator.gets("rollback", "--yes", "app.db")
            operator.gets("verify", "app.db")
            source.execute("TRUNCATE low")  # nobody tells the file
            done = operator.types("cutover", "--yes", "app.db")
            assert done.returncode == 14, done.stderr
            assert "not equal" in done.stderr
            assert mover.phase() is Phase.FOLLOWING
        finally:
            mover.close()


def test_a_write_that_does_not_end_undoes_the_cutover(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover = Mover(database, tmp_path)
    with Keeper(mover.route) as keeper:
        keeper.establish("postgresql")
        mover.start()
        try:
            mover.until(Phase.FOLLOWING)
            operator = Operator(database, tmp_path)
            operator.gets("cutover", "--yes", "--skip-backup", "app.db")
            operator.gets("rollback", "--yes", "app.db")
            operator.gets("verify", "app.db")
            with (
                psycopg.connect(database) as foreign,
                operator.begins("cutover", "--yes", "--skip-backup", "--pause", "3", "app.db") as asked,
            ):
                with Gate(mover.route).writing():
                    while keeper.route().state != "draining":
                        time.sleep(0.01)
                    # It knows no gate, and what is open before the pause would be waited for before it.
                    foreign.execute("UPDATE customer SET name = 'slow' WHERE id = 1")
                _, said = asked.communicate(timeout=60)
            assert asked.returncode == 11, said
            assert "is still writing to public.customer" in said
            assert keeper.route().active == "postgresql"
            assert keeper.route().state == "open"
            write(database, "postgresql", "goes on", 35)
            assert operator.gets("cutover", "--yes", "app.db")["epoch"] == 3
            assert keeper.route().active == "sqlite"
        finally:
            mover.close()


def test_an_application_without_a_gate_is_told_by_a_command(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    hook = f"{sys.executable} -c \"import os; open('told', 'a').write(os.environ['LITESHIFT_SIDE'] + ' ')\""
    mover = Mover(database, tmp_path, "--on-cutover", hook, "--on-rollback", hook, gate=False)
    operator = Operator(database, tmp_path)
    here = os.getcwd()  # noqa: PTH109 - the mover's own
    os.chdir(tmp_path)
    try:
        mover.start()
        mover.until(Phase.FOLLOWING)
        operator.gets("cutover", "--yes", "app.db")
        operator.gets("rollback", "--yes", "app.db")
        assert (tmp_path / "told").read_text() == "sqlite postgresql "
    finally:
        os.chdir(here)
        mover.close()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo sqlite > current", "> in the command"),
        ("true && echo told", "&& in the command"),
        ("/no/such/command", "there is no /no/such/command"),
        ("false 'unclosed", "no closing quotation"),
    ],
)
def test_a_command_that_could_not_be_run_is_refused_at_the_beginning(
    database: str, tmp_path: Path, command: str, why: str
) -> None:
    refused = Operator(database, tmp_path).types("migrate", "--live", "--on-rollback", command, "app.db")
    assert (refused.returncode, why in refused.stderr, "sh -c" in refused.stderr) == (2, True, True), refused.stderr
    assert leftovers(database) == []


def test_a_command_that_fails_undoes_the_cutover(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover = Mover(database, tmp_path, "--on-cutover", "false", gate=False)
    try:
        mover.start()
        mover.until(Phase.FOLLOWING)
        done = Operator(database, tmp_path).types("cutover", "--yes", "app.db")
        assert done.returncode == 1
        assert "exit code 1" in done.stderr
        assert mover.phase() is Phase.FOLLOWING
        write(database, "postgresql", "goes on", 35)
    finally:
        mover.close()


def test_a_file_whose_folder_is_not_named_is_not_taken_for_one_at_rest(
    moved: tuple[str, Mover, Operator], tmp_path: Path
) -> None:
    url, mover, operator = moved
    operator.gets("cutover", "--yes", "--skip-backup", "app.db")
    mover.kill()
    elsewhere = tmp_path / "elsewhere"
    mover.workdir.path.rename(elsewhere)
    write(mover.file, "sqlite", "not there yet", 35)
    for words in (["verify"], ["verify", "--repair", "--yes"]):
        refused = operator.types(*words, "app.db")
        assert (refused.returncode, "--workdir" in refused.stderr) == (2, True), refused.stderr
    refused = operator.types("verify", "--repair", "--yes", "--workdir", "elsewhere", "app.db")
    assert (refused.returncode, "the application lives on" in refused.stderr) == (2, True), refused.stderr
    for words in (["migrate"], ["migrate", "--live"]):
        refused = operator.types(*words, "--overwrite", "app.db")
        assert (refused.returncode, "part of the live move" in refused.stderr) == (2, True), refused.stderr
    found = operator.gets("verify", "--workdir", "elsewhere", "app.db")
    assert all(not table["differences"] for table in found["tables"])
    assert ("not there yet",) in [row[2:3] for row in rows(url)["entry"]]


def test_a_verb_that_is_not_let_in_says_so_at_once(moved: tuple[str, Mover, Operator], tmp_path: Path) -> None:
    url, mover, operator = moved
    mover.kill()
    stranger = Operator(psycopg.conninfo.make_conninfo(url, dbname="postgres", user="nobody_at_all"), tmp_path)
    elsewhere = Operator(psycopg.conninfo.make_conninfo(url, dbname="postgres"), tmp_path)
    refused = stranger.types("cutover", "--yes", "app.db")
    assert (refused.returncode, "no connection" in refused.stderr) == (12, True), refused.stderr
    refused = elsewhere.types("cutover", "--yes", "app.db")
    assert (refused.returncode, "the source that the move began on" in refused.stderr) == (13, True), refused.stderr
    assert stranger.types("abort", "--yes", "app.db").returncode == 12
    assert stranger.types("migrate", "--live", "app.db").returncode == 12  # and does not try for ever
    for verb in ("abort", "cutover"):  # nothing is taken for cleared that is not
        refused = elsewhere.types(verb, "--yes", "app.db")
        assert (refused.returncode, "liteshift_test" in refused.stderr) == (2, True), refused.stderr
    assert operator.types("abort", "--yes", "app.db").returncode == 0
    assert leftovers(url) == []


def test_an_operator_who_gives_up_waiting_is_told_what_becomes_of_it(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    assert mover._process is not None
    mover._process.send_signal(signal.SIGSTOP)  # so it begins nothing
    with operator.begins("cutover", "--yes", "--skip-backup", "app.db") as asking:
        while not mover.workdir.asking.is_asked():
            time.sleep(0.02)
        asking.send_signal(signal.SIGINT)
        _, told = asking.communicate(timeout=60)
    assert (asking.returncode, "nothing of what was asked for had begun" in told) == (16, True), told
    mover._process.send_signal(signal.SIGCONT)
    operator.gets("verify", "app.db")  # it is at work again
    assert mover.phase() is Phase.FOLLOWING

    for words, statement in (
        (["verify"], "UPDATE customer SET name = 'open' WHERE id = 1"),  # a slot waits for it, for the comparison
        (["cutover", "--yes", "--skip-backup"], "LOCK TABLE customer IN SHARE MODE"),
    ):
        with psycopg.connect(url) as foreign:
            foreign.execute(statement.encode())
            with operator.begins(*words, "app.db") as asking:
                assert asking.stderr is not None
                while "waiting for" not in (line := asking.stderr.readline()):
                    assert "comparing" in line, line
                asking.send_signal(signal.SIGINT)
                _, told = asking.communicate(timeout=60)
        assert (asking.returncode, "so it was called off" in told) == (16, True), told
        operator.gets("verify", "app.db")
        assert mover.phase() is Phase.FOLLOWING
    assert "given up" in operator.types("status", "app.db").stdout
    assert operator.types("cutover", "--yes", "--skip-backup", "app.db").returncode == 0
    assert mover.phase() is Phase.REVERSING


def test_rows_that_can_not_come_along_are_seen_however_late(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    with psycopg.connect(url) as foreign:
        foreign.execute("UPDATE customer SET name = 'open' WHERE id = 1")
        with operator.begins("cutover", "--yes", "--skip-backup", "app.db") as asking:
            assert asking.stderr is not None
            while "waiting for" not in (line := asking.stderr.readline()):
                assert "comparing" in line, line
            foreign.execute("INSERT INTO loose VALUES ('late', 'infinity')")
            foreign.commit()
            _, told = asking.communicate(timeout=60)
    assert (asking.returncode, "would stay behind" in told) == (3, True), told
    assert mover.phase() is Phase.FOLLOWING
    write(url, "postgresql", "goes on", 35)
    assert operator.types("cutover", "--yes", "--skip-backup", "--accept-rejects", "app.db").returncode == 0
    assert mover.phase() is Phase.REVERSING


@pytest.mark.parametrize(
    "statement", ["UPDATE customer SET name = 'slow' WHERE id = 1", "LOCK TABLE customer IN SHARE MODE"]
)
def test_an_open_transaction_is_waited_for_by_name(moved: tuple[str, Mover, Operator], statement: str) -> None:
    """The one has written, so that a slot waits for it; the other only keeps the fence from being made."""
    url, mover, operator = moved
    with psycopg.connect(url, application_name="the nightly report") as foreign:
        foreign.execute(statement.encode())
        process = foreign.info.backend_pid
        done = operator.types("cutover", "--yes", "--skip-backup", "--wait", "0.5", "app.db")
        assert done.returncode == 11, done.stderr
        assert f"the process {process} (the nightly report" in done.stderr
        assert f"SELECT pg_terminate_backend({process});" in done.stderr
        assert mover.phase() is Phase.FOLLOWING
        if statement.startswith("UPDATE"):
            write(url, "postgresql", "goes on", 36)
        with operator.begins("cutover", "--yes", "--skip-backup", "app.db") as asked:
            while "nightly" not in operator.gets("status", "app.db")["now"].get("waits", ""):
                assert asked.poll() is None
            foreign.rollback()
            _, errors = asked.communicate(timeout=120)
        assert asked.returncode == 0, errors
        assert f"waiting for the process {process} (the nightly report" in errors
    assert mover.phase() is Phase.REVERSING


def test_a_log_that_the_server_still_reads_is_waited_for_before_the_pause(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
        source.execute("CREATE TABLE left_out (n int)")
        mover, operator = Mover(database, tmp_path, "--exclude", "public.left_out"), Operator(database, tmp_path)
        with Keeper(mover.route) as keeper:
            keeper.establish("postgresql")
        try:
            mover.start()
            mover.until(Phase.FOLLOWING)
            operator.gets("verify", "app.db")
            source.execute("INSERT INTO left_out SELECT generate_series(1, 600000)")
            asking = mover.workdir.asking
            asking.ask(Request("at-once", "cutover", {"skip_backup": True, "wait": 0.01}))
            answer = asking.await_answer("at-once", lambda: None, mover.workdir.is_run)
            assert (answer.exit_code, "was not read up to" in answer.message) == (11, True), answer
            assert operator.types("cutover", "--yes", "--skip-backup", "app.db").returncode == 0
        finally:
            mover.close()


def test_a_difference_is_not_repaired_but_mended(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    with closing(passing_guards(lambda: connect(mover.file))) as file:
        file.execute("DELETE FROM customer WHERE id = 3")
    refused = operator.types("verify", "--repair", "--yes", "app.db")
    assert refused.returncode == 2, refused.stderr
    assert "collide with what comes in the log" in refused.stderr
    found = operator.types("verify", "app.db")
    assert found.returncode == 14
    for text in (refused.stderr, found.stderr):
        assert "liteshift abort app.db, then liteshift migrate --live --overwrite app.db" in text
    assert operator.types("abort", "--yes", "app.db").returncode == 0
    mover.close()
    mover = Mover(url, mover.file.parent, "--overwrite", gate=False)
    mover.start()
    try:
        mover.until(Phase.FOLLOWING)
        name = operator.gets("cutover", "--yes", "--skip-backup", "app.db")["move"]
        spoil = f"SET liteshift.pass = '{name}'; UPDATE customer SET name = 'spoilt' WHERE id = 3"
        with psycopg.connect(url) as source:
            source.execute(spoil.encode())
        refused = operator.types("verify", "--repair", "--yes", "app.db")
        assert refused.returncode == 2, refused.stderr
        assert "the application lives on app.db" in refused.stderr
        found = operator.types("rollback", "--yes", "app.db")
        assert found.returncode == 14, found.stderr
        with psycopg.connect(url) as source:
            source.execute(spoil.replace("spoilt", "customer 3").encode())
        assert operator.types("rollback", "--yes", "app.db").returncode == 0
    finally:
        mover.close()
