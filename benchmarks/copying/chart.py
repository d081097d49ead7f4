"""The figures as one SVG, which reads well on light and dark pages. Decides, and does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.copying import text
from benchmarks.copying.ways import NATIVE, WAYS

WIDTH, LEFT, RIGHT = 860, 200, 190
ROW, BAR, GAP = 24, 14, 26

STYLE = """
  svg { font: 13px system-ui, sans-serif; }
  .page { fill: #ffffff; } text { fill: #1f2328; } .quiet { fill: #59636e; } .title { font-weight: 600; }
  .floor { fill: #8c959f; } .ours { fill: #1f6feb; } .theirs { fill: #d4a72c; }
  .spread { stroke: #1f2328; stroke-width: 1.5; } .axis { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } text { fill: #f0f6fc; } .quiet { fill: #9198a1; }
    .floor { fill: #6e7681; } .ours { fill: #58a6ff; } .theirs { fill: #bb8009; }
    .spread { stroke: #f0f6fc; } .axis { stroke: #3d444d; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One line of a panel: a value with its spread, what is written beside it, and its colour's class."""

    label: str
    value: float
    least: float
    most: float
    written: str
    whose: str


def chart(told: Mapping[str, Any]) -> str:
    """The picture: a panel for each table that is copied, and one for growth."""
    panels = [
        (f"{one['name']}: {one['rows']:,} rows, {one['what']}", _bars(one["ways"]))
        for one in told["tables"].values()
        if NATIVE in one["ways"] or "python" in one["ways"]
    ]
    if growth := _growth(told["growth"]):
        panels.append(("time per row as the table grows, without the connection and the plan", growth))
    y, drawn = 30.0, []
    drawn.append(_text(16, y, "Rows from PostgreSQL into a SQLite file, seconds", "title"))
    y += 20
    drawn.append(
        _text(16, y, "shorter is better; medians, the line is the spread; each table has a scale of its own", "quiet")
    )
    for title, bars in panels:
        y += GAP
        drawn.append(_text(16, y, title, "title"))
        y += 8
        drawn += _panel(y, bars)
        y += ROW * len(bars)
    y += GAP
    drawn.append(_text(16, y, text.machine(told), "quiet"))
    height = round(y + 18)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="How long each tool takes to copy rows from PostgreSQL to SQLite">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _bars(ways: Mapping[str, Any]) -> list[Bar]:
    bars = []
    for name, way in ways.items():
        if name == "verify":
            continue
        floors = f" · {way['floors']:.1f} × the floor" if way["floors"] and name != "floor" else ""
        written = f"{text.seconds(way['median'])} s{floors}"
        bars.append(Bar(WAYS[name].title, way["median"], way["least"], way["most"], written, WAYS[name].whose))
    return sorted(bars, key=lambda bar: bar.value)


def _growth(tables: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """liteshift's best way in each size; the spread is that of the rows' part, as its runs tell it."""
    bars = []
    for one in tables:
        way = one["ways"].get(NATIVE) or one["ways"].get("python")
        if way:
            each = [run["parts"]["copy"] / one["rows"] * 1e6 for run in way["runs"]]
            value = way["microseconds_per_row"]
            bars.append(Bar(f"{one['rows']:,} rows", value, min(each), max(each), f"{value:.2f} µs per row", "ours"))
    return bars


def _panel(top: float, bars: Sequence[Bar]) -> list[str]:
    scale = (WIDTH - LEFT - RIGHT) / max(bar.most for bar in bars)
    height = ROW * len(bars)
    drawn = [f'<line class="axis" x1="{LEFT}" y1="{top}" x2="{LEFT}" y2="{top + height}"/>']
    for number, bar in enumerate(bars):
        y = top + number * ROW + (ROW - BAR) / 2
        middle = y + BAR / 2
        end = LEFT + scale * bar.value
        drawn += [
            _text(LEFT - 8, middle + 4.5, bar.label, "", anchor="end"),
            f'<rect class="{bar.whose}" x="{LEFT}" y="{y:.1f}" width="{end - LEFT:.1f}" height="{BAR}" rx="2"/>',
            f'<line class="spread" x1="{LEFT + scale * bar.least:.1f}" y1="{middle:.1f}" '
            f'x2="{LEFT + scale * bar.most:.1f}" y2="{middle:.1f}"/>',
            _text(LEFT + scale * bar.most + 8, middle + 4.5, bar.written, "quiet"),
        ]
    return drawn


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
