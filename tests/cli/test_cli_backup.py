"""The commands of day 2, as they are typed: what they print, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteshift.sqlite.connect import connect

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`liteshift …` in a folder that holds app.db."""
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute("CREATE TABLE t(i)")
        connection.executemany("INSERT INTO t VALUES (?)", ((i,) for i in range(1000)))

    def liteshift(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "liteshift", *arguments]
        return subprocess.run(command, cwd=tmp_path, input=typed, capture_output=True, text=True, check=False)

    return liteshift


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON document it printed."""
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def rows(path: Path) -> int:
    with closing(connect(path, read_only=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


def test_a_day(run: Run, tmp_path: Path) -> None:
    made = run("backup", "create", "app.db")
    assert (made.returncode, made.stderr) == (0, "")
    backup = made.stdout.split(":")[0]
    assert backup.startswith("migration_backups/backup_")
    assert backup.endswith("_app.db")
    assert "1,000 rows" in made.stdout

    listed = run("backup", "list")
    assert listed.returncode == 0
    assert backup in listed.stdout
    assert "good" in listed.stdout

    checked = run("backup", "verify", backup)
    assert checked.returncode == 0
    assert "checksum" in checked.stdout

    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute("DELETE FROM t")
    declined = run("backup", "restore", backup, "app.db", typed="n\n")
    assert declined.returncode == 1
    assert "Replace what app.db holds" in declined.stderr
    assert rows(tmp_path / "app.db") == 0
    accepted = run("backup", "restore", backup, "app.db", typed="y\n")
    assert accepted.returncode == 0
    assert "what it held before is in migration_backups/" in accepted.stdout
    assert rows(tmp_path / "app.db") == 1000

    assert run("backup", "prune", "--keep", "1", typed="n\n").returncode == 1
    assert run("backup", "prune", "--keep", "1", "--yes").stdout.startswith("deleted 1, kept 1, of which 1 are good")
    assert len(list((tmp_path / "migration_backups").glob("*.db"))) == 1


def test_json_everywhere(run: Run, tmp_path: Path) -> None:
    made = document(run("backup", "create", "app.db", "--to", "b", "--json"))
    assert made["type"] == "backup"
    assert made["manifest"]["rows"] == {"t": 1000}
    assert document(run("backup", "verify", made["path"], "--json"))["good"] is True
    listed = document(run("backup", "list", "--to", "b", "--json"))
    assert [one["path"] for one in listed["backups"]] == [made["path"]]
    done = document(run("backup", "restore", made["path"], "app.db", "--to", "b", "--yes", "--json"))
    assert done["type"] == "restored"
    assert done["safety"]["rows"] == 1000
    pruned = document(run("backup", "prune", "--to", "b", "--keep", "1", "--yes", "--json"))
    assert pruned["deleted"] == [made["path"]]
    assert document(run("health", "app.db", "--json"))["rows"] == {"t": 1000}
    for act in ("vacuum", "analyze", "checkpoint", "optimize"):
        assert document(run("maintain", "app.db", act, "--json"))["type"] == act


def test_health_and_maintain_for_people(run: Run) -> None:
    found = run("health", "sqlite:///app.db")
    assert found.returncode == 0
    assert "journal_mode wal" in found.stdout
    assert "1,000 in 1 tables" in found.stdout
    assert "pages are in the file" in run("maintain", "app.db", "checkpoint").stdout
    assert "file:" in run("maintain", "app.db", "vacuum").stdout
    assert "have statistics" in run("maintain", "app.db", "analyze").stdout


def test_errors_have_a_code_and_a_hint(run: Run, tmp_path: Path) -> None:
    assert run("health", "none.db").returncode == 10
    assert run("maintain", "none.db", "vacuum").returncode == 10
    assert run("backup", "create", "none.db").returncode == 10
    assert run("backup", "verify", "none.db").returncode == 2
    assert run("backup", "restore", "none.db", "app.db", "--yes").returncode == 2
    assert run("backup", "prune", "--keep", "0", "--yes").returncode == 2
    made = document(run("backup", "create", "app.db", "--json"))["path"]
    os.truncate(tmp_path / made, 5000)
    for command in (["verify", made], ["restore", made, "app.db", "--yes"]):
        done = run("backup", *command)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "\nhint: " in done.stderr
        assert "Traceback" not in done.stderr
    failed = run("backup", "verify", made, "--json")
    assert document(failed)["good"] is False
    assert json.loads(failed.stderr)["code"] == 1
    assert rows(tmp_path / "app.db") == 1000


def test_a_sick_database_ends_in_exit_code_1(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "app.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))
    found = run("health", "app.db")
    assert found.returncode == 1
    assert "app.db: bad" in found.stdout


def test_somebody_holds_it(run: Run, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        done = run("maintain", "app.db", "vacuum", "--patience", "0.1")
    assert done.returncode == 11
    assert "hint: " in done.stderr


def test_interrupted_by_a_polite_kill_it_leaves_nothing(run: Run, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute("PRAGMA journal_mode=delete")
        connection.execute("BEGIN EXCLUSIVE")
        command = [sys.executable, "-m", "liteshift", "backup", "create", "app.db", "--patience", "3"]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
        while not (tmp_path / "migration_backups").is_dir():
            assert process.poll() is None
        process.terminate()
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert not list((tmp_path / "migration_backups").iterdir())
