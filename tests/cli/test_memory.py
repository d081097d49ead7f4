"""A move's memory does not grow with its table."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from liteshift import native
from liteshift.sqlite.connect import connect

_MOST_MORE = 32 << 10  # KiB; the larger table is 80 MB larger


# What a system call tells of a child's peak begins with its parent's size; /proc tells of the program alone.
PROGRAM = """
import runpy, sys
sys.argv[0] = "liteshift"
try:
    runpy.run_module("liteshift", run_name="__main__")
finally:
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


def peak(source: str, folder: Path, road: str, *command: str, code: int = 0, says: str = "") -> int:
    """The most memory that a command of ours had resident, in KiB."""
    environment = {**os.environ, "LITESHIFT_SOURCE": source, "LITESHIFT_NATIVE": road}
    words = [sys.executable, "-c", PROGRAM, *command]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code and says in done.stdout, done.stderr
    return int(done.stderr.split()[-1])


@pytest.mark.parametrize(
    "road",
    [
        pytest.param(
            "1", id="native", marks=pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")
        ),
        pytest.param("0", id="python"),
    ],
)
def test_memory_does_not_grow_with_the_table(database: str, tmp_path: Path, road: str) -> None:
    moves, verifies = [], []
    for rows, name in ((500, "small.db"), (20_000, "large.db")):
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS t")
            connection.execute(
                "CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 128) AS a FROM generate_series(1, %s) g" % rows  # noqa: UP031 - a number
            )
        moves.append(peak(database, tmp_path, road, "migrate", name))
        verifies.append(peak(database, tmp_path, road, "verify", name))
    for small, large in (moves, verifies):
        assert large < small + _MOST_MORE and large < 300 << 10


@pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")
def test_memory_of_a_table_that_comes_in_parts(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
        connection.execute("ALTER TABLE t ALTER a SET STORAGE PLAIN")
        connection.execute("INSERT INTO t SELECT g, repeat(md5(g::text), 60) FROM generate_series(1, 70000) g")
    assert peak(database, tmp_path, "1", "migrate", "--jobs", "4", "large.db") < 300 << 10


def test_memory_where_all_rows_differ(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
        connection.execute("INSERT INTO t SELECT g, repeat(md5(g::text), 500) FROM generate_series(1, 10000) g")
    assert peak(database, tmp_path, "0", "migrate", "t.db") < 300 << 10
    with closing(connect(tmp_path / "t.db")) as file, file:
        file.execute("UPDATE t SET a = a || 'x'")
    said = "so many rows of public.t differ that only some of them were looked at"
    assert peak(database, tmp_path, "0", "verify", "t.db", code=14, says=said) < 300 << 10
