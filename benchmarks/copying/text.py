"""The figures as a section of benchmarks/README.md, between two markers. Decides, and does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.copying.ways import FLOOR, NATIVE, WAYS

_MISSING = "–"

Figures = Mapping[str, Any]


def section(told: Figures, picture: str) -> str:
    """The whole section; the picture's place as the page sees it."""
    parts = (
        _where(told, picture),
        _rows(told),
        _migrate(told),
        _verify(told),
        _growth(told),
        _goals(told),
        _notes(told),
    )
    return "\n\n".join(part for part in parts if part)


def machine(told: Figures) -> str:
    """Where and when, on one line."""
    facts, first, last = told["machine"], told["from"][:10], told["to"][:10]
    date = first if first == last else f"{first} to {last}"
    memory = f"{facts['memory_bytes'] / 2**30:.0f} GiB"
    server = f"PostgreSQL {told['server']['server_version']}"
    scale = told["scale"]["rows"]
    shrunk = "" if scale == 1 else f", at {scale:g} of the full scale"
    return f"{facts['cores']} cores of an {facts['cpu']}, {memory}, {facts['file_system']}, {server}, {date}{shrunk}"


def seconds(value: float) -> str:
    """Three digits or so."""
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def _where(told: Figures, picture: str) -> str:
    picture = f"![How long each tool takes]({picture})"
    return f"{machine(told)}. Medians, with the least and the most.\n\n{picture}\n\n{told['span']}"


def _rows(told: Figures) -> str:
    """One line for each way, one column for each table whose rows are copied."""
    tables = [one for one in told["tables"].values() if NATIVE in one["ways"] or "python" in one["ways"]]
    if not tables:
        return ""
    heads = [f"{one['name']}: {one['rows']:,} rows" for one in tables]
    ways = [name for name in WAYS if name != "verify" and any(name in one["ways"] for one in tables)]
    lines = [
        [WAYS[name].title, *(_timed(one["ways"].get(name)) for one in tables), _peak(tables, name)]
        for name in sorted(ways, key=lambda name: _order(tables, name))
    ]
    shapes = "; ".join(f"*{one['name']}* has {one['what']}" for one in tables)
    return f"{_table(['seconds; × the floor', *heads, 'most memory'], lines)}\n\n{shapes}."


def _order(tables: Sequence[Figures], name: str) -> float:
    return float(sum(one["ways"][name]["median"] for one in tables if name in one["ways"]))


def _timed(way: Figures | None) -> str:
    if way is None:
        return _MISSING
    spread = f"{seconds(way['least'])}–{seconds(way['most'])}"
    return f"{seconds(way['median'])} ({spread}){_floors(way)}"


def _floors(way: Figures) -> str:
    return f"; {way['floors']:.2f} ×" if way["floors"] else ""


def _peak(tables: Sequence[Figures], name: str) -> str:
    peaks = [peak for one in tables if (peak := one["ways"].get(name, {}).get("peak_bytes"))]
    return f"{max(peaks) / 2**20:,.0f} MiB" if peaks else _MISSING


def _migrate(told: Figures) -> str:
    """The parts of the whole move, each with its share."""
    blocks = []
    for one in told["tables"].values():
        way = one["ways"].get("migrate")
        if way is None:
            continue
        parts = way["parts"] | {"the rest": max(0.0, way["median"] - sum(way["parts"].values()))}
        lines = [[name, seconds(value), f"{value / way['median']:.0%}"] for name, value in parts.items()]
        lines.append(["**all in all**", _timed(way), "100%"])
        rows = f"{one['rows']:,} rows, {one['what']}"
        blocks.append(f"`liteshift migrate`, the whole move: {rows}.\n\n" + _table(["part", "seconds", "share"], lines))
    return "\n\n".join(blocks)


def _verify(told: Figures) -> str:
    lines = [
        [one["name"], _timed(one["ways"].get(FLOOR)), _timed(one["ways"]["verify"])]
        for one in told["tables"].values()
        if "verify" in one["ways"]
    ]
    if not lines:
        return ""
    if found := told["verify"]:
        every = f"{seconds(found['seconds'])}; {found['floors']:.2f} ×"
        lines.append(["**everything**", seconds(found["floor"]), every])
    return "`liteshift verify`: every row of both sides.\n\n" + _table(["table", "the floor", "verify"], lines)


def _growth(told: Figures) -> str:
    ways = [name for name in (NATIVE, "python") if any(name in one["ways"] for one in told["growth"])]
    if not ways:
        return ""
    lines = []
    for one in told["growth"]:
        line = [f"{one['rows']:,}"]
        for name in ways:
            way = one["ways"].get(name)
            line += [f"{way['microseconds_per_row']:.3f}", _peak([one], name)] if way else [_MISSING, _MISSING]
        lines.append(line)
    heads = [head for name in ways for head in (f"{WAYS[name].title}: µs per row", "most memory")]
    said = "Growth, without the connection and the plan, which take as long for one row as for all."
    return f"{said}\n\n{_table(['rows', *heads], lines)}"


def _goals(told: Figures) -> str:
    lines = [
        [one["goal"], one["bound"], f"{one['figure']:.2f}", "reached" if one["reached"] else "**missed**"]
        for one in told["goals"]
    ]
    return _table(["goal", "bound", "figure", ""], lines) if lines else ""


def _notes(told: Figures) -> str:
    """Settings, versions, and who could not take part."""
    present = {name for one in told["tables"].values() for name in one["ways"]}
    lines = [f"- {way['title']}: {way['how']}." for name, way in told["ways"].items() if name in present]
    starts = ", ".join(f"{name} {seconds(one['median'])} s" for name, one in told["startup"].items())
    server = ", ".join(f"{name} {value}" for name, value in told["server"].items())
    versions = ", ".join(f"{name} {value}" for name, value in told["versions"].items())
    counts = sorted({way["count"] for one in told["tables"].values() for way in one["ways"].values()})
    lines += [
        f"- Start-up, inside the figures: {starts}." if starts else "",
        f"- The server: {server}.",
        f"- Versions: {versions}.",
        f"- Runs of each: {' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}, in turn." if counts else "",
        *(f"- Absent: {WAYS[name].title} ({why})." for name, why in told["absent"].items()),
        *(f"- Failed: {name} ({why})." for name, why in told["failed"].items()),
    ]
    return "\n".join(line for line in lines if line)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in heads[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *lines))
