"""The process that moves is killed again and again, at no moment in particular, while an application writes and is
moved there and back.
"""

from __future__ import annotations

import random
import threading
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from tests.interrupt.test_switch_faults import walking
from tests.interrupt.walk import Mover, rows

from liteshift.phases import Phase

if TYPE_CHECKING:
    from pathlib import Path


class Killer(threading.Thread):
    """Kills it, at once or after it has come to something."""

    def __init__(self, mover: Mover, seed: int) -> None:
        super().__init__(name="killer")
        self._mover = mover
        self._random = random.Random(seed)
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(self._random.uniform(*self._random.choice([(0, 1), (0.5, 2), (1, 6)]))):
            self._mover.strike()

    def stop(self) -> None:
        self._end.set()
        self.join()


def run(database: str, tmp_path: Path, kills: int, seed: int) -> str:
    """What was done, in words; nothing may be lost or doubled."""
    folder, switches = tmp_path / "move", 0
    folder.mkdir()
    with walking(database, folder) as walk:
        walk.mover.patience = 900  # on a busy machine it is killed many times before a switch gets through
        killer = Killer(walk.mover, seed)
        killer.start()
        try:
            for verb, phase in cycle((("cutover", Phase.REVERSING), ("rollback", Phase.FOLLOWING))):
                walk.mover.bring(verb, phase)
                switches += 1
                if walk.mover.kills >= kills:
                    break
        finally:
            killer.stop()
        walk.mover.revive()
        walk.sees_the_application_write()
        ledger = walk.application.stop()
        walk.mover.bring("rollback", Phase.FOLLOWING)
        walk.mover.bring("cutover", Phase.REVERSING)
        assert rows(database) == rows(walk.mover.file)
    writes = f"{len(ledger.acknowledged)} writes acknowledged, {len(ledger.failed)} failed"
    return f"{walk.mover.kills} kills, {switches} switches, {writes}; 0 lost, 0 doubled"


def test_killed_at_random(database: str, tmp_path: Path) -> None:
    run(database, tmp_path, 4, 1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random_for_long(
    database: str, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(database, tmp_path, 100, seed)
    with capsys.disabled():
        print(f"\nseed {seed}: {said}")
