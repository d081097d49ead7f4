"""The figures of following as a page's section. Decides, and does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.following.loads import LOADS

PLAIN, WAYS = "pg_recvlogical", {"native": "liteshift", "python": "liteshift without the native core"}


def section(told: Mapping[str, Any]) -> str:
    """All that was measured."""
    facts = told["machine"]
    parts = [
        f"{facts['cores']} cores of {facts['cpu']}, PostgreSQL {told['server']}, Python {facts['python']},"
        f" {facts['date']}. Seconds, the median with the least and the most; in brackets the rate, 100 % being"
        " `pg_recvlogical`'s, whose seconds are those of the whole process, ours begin with the stream.",
        _table(told["loads"]),
        _large(told.get("large", {})),
        _lag(told.get("lag")),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(loads: Mapping[str, Any]) -> str:
    if not loads:
        return ""
    lines = [
        f"| | changes | {PLAIN} | {' | '.join(WAYS.values())} | its processor time |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, load in LOADS.items():
        if (found := loads.get(name)) is None:
            continue
        ways = [_timed(found["ways"].get(way)) for way in (PLAIN, *WAYS)]
        busy = found["ways"].get("native", {}).get("processor")
        lines.append(
            f"| {load.what} | {found['changes']:,} | {' | '.join(ways)} | {'–' if busy is None else f'{busy:.2f}'} |"
        )
    return "\n".join(lines)


def _timed(way: Mapping[str, Any] | None) -> str:
    if way is None:
        return "–"
    rate = f" ({way['rate']:.0%})" if "rate" in way else ""
    return f"{way['median']:.2f}, {way['least']:.2f}–{way['most']:.2f}{rate}"


def _large(ways: Mapping[str, Any]) -> str:
    return "\n".join(
        f"- A transaction of {found['rows']:,} rows, {WAYS[way]}: {found['seconds']:.1f} s,"
        f" {found['memory']:.0f} MiB at the most."
        for way, found in ways.items()
    )


def _lag(found: Mapping[str, float] | None) -> str:
    if found is None:
        return ""
    return (
        f"- While {found['writes_per_second']:,.0f} rows are written each second, the newest row in the file "
        f"is {found['median']:.3f} s old (median), {found['p99']:.3f} s (99th percentile),"
        f" {found['worst']:.3f} s (worst)."
    )
