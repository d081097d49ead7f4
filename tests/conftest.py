"""Real servers for the tests: one per run and kind, a fresh database per test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from liteshift.errors import NotInitialised
from liteshift.postgres.embedded import FAST, EmbeddedServer, wheel_binaries

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
_SETTINGS = {**FAST, "max_wal_size": "128MB"}
_MEMORY, _ROOM = Path("/dev/shm"), 2 << 30  # noqa: S108 - each server makes a folder of its own there
_PATIENCE = 30.0  # seconds
_numbers = count(1)

# A shell lets what it runs in the background ignore ^C, and children inherit that: here they are to hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server that the tests may fill."""

    name: str
    version: int
    admin_url: str
    contrib: bool

    def url(self, database: str) -> str:
        """The URL of a database on it."""
        return psycopg.conninfo.make_conninfo(self.admin_url, dbname=database)

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """A new database; its conninfo."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is connected; a busy server notices late that whoever read a slot is gone."""
        ending = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = %s AND active"
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        deadline = time.monotonic() + _PATIENCE
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            while connection.execute(ending, [name]).fetchall() and time.monotonic() < deadline:
                time.sleep(0.05)
            connection.execute(statement)


def _debian_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


def _in_memory() -> Path | None:
    """Where servers keep their files, of which each new database has hundreds; None for the disk.

    FAST survives no power cut anyway. The files of SQLite, which do, stay on the disk.
    """
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM else None


def _server(name: str, stack: ExitStack) -> Server:
    dsn = os.environ.get("LITESHIFT_TEST_DSN")
    if name == "debian" and dsn:
        admin_url = dsn
    else:
        try:
            binaries = _debian_binaries() if name == "debian" else wheel_binaries(int(name))
        except NotInitialised as missing:
            pytest.skip(str(missing))
        if binaries is None:
            pytest.skip("no server in LITESHIFT_TEST_DSN and no PostgreSQL of Debian's here")
        started = EmbeddedServer.temporary(binaries=binaries, settings=_SETTINGS, within=_in_memory())
        admin_url = stack.enter_context(started).url()
    with psycopg.connect(admin_url, autocommit=True) as connection:
        version = connection.info.server_version // 10000
        contrib = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'").fetchone()
    return Server(name, version, admin_url, contrib == (1,))


@pytest.fixture(scope="session")
def _servers() -> Iterator[dict[str, Server]]:
    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        class Started(dict[str, Server]):
            def __missing__(self, name: str) -> Server:
                self[name] = _server(name, stack)
                return self[name]

        servers = Started()
        yield servers


@pytest.fixture(params=["16", "18", "debian"])
def any_server(request: pytest.FixtureRequest, _servers: dict[str, Server]) -> Server:
    """Each kind of server in turn: the embedded 16 and 18, and the one given by the environment or found here."""
    return _servers[request.param]


@pytest.fixture
def server(_servers: dict[str, Server]) -> Server:
    """The embedded PostgreSQL 16."""
    return _servers["16"]


@pytest.fixture
def debian_server(_servers: dict[str, Server]) -> Server:
    """The server of LITESHIFT_TEST_DSN, or Debian's PostgreSQL: it has the contrib modules."""
    return _servers["debian"]


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """An empty database on the embedded server; its conninfo."""
    name = f"liteshift_test_{os.getpid()}_{next(_numbers)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def any_database(any_server: Server) -> Iterator[str]:
    """An empty database on each kind of server in turn; its conninfo."""
    name = f"liteshift_test_{os.getpid()}_{next(_numbers)}"
    yield any_server.create_database(name)
    any_server.drop_database(name)


@pytest.fixture
def contrib_database(debian_server: Server) -> Iterator[str]:
    """An empty database on the server that has the contrib modules; its conninfo."""
    if not debian_server.contrib:
        pytest.skip("this PostgreSQL has no contrib modules")
    name = f"liteshift_test_{os.getpid()}_{next(_numbers)}"
    yield debian_server.create_database(name)
    debian_server.drop_database(name)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def make_room(folder: Path) -> None:
    """Let such a disk be a large one."""
    subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
