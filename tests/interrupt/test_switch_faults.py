"""What happens to disks, workers, networks and operators within a switch: the application lives, nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.interrupt.walk import SCHEMA, Application, Mover, Operator, is_whole, leftovers, rows, tokens, write
from tests.proxy import Proxy

from liteshift.app.gate import Gate
from liteshift.keeper import Keeper
from liteshift.phases import Phase
from liteshift.postgres.embedded import FAST, EmbeddedServer
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.workdir import Workdir
from tests.conftest import make_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SECONDS = 60
# A worker that is in the midst of a write, through the gate, for as long as it lives. It writes once the gate drains:
# for a transaction that has written before, a cutover waits before its pause.
WORKER = """
import sys, time, psycopg
from pathlib import Path
from liteshift.app.gate import Gate
with Gate(Path(sys.argv[2])).writing() as side, psycopg.connect(sys.argv[1]) as connection:
    print("inside", flush=True)
    sys.stdin.readline()
    connection.execute("INSERT INTO entry (token, side) VALUES ('unfinished', %s)", (side,))
    print("writing", flush=True)
    time.sleep(600)
"""


class Walk:
    """A live move with an application that writes all the time."""

    def __init__(self, url: str, folder: Path, *extra: str) -> None:
        self.mover = Mover(url, folder, *extra)
        self.keeper = Keeper(self.mover.route)
        self.keeper.establish("postgresql")
        self.application = Application(url, self.mover.file, self.mover.route)
        self._environment = {**os.environ, "LITESHIFT_SOURCE": url}

    def asks(self, verb: str) -> subprocess.Popen[str]:
        """Type a command in another terminal, and do not wait for it."""
        more = ["--skip-backup"] if verb == "cutover" else []
        command = [sys.executable, "-m", "liteshift", verb, "--yes", *more, str(self.mover.file)]
        return subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE, text=True)

    def says(self, verb: str) -> str:
        """What a command says."""
        command = [sys.executable, "-m", "liteshift", verb, str(self.mover.file)]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True).stdout

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something."""
        deadline = time.monotonic() + _SECONDS
        while not reached():
            assert time.monotonic() < deadline, self.mover.log.read_text()[-3000:]
            time.sleep(0.02)

    def until_draining(self) -> None:
        """Wait until writes are held up."""
        self.until(lambda: self.keeper.route().state == "draining")

    def sees_the_application_write(self) -> None:
        """The application lives."""
        before = len(self.application.ledger.acknowledged)
        self.until(lambda: len(self.application.ledger.acknowledged) > before)


@contextmanager
def walking(url: str, folder: Path, *extra: str) -> Iterator[Walk]:
    """A move that follows; at the end every write that was acknowledged is where the application lives, once."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    walk = Walk(url, folder, *extra)
    walk.mover.log = folder.parent / f"{folder.name}.log"  # also where the disk is full
    with walk.keeper as keeper:
        walk.application.start()
        try:
            walk.mover.start()
            walk.mover.until(Phase.FOLLOWING)
            yield walk
        finally:
            ledger = walk.application.stop()
            side = keeper.route().active
            walk.mover.close()
    is_whole(ledger, tokens(walk.mover.file if side == "sqlite" else url))


def test_an_operator_who_interrupts_within_the_pause(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "move"
    folder.mkdir()
    with walking(database, folder) as walk:
        gate = Gate(walk.mover.route)
        with gate.writing():
            asked = walk.asks("cutover")
            walk.until_draining()
            assert walk.mover.interrupted() == 16
        gate.close()
        _, said = asked.communicate(timeout=_SECONDS)
        assert asked.returncode == 1
        assert "ended before it answered" in said
        route = walk.keeper.route()
        assert (route.active, route.state) == ("postgresql", "open")
        assert walk.mover.phase() is Phase.FOLLOWING
        walk.sees_the_application_write()
        assert "migrate --live" in walk.says("status")
        walk.mover.start()
        walk.mover.bring("cutover", Phase.REVERSING)
        walk.sees_the_application_write()


def test_a_worker_killed_while_it_holds_the_gate(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "move"
    folder.mkdir()
    with walking(database, folder) as walk:
        # What would wait for the worker's transaction before the pause is done before it begins.
        walk.mover.bring("cutover", Phase.REVERSING)
        walk.mover.bring("rollback", Phase.FOLLOWING)
        walk.says("verify")
        words = [sys.executable, "-c", WORKER, database, str(walk.mover.route)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
            try:
                assert worker.stdin is not None and worker.stdout is not None
                assert worker.stdout.readline() == "inside\n"
                asked = walk.asks("cutover")
                walk.until_draining()
                worker.stdin.write("write\n")
                worker.stdin.flush()
                assert worker.stdout.readline() == "writing\n"
                assert walk.mover.phase() is not Phase.REVERSING
            finally:
                worker.kill()
        _, said = asked.communicate(timeout=_SECONDS)
        assert asked.returncode == 0, said
        assert walk.keeper.route().active == "sqlite"
        walk.sees_the_application_write()
        assert "unfinished" not in tokens(walk.mover.file)


def remount(disk: Path, how: str) -> Path:
    """Mount a disk in another way; itself."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)
    return disk


def fill(folder: Path) -> Path:
    """Leave no room on a disk; the file that takes it all."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 512):
            pass
    return folder / "filler"


@pytest.mark.parametrize("within_the_pause", [False, True])
def test_a_disk_that_is_full(database: str, small_disk: Path, within_the_pause: bool) -> None:
    with walking(database, small_disk, "--pause", "5") as walk:
        gate = Gate(walk.mover.route)
        if within_the_pause:
            with gate.writing():
                asked = walk.asks("cutover")
                walk.until_draining()
                filler = fill(small_disk)
            asked.communicate(timeout=_SECONDS)
            assert asked.returncode
        else:
            filler = fill(small_disk)
            with psycopg.connect(database) as source:
                source.execute("INSERT INTO loose SELECT repeat('x', 1000) FROM generate_series(1, 10000)")
            walk.until(walk.mover.has_ended)
            assert "disk" in walk.mover.log.read_text()
        gate.close()
        walk.sees_the_application_write()
        assert walk.keeper.route().active == "postgresql"
        filler.unlink()
        with psycopg.connect(database) as source:
            source.execute("DELETE FROM loose WHERE length(what) > 100")
        make_room(small_disk)
        if walk.mover.has_ended():
            walk.mover.start()
        walk.mover.bring("cutover", Phase.REVERSING)
        walk.sees_the_application_write()


@pytest.mark.parametrize(
    ("killed", "full"), [(True, True), (False, True), (True, False)], ids=["killed", "ended", "read-only"]
)
def test_a_disk_that_takes_nothing_when_the_move_is_given_up(
    database: str, small_disk: Path, tmp_path: Path, killed: bool, full: bool
) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    folder = ("--workdir", str(tmp_path / "folder"))  # its own disk has room
    mover, operator = Mover(database, small_disk, *folder, gate=False), Operator(database, small_disk)
    mover.workdir, mover.log = Workdir(tmp_path / "folder"), tmp_path / "log"
    try:
        mover.start()
        mover.until(Phase.FOLLOWING)
        if killed:
            mover.kill()
        else:
            operator.gets("verify", *folder, "app.db")
            assert mover.interrupted() == 16
        filler = fill(small_disk) if full else remount(small_disk, "ro")
        refused = operator.types("abort", "--yes", *folder, "app.db")
        assert refused.returncode == (15 if full else 12), refused.stderr + refused.stdout
        assert ("Make room" if full else "you may read and write it") in refused.stderr
        assert leftovers(database) == []
        status = operator.gets("status", *folder, "app.db")
        assert (status["phase"], status["cleared"]) == ("aborted", False)
        assert "liteshift abort" in status["next"]
        mover.start()
        assert mover.ended() == refused.returncode, "nobody waits for ever"
        if full:
            filler.unlink()
        else:
            remount(small_disk, "rw")
        with pytest.raises(dbapi.IntegrityError, match="follows PostgreSQL"):
            write(mover.file, "sqlite", "token", 35)
        done = operator.types("abort", "--yes", *folder, "app.db")
        assert done.returncode == 0, done.stderr
        write(mover.file, "sqlite", "token", 35)
        again = operator.types("abort", "--yes", *folder, "app.db")
        assert (again.returncode, "aborted already" in again.stderr) == (2, True)
    finally:
        mover.close()


def port_of(url: str) -> int:
    """The port in a connection string."""
    return int(str(conninfo_to_dict(url)["port"]))


def test_a_server_that_says_nothing_within_a_rollbacks_pause(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "move"
    folder.mkdir()
    with (
        Proxy(port_of(database)) as proxy,
        walking(make_conninfo(database, port=proxy.port), folder, "--pause", "3") as walk,
    ):
        walk.mover.bring("cutover", Phase.REVERSING)
        walk.sees_the_application_write()
        gate = Gate(walk.mover.route)
        with gate.writing():
            asked = walk.asks("rollback")
            walk.until_draining()
            proxy.freeze()
        gate.close()
        # A write that was under way when the pause began may still end in it: what shows its end is the route.
        walk.until(lambda: walk.keeper.route().state == "open")
        assert walk.keeper.route().active == "sqlite"
        walk.sees_the_application_write()  # the network is still as it was
        assert walk.application.ledger.longest < 3 * 10  # a kernel would wait for minutes
        proxy.cut()
        asked.communicate(timeout=_SECONDS)
        walk.mover.bring("rollback", Phase.FOLLOWING)
        walk.sees_the_application_write()


def test_a_table_that_is_made_just_before_a_rollbacks_pause(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "move"
    folder.mkdir()
    with walking(database, folder) as walk:
        walk.mover.bring("cutover", Phase.REVERSING)
        gate = Gate(walk.mover.route)
        with gate.writing():
            asked = walk.asks("rollback")
            walk.until_draining()
            with closing(connect(walk.mover.file)) as file:
                file.execute("CREATE TABLE newcomer (precious)").close()
        gate.close()
        _, said = asked.communicate(timeout=_SECONDS)
        assert (asked.returncode, "PostgreSQL does not have: newcomer" in said) == (2, True), said
        route = walk.keeper.route()
        assert (route.active, route.state) == ("sqlite", "open")
        assert walk.mover.phase() is Phase.REVERSING
        walk.sees_the_application_write()
        with closing(connect(walk.mover.file)) as file:
            file.execute("DROP TABLE newcomer").close()
        walk.mover.bring("rollback", Phase.FOLLOWING)
        walk.sees_the_application_write()


def test_a_command_that_fails_after_a_rollback_keeps_nobody_waiting(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "move"
    folder.mkdir()
    with walking(database, folder, "--on-rollback", "false") as walk:
        walk.mover.bring("cutover", Phase.REVERSING)
        asked = walk.asks("rollback")
        _, said = asked.communicate(timeout=_SECONDS)
        assert (asked.returncode, "lives on PostgreSQL now" in said, "by hand" in said) == (1, True, True), said
        route = walk.keeper.route()
        assert (route.active, route.state) == ("postgresql", "open")
        assert (walk.mover.phase(), walk.mover.has_ended()) == (Phase.FOLLOWING, False)
        assert "exit code 1" in (walk.mover.workdir.path / "rollback-2.html").read_text()
        walk.sees_the_application_write()


def test_a_source_that_restarts_and_connections_that_are_cut(tmp_path: Path) -> None:
    folder = tmp_path / "move"
    folder.mkdir()
    with (
        EmbeddedServer.temporary(settings=FAST) as server,
        Proxy(port_of(server.url())) as proxy,
        walking(make_conninfo(server.url(), port=proxy.port), folder) as walk,
    ):
        for verb, phase in (("cutover", Phase.REVERSING), ("rollback", Phase.FOLLOWING)):
            proxy.cut()
            walk.sees_the_application_write()
            server.stop()
            server.start()
            proxy.lead_to(port_of(server.url()))
            walk.sees_the_application_write()
            walk.mover.bring(verb, phase)
        walk.application.stop()
        walk.mover.bring("cutover", Phase.REVERSING)
        assert rows(server.url()) == rows(walk.mover.file)
