"""The live demonstration: a service under load is moved to SQLite, back, and there again, and no request notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liteshift.children import child, environment, last_lines, run
from liteshift.demo.load import Load, Tally, doubled, missing, shown
from liteshift.demo.place import DATABASE, SERVER, claim
from liteshift.demo.service import Service
from liteshift.errors import LiteshiftError
from liteshift.keeper import Keeper
from liteshift.postgres.embedded import EmbeddedServer

if TYPE_CHECKING:
    from pathlib import Path

    from liteshift.demo.show import Step

ROUTE = "app.route"
_PATIENCE = 300.0  # seconds for the copy
_SWITCHES = ("cutover", "rollback", "cutover")


@dataclass(frozen=True, slots=True)
class Moved:
    """What the live demonstration has shown.

    Attributes:
        place: its folder.
        file: the SQLite file that the service lives on at the end.
        service: the service's folder.
        tally: what became of the users' requests.
        missing: acknowledged writes that are not there at the end, in words.
        doubled: what is there at the end and was acknowledged to nobody.
        switches: the report of each cutover and rollback.
        verified: the last comparison of every row on both sides.
        rate: requests a second that were asked for.
        seconds: how long the users were at work.
        copied: when all rows were copied, on the monotonic clock.
    """

    place: Path
    file: Path
    service: Path
    tally: Tally
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    switches: tuple[dict[str, Any], ...]
    verified: dict[str, Any]
    rate: float
    seconds: float
    copied: float

    @property
    def rows(self) -> int:
        """How many rows the last comparison was of."""
        return sum(table["source_rows"] for table in self.verified["tables"])

    @property
    def good(self) -> bool:
        """Whether no request failed and no write was lost or doubled."""
        return not (self.tally.failed or self.missing or self.doubled)


def move_live(
    folder: Path,
    parties: int,
    step: Step,
    *,
    rate: float = 200,
    switches: tuple[str, ...] = _SWITCHES,
    between: float = 4.0,
    workers: int = 2,
) -> Moved:
    """Do everything; when it ends, or fails, only files in the folder are left.

    Args:
        folder: where everything goes.
        parties: how many rows to begin with.
        step: told what comes next.
        rate: requests a second that the users send.
        switches: what to do, one after the other; the last should be a cutover.
        between: seconds that the users go on between two switches.
        workers: processes of the service.

    Raises:
        LiteshiftError: a step failed.
    """
    service = Service()
    with claim(folder) as place, ExitStack() as running:
        file, route = place / DATABASE, place / ROUTE
        with step(f"Start a PostgreSQL in {folder / SERVER}"):
            server = running.enter_context(EmbeddedServer(place / SERVER))
            source = server.create_database("parties")
        with step(f"Make the service's schema there, and {parties:,} parties"):
            service.create_schema(source)
            service.seed(source, parties)
        with step(f"Start the service, {workers} processes with a gate"):
            running.enter_context(Keeper(route)).establish("postgresql")
            port = running.enter_context(service.gated(source, file, route, place / "service.log", workers=workers))
        load = Load(port, rate)
        running.callback(load.stop)
        began = time.monotonic()
        load.start()
        cli = _Cli(place, source)
        with step(f"Move it while {rate:g} requests a second come: liteshift migrate --live {DATABASE}"):
            running.enter_context(cli.moving(route))
            cli.wait_until("following")
        copied = time.monotonic()
        reports = []
        for verb in switches:
            time.sleep(between)
            where = "SQLite" if verb == "cutover" else "PostgreSQL"
            with step(f"Let it live on {where}: liteshift {verb} {DATABASE}"):
                reports.append(cli.asks(verb, "--yes"))
        time.sleep(between)
        with step("Compare every row on both sides, while it goes on: liteshift verify"):
            verified = cli.asks("verify")
        seconds = time.monotonic() - began
        with step("Send the users home, and look for every write that was acknowledged"):
            tally = load.stop()
            there = shown(port)
        with step("Take away what was made on PostgreSQL: liteshift finalize"):
            cli.asks("finalize", "--yes")
    lost, twice = tuple(missing(tally, there)), tuple(doubled(tally, there))
    return Moved(place, file, service.folder, tally, lost, twice, tuple(reports), verified, rate, seconds, copied)


class _Cli:
    """The command line, as an operator uses it."""

    def __init__(self, place: Path, source: str) -> None:
        self._place = place
        self._environment = environment(LITESHIFT_SOURCE=source)
        self._log = place / "move.log"

    @contextmanager
    def moving(self, route: Path) -> Iterator[None]:
        """`migrate --live` in a process of its own."""
        command = ["-m", "liteshift", "migrate", "--live", "--gate", str(route), "--accept-losses", DATABASE]
        with (
            self._log.open("wb") as log,
            child(command, folder=self._place, env=self._environment, stdout=log, stderr=log),
        ):
            yield

    def wait_until(self, phase: str) -> None:
        """Wait until the move is in a phase.

        Raises:
            LiteshiftError: it did not come there.
        """
        book = self._place / f"{DATABASE}.liteshift" / "logbook.json"
        self._wait(lambda: book.exists() and json.loads(book.read_text())["phase"] == phase)

    def asks(self, verb: str, *options: str) -> dict[str, Any]:
        """Run a verb; the last line of JSON that it prints."""
        command = ["-m", "liteshift", verb, *options, "--json", DATABASE]
        printed = run(command, folder=self._place, env=self._environment)
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return found

    def _wait(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not there():
            if time.monotonic() > deadline:
                raise LiteshiftError(f"the move does not come on: {last_lines(self._log.read_text(errors='replace'))}")
            time.sleep(0.05)
