"""The proof of a switch as one page of HTML that needs nothing else, for the owner's files."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Any

from liteshift import __version__
from liteshift.cli.render import printable

_UNKNOWN = "not known"


def facts(done: dict[str, Any]) -> list[tuple[str, str]]:
    """What a switch's report says, each with its name."""
    kept = [("last change taken back", f"{done['captured']:,}")] if done["captured"] else []
    if done["interrupted"]:
        kept.append(("finished", "by the next run, after an interruption past the point of no return"))
    if done["hook_failed"]:
        kept.append(("the command that tells the application", f"{done['hook_failed']}: run it by hand"))
    changes = []
    if done["kind"] == "cutover":
        told = "; ".join(done.get("changes", ()))  # an earlier liteshift's report says nothing of them
        changes.append(("changed on the source since the plan, accepted; stays on PostgreSQL", told or "none"))
    through = "token that came through the log" if done["kind"] == "cutover" else "name of this rollback"
    keys, held = done["compared_keys"], done["held"]
    return [
        (through, done["token"]),
        ("position in the source's log", done["position"]),
        *kept,
        ("rows compared before", f"{done['verified_rows']:,}, all equal, at {done['verified_at']}"),
        ("rows left behind, which SQLite can't hold", _counted(done["left_behind"])),
        *changes,
        (
            "rows changed since, compared in the pause",
            "all equal; " + _UNKNOWN if keys is None else f"{keys:,}, all equal",
        ),
        ("tables not compared in the pause", _UNKNOWN if keys is None else ", ".join(done["not_compared"]) or "none"),
        ("writes that waited at the gate", _UNKNOWN if keys is None else "no gate" if held is None else f"{held:,}"),
        ("writes that the fence has refused so far", f"{done['refused']:,}"),
        ("numbers go on after", _UNKNOWN if keys is None else _counted(done["sequences"])),
        ("backup made and checked before", done["backup"] or "none"),
    ]


def paused(done: dict[str, Any]) -> str:
    """How long writes waited."""
    return _UNKNOWN if done["pause"] is None else f"{done['pause'] * 1000:,.0f} ms"


def page(done: dict[str, Any]) -> str:
    """The whole page."""
    style = (files(__package__) / "page.css").read_text(encoding="utf-8")
    to = "SQLite" if done["kind"] == "cutover" else "PostgreSQL"
    pause, left = paused(done), sum(done["left_behind"].values())
    same = "the same rows" if not left else f"the same rows but for {left:,} that SQLite can't hold, named below,"
    figures = (
        ("pause", pause),
        ("rows compared", f"{done['verified_rows']:,}"),
        ("writes held", "–" if done["held"] is None else f"{done['held']:,}"),
        ("writes refused", f"{done['refused']:,}"),
    )
    cards = "".join(f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>" for name, value in figures)
    rows = "".join(f'<tr><th scope="row">{name}</th><td>{_text(value)}</td></tr>' for name, value in facts(done))
    longest = max((seconds for _, seconds in done["steps"]), default=1) or 1
    steps = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td class="bar"><svg viewBox="0 0 100 1" preserveAspectRatio="none">'
        f'<rect class="rail" width="100" height="1"/><rect class="works" width="{100 * seconds / longest:.2f}"'
        f' height="1"/></svg></td><td class="number">{seconds * 1000:,.1f} ms</td></tr>'
        for name, seconds in done["steps"]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{done['kind']} {done['epoch']} of {_text(done['source'])}</title><style>{style}</style></head>"
        f'<body><main><header class="go"><p class="what">{_text(done["kind"])} number {done["epoch"]} of '
        f"{_text(done['move'])}, {_text(done['at'])}</p><h1>The application lives on {to}</h1>"
        f"<p>{_text(done['source'])} and {_text(done['target'])} held {same} when it moved. "
        f'Writes waited: {pause}.</p><dl class="figures">{cards}</dl></header>'
        f"<section><h2>The proof</h2><table><tbody>{rows}</tbody></table></section>"
        f'<section><h2>The pause, step by step</h2><table class="bars"><tbody>{steps}</tbody></table></section>'
        f"<footer>liteshift {__version__}</footer></main></body></html>\n"
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "none"


def _text(text: object) -> str:
    return escape(printable(str(text)))
