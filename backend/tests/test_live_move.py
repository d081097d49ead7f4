"""The whole live move of the service, as an operator types it, under load: there, back, there again, and for good."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from sqlalchemy import text

from liteshift.app.engines import make_tool_engine
from liteshift.demo.load import Load, doubled, missing, shown
from tests.conftest import Databases, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 60.0  # requests a second, a third of them writes


class Operator:
    """Who types liteshift's commands, in a folder of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self._environment = {**os.environ, "LITESHIFT_SOURCE": url}
        self.folder = folder

    def types(self, *words: str) -> dict[str, Any]:
        """Run a command to its end; the last line of what it answers."""
        done = subprocess.run(self._command(words), cwd=self.folder, env=self._environment, capture_output=True,
                              text=True, check=False, timeout=200)  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    @contextmanager
    def runs(self, *words: str) -> Iterator[None]:
        """Run a command beside the block, to its own end."""
        with (self.folder / "log").open("wb") as log:
            command = subprocess.Popen(
                self._command(words), cwd=self.folder, env=self._environment, stdout=log, stderr=log
            )
        try:
            yield
            assert command.wait(timeout=120) == 0, (self.folder / "log").read_text()
        finally:
            command.kill()
            command.wait()

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "liteshift", *words, "--json"]


def until_it_follows(operator: Operator) -> None:
    """Wait until the file is there and keeps up."""
    deadline = time.monotonic() + 120
    while not (operator.folder / "app.db.liteshift").exists() or operator.types("status", "app.db")["phase"] in (
        "new",
        "copying",
    ):
        assert time.monotonic() < deadline, (operator.folder / "log").read_text()
        time.sleep(0.2)


def test_there_and_back_and_there_again(databases: Databases, tmp_path: Path) -> None:
    url = databases.at_head("postgresql")
    operator = Operator(url, tmp_path)
    route = tmp_path / "app.db.route"
    assert operator.types("gate", "create", "app.db.route")["active"] == "postgresql"
    environment = {"MOVED_DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}", "ROUTE_FILE": str(route)}
    with Service(url, workers=3, environment=environment) as service:
        port = httpx2.URL(service.address).port
        assert port is not None
        load = Load(port, RATE)
        load.start()
        try:
            proofs = []
            with operator.runs("migrate", "--live", "--gate", "app.db.route", "app.db"):
                until_it_follows(operator)
                for verb in ("cutover", "rollback", "cutover"):
                    enough = load.sent() + 2 * int(RATE)
                    while load.sent() < enough:
                        time.sleep(0.01)
                    proofs.append(operator.types(verb, "--yes", "app.db"))
                    lives = "sqlite" if verb == "cutover" else "postgresql"
                    assert service.client.get("/readyz").json()["database"] == lives
                enough = load.sent() + 2 * int(RATE)
                while load.sent() < enough:
                    time.sleep(0.01)
                assert operator.types("finalize", "--yes", "app.db")["phase"] == "finalized"
        finally:
            tally = load.stop()
        print([(proof["kind"], round(proof["pause"], 4), proof["held"], proof["steps"]) for proof in proofs])
        print(f"{tally.sent} requests, {tally.writes} writes, slowest {tally.slowest():.3f} s")
        assert tally.failed == []
        assert tally.writes > RATE
        there = shown(port)
        assert (missing(tally, there), doubled(tally, there)) == ([], [])
        assert service.client.get("/readyz").json() == {"status": "ok", "database": "sqlite"}

    with make_tool_engine(f"sqlite:///{tmp_path / 'app.db'}").connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM parties")) == len(tally.parties)
    databases.drop(url)
