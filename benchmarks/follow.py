"""How fast a file follows its source, against what `pg_recvlogical` writes to a file from such a slot in the same run.

    .venv/bin/python benchmarks/follow.py [--rounds 3] [--loads NAME …] [--out FILE]

It starts an embedded PostgreSQL. For each load, every way gets slots of its own before the load is run, so that all of
them have the same log to read; the ways take turns. What liteshift has read is applied, committed and fsynced.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # our folder: its copy.py would stand there for the standard library's

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

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

SCHEMA = """
CREATE TABLE narrow (id bigint PRIMARY KEY, n int, t text, at timestamptz);
CREATE TABLE mixed (id bigint PRIMARY KEY, a int, b smallint, ok boolean, price numeric(12,2), f double precision,
  name varchar(60), note text, u uuid, d date, at timestamptz, j jsonb);
CREATE TABLE lagging (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT clock_timestamp());
CREATE PROCEDURE small(most int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..most LOOP
    INSERT INTO narrow VALUES (i, i, 'transaction ' || i, clock_timestamp());
    IF i % 3 = 0 THEN UPDATE narrow SET n = n + 1 WHERE id = i - 2; END IF;
    IF i % 10 = 0 THEN DELETE FROM narrow WHERE id = i - 5; END IF;
    COMMIT;
  END LOOP;
END $$;
"""
LOADS = {
    "narrow, one INSERT": """
        INSERT INTO narrow SELECT g, g % 1000, 'name ' || g, timestamptz '2024-01-01' + g * interval '1.000001 s'
          FROM generate_series(1, 500000) g""",
    "mixed, one INSERT": """
        INSERT INTO mixed
        SELECT g, g % 1000, g % 100, g % 3 = 0, (g * 37 % 1000000) / 100.0, g / 7.0::float8, 'name ' || md5(g::text),
               CASE WHEN g % 5 = 0 THEN NULL ELSE repeat('x', g % 50) END, md5(g::text)::uuid,
               date '2000-01-01' + g % 9000, timestamptz '2024-01-01' + g * interval '1 s', jsonb_build_object('k', g)
          FROM generate_series(1, 200000) g""",
    "narrow, one UPDATE": "UPDATE narrow SET n = n + 1",
    "small transactions": "CALL small(120000)",
}
BEFORE = {
    "narrow, one UPDATE": "INSERT INTO narrow SELECT g, g, 'name ' || g, now() FROM generate_series(1, 250000) g",
}
LARGE_ROWS = 2_000_000
LARGE = f"""
INSERT INTO narrow SELECT g, g % 1000, 'name ' || g, timestamptz '2024-01-01' + g * interval '1.000001 s'
  FROM generate_series(1, {LARGE_ROWS}) g"""
RATE, LAG_SECONDS = 1000, 15


def prepared(url: str, names: list[str], folder: Path) -> None:
    """Slots, and files at their beginnings; the first name is a move's, and the others have their slots beside it."""
    origin = PostgresOrigin(url)
    plan = planned(origin)
    origin.establish(names[0], plan)
    known = (
        "INSERT INTO liteshift.move (name, system, timeline) SELECT %s, system, timeline FROM liteshift.move LIMIT 1"
    )
    with psycopg.connect(url, autocommit=True) as source:
        source.execute("DROP INDEX liteshift.one_at_a_time")
        for name in names[1:]:
            source.execute(known, (name,))
            source.execute(
                sql.SQL("CREATE PUBLICATION {} FOR TABLE narrow, mixed, lagging").format(sql.Identifier(name))
            )
    for name in names:
        target = SqliteTarget(folder / f"{name}.db")
        with origin.slot(name) as snapshot, target.staging(overwrite=True) as staging:
            copy_rows(snapshot, plan, staging, silent, lambda reject: None)
            make_indexes(plan, staging, silent)
            staging.mark(name, Lsn.parse(snapshot.position), ())
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
    """Seconds until a token is in the file, and the most memory that took."""
    with following(url, name, folder) as follower:
        started = time.monotonic()
        assert follower.until_token(token, seconds=600)
        seconds = time.monotonic() - started
    return {"seconds": seconds, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def follow_apart(url: str, name: str, token: str, folder: Path, core: str) -> dict[str, float]:
    """The same in a fresh process, which decides about the native core."""
    made = subprocess.run(
        [sys.executable, __file__, "--child", name, token, str(folder)],
        env={**os.environ, "LITESHIFT_SOURCE": url, "LITESHIFT_NATIVE": core},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(made.stdout)
    return found


def receive(server: EmbeddedServer, name: str, end: str, folder: Path) -> float:
    """Seconds of pg_recvlogical, to a file."""
    started = time.monotonic()
    command: list[str | Path] = [server.binaries / "pg_recvlogical", "-S", name]
    command += ["-d", server.url().replace(server.password, "")]
    command += ["--start", "-f", folder / "received", "--endpos", end, "--no-loop"]
    command += ["-o", "proto_version=1", "-o", "publication_names=liteshift_publication"]
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


def measure(load: str, rounds: int, cores: list[str], folder: Path) -> dict[str, Any]:
    """One load, each way so many times in turn."""
    ways = {f"liteshift, {'native' if core == '1' else 'python'}": core for core in cores}
    with EmbeddedServer.temporary(settings=FAST) as server, psycopg.connect(server.url(), autocommit=True) as source:
        source.execute(SCHEMA.encode())
        source.execute(BEFORE.get(load, "SELECT 1").encode())
        names = {way: [f"liteshift_{core}_{at}" for at in range(rounds)] for way, core in ways.items()}
        prepared(server.url(), ["liteshift_publication", *(name for each in names.values() for name in each)], folder)
        for at in range(rounds):
            source.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (f"plain_{at}",))
        source.execute(LOADS[load].encode())
        source.execute("SELECT pg_logical_emit_message(true, 'liteshift', 'done')")
        end = source.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        times: dict[str, list[float]] = {"pg_recvlogical": [], **{way: [] for way in ways}}
        for at in range(rounds):
            times["pg_recvlogical"].append(receive(server, f"plain_{at}", str((end or [""])[0]), folder))
            for way, core in ways.items():
                times[way].append(follow_apart(server.url(), names[way][at], "done", folder, core)["seconds"])
        assert all(equal(server.url(), names[way][0], folder) for way in ways)
    base = statistics.median(times["pg_recvlogical"])
    found = {}
    for way, measured in times.items():
        middle = statistics.median(measured)
        found[way] = {"median": middle, "rate": base / middle, "all": measured}
        spread = f"{min(measured):.2f}-{max(measured):.2f}"
        print(f"{load:20} {way:18} {middle:7.2f} s ({spread})  {base / middle:5.0%} of pg_recvlogical", flush=True)
    return found


def measure_large(core: str, folder: Path) -> dict[str, float]:
    """One large transaction: seconds, and MiB of memory."""
    with EmbeddedServer.temporary(settings=FAST) as server, psycopg.connect(server.url(), autocommit=True) as source:
        source.execute(SCHEMA.encode())
        prepared(server.url(), ["liteshift_large"], folder)
        source.execute(LARGE.encode())
        source.execute("SELECT pg_logical_emit_message(true, 'liteshift', 'done')")
        found = follow_apart(server.url(), "liteshift_large", "done", folder, core)
    print(f"one transaction of {LARGE_ROWS:,} rows: {found['seconds']:.1f} s, {found['memory']:.0f} MiB", flush=True)
    return found


def measure_lag(folder: Path) -> dict[str, float]:
    """How old the newest row in the file is, in seconds, while a thousand are written each second."""
    seen: list[float] = []
    with EmbeddedServer.temporary(settings=FAST) as server, psycopg.connect(server.url(), autocommit=True) as source:
        source.execute(SCHEMA.encode())
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
        for number in range(RATE * LAG_SECONDS):
            if (early := started + number / RATE - time.monotonic()) > 0:
                time.sleep(early)
            source.execute("INSERT INTO lagging DEFAULT VALUES")
        rate = RATE * LAG_SECONDS / (time.monotonic() - started)
        ended.set()
        for thread in threads:
            thread.join()
    seen.sort()
    found = {"writes_per_second": rate, "median": seen[len(seen) // 2], "p99": seen[len(seen) * 99 // 100]}
    found["worst"] = seen[-1]
    print(
        f"lag at {rate:.0f} writes/s: median {found['median']:.3f} s, p99 {found['p99']:.3f} s, {seen[-1]:.3f} s worst"
    )
    return found


def main() -> None:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--loads", nargs="*", choices=[*LOADS, "large", "lag"], default=[*LOADS, "large", "lag"])
    parser.add_argument("--cores", nargs="*", default=["1", "0"], help="1 with the native core, 0 without")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, token, place = given.child
        print(json.dumps(follow(os.environ["LITESHIFT_SOURCE"], name, token, Path(place))))
        return
    results: dict[str, Any] = {}
    for load in given.loads:
        with tempfile.TemporaryDirectory() as folder:
            if load == "large":
                results[load] = measure_large(given.cores[0], Path(folder))
            elif load == "lag":
                results[load] = measure_lag(Path(folder))
            else:
                results[load] = measure(load, given.rounds, given.cores, Path(folder))
    if given.out:
        machine = f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}"
        found = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "loads": results}
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
