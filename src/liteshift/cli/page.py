"""An assessment as one page of HTML that needs nothing else: no script, no request, light or dark as the reader likes.

Every text from the database goes through `_text`, which no name of a table gets out of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from liteshift import __version__
from liteshift.assessment import (
    Assessment,
    Check,
    ConstructUse,
    Decision,
    Effect,
    Effort,
    Fate,
    ObjectFate,
    Reason,
    State,
    TableFacts,
)
from liteshift.cli import wording
from liteshift.cli.render import count, printable, size
from liteshift.plan import Finding, Severity

_CLASSES = {Decision.GO: "go", Decision.CHANGES: "changes", Decision.NO_GO: "stop"}
_ANSWERS = {Decision.GO: "Go", Decision.CHANGES: "Go, with these changes", Decision.NO_GO: "No-go"}
_GROUPS = {
    "redesign": "Needs another design",
    "differs": "Gets other answers from SQLite, without an error",
    "rewrite": "Fails on SQLite, and is to be rewritten",
    "orm": "Fails where it is written by hand; SQLAlchemy and Django write another",
    "works": "Works as it is",
}
_LONG = 12  # lists longer than this are folded


def page(found: Assessment) -> str:
    """The whole page."""
    style = (files(__package__) / "page.css").read_text(encoding="utf-8")
    parts = (
        _header(found),
        _reasons(found.verdict.reasons),
        _objects(found),
        _rows(found.tables),
        _live(found.live),
        _workload(found),
        _writes(found),
        _footer(found),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(found.database)}: {_text(found.verdict.decision)}</title>"
        f"<style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _text(text: object) -> str:
    return escape(printable(str(text)))


def _header(found: Assessment) -> str:
    kind = _CLASSES[found.verdict.decision]
    there = sum(table.bytes for table in found.tables)
    figures = (
        ("tables", f"{len(found.tables):,}"),
        ("rows", f"{found.rows:,}"),
        ("size there", size(there)),
        ("size here", f"≈ {size(found.prediction.bytes)}"),
        ("the move", f"≈ {wording.duration(found.prediction.seconds)}"),
    )
    cards = "".join(f"<div><dt>{label}</dt><dd>{_text(value)}</dd></div>" for label, value in figures)
    profile = f"PostgreSQL {found.server}, in the profile {found.profile}"
    return (
        f'<header class="{kind}"><p class="what">Can <b>{_text(found.database)}</b> move to SQLite?</p>'
        f"<h1>{_ANSWERS[found.verdict.decision]}</h1>"
        f"<p>{_text(found.source)}, {_text(profile)}. {_text(wording.scope(found))}</p>"
        f'<dl class="figures">{cards}</dl></header>'
    )


def _reasons(reasons: Sequence[Reason]) -> str:
    if not reasons:
        why = "Everything arrives as it is, and nothing in the application has to change."
        return f"<section><h2>Why</h2><p>{why}</p></section>"
    items = []
    for reason in reasons:
        way = f'<p class="instead">{_text(reason.instead)}</p>' if reason.instead else ""
        tag = f'<span class="tag">{wording.LEVELS[reason.level]}</span>'
        items.append(f'<li class="{reason.level}">{tag}<p>{_text(reason.what)}</p>{way}</li>')
    return f'<section><h2>Why</h2><ol class="reasons">{"".join(items)}</ol></section>'


def _objects(found: Assessment) -> str:
    counts = Counter((item.kind, item.fate) for item in found.objects)
    totals = Counter(item.fate for item in found.objects)
    legend = "".join(
        f'<li><i class="{fate}"></i>{totals[fate]:,} {wording.FATES[fate]}</li>' for fate in Fate if totals[fate]
    )
    kinds = Counter(item.kind for item in found.objects)
    most = max(kinds.values(), default=1)
    rows = "".join(
        _bar_row(kind, _stack([(fate, counts[kind, fate]) for fate in Fate], most), number)
        for kind, number in kinds.items()
    )
    return (
        f'<section><h2>What becomes of each object</h2><ul class="legend">{legend}</ul>'
        f'<table class="bars"><tbody>{rows}</tbody></table>'
        f"{_findings(found.findings)}{_every_object(found.objects)}</section>"
    )


def _bar_row(name: str, bar: str, number: int) -> str:
    head = f'<th scope="row">{_text(name)}</th>'
    return f'<tr>{head}<td class="bar">{bar}</td><td class="number">{number:,}</td></tr>'


def _stack(parts: Sequence[tuple[str, int]], most: int) -> str:
    """A bar of several parts; its length is their sum, of `most`."""
    x, rects = 0.0, []
    for kind, number in parts:
        width = 100 * number / most
        if number:
            shown = max(width, 0.6)
            rects.append(f'<rect class="{kind}" x="{x:.2f}" width="{shown:.2f}" height="10"/>')
        x += width
    title = ", ".join(f"{number:,} {kind}" for kind, number in parts if number)
    return (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{_text(title)}">'
        f"<title>{_text(title)}</title>{''.join(rects)}</svg>"
    )


def _findings(findings: Sequence[Finding]) -> str:
    headings = (
        (Severity.REFUSAL, "Refused: the move can't begin"),
        (Severity.LOSS, "Losses: say --accept-losses once you can do without"),
        (Severity.NOTE, "Good to know: nothing is lost"),
    )
    parts = []
    for severity, heading in headings:
        alike: dict[tuple[str, str, str, str], list[Finding]] = {}
        for item in findings:
            if item.severity is severity:
                alike.setdefault((item.kind, item.what, item.why, item.instead), []).append(item)
        if alike:
            number = sum(map(len, alike.values()))
            opened = " open" if severity is Severity.REFUSAL or (severity is Severity.LOSS and number <= _LONG) else ""
            items = "".join(_finding(*key, same) for key, same in alike.items())
            listed = f'<ul class="findings">{items}</ul>'
            parts.append(f"<details{opened}><summary>{heading} <b>{number:,}</b></summary>{listed}</details>")
    return "".join(parts)


def _finding(kind: str, what: str, why: str, instead: str, items: Sequence[Finding]) -> str:
    names = "".join(f'<code class="{"whole" if item.was else "name"}">{_text(item.named)}</code> ' for item in items)
    way = f'<p class="instead">{_text(instead)}</p>' if instead else ""
    return f'<li><p>{_text(kind)} {_text(what)}: {_text(why)}</p>{way}<p class="names">{names}</p></li>'


def _every_object(objects: Sequence[ObjectFate]) -> str:
    rows = "".join(
        f'<tr><td>{_text(item.kind)}</td><td><code>{_text(item.name)}</code></td><td><i class="{item.fate}"></i>'
        f"{item.fate}</td><td>{_text(item.detail)}</td></tr>"
        for item in objects
    )
    return (
        f'<details class="every"><summary>Every object <b>{len(objects):,}</b></summary>'
        f'<div class="wide"><table><thead><tr><th>kind</th><th>name</th><th>fate</th><th>becomes</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _rows(tables: Sequence[TableFacts]) -> str:
    ordered = sorted(tables, key=lambda item: (-item.bytes, item.name))
    most = max((max(item.bytes, item.predicted) for item in tables), default=1) or 1
    remarked = [item for item in ordered if wording.remarks(item)]
    said = "".join(
        f"<li><code>{_text(item.name)}</code><ul>"
        + "".join(f"<li>{_text(line)}</li>" for line in wording.remarks(item))
        + "</ul></li>"
        for item in remarked
    )
    notable = f'<h3>In the rows</h3><ul class="remarks">{said}</ul>' if said else ""
    rows = [_table_row(item, most) for item in ordered]
    rest = ""
    if len(rows) > _LONG:
        folded = _size_table(rows[_LONG:])
        rest = f"<details><summary>smaller tables <b>{len(rows) - _LONG:,}</b></summary>{folded}</details>"
    legend = '<ul class="legend"><li><i class="there"></i>there</li><li><i class="here"></i>here (predicted)</li></ul>'
    return f"<section><h2>The rows</h2>{notable}{legend}{_size_table(rows[:_LONG])}{rest}</section>"


def _size_table(rows: Sequence[str]) -> str:
    head = '<thead><tr><th>table</th><th class="number">rows</th><th class="number">read</th><th>size</th></tr></thead>'
    return f'<table class="bars sizes">{head}<tbody>{"".join(rows)}</tbody></table>'


def _table_row(item: TableFacts, most: int) -> str:
    rows = f"{item.rows:,}" if item.rows >= 0 else "?"
    bars = "".join(
        f'<rect class="{kind}" y="{y}" width="{max(100 * number / most, 0.4):.2f}" height="4.4"/>'
        for kind, number, y in (("there", item.bytes, 0), ("here", item.predicted, 5.6))
    )
    title = f"{size(item.bytes)} there, about {size(item.predicted)} here"
    return (
        f'<tr><th scope="row">{_text(item.name)}</th><td class="number">{rows}</td>'
        f'<td class="number">{_text(wording.reading(item))}</td><td class="bar">'
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{title}"><title>{title}</title>'
        f"{bars}</svg><small>{title}</small></td></tr>"
    )


def _live(checks: Sequence[Check]) -> str:
    missing = sum(check.state is State.MISSING for check in checks)
    state = f"{count(missing, 'thing')} missing" if missing else "everything needed is there"
    items = "".join(_check(check) for check in checks)
    return (
        "<section><h2>For a live move</h2><p>A plain <code>liteshift migrate</code> needs SELECT only. With "
        f'<code>--live</code> it needs more of the server: {state}.</p><ul class="checks">{items}</ul></section>'
    )


def _check(check: Check) -> str:
    word = wording.NEEDED[check.state].capitalize()
    needed = f' <span class="needed">{word}: {_text(check.needed)}.</span>' if check.needed else ""
    fix = f"<pre>{_text_lines(check.fix)}</pre>" if check.fix else ""
    if len(check.fix) > _LONG:
        fix = f"<details><summary>the statements <b>{len(check.fix)}</b></summary>{fix}</details>"
    then = f"<p>Then {_text(check.then)}.</p>" if check.then else ""
    return (
        f'<li class="{check.state}"><b class="mark" title="{check.state}">{wording.STATES[check.state]}</b>'
        f"<div><b>{_text(check.name)}</b>: {_text(check.found)}.{needed}{fix}{then}</div></li>"
    )


def _text_lines(lines: Iterable[str]) -> str:
    return "\n".join(map(_text, lines))


def _workload(found: Assessment) -> str:
    workload = found.workload
    if workload.missing:
        return (
            f"<section><h2>The application's own SQL</h2><p>Not seen: {_text(workload.missing)}. To have it seen:</p>"
            f"<pre>{_text_lines(workload.remedy)}</pre></section>"
        )
    said = "".join(f"<p>{_text(line)}.</p>" for line in wording.workload(found))
    groups = "".join(_uses(kind, heading, workload.uses) for kind, heading in _GROUPS.items())
    return f"<section><h2>The application's own SQL</h2>{said}{groups}</section>"


def _uses(kind: str, heading: str, uses: Sequence[ConstructUse]) -> str:
    items = [_use(kind, use) for use in uses if _group(use) == kind]
    if not items:
        return ""
    opened = "" if kind in ("orm", "works") else " open"
    return (
        f'<details class="group {kind}"{opened}><summary>{heading} <b>{len(items)}</b></summary>'
        f'<ul class="uses">{"".join(items)}</ul></details>'
    )


def _group(use: ConstructUse) -> str:
    if use.effort is Effort.REWRITE:
        return "differs" if use.effect is Effect.DIFFERS else "rewrite"
    return {Effort.REDESIGN: "redesign", Effort.ORM: "orm"}.get(use.effort, "works")


def _use(kind: str, use: ConstructUse) -> str:
    bar = (
        '<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="rail" width="100" '
        f'height="4"/><rect class="{kind}" width="{100 * use.share:.2f}" height="4"/></svg>'
    )
    return (
        f'<li><div class="head"><b>{_text(use.title)}</b><small>{count(use.calls, "call")}, '
        f"{use.share:.1%} of the time</small></div>{bar}<p>{_text(use.instead)}</p>"
        f"<details><summary>{count(use.statements, 'statement')}</summary>"
        f"<pre>{_text_lines(use.examples)}</pre></details></li>"
    )


def _writes(found: Assessment) -> str:
    said = "".join(f"<p>{_text(line)}</p>" for line in wording.writes(found))
    busiest = found.writes.busiest
    most = max((one.written for one in busiest), default=1) or 1
    rows = "".join(
        _bar_row(
            str(one.table),
            _stack([("inserted", one.inserted), ("updated", one.updated), ("deleted", one.deleted)], most),
            one.written,
        )
        for one in busiest
    )
    legend = "".join(f'<li><i class="{kind}"></i>{kind}</li>' for kind in ("inserted", "updated", "deleted"))
    table = f'<ul class="legend">{legend}</ul><table class="bars"><tbody>{rows}</tbody></table>' if busiest else ""
    return f"<section><h2>Writing, against SQLite's one writer</h2>{said}{table}</section>"


def _footer(found: Assessment) -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    took = f"{found.seconds['all']:.1f} s"
    return (
        f"<footer><p>liteshift {__version__}, {when}, at position {_text(found.position)}, in {took}. "
        "Sizes and times are predicted from a sample of rows and the speed at which they came.</p></footer>"
    )
