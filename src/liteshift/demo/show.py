"""The demonstration, from an empty folder to two services that answered the same."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from liteshift.children import environment, run
from liteshift.demo.conversation import Exchange, talk
from liteshift.demo.place import DATABASE, SERVER, claim
from liteshift.demo.service import Service
from liteshift.postgres.embedded import EmbeddedServer

if TYPE_CHECKING:
    from pathlib import Path


class Step(Protocol):
    """Told what comes next; the step lasts as long as the block."""

    def __call__(self, what: str, /, *, prints: bool = False) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown.

    Attributes:
        place: the demonstration's folder.
        file: the new database.
        service: the service's folder.
        revision: the schema's.
        reports: what `migrate` and `verify` reported, by their names; empty when they printed it themselves.
        exchanges: every request with both answers.
    """

    place: Path
    file: Path
    service: Path
    revision: str
    reports: dict[str, Any]
    exchanges: tuple[Exchange, ...]

    @property
    def different(self) -> int:
        """How many answers are not what they should be."""
        return sum(not exchange.equal for exchange in self.exchanges)


def show(folder: Path, parties: int, step: Step, *, quiet: bool) -> Shown:
    """Do everything; when it ends, or fails, only files in the folder are left.

    Args:
        folder: where everything goes.
        parties: how many rows to move.
        step: told what comes next.
        quiet: keep what `migrate` and `verify` print.

    Raises:
        LiteshiftError: a step failed.
    """
    service = Service()
    reports = {}
    with claim(folder) as place, ExitStack() as running:
        file = place / DATABASE
        with step(f"Start a PostgreSQL in {folder / SERVER}"):
            server = running.enter_context(EmbeddedServer(place / SERVER))
            source = server.create_database("parties")
        with step("Make the service's schema there, with Alembic"):
            revision = service.create_schema(source)
        with step(f"Fill it with {parties:,} parties"):
            service.seed(source, parties)
        for verb, why in ("migrate", "Move it"), ("verify", "Compare every row once more"):
            command = ["-m", "liteshift", verb, str(file), *(["--json"] if quiet else [])]
            with step(f"{why}: liteshift {verb} {folder / DATABASE}", prints=True):
                printed = run(command, folder=place, env=environment(LITESHIFT_SOURCE=source), show=not quiet)
            if quiet:
                reports[verb] = json.loads(printed.splitlines()[-1])
        with step("Start the service on each database"):
            there = running.enter_context(service.running(source, place / "service-on-postgresql.log"))
            here = running.enter_context(service.running(f"sqlite:///{file}", place / "service-on-sqlite.log"))
        with step("Send both the same requests"):
            exchanges = tuple(talk(there, here))
    return Shown(place, file, service.folder, revision, reports, exchanges)
