"""`liteshift migrate --live`, `cutover`, `rollback`, `finalize`, `abort` and `status`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

import click

from liteshift.cli import options, proof, render, switched
from liteshift.errors import DifferencesFound, Interrupted, LiteshiftError, NoConnection, UsageError
from liteshift.keeper import Keeper
from liteshift.live import ending
from liteshift.live.move import STATUS, Ends, Move
from liteshift.live.run import run
from liteshift.logbook import Page
from liteshift.pace import Pace
from liteshift.phases import Phase
from liteshift.plan import Choices
from liteshift.plan import as_json as words_as_json
from liteshift.rejects import SUFFIX
from liteshift.reports import SwitchReport
from liteshift.stages.cutover import Terms, now
from liteshift.workdir import Request, Workdir

Command = TypeVar("Command", bound=Callable[..., Any])

_HOOK_SECONDS = 300
_LONG_SECONDS = 30  # for which a transaction is open that `status` warns of
_FOR_COPYING = "stdlib"


def workdir_option(command: Command) -> Command:
    """`--workdir`."""
    return click.option(
        "--workdir",
        type=click.Path(path_type=Path),
        envvar="LITESHIFT_WORKDIR",
        metavar="FOLDER",
        help="Where the move is written down; TARGET.liteshift where not given.",
    )(command)


def pause_option(command: Command) -> Command:
    """`--pause`."""
    return click.option(
        "--pause",
        type=click.FloatRange(min=0.01),
        default=Terms().pause,
        show_default=True,
        metavar="SECONDS",
        help="How long writes may wait for a switch, at the most; then it is undone.",
    )(command)


def move_live(
    source: str | None,
    path: Path,
    choices: Choices,
    *,
    workdir: Path | None,
    gate: Path | None,
    hooks: dict[str, str],
    overwrite: bool,
    pause: float,
    jobs: int,
    rate: float,
    restart: bool,
    as_json: bool,
) -> None:
    """Begin a live move, or go on with it, until it is over or interrupted."""
    place = _place(path, workdir)
    # The copy sorts its indexes with the SQLite that spills to disk. Once the file is in its place, others use it as
    # well, which is for a mended SQLite: a process can choose only at its start.
    chosen = "LITESHIFT_SQLITE" in os.environ
    with _told(path), place.locked():
        page = place.logbook.read() if place.logbook.exists() else None
        if page is None or page.cleared:
            _target(path).require_free(overwrite=overwrite)  # before anything is made on the source
            page = _first_page(place, source, path, choices, gate, hooks)
        if page.phase in (Phase.NEW, Phase.COPYING):
            from liteshift.live import begin  # the planner, which no other phase needs, is slow to import

            os.environ.setdefault("LITESHIFT_SQLITE", _FOR_COPYING)
            with _opened(place, source, path, pause, as_json, rate) as move:
                begin.copy(
                    move,
                    _target(path),
                    _rejects(path),
                    overwrite=overwrite or _target(path).move() == page.move,
                    restart=restart,
                    jobs=jobs,
                )
            if not chosen:
                del os.environ["LITESHIFT_SQLITE"]
                place.bequeath()
                sys.stdout.flush()
                sys.stderr.flush()
                os.execv(sys.executable, [sys.executable, "-m", "liteshift", *sys.argv[1:]])  # noqa: S606 - no shell
        with _opened(place, source, path, pause, as_json, rate) as move:
            run(move, _target(path), _rejects(path))


def _yes(command: Command) -> Command:
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


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
@_yes
@workdir_option
@options.json_option
def cutover(
    ends: tuple[str, ...],
    pause: float,
    wait: float,
    skip_backup: bool,
    accept_rejects: bool,
    yes: bool,
    workdir: Path | None,
    as_json: bool,
) -> None:
    """Let the application live on TARGET: every row compared, the log drained, and writes held for a moment.

    Whatever fails undoes all before it, and the application goes on as if nothing had happened.
    """
    source, path = options.split_ends(ends)
    _place(path, workdir).logbook.read()  # there is something to ask about
    _confirm(yes, as_json, f"Move the application to {path}?")
    wanted = {"skip_backup": skip_backup, "accept_rejects": accept_rejects}
    _switch("cutover", source, path, workdir, pause, as_json, wait=wait, **wanted)


@click.command()
@options.source_and_target
@pause_option
@_yes
@workdir_option
@options.json_option
def rollback(ends: tuple[str, ...], pause: float, yes: bool, workdir: Path | None, as_json: bool) -> None:
    """Let the application live on SOURCE again, with everything that was written on TARGET."""
    source, path = options.split_ends(ends)
    _place(path, workdir).logbook.read()  # there is something to ask about
    _confirm(yes, as_json, "Move the application back to PostgreSQL?")
    _switch("rollback", source, path, workdir, pause, as_json)


@click.command()
@options.source_and_target
@_yes
@workdir_option
@options.json_option
def finalize(ends: tuple[str, ...], yes: bool, workdir: Path | None, as_json: bool) -> None:
    """Stay on TARGET for good: take away all that was made on SOURCE. There is no way back from here."""
    source, path = options.split_ends(ends)
    _place(path, workdir).logbook.read()  # there is something to ask about
    _confirm(yes, as_json, f"Stay on {path} for good, without a way back?")
    _end("finalize", ending.finalize, source, path, workdir, as_json)


@click.command()
@options.source_and_target
@_yes
@click.option("--move", metavar="NAME", help="The move to give up, where its folder is lost; SOURCE knows it.")
@workdir_option
@options.json_option
def abort(ends: tuple[str, ...], yes: bool, move: str | None, workdir: Path | None, as_json: bool) -> None:
    """Give a live move up: take away all that was made on SOURCE. TARGET keeps its rows, and no longer follows."""
    source, path = options.split_ends(ends)
    _confirm(yes, as_json, "Give the move up?")
    place = _place(path, workdir)
    if not place.logbook.is_lost():
        _end("abort", ending.abort, source, path, workdir, as_json)
        return
    if place.is_run():
        raise place.taken()
    target = _target(path)
    named = move or target.move()
    removed = ending.clear_lost(_origin(source), named)
    if named:
        target.release(named)
    if as_json:
        render.print_json({"type": "abort", "phase": str(Phase.ABORTED), "note": removed})
    else:
        click.echo(render.printable(f"the move's logbook is lost; {removed}"))


@click.command()
@options.source_and_target
@workdir_option
@options.json_option
def status(ends: tuple[str, ...], workdir: Path | None, as_json: bool) -> None:
    """Say where a live move is, how far behind, what it holds on the source's disk, and what to type next.

    What it holds, and which transactions a cutover would have to wait for, is asked of SOURCE, where that is given.
    """
    source, path = options.split_ends(ends)
    place = _place(path, workdir)
    page = place.logbook.read()
    running = place.is_run()
    facts = _facts(place) if running else {}
    held = None
    if source or os.environ.get("LITESHIFT_SOURCE"):
        origin = _origin(source)
        try:
            held = origin.held_bytes(page.move)
            if page.phase in (Phase.NEW, Phase.COPYING, Phase.FOLLOWING):
                facts["long_transactions"] = origin.long_transactions(seconds=_LONG_SECONDS)
        except NoConnection as error:  # all else is known without it
            facts["source"] = error.message
    if as_json:
        render.print_json(switched.status_words(page, facts, running=running, held=held))
    else:
        switched.print_status(render.console(), page, facts, running=running, held=held, target=str(path))


def live_phase(path: Path, workdir: Path | None = None) -> Phase | None:
    """Where the live move is that a file belongs to; None where it belongs to none, or to one that is over.

    Raises:
        LiteshiftError: the logbook can't be read.
    """
    book = _place(path, workdir).logbook
    page = book.read() if book.exists() else None
    return None if page is None or page.cleared else page.phase


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


def _anew(path: Path) -> str:
    return f"liteshift abort SOURCE {path}, then liteshift migrate --live --overwrite SOURCE {path}"


def compare_live(source: str | None, path: Path, workdir: Path | None, *, as_json: bool) -> None:
    """Compare every row of both sides of a live move at one moment, while the application goes on.

    Raises:
        DifferencesFound: they are not equal.
    """
    _switch("verify", source, path, workdir, Terms().pause, as_json)
    verdict = json.loads((_place(path, workdir).path / "verify.json").read_text())
    if any(table["differences"] or table["more"] for table in verdict["tables"]):
        hint = f"The rows that differ are listed above. To make both sides equal, begin anew: {_anew(path)}"
        if live_phase(path, workdir) is not Phase.FOLLOWING:
            hint = "The rows that differ are listed above; docs/verify.md says how to mend them in a live move."
        raise DifferencesFound(f"{path} is not equal to its source", hint=hint)


def ask_runner(verb: str, path: Path, workdir: Path | None, **wanted: bool | float | str) -> str | None:
    """Let the process that runs the move do it; its report's name, or None where no process runs one.

    Raises:
        LiteshiftError: what it answered.
    """
    place = _place(path, workdir)
    if not place.is_run():
        return None
    number = token_hex(8)
    place.ask(Request(number, verb, dict(wanted)))
    answer = place.await_answer(number, _Looking(place))
    if answer.exit_code:
        error = LiteshiftError(answer.message, hint=answer.hint or None)
        error.exit_code = answer.exit_code
        raise error
    return answer.report


class _Looking:
    """Says what the process that runs a move waits for, whenever that changes."""

    def __init__(self, place: Workdir) -> None:
        self._place = place
        self._since = now()
        self._told = ""

    def __call__(self) -> None:
        facts = _facts(self._place)
        waits = facts.get("waits", "")
        if waits and waits.partition(", open")[0] != self._told and facts["at"] >= self._since:
            self._told = waits.partition(", open")[0]
            click.echo(render.printable(waits), err=True)


def _switch(
    verb: str, source: str | None, path: Path, workdir: Path | None, pause: float, as_json: bool, **wanted: bool | float
) -> None:
    place = _place(path, workdir)
    page = place.logbook.read()
    if page.cleared:
        raise UsageError(f"the move is {page.phase} already, and nothing of it is left on {page.source}")
    report = ask_runner(verb, path, workdir, pause=pause, **wanted)
    if report is not None:
        switched.show(as_json, report.removesuffix(".json"), json.loads((place.path / report).read_text()))
        _tell_of_the_application(verb, page, path, as_json)
        return
    if page.phase in (Phase.NEW, Phase.COPYING):
        raise UsageError(
            f"the rows have not been copied to {path} yet, and nobody copies them just now",
            hint=f"Go on with: liteshift migrate --live SOURCE {path}; or give up: liteshift abort SOURCE {path}",
        )
    with _told(path), place.locked(), _opened(place, source, path, pause, as_json) as move:
        move.own(Request(token_hex(8), verb, dict(wanted)))
        run(move, _target(path), _rejects(path))
    _tell_of_the_application(verb, page, path, as_json)
    if not as_json:
        click.echo(f"Nobody follows now. Go on with: liteshift migrate --live SOURCE {path}", err=True)


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
    place = _place(path, workdir)
    page = place.logbook.read()
    if page.cleared:
        raise UsageError(f"the move is {page.phase} already, and nothing of it is left on {page.source}")
    if ask_runner(verb, path, workdir) is None:
        with _told(path), place.locked(), _opened(place, source, path, Terms().pause, as_json) as move:
            end(move)
    else:
        place.await_end()
    page = place.logbook.read()
    if as_json:
        render.print_json({"type": verb, "phase": str(page.phase), "note": page.entries[-1].note})
    else:
        click.echo(render.printable(f"the move is {page.phase}; {page.entries[-1].note}"))


@contextmanager
def _opened(
    place: Workdir, source: str | None, path: Path, pause: float, as_json: bool, rate: float = 0
) -> Iterator[Move]:
    page = place.logbook.read()
    with render.progress(as_json_lines=as_json) as progress, _keeper(page) as gate:
        ends = Ends(_origin(source, rate), _target(path), gate, lambda side: _run_hook(page, side))
        terms = Terms(pause=pause)

        def show(kind: str, word: Any) -> None:
            switched.show(as_json, kind, word)
            if isinstance(word, SwitchReport):
                place.file(f"{kind}.html", proof.page(words_as_json(word)))

        yield Move(ends, place, page, terms=terms, progress=progress, show=show)


@contextmanager
def _keeper(page: Page) -> Iterator[Keeper | None]:
    if not page.gate:
        yield None
        return
    with Keeper(page.gate) as keeper:
        yield keeper


def _first_page(
    place: Workdir, source: str | None, path: Path, choices: Choices, gate: Path | None, hooks: dict[str, str]
) -> Page:
    if gate is not None:
        with Keeper(gate) as keeper:
            route = keeper.establish("postgresql")
        if route.active != "postgresql":
            raise UsageError(
                f"the gate {gate} says that the application lives on {route.active}",
                hint="A live move begins on PostgreSQL. Look whether another move is going on.",
            )
    page = Page(
        move=f"liteshift_{token_hex(4)}",
        phase=Phase.NEW,
        epoch=0,
        source=_origin(source).label,
        target=str(path.absolute()),
        gate=str(gate.absolute()) if gate else "",
        hooks=hooks,
        choices=choices,
    )
    return place.logbook.write(page)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """An interrupt is no failure: the move stands where it is."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            "interrupted; the move stands where it was, and its source keeps what is written meanwhile",
            hint=f"Go on with the same command, or give up: liteshift abort SOURCE {path}",
        ) from error


def _run_hook(page: Page, side: str) -> None:
    command = page.hooks.get(side, "")
    if not command:
        return
    environment = {**os.environ, "LITESHIFT_SIDE": side, "LITESHIFT_TARGET": page.target}
    try:
        done = subprocess.run(
            shlex.split(command), env=environment, timeout=_HOOK_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise LiteshiftError(f"the command for going to {side} could not be run: {error}") from error
    if done.returncode:
        raise LiteshiftError(f"the command for going to {side} ended with exit code {done.returncode}")


def _confirm(yes: bool, as_json: bool, question: str) -> None:
    if not yes and not as_json and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)
    elif not yes:
        raise UsageError("this changes where the application lives", hint="Say --yes where nobody can be asked.")


def _facts(place: Workdir) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((place.path / STATUS).read_text())
    except (OSError, ValueError):
        return {}
    return found


def _place(path: Path, workdir: Path | None) -> Workdir:
    return Workdir(workdir) if workdir else Workdir.beside(path.absolute())


def _rejects(path: Path) -> Path:
    return path.with_name(f"{path.name}{SUFFIX}")


def _origin(source: str | None, rate: float = 0) -> Any:
    from liteshift.postgres.connect import resolve
    from liteshift.postgres.slot import PostgresOrigin

    return PostgresOrigin(resolve(source), Pace(rate))


def _target(path: Path) -> Any:
    from liteshift.sqlite.target import SqliteTarget

    return SqliteTarget(path)
