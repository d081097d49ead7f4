"""A move is killed with SIGKILL wherever it happens to be; the same command goes on, and repeats no whole table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from liteshift import native
from liteshift.sqlite.connect import connect

Line = dict[str, Any]

SCHEMA = """
CREATE TABLE a_small (id int PRIMARY KEY, t text UNIQUE);
INSERT INTO a_small SELECT g, 'a' || g FROM generate_series(1, 5000) g;
CREATE TABLE b_large (id int PRIMARY KEY, t text, n int);
INSERT INTO b_large SELECT g, repeat('x', 400) || g, g % 1000 FROM generate_series(1, {rows}) g;
CREATE INDEX ON b_large (n);
CREATE TABLE c_uuids (id uuid PRIMARY KEY, n int);
INSERT INTO c_uuids SELECT md5(g::text)::uuid, g FROM generate_series(1, 20000) g;
CREATE TABLE d_generated (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO d_generated (id, n) SELECT g, g FROM generate_series(1, 20000) g;
CREATE VIEW e_seen AS SELECT id FROM a_small WHERE id < 9;
"""


def made(server: Any, name: str, rows: int) -> Iterator[str]:
    """A database whose large table has so many rows."""
    url = server.create_database(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA.replace("{rows}", str(rows)).encode())
        connection.execute("ANALYZE")
    yield url
    server.drop_database(name)


@pytest.fixture(scope="module")
def source(_servers: dict[str, Any]) -> Iterator[str]:
    yield from made(_servers["16"], f"liteshift_killed_{os.getpid()}", 40_000)


@pytest.fixture(scope="module")
def large(_servers: dict[str, Any]) -> Iterator[str]:
    """Large enough for several ranges."""
    yield from made(_servers["16"], f"liteshift_killed_large_{os.getpid()}", 350_000)


def environment(source: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LITESHIFT_SOURCE"))}
    return {**kept, "LITESHIFT_SOURCE": source, "PYTHONUNBUFFERED": "1", **more}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "liteshift", *arguments]


def killed_at(source: str, folder: Path, when: Callable[[Line], bool], *options: str, **more: str) -> None:
    """Begin a move, and kill it as soon as it tells this."""
    with subprocess.Popen(
        command("migrate", "--json", "--accept-losses", *options, "app.db"),
        cwd=folder, env=environment(source, **more), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if when(json.loads(line)):
                process.kill()
                break
        assert process.wait() == -signal.SIGKILL, "it ended before it came there"


def record(folder: Path) -> dict[str, Any]:
    """What the killed process has left, by table."""
    path = folder / ".app.db.staging" / "record.json"
    found: dict[str, Any] = json.loads(path.read_text())["tables"] if path.exists() else {}
    return found


def gone_on(source: str, folder: Path, *options: str, **more: str) -> dict[str, Any]:
    """Run the same command to its end; its report."""
    done = subprocess.run(
        command("migrate", "--json", "--accept-losses", *options, "app.db"),
        cwd=folder, env=environment(source, **more), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert [path.name for path in folder.iterdir()] == ["app.db"]
    with closing(connect(folder / "app.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        uuids = connection.execute("SELECT id, n FROM c_uuids ORDER BY id").fetchall()
        large = connection.execute("SELECT count(*), sum(n), min(id), max(id) FROM b_large").fetchone()
    with psycopg.connect(source) as there:
        assert uuids == there.execute("SELECT replace(id::text, '-', ''), n FROM c_uuids ORDER BY id").fetchall()
        assert large == there.execute("SELECT count(*), sum(n), min(id), max(id) FROM b_large").fetchone()
    return report


def passing(stage: str, subject: str = "") -> Callable[[Line], bool]:
    return lambda line: line["type"] == "progress" and line["stage"] == stage and line["subject"].endswith(subject)


WITHOUT = {"LITESHIFT_NATIVE": "0"}
MOMENTS = [
    pytest.param(lambda line: line["type"] == "plan", id="plan", marks=pytest.mark.soak),
    pytest.param(passing("copy", "a_small"), id="copy-first", marks=pytest.mark.soak),
    pytest.param(passing("copy", "c_uuids"), id="copy-third"),
    pytest.param(passing("copy", "d_generated"), id="copy-last", marks=pytest.mark.soak),
    pytest.param(passing("index"), id="index"),
    pytest.param(passing("views"), id="views", marks=pytest.mark.soak),
    pytest.param(passing("verify"), id="verify", marks=pytest.mark.soak),
]


@pytest.mark.parametrize("when", MOMENTS)
def test_a_killed_move_goes_on(source: str, tmp_path: Path, when: Callable[[Line], bool]) -> None:
    killed_at(source, tmp_path, when)
    left = record(tmp_path)
    report = gone_on(source, tmp_path)
    kept = {item["target"]: item["kept"] for item in report["copied"] if item["kept"]}
    assert kept == {name: entry["kept"]["rows"] for name, entry in left.items() if entry["kept"]["rows"]}
    for name, entry in left.items():
        if entry["kept"]["whole"]:
            (item,) = [item for item in report["copied"] if item["target"] == name]
            assert item["kept"] == item["rows"] and item["seconds"] == 0, "no row of it was copied again"


def test_without_the_native_core(source: str, tmp_path: Path) -> None:
    killed_at(source, tmp_path, passing("copy", "c_uuids"), **WITHOUT)
    report = gone_on(source, tmp_path, **WITHOUT)
    assert {item["target"] for item in report["copied"] if item["kept"]} >= {"a_small", "b_large"}


@pytest.mark.soak
@pytest.mark.parametrize("jobs", [("1", "1"), ("3", "3"), ("2", "1"), ("1", "4")], ids=" then ".join)
@pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")
def test_a_killed_move_goes_on_within_a_table(large: str, tmp_path: Path, jobs: tuple[str, str]) -> None:
    with subprocess.Popen(
        command("migrate", "--accept-losses", "--jobs", jobs[0], "app.db"),
        cwd=tmp_path,
        env=environment(large),
        stdout=subprocess.DEVNULL,
    ) as process:
        while "b_large" not in record(tmp_path) and process.poll() is None:
            pass
        process.kill()
    left = record(tmp_path)["b_large"]["kept"]
    report = gone_on(large, tmp_path, "--jobs", jobs[1])
    (item,) = [item for item in report["copied"] if item["target"] == "b_large"]
    assert 0 < left["rows"] <= item["kept"] and item["rows"] == 350_000
    assert left["whole"] or item["kept"] < 350_000


@pytest.fixture(scope="module")
def wide(_servers: dict[str, Any]) -> Iterator[str]:
    """Its large table is large enough to be copied in parts."""
    name = f"liteshift_killed_wide_{os.getpid()}"
    for url in made(_servers["16"], name, 1):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE b_large ALTER t SET STORAGE PLAIN")
            connection.execute(
                "INSERT INTO b_large SELECT g, repeat('x', 2500) || g, g % 1000 FROM generate_series(2, 36000) g"
            )
            connection.execute("ANALYZE")
        yield url


@pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")
@pytest.mark.parametrize("jobs", [("2", "2"), ("4", "1")], ids=" then ".join)
def test_killed_in_the_midst_of_a_table_that_comes_in_parts(wide: str, tmp_path: Path, jobs: tuple[str, str]) -> None:
    def half_way(line: Line) -> bool:
        return passing("copy", "b_large")(line) and bool(line["done"])

    killed_at(wide, tmp_path, half_way, "--jobs", jobs[0])
    report = gone_on(wide, tmp_path, "--jobs", jobs[1])
    (item,) = [item for item in report["copied"] if item["target"] == "b_large"]
    assert (item["rows"], item["road"]) == (36_000, "native")


@pytest.mark.soak
@pytest.mark.parametrize("more", [{}, WITHOUT], ids=["native", "python"])
def test_killed_again_and_again(large: str, tmp_path: Path, more: dict[str, str]) -> None:
    for when in (passing("copy", "a_small"), passing("copy", "b_large"), passing("index"), passing("verify")):
        killed_at(large, tmp_path, when, **more)
    report = gone_on(large, tmp_path, **more)
    assert all(item["kept"] for item in report["copied"])
