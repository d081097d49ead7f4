"""From runs to figures: medians, spread, ratios, and whether the goals are reached. Decides, and does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from benchmarks.copying.log import Log
from benchmarks.copying.run import Run
from benchmarks.copying.tables import TABLES, Table
from benchmarks.copying.ways import FLOOR, NATIVE, WAYS

SPAN = (
    "From asking for a connection to PostgreSQL until the SQLite file is closed with all rows in it: connection, "
    "catalog, file, rows. Interpreters and libraries are loaded before; nothing is synced to the disk on purpose; no "
    "indexes but the integer key, which is the rowid, where the tool makes one. psql and ogr2ogr: the whole process; "
    "nothing is subtracted, their start-up is given. db-to-sqlite commits, and so syncs, as it likes."
)

Figures = dict[str, Any]


def summary(
    log: Log, sizes: Mapping[str, tuple[int, int]], startup: Mapping[str, Sequence[float]], absent: Mapping[str, str]
) -> Figures:
    """All that is known.

    Args:
        log: the runs.
        sizes: each table's rows, and its bytes in PostgreSQL.
        startup: seconds that the programs take to do nothing.
        absent: the ways that can't be run here, and why.
    """
    tables = {name: _table(TABLES[name], log, *size) for name, size in sizes.items()}
    dates = sorted(run.date for run in log.runs)
    told: Figures = {
        "from": dates[0] if dates else "",
        "to": dates[-1] if dates else "",
        **log.conditions,
        "absent": dict(absent),
        "failed": _failed(log),
        "span": SPAN,
        "ways": {name: {"title": way.title, "how": way.how} for name, way in WAYS.items()},
        "startup": {name: _spread(times) for name, times in startup.items()},
        "tables": {name: table for name, table in tables.items() if TABLES[name].group != "growth"},
        "growth": [table for name, table in tables.items() if TABLES[name].group == "growth"],
    }
    told["verify"] = _everything(told["tables"])
    told["goals"] = _goals(told)
    return told


def _failed(log: Log) -> dict[str, str]:
    """The ways whose last run on a table was not right."""
    last = {(run.way, run.table): run.failed for run in log.runs}
    return {f"{way} on {table}": why for (way, table), why in last.items() if why}


def _table(table: Table, log: Log, rows: int, size: int) -> Figures:
    runs = {name: found for name in WAYS if (found := log.of(table.name, name))}
    base = median([run.seconds for run in runs[FLOOR]]) if FLOOR in runs else None
    return {
        "name": table.name,
        "what": table.what,
        "rows": rows,
        "bytes": size,
        "ways": {name: _way(found, base, rows) for name, found in runs.items()},
    }


def _way(runs: Sequence[Run], base: float | None, rows: int) -> Figures:
    told = _spread([run.seconds for run in runs])
    told["floors"] = round(told["median"] / base, 3) if base else None
    told["rows_per_second"] = round(rows / told["median"])
    told["process_median"] = round(median([run.process_seconds for run in runs]), 4)
    peaks = [run.peak_bytes for run in runs if run.peak_bytes is not None]
    told["peak_bytes"] = max(peaks) if peaks else None
    told["parts"] = {part: round(median([run.parts[part] for run in runs]), 4) for part in runs[0].parts}
    if "copy" in told["parts"]:  # without the connection and the plan, which take as long for one row as for all
        told["microseconds_per_row"] = round(median([run.parts["copy"] for run in runs]) / rows * 1e6, 4)
    told["runs"] = [asdict(run) for run in runs]
    return told


def _spread(seconds: Sequence[float]) -> Figures:
    return {
        "median": round(median(seconds), 4),
        "least": round(min(seconds), 4),
        "most": round(max(seconds), 4),
        "count": len(seconds),
    }


def _everything(tables: Mapping[str, Figures]) -> Figures | None:
    """Verify of all tables against the floor of the same ones."""
    both = [table["ways"] for table in tables.values() if {"verify", FLOOR} <= table["ways"].keys()]
    if not both:
        return None
    seconds = sum(ways["verify"]["median"] for ways in both)
    base = sum(ways[FLOOR]["median"] for ways in both)
    return {
        "tables": [name for name, table in tables.items() if {"verify", FLOOR} <= table["ways"].keys()],
        "seconds": round(seconds, 4),
        "floor": round(base, 4),
        "floors": round(seconds / base, 3),
    }


def _goals(told: Figures) -> list[Figures]:
    """Each goal that there are figures for."""
    found = []

    def goal(text: str, figure: float | None, limit: float, *, at_most: bool = True) -> None:
        if figure is not None:
            reached = figure <= limit if at_most else figure >= limit
            bound = f"{'at most' if at_most else 'at least'} {limit:g}"
            found.append({"goal": text, "bound": bound, "figure": round(figure, 3), "reached": reached})

    for name in ("narrow", "mixed"):
        ways = told["tables"].get(name, {}).get("ways", {})
        if NATIVE not in ways:
            continue
        goal(f"rows of the {name} table, in floors", ways[NATIVE]["floors"], 1.4)
        for other, limit in (("duckdb", 2.0 if name == "narrow" else 1.8), ("adbc", 2.0 if name == "narrow" else 1.8)):
            goal(f"{name}: times as fast as {WAYS[other].title}", _times(ways, other), limit, at_most=False)
        goal(f"{name}: times as fast as ogr2ogr", _times(ways, "ogr2ogr"), 8.0, at_most=False)
    if told["verify"]:
        goal("verify of everything, in floors", told["verify"]["floors"], 2.0)
    rates = {
        one["rows"]: one["ways"][NATIVE]["microseconds_per_row"] for one in told["growth"] if NATIVE in one["ways"]
    }
    if {100_000, 10_000_000} <= rates.keys():
        goal("time per row at 10,000,000 rows against 100,000", rates[10_000_000] / rates[100_000], 1.15)
    return found


def _times(ways: Figures, other: str) -> float | None:
    return float(ways[other]["median"] / ways[NATIVE]["median"]) if other in ways else None
