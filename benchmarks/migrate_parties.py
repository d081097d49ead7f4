"""How fast `liteshift migrate` moves the service's parties, and whether its memory grows with the table.

    python benchmarks/migrate_parties.py [--sizes 100000 300000 1000000] [--rounds 3]

An embedded PostgreSQL gets the schema from Alembic and the rows from the service's own seed. Each round migrates every
size once, in a process of its own, so that whatever slows the machine down for a while slows all sizes down. Prints a
table and writes benchmarks/results/migrate_parties.json.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # our folder: copy.py would stand there for the standard library's `copy`

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from liteshift.bench import machine
from liteshift.children import child, environment
from liteshift.cli.render import console, size, table
from liteshift.demo.service import Service
from liteshift.postgres.embedded import EmbeddedServer

RESULTS = Path(__file__).parent / "results" / "migrate_parties.json"


@dataclass(frozen=True)
class Run:
    """One migration: the seconds of the whole command and of its stages, and the most memory it held (RSS)."""

    seconds: float
    stages: dict[str, float]
    peak_bytes: int
    file_bytes: int


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Rows per second and peak memory of liteshift migrate.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sizes: list[int] = arguments.sizes
    runs: dict[int, list[Run]] = {rows: [] for rows in sizes}
    with tempfile.TemporaryDirectory(prefix="migrate-parties-", dir=Path.cwd()) as name:
        folder = Path(name)
        with EmbeddedServer(folder / "postgres") as server:
            sources = {rows: prepare(server, rows) for rows in sizes}
            for _ in range(arguments.rounds):
                for rows in sizes:
                    runs[rows].append(migrate(sources[rows], folder))
        result = {"machine": machine.facts(folder), "rounds": arguments.rounds, "sizes": summary(runs)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    show(result)


def prepare(server: EmbeddedServer, rows: int) -> str:
    """A database with so many parties; its URL."""
    url = server.create_database(f"parties_{rows}")
    service = Service()
    service.create_schema(url)
    service.seed(url, rows)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    return url


def migrate(source: str, folder: Path) -> Run:
    """Run the command."""
    command = ["-m", "liteshift", "migrate", "--json", "--overwrite", str(folder / "parties.db")]
    started = time.monotonic()
    output = folder / "output"
    with output.open("wb") as stdout:
        env = environment(LITESHIFT_SOURCE=source)
        with child(command, folder=folder, env=env, stdout=stdout, stderr=subprocess.STDOUT) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    assert process.returncode == 0, output.read_text()
    # Until the command begins, its process counts what this one holds; so only a larger figure is the command's own.
    assert usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = json.loads(output.read_text().splitlines()[-1])
    return Run(seconds, report["seconds"], usage.ru_maxrss * 1024, report["bytes"])


def summary(runs: dict[int, list[Run]]) -> list[dict[str, Any]]:
    """Medians for each size, and every run."""
    return [
        {
            "rows": rows,
            "seconds": round(median(run.seconds for run in done), 3),
            "rows_per_second": round(rows / median(run.seconds for run in done)),
            "copy_rows_per_second": round(rows / median(run.stages["copy"] for run in done)),
            "stages": {name: round(median(run.stages[name] for run in done), 3) for name in done[0].stages},
            "peak_bytes": round(median(run.peak_bytes for run in done)),
            "file_bytes": done[0].file_bytes,
            "runs": [asdict(run) for run in done],
        }
        for rows, done in runs.items()
    ]


def show(result: dict[str, Any]) -> None:
    """The table."""
    shown = table(">rows", ">seconds", ">rows/s", ">rows/s of the copy", ">peak memory", ">file", "seconds of")
    for one in result["sizes"]:
        stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in one["stages"].items() if seconds >= 0.01)
        rates = (f"{one['rows_per_second']:,}", f"{one['copy_rows_per_second']:,}")
        shown.add_row(
            f"{one['rows']:,}",
            f"{one['seconds']:.2f}",
            *rates,
            size(one["peak_bytes"]),
            size(one["file_bytes"]),
            stages,
        )
    console().print(shown)
    facts = result["machine"]
    console().print(f"{facts['cpu']}, {facts['cores']} cores, {facts['file_system']}, {facts['date']}")


if __name__ == "__main__":
    main()
