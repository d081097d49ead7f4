"""How near `liteshift assess` comes to the time that `liteshift migrate` takes, on both roads.

    python -m benchmarks.predictions [--rows-scale 0.3] [--tables narrow indexed mixed wide]

Each table stands alone in a database of an embedded PostgreSQL, in the shapes of the copy benchmark. Prints a table and
writes benchmarks/results/predictions.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.copying.tables import TABLES
from liteshift.bench import machine
from liteshift.children import environment
from liteshift.cli.render import console, table
from liteshift.postgres.embedded import EmbeddedServer

RESULTS = Path(__file__).parent / "results" / "predictions.json"
ROADS = {"native": "1", "python": "0"}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Predicted and taken seconds of liteshift migrate.")
    parser.add_argument("--rows-scale", type=float, default=0.3)
    parser.add_argument("--tables", nargs="+", default=["narrow", "indexed", "mixed", "wide"])
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="predictions-", dir=Path.cwd()) as name:
        folder = Path(name)
        with EmbeddedServer(folder / "postgres") as server:
            for shape in arguments.tables:
                rows = round(TABLES[shape].rows * arguments.rows_scale)
                source = prepare(server, shape, rows)
                found += [measure(source, folder, shape, rows, road) for road in ROADS]
    result = {"machine": machine.facts(Path.cwd()), "moves": found}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    shown = table("table", ">rows", "road", ">predicted (s)", ">taken (s)")
    for one in found:
        shown.add_row(one["table"], f"{one['rows']:,}", one["road"], f"{one['predicted']:.1f}", f"{one['taken']:.1f}")
    console().print(shown)


def prepare(server: EmbeddedServer, shape: str, rows: int) -> str:
    """A database with one table; its URL."""
    url = server.create_database(shape)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES[shape].statements.format(name=shape, rows=rows).encode())
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    return url


def measure(source: str, folder: Path, shape: str, rows: int, road: str) -> dict[str, Any]:
    """Assess, then move: what was predicted, and what it took."""
    env = environment(LITESHIFT_SOURCE=source, LITESHIFT_NATIVE=ROADS[road])
    assessed = run(["assess", "--json"], folder, env)
    started = time.monotonic()
    run(["migrate", "--accept-losses", "--overwrite", "--json", str(folder / "moved.db")], folder, env)
    taken = time.monotonic() - started
    predicted = json.loads(assessed)["prediction"]["seconds"]
    return {"table": shape, "rows": rows, "road": road, "predicted": round(predicted, 2), "taken": round(taken, 2)}


def run(words: list[str], folder: Path, env: dict[str, str]) -> str:
    """A command's output."""
    done = subprocess.run(
        [sys.executable, "-m", "liteshift", *words], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
