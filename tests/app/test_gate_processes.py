"""Many processes write through the gate while one holds, switches and reopens it, and while some of them are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from liteshift.keeper import Keeper
from liteshift.route import SIDES, other

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 60
FAR = 1e11

# Each write leaves one line on the side that it was let to, and the writer says so. No write may see the sign `held`,
# nor another side live than its own.
WRITER = """
import asyncio, json, os, sys, threading, time
from pathlib import Path
from random import Random
from liteshift.app.gate import Gate

folder, me, kind = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
gate = Gate(folder / "app.db.route", patience=120)
random = Random(me)
held, stop = folder / "held", folder / "stop"
sides = {side: os.open(folder / side, os.O_WRONLY | os.O_APPEND) for side in ("postgresql", "sqlite")}
said = os.open(folder / f"said-{me}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

def check(side):
    if held.exists() or json.loads((folder / "app.db.route").read_text())["active"] != side:
        os._exit(7)

def end(side, name):
    os.write(sides[side], f"{name}\\n".encode())
    check(side)

def work(thread):
    number = 0
    while not stop.exists():
        number += 1
        name = f"{me}-{thread}-{number}"
        with gate.writing() as side:
            check(side)
            time.sleep(random.random() / 1000)
            end(side, name)
        os.write(said, f"{side} {name}\\n".encode())

async def work_async(task):
    number = 0
    while not stop.exists():
        number += 1
        name = f"{me}-{task}-{number}"
        async with gate.writing_async() as side:
            check(side)
            await asyncio.sleep(random.random() / 1000)
            end(side, name)
        os.write(said, f"{side} {name}\\n".encode())

async def all_async():
    await asyncio.gather(*(work_async(task) for task in range(4)))

if kind == "async":
    asyncio.run(all_async())
else:
    threads = [threading.Thread(target=work, args=[thread]) for thread in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


class Writers:
    """Processes that write until they are told to stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self.killed = 0
        self._random = Random(1)
        for side in SIDES:
            (folder / side).touch()

    def start(self) -> None:
        """One more, with threads or with tasks."""
        number = self.killed + len(self.running)
        kind = ("threads", "async")[number % 2]
        command = [sys.executable, "-c", WRITER, str(self.folder), str(number), kind]
        self.running.append(subprocess.Popen(command))

    def kill_one(self) -> None:
        """End one as a power cut would, whatever it is doing; another takes its place."""
        victim = self.running.pop(self._random.randrange(len(self.running)))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self.killed += 1
        self.start()

    def stop(self) -> None:
        """Let each end its work."""
        (self.folder / "stop").touch()
        assert [process.wait(timeout=120) for process in self.running] == [0] * len(self.running)

    def wait_for_writes(self, least: int) -> None:
        """Until so many lines more are there."""
        begin = self.size()
        while self.size() < begin + 8 * least:
            assert all(process.poll() is None for process in self.running), "a write ran while writes were held"
            time.sleep(0.001)

    def size(self) -> int:
        """How long the two sides are."""
        return sum((self.folder / side).stat().st_size for side in SIDES)


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Writers]:
    writers = Writers(tmp_path)
    yield writers
    for process in writers.running:
        process.kill()
        process.wait()


@pytest.mark.parametrize("killing", [False, True], ids=["all live", "some are killed"])
def test_no_write_runs_while_writes_are_held_and_none_is_lost(tmp_path: Path, writers: Writers, killing: bool) -> None:
    random = Random(2)
    with Keeper(tmp_path / "app.db.route") as keeper:
        keeper.establish("postgresql")
        for _ in range(4):
            writers.start()
        writers.wait_for_writes(20)
        for number in range(ROUNDS):
            if killing and number % 4 == 0:
                writers.kill_one()
            keeper.drain(FAR)
            keeper.hold(seconds=120)
            (tmp_path / "held").touch()
            before = writers.size()
            time.sleep(random.random() / 200)
            assert writers.size() == before
            (tmp_path / "held").unlink()
            match random.randrange(4):
                case 0:
                    keeper.reopen()
                case 1:
                    keeper.release()  # as if it died here
                    keeper.drain(0)
                case _:
                    keeper.switch(other(keeper.route().active))
            writers.wait_for_writes(10)
        keeper.reopen()
        assert keeper.route().epoch > ROUNDS / 4
    writers.stop()

    there: dict[str, Counter[str]] = {side: Counter((tmp_path / side).read_text().split()) for side in SIDES}
    assert all(max(counter.values()) == 1 for counter in there.values())
    assert not there["postgresql"] & there["sqlite"]
    said = [line.split() for path in tmp_path.glob("said-*") for line in path.read_text().splitlines()]
    assert [(side, name) for side, name in said if name not in there[side]] == []
    unsaid = sum(map(len, there.values())) - len(said)
    assert 0 <= unsaid <= 4 * writers.killed  # what a killed process had done, and could not say
    assert (tmp_path / "app.db.gate").stat().st_size > 0
