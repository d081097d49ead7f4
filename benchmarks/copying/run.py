"""One run of one way: a process, timed, its result checked so that nobody is timed for a failure."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from benchmarks.copying.source import Source
from benchmarks.copying.tables import Table
from benchmarks.copying.ways import FLOOR, ROOT, WAYS, Way, maker, psql
from liteshift.durable import sync

LIMIT = 900.0  # seconds, after which a run has failed


class Failed(Exception):
    """A way did not do what it was timed for."""


@dataclass(frozen=True)
class Run:
    """What was measured.

    Attributes:
        seconds: the span; see `span`. For a program that is not Python, the whole process.
        process_seconds: from the process's start to its end.
        peak_bytes: the most memory it held; None where it is less than what we hold, and so can't be told.
        parts: seconds of its parts, where it tells them.
        date: when it ended.
        failed: why it counts for nothing; empty where it was right.
    """

    table: str
    way: str
    seconds: float
    process_seconds: float
    peak_bytes: int | None
    parts: dict[str, float] = field(default_factory=dict)
    date: str = ""
    failed: str = ""


def run(source: Source, table: Table, way: Way, folder: Path) -> Run:
    """Run a way once.

    Args:
        source: the server.
        table: one that is there.
        way: one that can be run.
        folder: where files are made; what verify reads stays there, as `kept`.
    """
    target = folder / f"{way.name}.db"
    kept = folder / f"{table.name}.kept.db"
    _remove(target)
    try:
        if way.result == "kept":
            _see_kept(source, table, kept)
            target = kept
        measured = _process(source, table, way, target)
        if way.result == "new":
            check(target, table, source.sums(table))
            if way == maker(table.group):
                _remove(kept)
                target.rename(kept)
                sync(kept)
    except Failed as failure:
        return Run(table.name, way.name, 0.0, 0.0, None, date=_now(), failed=str(failure))
    finally:
        if way.result == "new":
            _remove(target)
    return measured


def startup(source: Source) -> dict[str, list[float]]:
    """How long the programs whose whole process is timed take to do nothing, five times each."""
    commands = {"psql": [psql(), "-XqAtc", "SELECT 1"], "ogr2ogr": ["ogr2ogr", "--version"]}
    times: dict[str, list[float]] = {}
    for name, command in commands.items():
        if name == "ogr2ogr" and WAYS[name].missing():
            continue
        for _ in range(6):
            started = time.monotonic()
            subprocess.run(command, env=source.environment, stdout=subprocess.DEVNULL, check=True)
            times.setdefault(name, []).append(time.monotonic() - started)
        del times[name][0]  # the first one reads the program from the disk
    return times


def check(path: Path, table: Table, expected: Sequence[int]) -> None:
    """See that a file holds the table's rows.

    Raises:
        Failed: it does not.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found = list(connection.execute(f"SELECT {table.sums} FROM {table.name}").fetchone())
    except sqlite3.Error as error:
        raise Failed(f"its file can't be read: {error}") from error
    if found != list(expected):
        raise Failed(f"its file is not right: {table.sums} is {found}, and must be {list(expected)}")


def warm(source: Source, table: Table) -> None:
    """Read a table once, so that it lies in memory for all alike."""
    _process(source, table, WAYS[FLOOR], Path(os.devnull))


def _process(source: Source, table: Table, way: Way, target: Path) -> Run:
    environment = dict(source.environment)
    if way.native:
        environment["LITESHIFT_NATIVE"] = way.native
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            way.arguments(table.name, target), cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if way.name == FLOOR else said, stderr=errors,
        )  # fmt: skip
        guard = threading.Timer(LIMIT, process.kill)
        guard.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            guard.cancel()
            if process.returncode is None:
                process.kill()
                process.wait()
        seconds = time.monotonic() - started
        if process.returncode:
            raise Failed(f"exit code {process.returncode}: {_last_line(errors)}")
        answer = _last_line(said)
    peak = usage.ru_maxrss * 1024 if usage.ru_maxrss > own else None
    told: dict[str, Any] = {"seconds": seconds, "peak_bytes": peak}
    if not way.whole:
        told |= json.loads(answer)
    road = {"1": "native", "0": "python"}.get(way.native)
    if road and told["road"] != road:
        raise Failed(f"its rows took the road {told['road']}")
    return Run(table.name, way.name, told["seconds"], seconds, told["peak_bytes"], told.get("parts", {}), _now())


def _last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _see_kept(source: Source, table: Table, kept: Path) -> None:
    """Make the file that verify reads, where no run of this invocation did."""
    if not kept.exists():
        _process(source, table, maker(table.group), kept)
        sync(kept)


def _remove(path: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
