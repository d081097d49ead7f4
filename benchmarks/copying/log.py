"""Every run ever made under the same conditions, one line each, so that a long benchmark can be made in parts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.copying.run import Run
from liteshift.errors import UsageError


class Log:
    """The runs, and the conditions that all were made under.

    Args:
        path: the file; made when the first run is added.
        conditions: what must be the same for figures to be compared: groups of names and values.

    Raises:
        UsageError: the file's runs were made under others.
    """

    def __init__(self, path: Path, conditions: dict[str, dict[str, Any]]) -> None:
        self._path = path
        self.runs: list[Run] = []
        self.conditions = conditions
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            if not line.endswith("}"):
                continue  # we were killed while we wrote it
            told = json.loads(line)
            if "conditions" in told:
                self._compare(told["conditions"])
            else:
                self.runs.append(Run(**told))
        self._write({"conditions": self.conditions})

    def _compare(self, before: dict[str, dict[str, Any]]) -> None:
        for group, values in before.items():
            for name, value in values.items():
                now = self.conditions[group].setdefault(name, value)
                if now != value:
                    raise UsageError(
                        f"the runs in {self._path} were made with {name} {value}, and now it is {now}",
                        hint="Say --fresh to throw them away and begin again.",
                    )

    def add(self, run: Run) -> None:
        """Write a run down."""
        self.runs.append(run)
        self._write(asdict(run))

    def of(self, table: str, way: str) -> list[Run]:
        """The runs of one way on one table that were right."""
        return [run for run in self.runs if (run.table, run.way, run.failed) == (table, way, "")]

    def _write(self, told: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self._path.exists() or self._path.read_bytes()[-1:] in (b"", b"\n")
        with self._path.open("a") as file:
            file.write(("" if whole else "\n") + json.dumps(told) + "\n")
