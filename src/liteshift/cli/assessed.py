"""What an assessment looks like on a terminal: the answer first, then what stands behind it."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.padding import Padding

from liteshift.assessment import Assessment, Check, Decision, Effort, Fate, Level, State
from liteshift.cli import wording
from liteshift.cli.render import cell, count, size, table
from liteshift.cli.report import print_findings
from liteshift.plan import Severity

_DECISIONS = {Decision.GO: "bold green", Decision.CHANGES: "bold yellow", Decision.NO_GO: "bold red"}
_LEVELS = {Level.STOP: "bold red", Level.CHANGE: "yellow", Level.ADVICE: "cyan"}
_STATES = {State.READY: "green", State.ADVICE: "cyan", State.MISSING: "yellow"}
_EFFORTS = {Effort.REDESIGN: "bold yellow", Effort.REWRITE: "yellow"}
_TABLES = 15


def print_assessment(out: Console, found: Assessment) -> None:
    """The verdict and its reasons, then every part."""
    out.print(cell(f"{found.source}: PostgreSQL {found.server}, in the profile {found.profile}", "bold"))
    out.print(cell(found.verdict.decision.upper(), _DECISIONS[found.verdict.decision]))
    to_do = found.verdict.decision is not Decision.GO
    for number, reason in enumerate(found.verdict.reasons, start=1):
        _print_indented(
            out, 2, f"{number}. {reason.what}" if to_do else f"by the way: {reason.what}", _LEVELS[reason.level]
        )
        if reason.instead:
            _print_indented(out, 5, f"→ {reason.instead}")
    out.print(cell(wording.summary(found)))
    out.print(cell(wording.scope(found)))
    _print_objects(out, found)
    _print_rows(out, found)
    _print_live(out, found.live)
    _print_workload(out, found)
    _heading(out, "Writing, against SQLite's one writer")
    for line in wording.writes(found):
        _print_indented(out, 2, line)


def _heading(out: Console, text: str) -> None:
    out.print()
    out.print(cell(text, "bold"))


def _print_indented(out: Console, indent: int, text: str, style: str = "") -> None:
    out.print(Padding(cell(text, style), (0, 0, 0, indent), expand=False))


def _print_objects(out: Console, found: Assessment) -> None:
    _heading(out, "What becomes of each object")
    counts = Counter((item.kind, item.fate) for item in found.objects)
    overview = table("kind", *(f">{wording.FATES[fate]}" for fate in Fate))
    for kind in dict.fromkeys(item.kind for item in found.objects):
        overview.add_row(cell(kind), *(str(counts[kind, fate] or "") for fate in Fate))
    out.print(overview)
    notes = sum(finding.severity is Severity.NOTE for finding in found.findings)
    print_findings(out, tuple(finding for finding in found.findings if finding.severity is not Severity.NOTE))
    if notes:
        out.print(cell(f"{count(notes, 'note')} that lose nothing: see liteshift plan", "dim"))


def _print_rows(out: Console, found: Assessment) -> None:
    _heading(out, "The rows")
    shown = table("table", ">rows", ">read", ">size there", ">predicted", "in the rows")
    ordered = sorted(found.tables, key=lambda item: (not wording.remarks(item), -item.bytes, item.name))
    most = max(_TABLES, sum(bool(wording.remarks(item)) for item in ordered))
    for item in ordered[:most]:
        rows = f"{item.rows:,}" if item.rows >= 0 else "unknown"
        bad = item.unread or item.oversize or any(odd.refused for odd in item.odd)
        told = cell("; ".join(wording.remarks(item)), "yellow" if bad else "")
        sizes = (size(item.bytes), size(item.predicted))
        shown.add_row(cell(str(item.name)), rows, cell(wording.reading(item)), *sizes, told)
    out.print(shown)
    if len(ordered) > most:
        out.print(cell(f"and {len(ordered) - most} smaller ones; --html and --json show each", "dim"))


def _print_live(out: Console, checks: tuple[Check, ...]) -> None:
    _heading(out, wording.LIVE)
    for check in checks:
        needed = f"; {wording.NEEDED[check.state]}: {check.needed}" if check.needed else ""
        mark = wording.STATES[check.state]
        _print_indented(out, 2, f"{mark} {check.name}: {check.found}{needed}", _STATES[check.state])
        _print_statements(out, check.fix)
        if check.then:
            _print_indented(out, 6, f"then {check.then}", "dim")


def _print_statements(out: Console, statements: tuple[str, ...]) -> None:
    for statement in statements:
        out.print(cell(f"      {statement}"), soft_wrap=True)  # a line that is broken can't be copied


def _print_workload(out: Console, found: Assessment) -> None:
    _heading(out, "The application's own SQL")
    if found.workload.missing:
        _print_indented(out, 2, f"not seen: {found.workload.missing}. To have it seen:")
        _print_statements(out, found.workload.remedy)
        return
    for line in wording.workload(found):
        _print_indented(out, 2, line, "dim")
    shown = table("construct", "SQLite", ">statements", ">calls", ">of the time", "instead")
    for use in found.workload.uses:
        numbers = (f"{use.statements:,}", f"{use.calls:,}", f"{use.share:.1%}")
        title = cell(use.title, _EFFORTS.get(use.effort, ""))
        shown.add_row(title, cell(use.effect), *numbers, cell(use.instead))
    if found.workload.uses:
        out.print(shown)
