"""The copy of rows against the floor: what PostgreSQL can send, and what liteshift stores, with and without its core.

    LITESHIFT_SOURCE=postgresql://… .venv/bin/python benchmarks/copy_rows.py [--rounds 5] [--out FILE] [TABLE …]

Without a table's name it makes its own, `bench_narrow` and `bench_mixed`, in the database that LITESHIFT_SOURCE names.
The ways take turns, so that a busy machine hits all of them; no indexes, no checks, no fsync are in the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from liteshift.plan import Choices
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.copy import copy_rows
from liteshift.stages.prepare import prepare

TABLES = {
    "bench_narrow": """
        CREATE TABLE bench_narrow (id int PRIMARY KEY, n int, t text, at timestamptz);
        INSERT INTO bench_narrow
        SELECT g, (g * 7919::bigint) % 1000003, 'name ' || g, timestamptz '2024-01-01' + g * interval '1.000001 s'
          FROM generate_series(1, 3000000) g""",
    "bench_mixed": """
        CREATE TABLE bench_mixed (id bigint PRIMARY KEY, a int, b smallint, ok boolean, price numeric(12,2),
          f double precision, name varchar(60), note text, u uuid, d date, at timestamptz, j jsonb);
        INSERT INTO bench_mixed
        SELECT g, g % 1000, g % 100, g % 3 = 0, (g * 37 % 1000000) / 100.0, g / 7.0::float8, 'name ' || md5(g::text),
               CASE WHEN g % 5 = 0 THEN NULL ELSE repeat('x', g % 50) END, md5(g::text)::uuid,
               date '2000-01-01' + g % 9000, timestamptz '2024-01-01' + g * interval '1 s', jsonb_build_object('k', g)
          FROM generate_series(1, 1000000) g""",
}


def make(info: str) -> list[str]:
    """The tables that are not there yet; all their names."""
    with psycopg.connect(info, autocommit=True) as connection:
        for name, statements in TABLES.items():
            if connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() == (None,):
                connection.execute(statements.encode())
                connection.execute(f"VACUUM ANALYZE {name}".encode())
    return list(TABLES)


def floor(info: str, table: str) -> float:
    """Seconds of a C client that throws all rows away."""
    started = time.monotonic()
    command = f"COPY public.{table} TO STDOUT (FORMAT binary)"
    subprocess.run(["psql", info, "-qc", command], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def copy(info: str, table: str) -> tuple[float, str]:
    """Seconds of a table's copy in this process, and the road that its rows took."""
    with tempfile.TemporaryDirectory() as folder, PostgresSource(info).snapshot() as snapshot:
        plan = prepare(snapshot, Choices(include=(f"public.{table}",)))
        with SqliteTarget(Path(folder) / "bench.db").staging(overwrite=False) as staging:
            (copied,) = copy_rows(snapshot, plan, staging, silent, lambda reject: None)
    return copied.seconds, copied.road


def apart(table: str, core: str) -> tuple[float, str]:
    """The same in a fresh process, which decides about the native core."""
    made = subprocess.run(
        [sys.executable, __file__, "--child", table],
        env={**os.environ, "LITESHIFT_NATIVE": core},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds, road = json.loads(made.stdout)
    return float(seconds), str(road)


def main() -> None:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    info = os.environ["LITESHIFT_SOURCE"]
    if given.child:
        print(json.dumps(copy(info, given.child)))
        return
    results: dict[str, dict[str, object]] = {}
    for table in given.tables or make(info):
        times: dict[str, list[float]] = {"floor": [], "native": [], "python": []}
        for _ in range(given.rounds):
            times["floor"].append(floor(info, table))
            for core in ("1", "0"):
                seconds, road = apart(table, core)
                times[road].append(seconds)
        base = statistics.median(times["floor"])
        results[table] = {}
        for way, measured in times.items():
            middle = statistics.median(measured)
            results[table][way] = {"median": middle, "floors": middle / base, "all": measured}
            spread = f"{min(measured):.2f}-{max(measured):.2f}"
            print(f"{table:14} {way:7} {middle:7.2f} s ({spread})  {middle / base:5.2f} x the floor")
    if given.out:
        machine = f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}"
        found = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "tables": results}
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
