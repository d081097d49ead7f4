"""The SQLite library is chosen in one place, and its known fault is known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import liteshift
from liteshift.sqlite.library import VERSION, dbapi, wal_reset_bug


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 1), True),
        ((3, 50, 4), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug(version: tuple[int, int, int], affected: bool) -> None:
    assert wal_reset_bug(version) is affected


def test_the_version_is_the_library_that_serves() -> None:
    connection = dbapi.connect(":memory:")
    (version,) = connection.execute("SELECT sqlite_version()").fetchone()
    connection.close()
    assert tuple(map(int, version.split("."))) == VERSION


def chosen(wanted: str) -> subprocess.CompletedProcess[str]:
    script = "from liteshift.sqlite import library; print(library.dbapi.__name__)"
    environment = {**os.environ, "LITESHIFT_SQLITE": wanted}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_the_choice_can_be_overridden() -> None:
    assert chosen("stdlib").stdout == "sqlite3\n"
    assert chosen("").stdout.strip() in {"pysqlite3.dbapi2", "sqlite3"}
    wrong = chosen("best")
    assert wrong.returncode == 1
    assert "'best'" in wrong.stderr


def test_nobody_else_imports_a_sqlite_library() -> None:
    root = Path(liteshift.__file__).parent
    guilty = [
        f"{file.relative_to(root)}: {line.strip()}"
        for file in root.rglob("*.py")
        if file.name != "library.py"
        for line in file.read_text().splitlines()
        if line.split()[:1] in (["import"], ["from"]) and line.split()[1].split(".")[0] in {"sqlite3", "pysqlite3"}
    ]
    assert not guilty
