"""The keeper: every step may be done again, by another process too, and nothing is switched that is not held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liteshift.app.gate import Gate, GateTimeout
from liteshift.errors import LiteshiftError, Locked, NotInitialised, UsageError
from liteshift.gatefile import GateFile
from liteshift.keeper import Keeper
from liteshift.route import Route, RouteFile, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from liteshift.flow import Held

FAR = 1e11

WRITES = """
import sys, time
from liteshift.app.gate import Gate
with Gate(sys.argv[1]).writing() as side:
    print(side, flush=True)
    time.sleep(600)
"""
KEEPS = """
import sys, time
from liteshift.keeper import Keeper
keeper = Keeper(sys.argv[1])
for step in sys.argv[2:]:
    {"drain": lambda: keeper.drain(1e11), "hold": lambda: keeper.hold(seconds=60),
     "switch": lambda: keeper._file.replace(type(keeper.route())("sqlite", keeper.route().epoch + 1))}[step]()
print("done", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db.route"


@pytest.fixture
def keeper(path: Path) -> Iterator[Keeper]:
    with Keeper(path) as keeper:
        keeper.establish("postgresql")
        yield keeper


def start(script: str, path: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that has done its part, and waits."""
    command = [sys.executable, "-c", script, str(path), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """End it as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_it_has_the_keys_that_a_cutover_asks_for(keeper: Keeper) -> None:
    held: Held = keeper
    held.drain(FAR)
    held.hold(seconds=10)
    held.switch("sqlite")
    held.reopen()
    assert keeper.route() == Route("sqlite", 1)


def test_every_step_may_be_done_again(keeper: Keeper, path: Path) -> None:
    assert keeper.establish("sqlite") == Route("postgresql")  # it is there already
    keeper.drain(FAR)
    keeper.drain(FAR + 1)
    assert keeper.route() == Route("postgresql", 0, State.DRAINING, FAR + 1)
    keeper.hold(seconds=10)
    keeper.drain(FAR)
    keeper.hold(seconds=10)
    assert keeper.held()
    keeper.switch("sqlite")
    keeper.switch("sqlite")
    assert not keeper.held()
    assert keeper.route() == Route("sqlite", 1)
    keeper.drain(FAR)
    keeper.reopen()
    keeper.reopen()
    keeper.release()
    assert keeper.route() == Route("sqlite", 1)
    keeper.drain(FAR)
    keeper.hold(seconds=10)
    keeper.switch("sqlite")  # where it is already
    assert keeper.route() == Route("sqlite", 1)
    with Keeper(path) as another:
        another.drain(FAR)
        another.hold(seconds=10)
        another.switch("postgresql")
    assert keeper.route() == Route("postgresql", 2)


def test_nothing_is_done_out_of_turn(keeper: Keeper) -> None:
    with pytest.raises(LiteshiftError, match="does not drain"):
        keeper.hold(seconds=0)
    with pytest.raises(LiteshiftError, match="is not held, so sqlite can't become"):
        keeper.switch("sqlite")
    keeper.drain(FAR)
    with pytest.raises(LiteshiftError, match="is not held"):
        keeper.switch("postgresql")
    with pytest.raises(UsageError, match="no side"):
        keeper.switch("mysql")
    assert keeper.route().state is State.DRAINING


def test_a_running_write_is_waited_for_and_named(keeper: Keeper, path: Path) -> None:
    writer = start(WRITES, path)
    keeper.drain(FAR)
    with pytest.raises(Locked, match=rf"a write still ran after 0\.05 s, in process {writer.pid}$"):
        keeper.hold(seconds=0.05)
    kill(writer)  # which lets go by itself
    keeper.hold(seconds=30)


def test_who_holds_too_late_does_not_hold(keeper: Keeper, path: Path) -> None:
    keeper.drain(time.time() - 1)
    with pytest.raises(Locked, match="too late"):
        keeper.hold(seconds=10)
    assert GateFile(path.with_suffix(".gate")).take().exclusive()


@pytest.mark.parametrize("steps", [["drain"], ["drain", "hold"], ["drain", "hold", "switch"]], ids=len)
def test_another_takes_up_what_a_killed_one_left(keeper: Keeper, path: Path, steps: list[str]) -> None:
    kill(start(KEEPS, path, *steps))
    if "switch" in steps:  # it was over, but for the gate
        assert keeper.route() == Route("sqlite", 1)
        keeper.switch("sqlite")
    else:
        assert keeper.route() == Route("postgresql", 0, State.DRAINING, FAR)
        keeper.drain(FAR)
        keeper.hold(seconds=30)
        keeper.switch("sqlite")
    assert keeper.route() == Route("sqlite", 1)
    assert GateFile(path.with_suffix(".gate")).take().exclusive()


def test_past_the_point_of_no_return_nobody_goes_on_by_himself(keeper: Keeper, path: Path) -> None:
    keeper.drain(time.time() - 1)
    keeper.drain(None)
    keeper.hold(seconds=10)
    keeper.release()  # as if it died
    with pytest.raises(GateTimeout), Gate(path, patience=0.05).writing():
        pass
    with Keeper(path) as another:
        another.take(seconds=30)
        another.switch("sqlite")
    with Gate(path).writing() as side:
        assert side == "sqlite"


def test_two_do_not_hold_at_once(keeper: Keeper, path: Path) -> None:
    keeper.drain(FAR)
    keeper.hold(seconds=10)
    with Keeper(path) as second, pytest.raises(Locked, match=f"in process {os.getpid()}"):
        second.hold(seconds=0.01)


def test_a_gate_file_that_was_replaced_holds_nobody(keeper: Keeper, path: Path) -> None:
    keeper.drain(FAR)
    keeper.hold(seconds=10)
    gate = path.with_suffix(".gate")
    gate.unlink()
    assert not keeper.held()
    with pytest.raises(LiteshiftError, match="is not held"):
        keeper.switch("sqlite")
    with pytest.raises(NotInitialised, match=r"the gate file .* is gone"):
        keeper.drain(FAR)
    gate.touch()
    keeper.hold(seconds=10)
    assert not GateFile(gate).take().shared()
    keeper.switch("sqlite")


def test_nothing_to_keep(path: Path) -> None:
    with Keeper(path) as keeper:
        for act in (keeper.route, keeper.reopen, lambda: keeper.hold(seconds=0), lambda: keeper.switch("sqlite")):
            with pytest.raises(NotInitialised, match="there is no route file"):
                act()
        with pytest.raises(NotInitialised, match="gate file"):
            keeper.drain(FAR)
        keeper.establish("sqlite")
        assert RouteFile(path).read() == Route("sqlite")
