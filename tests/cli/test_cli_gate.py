"""`liteshift gate`: makes what an application needs, once, and says what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from liteshift.app.gate import Gate
from liteshift.keeper import Keeper

if TYPE_CHECKING:
    from pathlib import Path


def liteshift(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "liteshift", "gate", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_from_nothing_to_a_move(tmp_path: Path) -> None:
    none = liteshift(tmp_path, "show", "app.db.route")
    assert none.returncode == 10
    assert none.stderr.splitlines()[1].startswith("hint: Type: liteshift gate create /")

    for _ in range(2):
        made = liteshift(tmp_path, "create", "app.db.route")
        assert (made.returncode, made.stderr) == (0, "")
        assert made.stdout == "app.db.route: the application lives on postgresql\n"
    other = liteshift(tmp_path, "create", "--active", "sqlite", "app.db.route")
    assert other.returncode == 2
    assert "is there already, and says postgresql" in other.stderr

    with Keeper(tmp_path / "app.db.route") as keeper:
        with Gate(tmp_path / "app.db.route").writing():
            keeper.drain(1e11)
            shown = json.loads(liteshift(tmp_path, "show", "--json", "app.db.route").stdout)
            assert shown == {
                **{"type": "gate", "route": "app.db.route", "active": "postgresql", "epoch": 0},
                **{"state": "draining", "until": 1e11, "holders": [os.getpid()], "waited": 0},
            }
        keeper.drain(0)
        assert liteshift(tmp_path, "show", "app.db.route").stdout.endswith("writes are held, but no longer\n")
        keeper.drain(None)
        assert liteshift(tmp_path, "show", "app.db.route").stdout.endswith("writes are held, until the move goes on\n")
        keeper.reopen()
    sqlite = liteshift(tmp_path, "create", "--active", "sqlite", "other.db.route")
    assert sqlite.stdout == "other.db.route: the application lives on sqlite\n"


def test_what_is_no_route(tmp_path: Path) -> None:
    wrong = liteshift(tmp_path, "create", "app.db")
    assert wrong.returncode == 2
    assert "no name of a route file" in wrong.stderr
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "app.db.route").write_text("{}")
    broken = liteshift(tmp_path, "create", "app.db.route")
    assert broken.returncode == 1
    assert "makes no sense" in broken.stderr
    assert (tmp_path / "app.db.route").read_text() == "{}"
