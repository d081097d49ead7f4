"""The race of copies, in miniature: that it measures, checks and tells, not how fast anything is."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.copying.log import Log
from benchmarks.copying.run import Failed, Run, check
from benchmarks.copying.summary import summary
from benchmarks.copying.tables import GROWTH, TABLES
from benchmarks.copying.ways import WAYS
from benchmarks.page import replaced
from liteshift.errors import UsageError

ROOT = Path(__file__).parents[2]


def command(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "benchmarks/copy.py", "--rows-scale", "0.0005", "--folder", str(folder)]
    return subprocess.run([*program, *options], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.timeout(900)  # some eighty processes
@pytest.mark.soak
def test_it_stops_in_time_goes_on_and_tells_all(tmp_path: Path) -> None:
    stopped = command(tmp_path, "--repeat", "1", "--minutes", "0")
    assert stopped.returncode == 16, stopped.stdout + stopped.stderr
    assert "runs are left" in stopped.stdout
    part = command(tmp_path, "--repeat", "1", "--tables", "narrow")
    assert part.returncode == 0, part.stdout + part.stderr
    done = command(tmp_path, "--repeat", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "narrow           floor" not in done.stdout
    results = tmp_path / "0.0005"
    told = json.loads((results / "copy.json").read_text())
    absent = {name for name, way in WAYS.items() if way.missing()}
    assert told["absent"].keys() == absent
    assert not told["failed"]
    tables = {**told["tables"], **{one["name"]: one for one in told["growth"]}}
    assert tables.keys() == TABLES.keys()
    for name, table in tables.items():
        wanted = {way.name for way in WAYS.values() if TABLES[name].group in way.groups} - absent
        assert table["ways"].keys() == wanted
        for way in table["ways"].values():
            assert 0 < way["least"] <= way["median"] <= way["most"]
            assert way["floors"] > 0
            assert len(way["runs"]) == way["count"] == 1
            assert way["runs"][0]["date"]
    assert tables["growth_10000000"]["rows"] == GROWTH[-1] * 0.0005
    assert tables["indexed"]["ways"]["migrate"]["parts"].keys() >= {"plan", "copy", "index", "check", "seal", "verify"}
    assert told["verify"]["tables"] == ["narrow", "mixed", "wide", "indexed"]
    assert {"cpu", "cores", "memory_bytes"} <= told["machine"].keys()
    assert {"liteshift", "psql", "psycopg"} <= told["versions"].keys()
    page = (results / "copy.md").read_text()
    for words in ("× the floor", "share", "everything", "µs per row", told["machine"]["cpu"], told["to"][:10]):
        assert words in page
    for name in absent:
        assert f"Absent: {WAYS[name].title}" in page
    picture = "".join(ElementTree.parse(results / "copy.svg").getroot().itertext())  # noqa: S314 - our own file
    for words in ("narrow", "mixed", "wide", "liteshift", "per row", told["to"][:10], "prefers-color-scheme: dark"):
        assert words in picture
    assert not [path for path in results.iterdir() if path.is_dir()]


def test_nobody_is_timed_for_a_failure(tmp_path: Path) -> None:
    path, table = tmp_path / "wrong.db", TABLES["narrow"]
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"CREATE TABLE narrow ({table.columns})")
        file.execute("INSERT INTO narrow VALUES (1, 2, 'three', '2024-01-01')")
        file.commit()
    check(path, table, [1, 1, 2, 5])
    with pytest.raises(Failed, match="must be"):
        check(path, table, [2, 3, 4, 10])
    with pytest.raises(Failed, match="can't be read"):
        check(path, TABLES["wide"], [1, 1, 2, 5])


def test_figures_of_other_conditions_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    Log(path, {"versions": {"liteshift": "1"}}).add(Run("narrow", "floor", 1.0, 1.0, None))
    with path.open("a") as file:
        file.write('{"table": "nar')  # killed while it wrote
    again = Log(path, {"versions": {"liteshift": "1", "duckdb": "2"}})
    again.add(Run("narrow", "floor", 2.0, 2.0, None))
    assert len(Log(path, {"versions": {"liteshift": "1"}}).of("narrow", "floor")) == 2
    with pytest.raises(UsageError, match="liteshift 1, and now it is 2"):
        Log(path, {"versions": {"liteshift": "2"}})


def test_figures_are_medians_ratios_and_goals(tmp_path: Path) -> None:
    log = Log(tmp_path / "runs.jsonl", {})
    for way, times in {"floor": (1.0, 3.0, 2.0), "native": (2.6, 2.4, 9.0), "duckdb": (8.0, 7.0, 7.8)}.items():
        for seconds in times:
            log.add(Run("narrow", way, seconds, seconds, None, {"copy": seconds / 2} if way == "native" else {}))
    log.add(Run("narrow", "adbc", 0.0, 0.0, None, failed="exit code 1"))
    told = summary(log, {"narrow": (1_000_000, 1)}, {}, {"ogr2ogr": "not installed"})
    native = told["tables"]["narrow"]["ways"]["native"]
    assert (native["median"], native["least"], native["most"], native["floors"]) == (2.6, 2.4, 9.0, 1.3)
    assert native["microseconds_per_row"] == 1.3
    assert told["failed"] == {"adbc on narrow": "exit code 1"}
    assert [(goal["figure"], goal["reached"]) for goal in told["goals"]] == [(1.3, True), (3.0, True)]


def test_the_readme_has_a_place_for_the_figures() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text()
    assert "<!-- copy: begin -->\nnew\n<!-- copy: end -->" in replaced(page, "copy", "new")
