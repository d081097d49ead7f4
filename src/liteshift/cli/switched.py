"""What a live move looks like on the terminal: its reports, and where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from pydantic import TypeAdapter

from liteshift.cli import proof, render
from liteshift.errors import LiteshiftError
from liteshift.logbook import Page
from liteshift.phases import Phase
from liteshift.plan import Plan, as_json
from liteshift.reports import MigrateReport, Verdict

if TYPE_CHECKING:
    from rich.console import Console

_NEXT = {
    Phase.NEW: "liteshift migrate --live SOURCE {target}",
    Phase.COPYING: "liteshift migrate --live SOURCE {target}",
    Phase.FOLLOWING: "liteshift cutover SOURCE {target}   moves the application; liteshift abort gives up",
    Phase.SWITCHING: "liteshift migrate --live SOURCE {target}",
    Phase.REVERSING: "liteshift rollback SOURCE {target}   goes back; liteshift finalize stays for good",
    Phase.RETURNING: "liteshift migrate --live SOURCE {target}",
    Phase.FINALIZED: "liteshift finalize SOURCE {target}   takes away what is left on the source",
    Phase.ABORTED: "liteshift abort SOURCE {target}   takes away what is left on the source",
}
_MIDWAY = (Phase.COPYING, Phase.SWITCHING, Phase.RETURNING)
"""Where there is nothing to type but what goes on, and nothing at all while a process is at it."""
_MEANS = {
    Phase.NEW: "nothing was made yet",
    Phase.COPYING: "the rows are being copied",
    Phase.FOLLOWING: "the application lives on PostgreSQL, and the file follows",
    Phase.SWITCHING: "a cutover is on its way",
    Phase.REVERSING: "the application lives on SQLite, and PostgreSQL follows",
    Phase.RETURNING: "a rollback is on its way",
    Phase.FINALIZED: "the application stays on SQLite",
    Phase.ABORTED: "the move was given up; the application stays on PostgreSQL",
}
_RESUMED = {
    Phase.COPYING: "keeps the rows that are copied, brings them up to a new moment, and goes on",
    Phase.FOLLOWING: "follows on from the position that the file has; nothing is lost or doubled",
    Phase.REVERSING: "takes back what was written on the file since; nothing is lost or doubled",
}


def resumed(phase: Phase, *, lived_on: bool) -> str:
    """What the next run of a move will do; empty where there is nothing to go on with.

    Args:
        lived_on: the file says that the application lives on it.
    """
    if phase is Phase.SWITCHING:
        return "finishes the cutover" if lived_on else "undoes the cutover: the application stays on PostgreSQL"
    if phase is Phase.RETURNING:
        return "undoes the rollback: the application stays on SQLite" if lived_on else "finishes the rollback"
    return _RESUMED.get(phase, "")


def show(as_json_lines: bool, kind: str, word: Any, *, accepted: bool = False) -> None:
    """Show what a move reports.

    Args:
        accepted: the user can do without what is lost.
    """
    if as_json_lines:
        if isinstance(word, LiteshiftError):
            word = {"message": word.message, "hint": word.hint}
        render.print_json({"type": kind.partition("-")[0], **as_json(word)})
        return
    from liteshift.cli import report  # with Rich, which is slow to import

    out = render.console()
    if isinstance(word, Plan):
        report.print_plan(out, word, details=False, accepted=accepted)
    elif isinstance(word, MigrateReport):
        report.print_report(out, word)
        if word.losses:
            lost = f"{render.count(word.losses, 'object')} of {word.source} not carried: named above, before the copy"
            out.print(render.cell(lost, "yellow" if accepted else "bold yellow"))
        out.print(render.cell(f"{word.target} holds every row, and follows {word.source} from here on", "bold green"))
        out.print(render.cell(f"leave this running; then, elsewhere: liteshift cutover {word.target}"))
    elif kind == "verify":
        report.print_verdict(out, TypeAdapter(Verdict).validate_python(as_json(word)))
    elif isinstance(word, LiteshiftError):
        click.echo(render.printable(f"{word.message}; trying again"), err=True)
    elif kind == "notice":
        click.echo(render.printable(word["message"]), err=True)
    elif kind.startswith(("cutover", "rollback")):
        print_switch(out, as_json(word))


def print_switch(out: Console, done: dict[str, Any]) -> None:
    """The proof of a switch."""
    to = "SQLite" if done["kind"] == "cutover" else "PostgreSQL"
    out.print()
    out.print(render.cell(f"the application lives on {to}; writes waited: {proof.paused(done)}", "bold green"))
    facts = render.table("", "")
    for name, value in proof.facts(done):
        facts.add_row(render.cell(name), render.cell(value))
    out.print(facts)
    steps = render.table("step of the pause", ">ms")
    for name, seconds in done["steps"]:
        steps.add_row(render.cell(name), f"{seconds * 1000:.1f}")
    out.print(steps)


def status_words(page: Page, facts: dict[str, Any], *, running: bool, held: int | None, resume: str) -> dict[str, Any]:
    """Where a move is, for programs."""
    entries = [as_json(entry) for entry in page.entries]
    return {
        "type": "status",
        "move": page.move,
        "phase": str(page.phase),
        "meaning": _MEANS[page.phase],
        "epoch": page.epoch,
        "source": page.source,
        "target": page.target,
        "running": running,
        "held_bytes": held,
        "cleared": page.cleared,
        "resume": resume,
        "next": "" if page.cleared else render.typed(_NEXT[page.phase].format(target=page.target)),
        "now": facts,
        "entries": entries,
    }


def print_status(
    out: Console, page: Page, facts: dict[str, Any], *, running: bool, held: int | None, resume: str, target: str
) -> None:
    """Where a move is."""
    out.print(render.cell(f"{page.source} → {page.target}: {page.phase}, {_MEANS[page.phase]}", "bold"))
    shown = render.table("", "")
    process = facts.get("process", "one that has just begun") if running else "none runs it just now"
    shown.add_row("process", render.cell(f"{process}"))
    names = {
        "stopped": "the last one stopped",
        "lag_bytes": "behind, bytes of the log",
        "lag_seconds": "behind, seconds",
        "position": "position in the source's log",
        "transactions": "transactions followed",
        "changes": "changes of rows",
        "waiting": "changes that PostgreSQL does not have yet",
        "slot": "its slot, for a later cutover",
        "newcomers": "tables that PostgreSQL does not have",
        "long_transactions": "open for long there; a cutover waits",
        "changed": "changed there since the plan; a cutover refuses",
        "waits": "waits",
        "source": "the source",
    }
    for key, name in names.items():
        if key in facts:
            value = facts[key]
            text = (
                "; ".join(value) or "none"
                if isinstance(value, list)
                else f"{value:,}"
                if isinstance(value, int)
                else str(value)
            )
            shown.add_row(name, render.cell(text))
    if held is not None:
        shown.add_row("log that the source keeps for it", render.size(held))
    out.print(shown)
    steps = render.table("when", "phase", "what")
    for entry in page.entries[-10:]:
        steps.add_row(entry.at, str(entry.phase), render.cell(entry.note))
    out.print(steps)
    if not running and resume and not page.cleared:
        out.print(render.cell(render.typed(f"liteshift migrate --live SOURCE {target}   {resume}")))
    if not page.cleared and page.phase not in _MIDWAY:
        out.print(render.cell(render.typed(_NEXT[page.phase].format(target=target))))
