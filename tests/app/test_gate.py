"""The gate: writes wait, reads do not, and nothing but the end of a write, or of its process, lets go of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liteshift.app.gate import Gate, GateTimeout
from liteshift.errors import LiteshiftError, Locked, NotInitialised
from liteshift.gatefile import Hold
from liteshift.keeper import Keeper
from liteshift.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

FAR = 1e11


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db.route"


@pytest.fixture
def keeper(path: Path) -> Iterator[Keeper]:
    with Keeper(path) as keeper:
        keeper.establish("postgresql")
        yield keeper


@pytest.fixture
def gate(keeper: Keeper, path: Path) -> Iterator[Gate]:
    gate = Gate(path, patience=60)
    yield gate
    gate.close()


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.moves: list[tuple[Route, Route]] = []
        self.waits: list[bool] = []

    def moved(self, before: Route, now: Route) -> None:
        self.moves.append((before, now))

    def waited(self, seconds: float, *, entered: bool) -> None:
        assert seconds >= 0
        self.waits.append(entered)


def move(keeper: Keeper, side: str) -> None:
    keeper.drain(FAR)
    keeper.hold(seconds=60)
    keeper.switch(side)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def run(script: str, *arguments: object) -> str:
    """What a script prints, with the names it needs."""
    names = "import os, sys, time, signal, subprocess\nfrom liteshift.app.gate import Gate\n"
    names += "from liteshift.keeper import Keeper\n"
    done = subprocess.run(
        [sys.executable, "-c", names + script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_who_writes_goes_where_the_route_says(gate: Gate, keeper: Keeper) -> None:
    with gate.writing() as side:
        assert side == gate.reading() == "postgresql"
    move(keeper, "sqlite")
    with gate.writing() as side:
        assert side == gate.reading() == "sqlite"


def test_a_write_holds_the_gate_until_its_end_however_it_ends(gate: Gate, keeper: Keeper) -> None:
    keeper.drain(FAR)
    keeper.reopen()
    with pytest.raises(ZeroDivisionError), gate.writing():
        keeper.drain(FAR)
        with pytest.raises(Locked):
            keeper.hold(seconds=0)
        1 / 0  # noqa: B018
    keeper.hold(seconds=0)


def test_many_hold_it_together(gate: Gate, keeper: Keeper) -> None:
    with gate.writing(), gate.writing(), gate.writing():
        keeper.drain(FAR)
        with pytest.raises(Locked):
            keeper.hold(seconds=0)
    keeper.hold(seconds=0)


def test_a_write_waits_and_a_read_does_not(gate: Gate, keeper: Keeper) -> None:
    notes = Notes()
    gate.watch(notes)
    keeper.drain(FAR)
    keeper.hold(seconds=10)
    with ThreadPoolExecutor(4) as pool:

        def write(_: int) -> str:
            with gate.writing() as side:
                return side

        writes = [pool.submit(write, number) for number in range(4)]
        while keeper.waited() < 4:
            time.sleep(0.001)
        assert gate.reading() == "postgresql"
        assert not any(write.done() for write in writes)
        keeper.switch("sqlite")
        assert [write.result() for write in writes] == ["sqlite"] * 4
    assert notes.waits == [True] * 4
    assert gate.reading() == "sqlite"
    assert notes.moves[-1][1] == Route("sqlite", 1)
    keeper.drain(FAR)
    assert keeper.waited() == 0


def test_waiting_is_bounded(keeper: Keeper, path: Path) -> None:
    gate, notes = Gate(path, patience=0.05), Notes()
    gate.watch(notes)
    keeper.drain(FAR)
    for held in (False, True):
        if held:
            keeper.hold(seconds=10)
        with pytest.raises(GateTimeout, match=r"writes were held for more than 0\.05 s") as caught, gate.writing():
            raise AssertionError
        assert caught.value.retry_after == 1
    assert notes.waits == [False, False]
    keeper.reopen()
    with gate.writing():
        pass


def test_no_patience_at_all(keeper: Keeper, path: Path) -> None:
    gate = Gate(path, patience=0)
    with gate.writing():
        pass
    keeper.drain(FAR)
    with pytest.raises(GateTimeout), gate.writing():
        pass


def test_a_keeper_that_is_gone_is_not_waited_for_longer_than_it_said(gate: Gate, keeper: Keeper) -> None:
    until = time.time() + 0.3
    keeper.drain(until)
    with gate.writing() as side:
        assert time.time() >= until
        assert side == "postgresql"
    with gate.writing():  # nobody has put the route right yet
        pass


def test_a_keeper_that_holds_is_waited_for_whatever_it_said(keeper: Keeper, path: Path) -> None:
    until = time.time() + 0.2
    keeper.drain(until)
    keeper.hold(seconds=0)
    with pytest.raises(GateTimeout), Gate(path, patience=0.4).writing():
        pass
    assert time.time() > until


def test_a_keeper_killed_while_it_holds(gate: Gate, keeper: Keeper, path: Path) -> None:
    killed = """
keeper = Keeper(sys.argv[1])
until = time.time() + 1.5
keeper.drain(until)
keeper.hold(seconds=60)
print(until, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = f"import os, sys, time, signal\nfrom liteshift.keeper import Keeper\n{killed}"
    done = subprocess.run([sys.executable, "-c", command, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    with gate.writing() as side:
        assert time.time() >= float(done.stdout)
        assert side == "postgresql"
    keeper.reopen()
    assert keeper.route() == Route("postgresql")


def test_nothing_says_where_to_go(gate: Gate, keeper: Keeper, path: Path) -> None:
    path.write_text("{}")
    for act in (gate.reading, gate.enter):
        with pytest.raises(LiteshiftError, match="makes no sense"):
            act()
    path.unlink()
    for act in (gate.reading, gate.enter):
        with pytest.raises(NotInitialised, match="no route file"):
            act()
    with pytest.raises(NotInitialised, match="no route file"):
        Gate(path)
    keeper.establish("sqlite")
    with gate.writing() as side:  # without a restart
        assert side == "sqlite"
    keeper.drain(FAR)
    keeper.hold(seconds=0)


def test_a_gate_file_that_is_gone_lets_nobody_in(gate: Gate, keeper: Keeper, path: Path) -> None:
    with gate.writing():
        pass
    path.with_suffix(".gate").unlink()
    for act in (gate.enter, lambda: Gate(path)):
        with pytest.raises(NotInitialised, match="nobody can know who writes"):
            act()
    keeper.establish("postgresql")
    with gate.writing():
        keeper.drain(FAR)
        with pytest.raises(Locked):
            keeper.hold(seconds=0)
    keeper.hold(seconds=0)


def test_a_whole_switch_between_the_look_and_the_lock(
    gate: Gate, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Hold.shared

    def late(hold: Hold) -> bool:
        monkeypatch.setattr(Hold, "shared", lock)
        move(keeper, "sqlite")
        return lock(hold)

    with gate.writing() as side:
        assert side == "postgresql"
    monkeypatch.setattr(Hold, "shared", late)
    with gate.writing() as side:
        assert side == "sqlite"


def test_few_descriptors_are_kept(gate: Gate) -> None:
    before = open_files()
    for _ in range(100):
        with gate.writing():
            pass
    assert open_files() == before
    passages = [gate.enter() for _ in range(200)]
    for passage in passages:
        passage.leave()
    assert open_files() <= before + 64
    gate.close()
    assert open_files() < before


def test_threads_each_have_a_lock_of_their_own(gate: Gate, keeper: Keeper) -> None:
    """One that ends lets go of its own only."""
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with gate.writing():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait(60)
    with gate.writing():
        pass
    keeper.drain(FAR)
    with pytest.raises(Locked):
        keeper.hold(seconds=0)
    leave.set()
    thread.join()
    keeper.hold(seconds=0)


# Children


def test_a_child_keeps_no_lock_of_its_parents(keeper: Keeper, path: Path) -> None:
    """Neither while the parent lives, nor after it was killed in the middle of a write."""
    script = """
gate = Gate(sys.argv[1])
with gate.writing():
    child = os.fork()
    if child == 0:
        os.close(1)
        time.sleep(600)
print(child, flush=True)
if sys.argv[2] == "killed":
    with gate.writing():
        second = os.fork()
        if second == 0:
            os.close(1)
            time.sleep(600)
        print(second, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""
    names = "import os, sys, time, signal\nfrom liteshift.app.gate import Gate\n"
    for how in ("lives", "killed"):
        command = [sys.executable, "-c", names + script, str(path), how]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=60)
        assert done.returncode == (-signal.SIGKILL if how == "killed" else 0)
        try:
            keeper.drain(FAR)
            keeper.hold(seconds=0)
            keeper.reopen()
        finally:
            for child in done.stdout.split():
                os.kill(int(child), signal.SIGKILL)


def test_a_child_can_not_undo_its_parents_lock_and_has_a_gate_of_its_own(keeper: Keeper, path: Path) -> None:
    script = """
gate, keeper = Gate(sys.argv[1], patience=0.2), Keeper(sys.argv[1])
def is_held():
    keeper.drain(1e11)
    try:
        keeper.hold(seconds=0)
        return False
    except Exception:
        return True
    finally:
        keeper.reopen()

child = None
with gate.writing():
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print(is_held())  # the child's end of its copy of this block changes nothing
if child:
    print(is_held())
    sys.exit()
print(is_held())  # the parent's, who waits for us
with gate.writing() as side:  # a write of the child's own
    print(side, is_held())
print(len(gate._file._open), flush=True)
os._exit(0)
"""
    assert run(script, path).split() == ["True", "postgresql", "True", "1", "True", "False"]


def test_a_program_started_in_a_write_keeps_no_lock(keeper: Keeper, path: Path) -> None:
    script = """
with Gate(sys.argv[1]).writing():
    child = subprocess.Popen(
        ["sleep", "600"], close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    print(child.pid, flush=True)
    os._exit(0)
"""
    child = int(run(script, path))
    try:
        keeper.drain(FAR)
        keeper.hold(seconds=0)
    finally:
        os.kill(child, signal.SIGKILL)


# asyncio


def test_tasks_wait_without_their_loop(keeper: Keeper, path: Path) -> None:
    async def write(gate: Gate) -> str:
        async with gate.writing_async() as side:
            await asyncio.sleep(0)
            return side

    async def check() -> None:
        gate = Gate(path, patience=60)
        assert await write(gate) == "postgresql"
        keeper.drain(FAR)
        keeper.hold(seconds=10)
        tasks = [asyncio.create_task(write(gate)) for _ in range(20)]
        while keeper.waited() < 20:
            await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        assert tasks[0].cancelled()
        keeper.switch("sqlite")
        assert await asyncio.gather(*tasks[1:]) == ["sqlite"] * 19
        keeper.drain(FAR)
        with pytest.raises(GateTimeout):
            await write(Gate(path, patience=0.02))
        keeper.hold(seconds=0)  # nobody kept a lock
        gate.close()

    asyncio.run(check())
