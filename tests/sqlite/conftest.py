"""A database in use by a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liteshift.sqlite.connect import connect

WRITER = """
import sys
from liteshift.sqlite.connect import connect
c = connect(sys.argv[1], preset="durable")
n = 0
while True:
    n += 1
    c.execute("INSERT INTO t VALUES (?, hex(randomblob(20)))", (n,))
    print(n, flush=True)
"""
HOLDER = """
import sys
from liteshift.sqlite.connect import connect
c = connect(sys.argv[1])
c.execute("BEGIN IMMEDIATE" if sys.argv[2] == "write" else "BEGIN")
c.execute("SELECT count(*) FROM t").fetchall()
print("held", flush=True)
sys.stdin.read()
c.close()
"""


class Writer:
    """Another process that commits one row after another, and says so after each."""

    def __init__(self, database: Path, log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen([sys.executable, "-c", WRITER, str(database)], stdout=file)
        self.wait_for(1)

    @property
    def acknowledged(self) -> int:
        """The number of the last row that it was told is committed."""
        lines = self._log.read_text().split("\n")[:-1]
        return int(lines[-1]) if lines else 0

    def wait_for(self, number: int) -> None:
        """Until it has written that many rows."""
        while self.acknowledged < number:
            assert self.process.poll() is None, "the writer has failed"
            time.sleep(0.005)

    def kill(self) -> int:
        """End it as the kernel would; the number of the last row acknowledged."""
        assert self.process.poll() is None, "the writer has failed"
        self.process.kill()
        self.process.wait()
        return self.acknowledged


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with a parent, a child and a free table `t`."""
    path = tmp_path / "app.db"
    with closing(connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent);"
            "CREATE INDEX child_parent ON child(parent);"
            "CREATE TABLE t(i INTEGER, x TEXT);"
        )
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO parent VALUES (?, ?)", ((i, f"parent {i} " * 5) for i in range(1, 2001)))
        connection.executemany("INSERT INTO child VALUES (?, ?)", ((i, i % 2000 + 1) for i in range(1, 3001)))
        connection.execute("COMMIT")
    return path


@pytest.fixture
def start_writer(database: Path, tmp_path: Path) -> Iterator[Callable[[], Writer]]:
    """Starts writers on the database; all are gone at the end."""
    started: list[Writer] = []

    def start() -> Writer:
        started.append(Writer(database, tmp_path / f"writer{len(started)}.log"))
        return started[-1]

    yield start
    for writer in started:
        writer.process.kill()
        writer.process.wait()


@pytest.fixture
def hold(database: Path) -> Iterator[Callable[[str], None]]:
    """Lets another process hold a `read` or `write` transaction on the database until the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str) -> None:
        command = [sys.executable, "-c", HOLDER, str(database), kind]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"

    yield start
    for process in started:
        process.communicate("")


Content = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def content() -> Callable[[Path], Content]:
    """Reads all rows of all tables of a database, without a trace."""

    def read(path: Path) -> Content:
        with closing(connect(path, read_only=True)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            return {name: connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid').fetchall() for name in names}

    return read
