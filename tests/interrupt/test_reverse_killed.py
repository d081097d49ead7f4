"""The process that takes changes back is killed again and again, at no moment in particular, while others write."""

from __future__ import annotations

import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.stages.moved import Moved, move

from liteshift.sqlite.library import dbapi

SCHEMA = """
CREATE TABLE parent (id serial PRIMARY KEY, name text UNIQUE, doc jsonb, at timestamptz);
CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, n int);
CREATE TABLE loose (a int, doc jsonb);
INSERT INTO parent (name) SELECT 'p' || i FROM generate_series(1, 20) i;
INSERT INTO child (parent, n) SELECT 1 + i % 20, i FROM generate_series(1, 60) i;
INSERT INTO loose SELECT i % 5, '{"a": 1}' FROM generate_series(1, 30) i;
"""
# Takes back for as long as it lives; the page comes through a pipe.
TAKER = """
import pickle, sys, time
from pathlib import Path
from tests.stages.moved import Moved
moved = pickle.load(sys.stdin.buffer)
with moved.reverser() as (reverser, _):
    while True:
        print(reverser.step(), flush=True)
        time.sleep(0.002)
"""


class Writer(threading.Thread):
    """Writes whatever comes to its mind, in transactions of its own."""

    def __init__(self, moved: Moved, seed: int) -> None:
        super().__init__()
        self._path = moved.path
        self._random = random.Random(seed)
        self._end = threading.Event()
        self.count = 0

    def run(self) -> None:
        with closing(dbapi.connect(self._path, isolation_level=None, timeout=30)) as connection:
            connection.execute("PRAGMA foreign_keys=ON").close()
            connection.execute("PRAGMA synchronous=OFF").close()
            while not self._end.is_set():
                connection.execute("BEGIN IMMEDIATE").close()
                for _ in range(self._random.randint(1, 8)):
                    with suppress(dbapi.IntegrityError):
                        connection.execute(self._statement()).close()
                connection.execute(self._random.choice(["COMMIT", "COMMIT", "ROLLBACK"])).close()
                self.count += 1
                time.sleep(0.001)

    def stop(self) -> None:
        self._end.set()
        self.join()

    def _statement(self) -> str:
        one, other, doc = (self._random.randint(1, 40) for _ in range(3))
        return self._random.choice(
            [
                f"INSERT INTO parent (name, doc) VALUES ('p{one}', '{{\"z\": {doc}, \"a\": {other}}}')",
                f"INSERT OR REPLACE INTO parent (name, at) VALUES ('p{one}', '2024-01-01 10:00:{doc}.500000')",
                f"UPDATE parent SET doc = '{{\"y\":{doc}}}' WHERE id % 40 = {one}",
                f"UPDATE OR IGNORE parent SET name = 'p{other}' WHERE id % 40 = {one}",
                f"DELETE FROM parent WHERE id % 40 = {one}",
                f"INSERT INTO child (parent, n) SELECT id, {doc} FROM parent WHERE id % 40 < 3",
                f"UPDATE child SET n = n + 1 WHERE id % 40 = {one}",
                f"DELETE FROM child WHERE id % 40 = {one}",
                f'INSERT INTO loose VALUES ({one}, \'{{"b":1,"a":{doc}}}\')',
                f"UPDATE loose SET a = {other} WHERE a = {one}",
                f"DELETE FROM loose WHERE a = {one}",
            ]
        )


def kill_again_and_again(moved: Moved, times: int, seed: int) -> None:
    """Start it, let it take back something, and kill it."""
    chance = random.Random(seed)
    for _ in range(times):
        with subprocess.Popen(
            [sys.executable, "-c", TAKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            process.stdin.write(pickle.dumps(moved))
            process.stdin.close()
            assert process.stdout.readline(), process.stderr.read().decode()
            time.sleep(chance.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()


def run(database: str, tmp_path: Path, times: int, seed: int) -> None:
    moved = move(database, tmp_path / "file.db", SCHEMA)
    writer = Writer(moved, seed)
    writer.start()
    try:
        kill_again_and_again(moved, times, seed)
    finally:
        writer.stop()
    moved.back()
    verdict = moved.compare()
    assert verdict.equal, [table for table in verdict.tables if table.differences]
    assert writer.count > times
    moved.write("DELETE FROM child", "UPDATE parent SET name = NULL", "DELETE FROM loose")
    moved.back()
    assert moved.compare().equal


def test_killed_at_random(database: str, tmp_path: Path) -> None:
    run(database, tmp_path, 6, 1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_random_for_long(database: str, tmp_path: Path, seed: int) -> None:
    run(database, tmp_path, 100, seed)
