"""Every command in MIGRATION_GUIDE.md is run, in its order, in a copy of this folder, against a real PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import make_url

from app.config import BACKEND
from app.problems import KINDS
from liteshift.errors import NotInitialised
from liteshift.postgres.embedded import wheel_binaries
from tests.conftest import Databases, alembic_config

GUIDE = (BACKEND / "MIGRATION_GUIDE.md").read_text()
OLD = "postgresql://user:password@localhost/dbname"
NEW = "postgresql://user:password@localhost/parties_restored"

# Installing is what this environment has behind it; here it is enough that the file is the one that was installed.
PIP = '#!/bin/sh\n[ "$*" = "install -r requirements.txt" ] && [ -f requirements.txt ]\n'


def commands() -> str:
    """The guide's commands, one script."""
    blocks = re.findall(r"^( *)```bash\n(.*?)^ *```", GUIDE, re.DOTALL | re.MULTILINE)
    return "\n".join(re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.timeout(600)
def test_every_command_of_the_guide(databases: Databases, tmp_path: Path) -> None:
    if missing := [tool for tool in ("bash", "curl") if shutil.which(tool) is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    try:
        postgres = wheel_binaries(16)
    except NotInitialised as absent:
        pytest.skip(str(absent))

    old_url = databases.empty("postgresql")
    restored = f"{make_url(old_url).database}_restored"
    new_url = make_url(old_url).set(database=restored).render_as_string(hide_password=False)
    prepare(old_url)
    folder = tmp_path / "backend"
    shutil.copytree(BACKEND, folder, ignore=shutil.ignore_patterns("*.db*", ".*", "__pycache__", "migration_backups"))
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "pip").write_text(PIP)
    (tools / "pip").chmod(0o755)
    for name in ("psql", "pg_dump"):
        (tools / name).symlink_to(postgres / name)
    for name in {"lsof", "sqlite3"} - {name for name in ("lsof", "sqlite3") if shutil.which(name)}:
        (tools / name).symlink_to("/bin/true")  # to look with; nothing depends on what they say

    script = commands()
    for written, here in (
        (OLD, old_url),
        (NEW, new_url),
        ("parties_restored", restored),
        ("8000", str(free_port())),
    ):
        assert written in script
        script = script.replace(written, here)
    code, said = run(script, folder, f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    print(said)
    databases.drop(old_url)
    databases.drop(new_url)
    assert code == 0
    assert said.count('"total":400,') == 2  # once on SQLite, once back on PostgreSQL
    assert "9 of 9 passed" in said
    assert "Traceback" not in said


def run(script: str, folder: Path, path: str) -> tuple[int, str]:
    """Run it to its end or its first failure, and end what it has left running."""
    bash = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", f"({script}\n) >said 2>&1"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        start_new_session=True,
    )
    try:
        code = bash.wait(timeout=540)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(bash.pid, signal.SIGKILL)
    return code, (folder / "said").read_text()


def prepare(url: str) -> None:
    """An old PostgreSQL, one revision behind, with parties."""
    command.upgrade(alembic_config(url), "0002")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO parties (name, type, created_at, updated_at)"
            " SELECT 'Müller ' || n, (ARRAY['customer', 'vendor'])[n % 2 + 1], now(), now()"
            " FROM generate_series(1, 400) AS n"
        )


def test_every_code_is_explained() -> None:
    assert [kind.code for kind in KINDS if f"`{kind.code}`" not in GUIDE] == []
    for name in ("SQLITE_BUSY", "SQLITE_CORRUPT", "SQLITE_FULL", "SQLITE_IOERR"):
        assert f"`{name}`" in GUIDE
