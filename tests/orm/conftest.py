"""Databases that an ORM made on PostgreSQL, moved as a user moves them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    class Server(Protocol):
        """What the fixtures of all tests give."""

        def create_database(self, name: str) -> str: ...

        def drop_database(self, name: str) -> None: ...


_numbers = count(1)


@pytest.fixture(scope="module")
def source(_servers: dict[str, Server]) -> Iterator[str]:
    """An empty database for the tests of a module; its conninfo."""
    name = f"liteshift_orm_{os.getpid()}_{next(_numbers)}"
    yield _servers["16"].create_database(name)
    _servers["16"].drop_database(name)


@pytest.fixture(scope="session")
def migrate() -> Callable[..., dict[str, Any]]:
    """Run `liteshift migrate`; the plan that it printed, with each finding's severity, subject and words."""

    def run(source: str, target: Path, profile: str, *, code: int = 0) -> dict[str, Any]:
        command = [sys.executable, "-m", "liteshift", "migrate", "--profile", profile, "--accept-losses", "--json"]
        environment = {**os.environ, "LITESHIFT_SOURCE": source}
        done = subprocess.run([*command, str(target)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        plan: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
        return plan

    return run
