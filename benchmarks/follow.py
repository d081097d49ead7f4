"""How fast a file follows its source, against what `pg_recvlogical` writes to a file from such a slot in the same run.

    python benchmarks/follow.py [--loads insert mixed update small large lag] [--rounds 3] [--rows-scale 1]

It starts an embedded PostgreSQL. For each load, every way gets slots of its own before the load is run, so that all of
them have the same log to read; the ways take turns. What liteshift has read is applied, committed and fsynced, and in
the end both sides are compared row by row. A load's figures go to benchmarks/results/follow.json as soon as they are
there, beside those of the others, and into benchmarks/README.md; at another scale into .benchmarks, or into a folder
of your choice (`--results`).
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # our folder: its copy.py would stand there for the standard library's
sys.path.insert(0, __file__.removesuffix("/benchmarks/follow.py"))

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.following import text
from benchmarks.following.loads import LARGE, LOADS, SCHEMA, TABLES, Load
from benchmarks.page import replaced
from liteshift.bench import machine
from liteshift.plan import Choices, Plan
from liteshift.position import Lsn
from liteshift.postgres.embedded import FAST, EmbeddedServer
from liteshift.postgres.slot import PostgresOrigin
from liteshift.progress import silent
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.copy import copy_rows, make_indexes
from liteshift.stages.follow import Follower
from liteshift.stages.prepare import prepare
from liteshift.stages.verify import verify

ROOT = Path(__file__).parents[1]
RESULTS, README = ROOT / "benchmarks" / "results", ROOT / "benchmarks" / "README.md"
FIRST = "liteshift_publication"
RATE, LAG_SECONDS = 1000, 15


@contextmanager
def serving(told: dict[str, Any]) -> Iterator[tuple[EmbeddedServer, psycopg.Connection[Any]]]:
    """A fresh server with empty tables; its version is told."""
    with EmbeddedServer.temporary(settings=FAST) as server, psycopg.connect(server.url(), autocommit=True) as source:
        told["server"] = source.info.parameter_status("server_version")
        source.execute(SCHEMA.encode())
        yield server, source


def prepared(url: str, names: list[str], folder: Path) -> None:
    """A move, and beside it as many slots as there are names, each with its file at its beginning."""
    origin = PostgresOrigin(url)
    plan = planned(origin)
    origin.establish(FIRST, plan)
    known = (
        "INSERT INTO liteshift.move (name, system, timeline) SELECT %s, system, timeline FROM liteshift.move LIMIT 1"
    )
    publish = f"CREATE PUBLICATION {{}} FOR TABLE {', '.join(TABLES)}"
    with psycopg.connect(url, autocommit=True) as source:
        source.execute("DROP INDEX liteshift.one_at_a_time")
        for name in names:
            source.execute(known, (name,))
            source.execute(sql.SQL(publish).format(sql.Identifier(name)))
    for name in names:
        target = SqliteTarget(folder / f"{name}.db")
        with origin.slot(name) as snapshot, target.staging(overwrite=True) as staging:
            copy_rows(snapshot, plan, staging, silent, lambda reject: None)
            make_indexes(plan, staging, silent)
            staging.mark(name, Lsn.parse(snapshot.position), (), plan.tables)
            staging.seal()
            staging.publish()


def planned(origin: PostgresOrigin) -> Plan:
    """The plan, through a slot's snapshot."""
    with origin.moment() as (_, snapshot):
        return prepare(snapshot, Choices())


@contextmanager
def following(url: str, name: str, folder: Path) -> Iterator[Follower]:
    """A follower of one of these files."""
    origin = PostgresOrigin(url)
    plan = planned(origin)
    with SqliteTarget(folder / f"{name}.db").applier() as applier:
        shapes = origin.shapes(name, plan)
        with origin.stream(name, applier.position) as stream:
            yield Follower(plan, shapes, stream, applier)


def follow(url: str, name: str, token: str, folder: Path) -> dict[str, float]:
    """Seconds until a token is in the file, those of the processor in it, and the most memory that took, in MiB."""
    with following(url, name, folder) as follower:
        started, busy = time.monotonic(), time.process_time()
        assert follower.until_token(token, seconds=600)
        seconds, busy = time.monotonic() - started, time.process_time() - busy
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": seconds, "processor": busy, "memory": memory, "changes": follower.rows}


def follow_apart(url: str, name: str, token: str, folder: Path, way: str) -> dict[str, float]:
    """The same in a fresh process, which decides about the native core."""
    made = subprocess.run(
        [sys.executable, __file__, "--child", name, token, str(folder)],
        env={**os.environ, "LITESHIFT_SOURCE": url, "LITESHIFT_NATIVE": "01"[way == "native"]},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(made.stdout)
    return found


def receive(server: EmbeddedServer, name: str, end: str, folder: Path) -> float:
    """Seconds of pg_recvlogical, to a file."""
    command: list[str | Path] = [server.binaries / "pg_recvlogical", "-S", name]
    command += ["-d", server.url().replace(server.password, "")]
    command += ["--start", "-f", folder / "received", "--endpos", end, "--no-loop"]
    command += ["-o", "proto_version=1", "-o", f"publication_names={FIRST}"]
    started = time.monotonic()
    subprocess.run(command, env={**os.environ, "PGPASSWORD": server.password}, check=True)
    seconds = time.monotonic() - started
    (folder / "received").unlink()
    return seconds


def equal(url: str, name: str, folder: Path) -> bool:
    """Whether the file is what the source is."""
    origin = PostgresOrigin(url)
    with following(url, name, folder) as follower, origin.moment() as (position, snapshot):
        assert follower.until(position, seconds=60)
        with SqliteTarget(folder / f"{name}.db").reading() as rows:
            return verify(snapshot, rows, planned(origin), silent).equal


def measure(
    told: dict[str, Any], load: Load, rounds: int, ways: list[str], scale: float, folder: Path
) -> dict[str, Any]:
    """One load, each way so many times in turn."""
    before, work = load.statements(scale)
    with serving(told) as (server, source):
        source.execute(before.encode())
        prepared(server.url(), [f"liteshift_{way}_{at}" for way in ways for at in range(rounds)], folder)
        for at in range(rounds):
            source.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (f"plain_{at}",))
        source.execute(work.encode())
        source.execute("SELECT pg_logical_emit_message(true, 'liteshift', 'done')")
        end = source.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        source.execute("CHECKPOINT")
        runs: dict[str, list[dict[str, float]]] = {text.PLAIN: [], **{way: [] for way in ways}}
        for at in range(rounds):
            runs[text.PLAIN].append({"seconds": receive(server, f"plain_{at}", str((end or [""])[0]), folder)})
            for way in ways:
                runs[way].append(follow_apart(server.url(), f"liteshift_{way}_{at}", "done", folder, way))
        assert all(equal(server.url(), f"liteshift_{way}_{rounds - 1}", folder) for way in ways)
    base = statistics.median(run["seconds"] for run in runs[text.PLAIN])
    found: dict[str, Any] = {}
    for way, each in runs.items():
        times = [run["seconds"] for run in each]
        found[way] = {"median": statistics.median(times), "least": min(times), "most": max(times), "runs": each}
        if way != text.PLAIN:
            found[way]["rate"] = base / found[way]["median"]
            found[way]["processor"] = statistics.median(run["processor"] for run in each)
    return {"changes": round(runs[ways[0]][0]["changes"]), "ways": found}


def measure_large(told: dict[str, Any], way: str, scale: float, folder: Path) -> dict[str, float]:
    """One large transaction: seconds, and MiB of memory."""
    _, work = LARGE.statements(scale)
    with serving(told) as (server, source):
        prepared(server.url(), ["liteshift_large"], folder)
        source.execute(work.encode())
        source.execute("SELECT pg_logical_emit_message(true, 'liteshift', 'done')")
        found = follow_apart(server.url(), "liteshift_large", "done", folder, way)
    return {**found, "rows": round(found["changes"])}


def measure_lag(told: dict[str, Any], scale: float, folder: Path) -> dict[str, float]:
    """How old the newest row in the file is, in seconds, while a thousand are written each second."""
    seen: list[float] = []
    count = max(RATE, round(RATE * LAG_SECONDS * scale))
    with serving(told) as (server, source):
        prepared(server.url(), ["liteshift_lag"], folder)
        ended = threading.Event()

        def follow_on() -> None:
            with following(server.url(), "liteshift_lag", folder) as follower:
                while not ended.is_set():
                    follower.step(0.1)

        def watch() -> None:
            with closing(connect(folder / "liteshift_lag.db", read_only=True)) as file:
                while not ended.wait(0.05):
                    row = file.execute("SELECT at FROM lagging ORDER BY id DESC LIMIT 1").fetchone()
                    if row is not None:
                        seen.append(time.time() - datetime.fromisoformat(row[0] + "+00:00").timestamp())

        threads = [threading.Thread(target=one) for one in (follow_on, watch)]
        for thread in threads:
            thread.start()
        started = time.monotonic()
        for number in range(count):
            if (early := started + number / RATE - time.monotonic()) > 0:
                time.sleep(early)
            source.execute("INSERT INTO lagging DEFAULT VALUES")
        rate = count / (time.monotonic() - started)
        ended.set()
        for thread in threads:
            thread.join()
    seen.sort()
    median, p99 = seen[len(seen) // 2], seen[len(seen) * 99 // 100]
    return {"writes_per_second": rate, "median": median, "p99": p99, "worst": seen[-1]}


def main() -> None:
    """Measure, write down, and show."""
    parser = argparse.ArgumentParser(description="How fast a file follows its source.")
    names = [*LOADS, "large", "lag"]
    parser.add_argument("--loads", nargs="+", choices=names, default=names, help="which; all where not given")
    parser.add_argument("--ways", nargs="+", choices=list(text.WAYS), default=list(text.WAYS))
    parser.add_argument("--rounds", type=int, default=3, help="how often each (3)")
    parser.add_argument("--rows-scale", type=float, default=1.0, help="this times the rows (1)")
    parser.add_argument("--results", type=Path, help="the folder where the figures go")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, token, place = given.child
        print(json.dumps(follow(os.environ["LITESHIFT_SOURCE"], name, token, Path(place))))
        return
    results = given.results or (RESULTS if given.rows_scale == 1 else ROOT / ".benchmarks" / f"{given.rows_scale:g}")
    results.mkdir(parents=True, exist_ok=True)
    path = results / "follow.json"
    for load in given.loads:
        told: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"loads": {}}
        with tempfile.TemporaryDirectory() as made:
            folder, scale = Path(made), given.rows_scale
            if load == "large":
                told["large"] = {way: measure_large(told, way, scale, folder) for way in given.ways}
            elif load == "lag":
                told["lag"] = measure_lag(told, scale, folder)
            else:
                told["loads"][load] = measure(told, LOADS[load], given.rounds, given.ways, scale, folder)
            told["machine"] = machine.facts(folder)
        path.write_text(json.dumps(told, indent=1) + "\n")
        if results == RESULTS:
            README.write_text(replaced(README.read_text(), "follow", text.section(told)))
        print(f"{load} is measured", flush=True)
    print(text.section(told))


if __name__ == "__main__":
    main()
