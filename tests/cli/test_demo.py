"""The demonstration, as a user runs it; and interrupted at bad moments."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from click.testing import CliRunner

import liteshift
from liteshift.cli.main import main
from liteshift.demo.client import Answer
from liteshift.demo.place import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BACKEND = Path(liteshift.__file__).parents[2] / "backend"
PARTIES = 1500


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "liteshift", "demo", "--at-rest", "--parties", str(PARTIES), *options]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    env = environment(folder)
    return subprocess.run(command(*options), cwd=folder, env=env, capture_output=True, text=True, check=False)


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command(), cwd=folder, env=environment(folder), stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def processes_in(folder: Path) -> list[psutil.Process]:
    """Every process that works in a folder, or was told of it."""

    def knows(process: psutil.Process) -> bool:
        try:
            told = [process.cwd(), *process.cmdline(), *process.environ().values()]
        except psutil.Error:
            return False
        return any(str(folder) in text for text in told)

    return [process for process in psutil.process_iter() if knows(process)]


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def services_run(folder: Path) -> bool:
    log = folder / "demo" / "service-on-sqlite.log"
    return log.exists() and "running on" in log.read_text()


def test_it_moves_the_service_and_compares_its_answers(tmp_path: Path) -> None:
    before = set(BACKEND.glob("*"))
    done = run(tmp_path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["equal"]
    assert report["verify"]["equal"]
    assert all(request["equal"] for request in report["requests"])
    statuses = Counter(request["status"] for request in report["requests"])
    assert set(statuses) == {200, 201, 404, 409, 422}
    assert statuses.total() >= 30
    with closing(sqlite3.connect(tmp_path / "demo" / "app.db")) as connection:
        assert connection.execute("SELECT count(*) FROM parties").fetchone() == (PARTIES + 1,)  # one was posted
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert not {path for path in set(BACKEND.glob("*")) - before if path.suffix in (".db", ".env")}
    assert not processes_in(tmp_path)


def test_it_moves_the_service_under_load_and_loses_nothing(tmp_path: Path) -> None:
    words = ["demo", "--parties", str(PARTIES), "--rate", "60", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "liteshift", *words],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["failed"] == []
    assert (report["missing"], report["doubled"]) == ([], [])
    assert report["writes"] > 50
    assert [switch["kind"] for switch in report["switches"]] == ["cutover", "rollback", "cutover"]
    assert report["rows_verified"] > PARTIES
    assert not processes_in(tmp_path)


@pytest.mark.soak
def test_killed_at_bad_moments_it_leaves_no_process_and_runs_again(tmp_path: Path) -> None:
    moments = (lambda: (tmp_path / "demo" / "postgres").exists(), lambda: services_run(tmp_path))
    for moment in moments:
        with started(tmp_path) as process:
            wait_for(moment)
            process.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes_in(tmp_path))

    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{PARTIES:,} parties moved" in done.stdout
    assert "\x1b" not in done.stdout
    assert not processes_in(tmp_path)


def test_interrupted_it_ends_what_it_started(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        wait_for(lambda: services_run(tmp_path))
        password = (tmp_path / "demo" / "postgres" / "password").read_text().strip()
        assert not [one for one in processes_in(tmp_path) if password in " ".join(one.cmdline())]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode == 130
        assert b"Traceback" not in errors
        assert not processes_in(tmp_path)


def test_it_keeps_away_from_a_folder_with_something_else_in_it(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_text("mine")
    done = CliRunner().invoke(main, ["demo", "--folder", str(tmp_path)])
    assert done.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["app.db"]


def test_one_at_a_time(tmp_path: Path) -> None:
    with (tmp_path / MARK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = CliRunner().invoke(main, ["demo", "--folder", str(tmp_path)])
    assert done.exit_code == 11
    assert "another demonstration" in done.stderr


def test_without_the_source_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liteshift, "__file__", str(tmp_path / "lib" / "site" / "liteshift" / "__init__.py"))
    done = CliRunner().invoke(main, ["demo", "--folder", str(tmp_path / "demo")])
    assert done.exit_code == 10
    assert "make demo" in done.stderr
    assert not list(tmp_path.iterdir())


SINCE = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("there", "here", "same"),
    [
        ('{"created_at":"2024-05-01T12:00:00Z"}', '{"created_at":"2024-05-01T12:00:07Z"}', True),
        ('{"created_at":"2024-05-01T11:59:59Z"}', '{"created_at":"2024-05-01T11:59:58Z"}', False),
        ('{"created_at":"2024-05-01T11:59:59Z"}', '{"created_at":"2024-05-01T12:00:00Z"}', False),
        ('{"name":"2024-05-01T12:00:00Z"}', '{"name":"2024-05-01T12:00:07Z"}', False),
        ('{"id": 1}', '{"id":1}', False),
    ],
)
def test_only_times_made_while_answering_may_differ(there: str, here: str, same: bool) -> None:
    first, second = (Answer(200, (), text.encode()) for text in (there, here))
    assert first.same_as(second, since=SINCE) is same


def test_status_and_headers_count() -> None:
    answer = Answer(200, (("link", "</next>"),), b"{}")
    assert not answer.same_as(Answer(201, answer.headers, b"{}"), since=SINCE)
    assert not answer.same_as(Answer(200, (), b"{}"), since=SINCE)
