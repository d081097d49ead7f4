"""The parties service of the checkout: its schema, its rows, and itself running on a database."""

from __future__ import annotations

import re
import time
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import liteshift
from liteshift.children import child, environment, last_lines, run
from liteshift.demo.client import Client
from liteshift.errors import LiteshiftError, NotInitialised
from liteshift.postgres.embedded import free_port

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

START_SECONDS = 30.0
_RUNNING = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


class Service:
    """The service as it lies in the checkout that this package was installed from.

    Raises:
        NotInitialised: it is not there, or something it needs is not installed.
    """

    def __init__(self) -> None:
        self.folder = Path(liteshift.__file__).resolve().parents[2] / "backend"
        if not (self.folder / "alembic.ini").is_file():
            raise NotInitialised(
                "the parties service is not here: it comes with liteshift's source, not with the installed package",
                hint="Get a copy of the source, and type there: make demo",
            )
        missing = [name for name in ("alembic", "fastapi", "sqlalchemy", "uvicorn") if find_spec(name) is None]
        if missing:
            raise NotInitialised(
                f"the parties service needs what is not installed: {', '.join(missing)}",
                hint=f"Type: cd {self.folder} && pip install -r requirements.txt",
            )

    def create_schema(self, url: str) -> str:
        """Bring a database to the newest revision, and return that revision."""
        run(["-m", "alembic", "upgrade", "head"], folder=self.folder, env=self._environment(url))
        shown = run(["-m", "alembic", "current"], folder=self.folder, env=self._environment(url))
        return shown.split()[0]

    def seed(self, url: str, parties: int) -> None:
        """Fill a database with parties."""
        command = ["scripts/seed_parties.py", "--count", str(parties)]
        run(command, folder=self.folder, env=self._environment(url))

    @contextmanager
    def running(self, url: str, log: Path) -> Iterator[Client]:
        """The service on a database, on a free port of the loopback interface, and a client connected to it.

        Raises:
            LiteshiftError: it did not start; the message ends with the last lines of its log.
        """
        command = ["-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "0", "--no-access-log"]
        with (
            log.open("wb") as output,
            child(command, folder=self.folder, env=self._environment(url), stdout=output, stderr=output) as uvicorn,
            closing(Client("127.0.0.1", _port(uvicorn, log))) as client,
        ):
            if client.send("GET", "/readyz").status != 200:
                raise LiteshiftError(f"the service is not ready: {last_lines(log.read_text(errors='replace'))}")
            yield client

    @contextmanager
    def gated(self, url: str, file: Path, route: Path, log: Path, *, workers: int) -> Iterator[int]:
        """The service in several processes, on whichever side a route names; its port on the loopback interface.

        Args:
            url: the PostgreSQL side.
            file: the SQLite side, which need not be there yet.
            route: the route file of the gate.

        Raises:
            LiteshiftError: it did not start; the message ends with the last lines of its log.
        """
        port = free_port()
        command = ["-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
        env = {**self._environment(url), "MOVED_DATABASE_URL": f"sqlite:///{file}", "ROUTE_FILE": str(route)}
        with (
            log.open("wb") as output,
            child(
                [*command, "--workers", str(workers)], folder=self.folder, env=env, stdout=output, stderr=output
            ) as it,
        ):
            _await_ready(port, it, log)
            yield port

    def _environment(self, url: str) -> dict[str, str]:
        kind = "sqlite" if url.startswith("sqlite:") else "postgresql"
        return environment(DATABASE_URL=url, DATABASE_TYPE=kind, DEBUG="false")


def _port(uvicorn: subprocess.Popen[bytes], log: Path) -> int:
    """The port that uvicorn chose, once it answers there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        text = log.read_text(errors="replace")
        if found := _RUNNING.search(text):
            return int(found[1])
        if uvicorn.poll() is not None or time.monotonic() > deadline:
            raise LiteshiftError(f"the service did not start: {last_lines(text)}")
        time.sleep(0.02)


def _await_ready(port: int, uvicorn: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with closing(Client("127.0.0.1", port)) as client:
                if client.send("GET", "/readyz").status == 200:
                    return
        except OSError:
            pass
        if uvicorn.poll() is not None or time.monotonic() > deadline:
            raise LiteshiftError(f"the service did not start: {last_lines(log.read_text(errors='replace'))}")
        time.sleep(0.05)
