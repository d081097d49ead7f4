"""How fast rows come from PostgreSQL into SQLite: the floor, liteshift, and what one would take instead.

    python benchmarks/copy.py [--install] [--tables narrow mixed …] [--only floor native …] [--minutes 9] [--fresh]

All ways take turns on the same tables of one embedded PostgreSQL, each in a process of its own, and each file is
checked. Every run is written down at once, so the command may be stopped and goes on where it was: `--minutes` ends a
part in time, with exit code 16 while runs are left. When none is, the figures go to benchmarks/results/copy.json and
copy.svg, and into benchmarks/README.md; at another scale than 1, or with `--results`, into that folder.
"""

from __future__ import annotations

import sys

sys.path.pop(0)  # our folder: this file would stand there for the standard library's `copy`
sys.path.insert(0, __file__.removesuffix("/benchmarks/copy.py"))

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.copying import chart, text, ways
from benchmarks.copying.log import Log
from benchmarks.copying.run import run, startup, warm
from benchmarks.copying.source import Source, serve
from benchmarks.copying.summary import summary
from benchmarks.copying.tables import TABLES, Table
from benchmarks.copying.ways import ROOT, WAYS, Way
from benchmarks.page import replaced
from liteshift.bench import machine
from liteshift.errors import LiteshiftError

RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "benchmarks" / "README.md"
UNFINISHED = 16
NAMES = [*(name for name, table in TABLES.items() if table.group != "growth"), "growth"]


def main() -> int:
    """Measure, write down, and show; the exit code."""
    given = _arguments()
    if given.install:
        ways.install()
    folder = given.folder.resolve() / f"{given.rows_scale:g}"
    folder.mkdir(parents=True, exist_ok=True)
    if given.fresh:
        (folder / "runs.jsonl").unlink(missing_ok=True)
    chosen = [table for table in TABLES.values() if table.name in given.tables or table.group in given.tables]
    absent = {name: why for name, way in WAYS.items() if (why := way.missing())}
    for name, why in absent.items():
        print(f"absent: {name}: {why}", flush=True)
    present = [WAYS[name] for name in WAYS if name in given.only and name not in absent]
    deadline = time.monotonic() + given.minutes * 60 if given.minutes is not None else float("inf")
    with serve(given.folder, given.rows_scale) as source:
        for table in chosen:
            source.make(table)
        log = Log(folder / "runs.jsonl", _conditions(source, folder, given.rows_scale))
        left = _measure(source, log, list(_wanted(chosen, present, given.repeat)), folder, deadline)
        if left:
            print(f"{left} runs are left: the same command goes on")
            return UNFINISHED
        if not log.runs:
            print("the tables are there, and no run was asked for")
            return 0
        seen = [table for table in TABLES.values() if any(one.table == table.name for one in log.runs)]
        for table in seen:
            source.make(table)
        sizes = {table.name: (source.rows(table), source.bytes(table)) for table in seen}
        told = summary(log, sizes, startup(source), absent)
    results = given.results or (RESULTS if given.rows_scale == 1 else folder)
    results.mkdir(parents=True, exist_ok=True)
    (results / "copy.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    (results / "copy.svg").write_text(chart.chart(told))
    if results == RESULTS:
        README.write_text(replaced(README.read_text(), "copy", text.section(told, "results/copy.svg")))
    else:
        (results / "copy.md").write_text(text.section(told, "copy.svg") + "\n")
    print(text.section(told, "copy.svg"))
    return 1 if told["failed"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How fast rows come from PostgreSQL into SQLite.")
    parser.add_argument("--install", action="store_true", help="first install the other tools into .venv-bench")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=NAMES, help="which tables; all where not given")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS), help="which ways")
    parser.add_argument("--repeat", type=int, default=5, help="how often each (5); 0 makes the tables only")
    parser.add_argument("--rows-scale", type=float, default=1.0, help="this times the rows (1)")
    parser.add_argument("--minutes", type=float, help="begin no run that would not end in this time")
    parser.add_argument("--fresh", action="store_true", help="forget the runs that there are")
    parser.add_argument("--folder", type=Path, default=ROOT / ".benchmarks", help="for the server, the runs, the files")
    parser.add_argument("--results", type=Path, help="where the figures go")
    return parser.parse_args()


def _conditions(source: Source, folder: Path, scale: float) -> dict[str, dict[str, object]]:
    facts: dict[str, object] = dict(machine.facts(folder))
    del facts["date"]  # each run has its own
    return {
        "scale": {"rows": scale},
        "machine": facts,
        "server": dict(source.settings()),
        "versions": dict(ways.versions()),
    }


def _wanted(tables: Sequence[Table], present: Sequence[Way], repeat: int) -> Iterator[tuple[Table, Way, int]]:
    """Each table's runs, in turn; the number is how many of its kind come before."""
    for table in tables:
        for number in range(repeat):
            for way in present:
                if table.group in way.groups:
                    yield table, way, number


def _measure(source: Source, log: Log, wanted: Sequence[tuple[Table, Way, int]], folder: Path, deadline: float) -> int:
    """Make the runs that are not there yet; how many are left."""
    todo = [(table, way) for table, way, number in wanted if len(log.of(table.name, way.name)) <= number]
    warmed, failed = set[str](), set[tuple[str, str]]()
    with tempfile.TemporaryDirectory(prefix="files-", dir=folder) as files:
        for done, (table, way) in enumerate(todo):
            if (table.name, way.name) in failed:
                continue
            before = log.of(table.name, way.name)
            if time.monotonic() + max((one.process_seconds for one in before), default=0.0) > deadline:
                return len(todo) - done
            if table.name not in warmed:
                warm(source, table)
                warmed.add(table.name)
            made = run(source, table, way, Path(files))
            log.add(made)
            if made.failed:
                failed.add((table.name, way.name))
            print(f"{table.name:16} {way.name:12} {made.failed or text.seconds(made.seconds) + ' s'}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LiteshiftError as error:
        sys.exit(f"error: {error.message}. {error.hint or ''}")
