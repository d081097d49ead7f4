"""The process that moves is killed at every stop point while the application writes; nothing is lost or doubled, and
both databases hold the same rows.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.interrupt.walk import SCHEMA, Application, Mover, Operator, are_alike, is_whole, leftovers, tokens

from liteshift.keeper import Keeper
from liteshift.phases import Phase
from liteshift.stops import Stop

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

SECOND = (Stop.FOLLOW_BEFORE_COMMIT, Stop.FOLLOW_COMMITTED, Stop.FOLLOW_CONFIRMED)
"""Points that are passed all the time: there it is killed once it is well on its way, too."""
FIRST = (Stop.ESTABLISHING, Stop.ESTABLISHED, Stop.SLOT_MADE, Stop.COPIED, Stop.PUBLISHED)
LAST = {
    Stop.FINALIZE_DISARMED: ("finalize", Phase.FINALIZED),
    Stop.FINALIZE_REMOVED: ("finalize", Phase.FINALIZED),
    Stop.REMOVING: ("abort", Phase.ABORTED),
    Stop.ABORT_REMOVED: ("abort", Phase.ABORTED),
}
ON_THE_WAY = [*(str(stop) for stop in Stop if stop not in {*FIRST, *LAST}), *(f"{stop}:5" for stop in SECOND)]
SWITCHES = {"cutover": (Phase.FOLLOWING, Phase.REVERSING), "rollback": (Phase.REVERSING, Phase.FOLLOWING)}
STAYS = {"follow": Phase.FOLLOWING, "reverse": Phase.REVERSING}


class Journey:
    """A live move, and an application that writes all the time."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.mover = url, Mover(url, folder)
        with psycopg.connect(url, autocommit=True) as source:
            source.execute(SCHEMA.encode())
        with Keeper(self.mover.route) as keeper:
            keeper.establish("postgresql")
        self.application = Application(url, self.mover.file, self.mover.route)
        self.application.start()

    def close(self) -> None:
        self.application.stop()
        self.mover.close()

    def begin(self, stop: str = "") -> None:
        self.mover.start(stop)
        self.mover.until(Phase.FOLLOWING)

    def begin_anew(self, stop: str) -> None:
        """Let another process go on with it, to be killed where it comes to the stop point."""
        self.mover.kill()
        self.mover.kills = 0
        self.mover.start(stop)

    def live(self) -> str | Path:
        """The side that the application lives on."""
        return self.mover.file if self.mover.phase() in (Phase.REVERSING, Phase.FINALIZED) else self.url

    def is_sound(self) -> None:
        """It was killed once, every write is there once, and both sides hold the same rows."""
        self.mover.until_killed()
        assert self.mover.kills == 1
        with self.application.resting() as ledger:
            is_whole(ledger, tokens(self.live()))
            are_alike(self.url, self.mover.file)

    def has_proof(self, kind: str) -> None:
        """The switch that was killed has left its proof, for programs and for people."""
        workdir = self.mover.workdir
        page = workdir.logbook.read()
        name = f"{kind}-{page.epoch}"
        report = json.loads((workdir.path / f"{name}.json").read_text())
        assert (report["kind"], report["epoch"], report["verified_rows"] > 0) == (kind, page.epoch, True)
        assert report["token"] in (workdir.path / f"{name}.html").read_text()
        assert [entry.report for entry in page.entries if entry.report][-1] == f"{name}.json"


def go(mover: Mover, phase: Phase) -> None:
    """Let the application live on the side that a phase means."""
    for verb, (_, there) in SWITCHES.items():
        if there is phase and mover.phase() is not phase:
            mover.bring(verb, phase)


class Journeys:
    """One live move after the other: each serves for as many stop points as it survives."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._journey: Journey | None = None
        self._numbers = count(1)

    @contextmanager
    def travelling(self) -> Iterator[Journey]:
        if self._journey is None:
            number = next(self._numbers)
            folder = self._folder / str(number)
            folder.mkdir()
            self._journey = Journey(self._server.create_database(f"{self._folder.name}_{number}"), folder)
            self._journey.begin()
        try:
            yield self._journey
        except BaseException:  # ^C as well: nothing else would end its processes
            self.close()
            raise

    def close(self) -> None:
        if self._journey is not None:
            self._journey.close()
            self._server.drop_database(str(psycopg.conninfo.conninfo_to_dict(self._journey.url)["dbname"]))
            self._journey = None


@pytest.fixture(scope="module")
def journeys(_servers: dict[str, Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journeys]:
    made = Journeys(_servers["16"], tmp_path_factory.mktemp("kill_matrix"))
    yield made
    made.close()


@pytest.mark.parametrize("stop", ON_THE_WAY)
def test_killed_on_the_way(stop: str, journeys: Journeys) -> None:
    kind = stop.partition("-")[0]
    with journeys.travelling() as journey:
        if kind in STAYS:
            go(journey.mover, STAYS[kind])
            journey.begin_anew(stop)
        else:
            before, there = SWITCHES[kind]
            go(journey.mover, before)
            journey.begin_anew(stop)
            journey.mover.bring(kind, there)
        journey.is_sound()
        if kind in SWITCHES:
            journey.has_proof(kind)


@pytest.fixture
def journey(database: str, tmp_path: Path) -> Iterator[Journey]:
    made = Journey(database, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("stop", FIRST)
def test_killed_at_the_beginning(stop: Stop, journey: Journey) -> None:
    journey.begin(stop)
    journey.is_sound()


@pytest.mark.parametrize("stop", [Stop.ESTABLISHING, Stop.SLOT_MADE, Stop.PUBLISHED])
def test_given_up_after_a_kill_at_the_beginning(stop: Stop, journey: Journey) -> None:
    journey.mover.start(stop)
    assert journey.mover.ended() == -signal.SIGKILL
    assert leftovers(journey.url)
    said = Operator(journey.url, journey.mover.file.parent).types("abort", "--yes", str(journey.mover.file))
    assert said.returncode == 0, said.stderr
    assert leftovers(journey.url) == []


@pytest.mark.parametrize("stop", LAST)
def test_killed_at_the_end(stop: Stop, journey: Journey) -> None:
    verb, phase = LAST[stop]
    journey.begin(stop)
    if verb == "finalize":
        go(journey.mover, Phase.REVERSING)
    with journey.application.resting():
        are_alike(journey.url, journey.mover.file)
        journey.mover.bring(verb, phase)
        journey.mover.end()
        journey.is_sound()
    assert leftovers(journey.url) == []


def test_no_stop_point_is_left_out() -> None:
    assert {*FIRST, *LAST, *(stop.partition(":")[0] for stop in ON_THE_WAY)} == set(Stop)
    assert {stop.partition("-")[0] for stop in ON_THE_WAY} == {*SWITCHES, *STAYS}
