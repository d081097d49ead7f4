"""A fresh database of each kind for each test, and the service on it, in this process or in one of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self

import httpx2
import psycopg
import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from psycopg import sql
from pydantic_settings import SettingsConfigDict
from sqlalchemy import make_url

from app.config import BACKEND, Settings
from app.main import create_app
from liteshift.errors import NotInitialised
from liteshift.postgres.embedded import EmbeddedServer

_MEMORY, _ROOM = Path("/dev/shm"), 2 << 30  # noqa: S108 - the server makes a folder of its own there
_LONGEST = (
    "test_guide.py",
    "test_scripts.py",
    "test_live_move.py",
    "test_processes.py",
    "test_openapi.py",
    "test_moving.py",
)
Kind = Literal["sqlite", "postgresql"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that none of them keeps one worker busy when the others are done."""
    items.sort(key=lambda item: _LONGEST.index(item.path.name) if item.path.name in _LONGEST else len(_LONGEST))


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database other than the settings'."""
    return Config(str(BACKEND / "alembic.ini"), attributes={"url": url})


class SettingsWithoutFile(Settings):
    """The settings, whatever the `.env` of this checkout says."""

    model_config = SettingsConfigDict(env_file=None)


def settings_for(url: str, **changes: Any) -> Settings:
    """The defaults for a database, with changes."""
    return SettingsWithoutFile(DATABASE_URL=url, **changes)


class Databases:
    """Makes databases: on one PostgreSQL server per run, and in one folder."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._server: str | None = None
        self._templates: dict[Kind, str] = {}
        self._numbers = count(1)

    def empty(self, kind: Kind) -> str:
        """The URL of a database without tables; for SQLite there is no file yet."""
        return self._new(kind, None)

    def at_head(self, kind: Kind) -> str:
        """The URL of a database that Alembic has brought to head."""
        if kind not in self._templates:
            url = self.empty(kind)
            command.upgrade(alembic_config(url), "head")
            self._templates[kind] = url
        return self._new(kind, self._templates[kind])

    def drop(self, url: str) -> None:
        """Drop a PostgreSQL database; SQLite's go with the folder."""
        if not url.startswith("sqlite"):
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", make_url(url).database)

    def _new(self, kind: Kind, template: str | None) -> str:
        name = f"parties_{os.getpid()}_{next(self._numbers)}"
        if kind == "sqlite":
            path = self._folder / name / "app.db"
            path.parent.mkdir()
            if template:
                shutil.copyfile(str(make_url(template).database), path)
            return f"sqlite:///{path}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, make_url(template).database if template else "template0")
        return make_url(self._admin_url()).set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str, *names: str | None) -> None:
        quoted = sql.SQL(statement).format(*(sql.Identifier(str(name)) for name in names))
        with psycopg.connect(self._admin_url(), autocommit=True) as connection:
            connection.execute(quoted)

    def _admin_url(self) -> str:
        if self._server is None:
            self._server = os.environ.get("LITESHIFT_TEST_DSN")
        if self._server is None:
            try:
                self._server = self._stack.enter_context(EmbeddedServer.temporary(within=_in_memory())).url()
            except NotInitialised as missing:
                pytest.skip(f"PostgreSQL is left out: {missing}")
        return self._server


def _in_memory() -> Path | None:
    """Where the server keeps its files, hundreds for each database, as it survives no power cut; None for the disk."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM else None


@dataclass
class Service:
    """The service as a user runs it: uvicorn, in processes of its own."""

    url: str
    workers: int = 1
    environment: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)  # handed over, so nobody can take the port
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with listener:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "app.main:app", "--log-level", "warning"),
                    *("--workers", str(self.workers), "--fd", str(listener.fileno())),
                ],
                cwd=BACKEND,
                env={**os.environ, "DATABASE_URL": self.url, **self.environment},
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        self.client = httpx2.Client(base_url=self.address, timeout=60)
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.client.get("/livez")
            except httpx2.TransportError:
                time.sleep(0.05)
            else:
                return self
        self.__exit__()
        raise AssertionError("uvicorn did not start")

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def kill(self) -> None:
        """End it, and its workers, as a power cut would: without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Where this run's databases come from."""
    with ExitStack() as stack:
        yield Databases(tmp_path_factory.mktemp("databases"), stack)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of database in turn."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def database_url(kind: Kind, databases: Databases) -> Iterator[str]:
    """A database at head, of this test only."""
    url = databases.at_head(kind)
    yield url
    databases.drop(url)


@pytest.fixture
def empty_url(kind: Kind, databases: Databases) -> Iterator[str]:
    """A database without tables, of this test only."""
    url = databases.empty(kind)
    yield url
    databases.drop(url)


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:
    """The service on a database of this test, called in this process."""
    with TestClient(create_app(settings_for(database_url)), raise_server_exceptions=False) as client:
        yield client
