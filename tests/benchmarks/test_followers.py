"""The race of followers, in miniature: that it measures, compares and tells, not how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.following import text
from benchmarks.following.loads import LOADS
from benchmarks.page import replaced
from liteshift import native

ROOT = Path(__file__).parents[2]


def test_a_load_is_measured_beside_the_others(tmp_path: Path) -> None:
    ways = ["python", *(["native"] if native.CORE else [])]
    path = tmp_path / "follow.json"
    way = {"median": 2.0, "least": 1.0, "most": 3.0, "rate": 0.5}
    path.write_text(json.dumps({"loads": {"small": {"changes": 7, "ways": {"python": way}}}}))
    program = [sys.executable, "benchmarks/follow.py", "--rows-scale", "0.001", "--rounds", "1", "--loads", "update"]
    program += ["--results", str(tmp_path), "--ways", *ways]
    made = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    told = json.loads(path.read_text())
    assert told["loads"].keys() == {"update", "small"}
    assert told["loads"]["update"]["changes"] == 250
    found = told["loads"]["update"]["ways"]
    assert found.keys() == {text.PLAIN, *ways}
    for name in ways:
        assert 0 < found[name]["least"] <= found[name]["median"] <= found[name]["most"]
        assert found[name]["rate"] > 0
    page = text.section(told)
    for words in (LOADS["update"].what, "| 250 |", "2.00, 1.00–3.00 (50%)", told["machine"]["cpu"]):
        assert words in page


def test_the_readme_has_a_place_for_the_figures() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text()
    assert "<!-- follow: begin -->\nnew\n<!-- follow: end -->" in replaced(page, "follow", "new")
