"""How long writes wait for a switch: the parties service under load, moved there and back again and again.

    .venv/bin/python benchmarks/switches.py --cutovers 20

Writes benchmarks/results/switches.json: every pause with its steps, the requests, and what became of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

from liteshift.bench.machine import facts  # noqa: E402 - the path comes first
from liteshift.demo.live import move_live  # noqa: E402 - the path comes first

RESULT = Path(__file__).parent / "results" / "switches.json"


@contextmanager
def step(what: str, /, *, prints: bool = False) -> Iterator[None]:
    """Say what comes next."""
    print(what, file=sys.stderr, flush=True)
    yield


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cutovers", type=int, default=20)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--parties", type=int, default=10_000)
    parser.add_argument("--between", type=float, default=1.0)
    parser.add_argument("--to", type=Path, default=RESULT)
    asked = parser.parse_args()
    verbs = ("cutover", *(("rollback", "cutover") * (asked.cutovers - 1)))
    with tempfile.TemporaryDirectory() as folder:
        moved = move_live(
            Path(folder) / "demo", asked.parties, step, rate=asked.rate, switches=verbs, between=asked.between
        )
    pauses = {
        kind: [switch["pause"] for switch in moved.switches if switch["kind"] == kind]
        for kind in ("cutover", "rollback")
    }
    seconds = sorted(seconds for _, seconds in moved.tally.answered)
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": facts(Path.cwd()),
        "rate_asked": asked.rate,
        "rate": round(moved.tally.sent / moved.seconds, 1),
        "requests": moved.tally.sent,
        "failed": len(moved.tally.failed),
        "writes": moved.tally.writes,
        "missing": len(moved.missing),
        "doubled": len(moved.doubled),
        "median_request": statistics.median(seconds),
        "p99_request": seconds[int(len(seconds) * 0.99)],
        "slowest_request": seconds[-1],
        "slowest_after_the_copy": moved.tally.slowest(since=moved.copied),
        "held": [switch["held"] for switch in moved.switches],
        "pauses": pauses,
        "median": {kind: statistics.median(values) if values else None for kind, values in pauses.items()},
        "worst": {kind: max(values, default=None) for kind, values in pauses.items()},
        "steps": [switch["steps"] for switch in moved.switches],
    }
    asked.to.write_text(json.dumps(found, indent=1) + "\n")
    for kind, values in pauses.items():
        if values:
            median, worst = statistics.median(values) * 1000, max(values) * 1000
            print(f"{kind}: median {median:.0f} ms, worst {worst:.0f} ms of {len(values)}")
    print(
        f"{found['requests']} requests, {found['rate']}/s, {found['failed']} failed, {found['missing']} writes missing,"
        f" {found['doubled']} done twice"
    )
    for text in (*moved.tally.failed[:5], *moved.missing[:5], *moved.doubled[:5]):
        print(text)


if __name__ == "__main__":
    main()
