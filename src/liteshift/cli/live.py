"""`liteshift cutover`, `rollback`, `finalize` and `abort`: what is asked of a live move."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import click

from liteshift.asking import Request
from liteshift.cli import options, render, switched
from liteshift.cli.moves import (
    facts_of,
    live_phase,
    opened,
    origin_of,
    pause_option,
    place_of,
    target_of,
    told,
    workdir_option,
)
from liteshift.errors import DifferencesFound, LiteshiftError, Locked, NotInitialised, UsageError
from liteshift.live import ending
from liteshift.live.move import Move, removal
from liteshift.live.run import run
from liteshift.logbook import Page
from liteshift.phases import Phase
from liteshift.stages.cutover import Terms, now
from liteshift.workdir import Workdir

_BEFORE = (Phase.NEW, Phase.COPYING)
_MOVES = "this changes where the application lives"


@click.command()
@options.source_and_target
@pause_option
@click.option(
    "--wait",
    type=click.FloatRange(min=0.01),
    default=Terms().wait,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait, before the pause, for transactions of others that are open on SOURCE.",
)
@click.option("--skip-backup", is_flag=True, help="Make no backup of TARGET before.")
@click.option(
    "--accept-rejects",
    is_flag=True,
    help="Leave behind the rows of SOURCE that SQLite can't hold; liteshift_rejects names them.",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Move though SOURCE has new tables or rules since its plan was made; they stay there alone.",
)
@options.yes_option
@workdir_option
@options.json_option
def cutover(
    ends: tuple[str, ...],
    pause: float,
    wait: float,
    skip_backup: bool,
    accept_rejects: bool,
    accept_changes: bool,
    yes: bool,
    workdir: Path | None,
    as_json: bool,
) -> None:
    """Let the application live on TARGET: every row compared, the log drained, and writes held for a moment.

    Whatever fails undoes all before it, and the application goes on as if nothing had happened.
    """
    source, path = options.split_ends(ends)
    page = place_of(path, workdir).logbook.read()
    if page.phase is not Phase.REVERSING:  # else it is there already
        alone = "" if page.gate or page.hooks.get("sqlite") else "; it has no gate and no command, so nobody tells it"
        options.confirm(yes, as_json, f"Move the application to {path}{alone}?", f"{_MOVES}{alone}")
    wanted = {"skip_backup": skip_backup, "accept_rejects": accept_rejects, "accept_changes": accept_changes}
    _switch("cutover", source, path, workdir, pause, as_json, wait=wait, **wanted)


@click.command()
@options.source_and_target
@pause_option
@options.yes_option
@workdir_option
@options.json_option
def rollback(ends: tuple[str, ...], pause: float, yes: bool, workdir: Path | None, as_json: bool) -> None:
    """Let the application live on SOURCE again, with everything that was written on TARGET."""
    source, path = options.split_ends(ends)
    if place_of(path, workdir).logbook.read().phase is not Phase.FOLLOWING:  # else it is there already
        options.confirm(yes, as_json, "Move the application back to PostgreSQL?", _MOVES)
    _switch("rollback", source, path, workdir, pause, as_json)


@click.command()
@options.source_and_target
@options.yes_option
@workdir_option
@options.json_option
def finalize(ends: tuple[str, ...], yes: bool, workdir: Path | None, as_json: bool) -> None:
    """Stay on TARGET for good: take away all that was made on SOURCE. There is no way back from here."""
    source, path = options.split_ends(ends)
    place_of(path, workdir).logbook.read()  # there is something to ask about
    options.confirm(yes, as_json, f"Stay on {path} for good, without a way back?", "this closes the way back")
    _end("finalize", ending.finalize, source, path, workdir, as_json)
    if not as_json:
        click.echo(
            f"PostgreSQL takes writes again, and what is written there no longer comes to {path}: see that nothing is"
            " pointed at it any more",
            err=True,
        )


@click.command()
@options.source_and_target
@options.yes_option
@click.option("--move", metavar="NAME", help="The move to give up, where its folder is lost; SOURCE knows it.")
@workdir_option
@options.json_option
def abort(ends: tuple[str, ...], yes: bool, move: str | None, workdir: Path | None, as_json: bool) -> None:
    """Give a live move up: take away all that was made on SOURCE. TARGET keeps its rows, and no longer follows."""
    source, path = options.split_ends(ends)
    place = place_of(path, workdir)
    question, what = "Give the move up?", f"this gives the move up: {path} would follow no more"
    if not place.logbook.is_lost():
        options.confirm(yes, as_json, question, what)
        _end("abort", ending.abort, source, path, workdir, as_json)
        return
    if place.is_run():
        raise place.taken()
    beside = Workdir.beside(path.absolute())
    if workdir is not None and not beside.logbook.is_lost():
        raise UsageError(
            f"{place.path} knows nothing of a move, and {beside.path} does", hint="Leave --workdir out, or name that."
        )
    borne, origin = _borne(path), origin_of(source)
    named = move or borne
    try:
        ending.require_lost(origin, named)
    except NotInitialised as error:
        if borne is None:
            raise
        if move != borne:  # this may not be its source, and without the file nothing would say what is left there
            part = f"{path} is part of the live move {borne}, which began elsewhere, or was given up already"
            hint = f"If nothing of it is left on its source, let go of the file: say --move {borne}."
            raise NotInitialised(f"{error.message}; {part}", hint=hint) from error
        options.confirm(yes, as_json, question, what)
        removed = removal(())
    else:
        options.confirm(yes, as_json, question, what)
        removed = ending.clear_lost(origin, named)
    if named and named == borne:
        target_of(path).release(named)
    if as_json:
        render.print_json({"type": "abort", "phase": str(Phase.ABORTED), "note": removed})
    else:
        click.echo(render.printable(f"the move's logbook is lost; {removed}"))


def refuse_repair(path: Path, phase: Phase) -> None:
    """Say why a file that is part of a live move is not repaired, and what mends it.

    Raises:
        UsageError: always.
    """
    look = f"See what differs: liteshift verify {path}."
    if phase in (Phase.SWITCHING, Phase.REVERSING, Phase.RETURNING):
        raise UsageError(
            f"the application lives on {path}, so it is PostgreSQL that would have to be repaired: nothing was written",
            hint=f"{look} docs/verify.md says how to mend a row of PostgreSQL past the fence.",
        )
    raise UsageError(
        f"{path} follows PostgreSQL in a live move, and what a repair writes would collide with what comes in the log",
        hint=f"{look} If something does, begin anew: {_anew(path)}",
    )


def refuse_strange_folder(path: Path, workdir: Path | None) -> None:
    """Raise where a file is part of a live move that the folder knows nothing of: it is no file to compare at rest.

    Raises:
        UsageError: so it is.
    """
    move = target_of(path).move()
    if move is not None:
        raise UsageError(
            f"{path} is part of the live move {move}, of which {place_of(path, workdir).path} knows nothing",
            hint="Name the folder that it was begun with: --workdir FOLDER. If that is lost, give the move up first:"
            f" liteshift abort SOURCE {path}",
        )


def _anew(path: Path) -> str:
    return f"liteshift abort SOURCE {path}, then liteshift migrate --live --overwrite SOURCE {path}"


def compare_live(source: str | None, path: Path, workdir: Path | None, *, as_json: bool) -> None:
    """Compare every row of both sides of a live move at one moment, while the application goes on.

    Raises:
        DifferencesFound: they are not equal.
    """
    _switch("verify", source, path, workdir, Terms().pause, as_json)
    verdict = json.loads((place_of(path, workdir).path / "verify.json").read_text())
    if any(table["differences"] or table["more"] for table in verdict["tables"]):
        hint = f"The rows that differ are listed above. To make both sides equal, begin anew: {_anew(path)}"
        if live_phase(path, workdir) is not Phase.FOLLOWING:
            hint = "The rows that differ are listed above; docs/verify.md says how to mend them in a live move."
        raise DifferencesFound(f"{path} is not equal to its source", hint=hint)


def ask_runner(
    verb: str, source: str | None, path: Path, workdir: Path | None, **wanted: bool | float | str
) -> str | None:
    """Let the process that runs the move do it; its report's name, or None where no process runs one.

    Raises:
        UsageError: SOURCE is another database than that of the move.
        LiteshiftError: what it answered.
    """
    place = place_of(path, workdir)
    if not place.is_run():
        return None
    _refuse_another(source, place.logbook.read())
    number = token_hex(8)
    place.asking.ask(Request(number, verb, dict(wanted)))
    answer = place.asking.await_answer(number, _Looking(place), place.is_run)
    if answer.exit_code:
        error = LiteshiftError(answer.message, hint=answer.hint or None)
        error.exit_code = answer.exit_code
        raise error
    return answer.report


def _refuse_another(source: str | None, page: Page) -> None:
    """See that a database which is named is the one that a move began on, which may have more than one name.

    Raises:
        UsageError: it has no slot of that move.
    """
    if source is None:
        return
    origin = origin_of(source)
    if origin.label != page.source and origin.held_bytes(page.move) is None:
        raise UsageError(
            f"{page.target} is moved from {page.source}, and not from {origin.label}",
            hint="Leave SOURCE out, or name that one.",
        )


class _Looking:
    """Says what the process that runs a move waits for, whenever that changes."""

    def __init__(self, place: Workdir) -> None:
        self._place = place
        self._since = now()
        self._told = ""

    def __call__(self) -> None:
        facts = facts_of(self._place)
        waits = facts.get("waits", "")
        if waits and waits.partition(", open")[0] != self._told and facts["at"] >= self._since:
            self._told = waits.partition(", open")[0]
            click.echo(render.printable(waits), err=True)


def _switch(
    verb: str, source: str | None, path: Path, workdir: Path | None, pause: float, as_json: bool, **wanted: bool | float
) -> None:
    place = place_of(path, workdir)
    page = place.logbook.read()
    if page.cleared:
        raise UsageError(f"the move is {page.phase} already, and nothing of it is left on {page.source}")
    if page.phase in (Phase.ABORTED, Phase.FINALIZED):
        end = "abort" if page.phase is Phase.ABORTED else "finalize"
        raise UsageError(
            f"the move is {page.phase}, but what it made on {page.source} may still be there",
            hint=f"Take that away: liteshift {end} SOURCE {path}",
        )
    if page.phase in _BEFORE and place.is_run():
        click.echo("the rows are still being copied; this waits until they are", err=True)
    began = now()
    report = ask_runner(verb, source, path, workdir, pause=pause, **wanted)
    if report is not None:
        found = json.loads((place.path / report).read_text())
        switched.show(as_json, report.removesuffix(".json"), found)
        if found.get("at", began) < began and not as_json:
            click.echo(f"nothing was left to do: the {verb} was done at {found['at']}", err=True)
        _tell_of_the_application(verb, page, path, as_json)
        return
    if page.phase in _BEFORE:
        raise UsageError(
            f"the rows have not been copied to {path} yet, and nobody copies them just now",
            hint=f"Go on with: liteshift migrate --live SOURCE {path}; or give up: liteshift abort SOURCE {path}",
        )
    with told(path), place.locked(), opened(place, source, path, pause, as_json) as move:
        move.own(Request(token_hex(8), verb, dict(wanted)))
        run(move)
    _tell_of_the_application(verb, page, path, as_json)
    if not as_json:
        click.echo(render.typed(f"Nobody follows now. Go on with: liteshift migrate --live SOURCE {path}"), err=True)


def _tell_of_the_application(verb: str, page: Page, path: Path, as_json: bool) -> None:
    """Where neither a gate nor a command of the user's tells the application, the user has to."""
    to = {"cutover": "sqlite", "rollback": "postgresql"}.get(verb)
    if as_json or to is None or page.gate or page.hooks.get(to):
        return
    there, here = (str(path), "PostgreSQL") if to == "sqlite" else ("PostgreSQL", str(path))
    click.echo(
        f"Without a gate or a command nobody tells the application: point it at {there} now; {here} refuses its writes",
        err=True,
    )


def _end(
    verb: str, end: Callable[[Move], None], source: str | None, path: Path, workdir: Path | None, as_json: bool
) -> None:
    place = place_of(path, workdir)
    page = place.logbook.read()
    if page.cleared and not (verb == "abort" and _is_left(page, path)):
        raise UsageError(f"the move is {page.phase} already, and nothing of it is left on {page.source}")
    if verb == "abort" and page.phase in _BEFORE and place.is_run():
        raise Locked(
            f"the rows are just being copied to {path}, and nothing else is done meanwhile",
            hint="End that first, with ^C where migrate --live runs; then type this again.",
        )
    if page.cleared:
        target_of(path).release(page.move)
        note = f"{path} was still part of it, and no longer is"
    else:
        if ask_runner(verb, source, path, workdir) is not None:
            place.await_end()
        if not place.logbook.read().cleared:  # nobody runs it, or whoever did could not take all away
            with told(path), place.locked(), opened(place, source, path, Terms().pause, as_json) as move:
                end(move)
        page = place.logbook.read()
        note = page.entries[-1].note
    if as_json:
        render.print_json({"type": verb, "phase": str(page.phase), "note": note})
    else:
        click.echo(render.printable(f"the move is {page.phase}; {note}"))


def _is_left(page: Page, path: Path) -> bool:
    """Whether the file still bears a move that was given up: it could not be written then, or was put back since."""
    return page.phase is Phase.ABORTED and _borne(path) == page.move


def _borne(path: Path) -> str | None:
    """The move that a file is part of; None where it is of none, or nothing that SQLite can read."""
    try:
        found: str | None = target_of(path).move()
    except LiteshiftError:
        return None
    return found
