"""A live move as the commands find it: its folder, its two ends, and the options that say where they are."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from liteshift.cli import proof, render, switched
from liteshift.errors import Interrupted, LiteshiftError, UsageError
from liteshift.keeper import Keeper
from liteshift.live.move import STATUS, Ends, Move
from liteshift.logbook import Page
from liteshift.pace import Pace
from liteshift.phases import Phase
from liteshift.plan import as_json as words_as_json
from liteshift.rejects import SUFFIX
from liteshift.reports import SwitchReport
from liteshift.stages.cutover import Terms, now
from liteshift.workdir import Workdir

Command = TypeVar("Command", bound=Callable[..., Any])


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


def live_phase(path: Path, workdir: Path | None = None) -> Phase | None:
    """Where the live move is that a file belongs to; None where it belongs to none, or to one that is over.

    Raises:
        LiteshiftError: the logbook can't be read.
    """
    page = page_of(place_of(path, workdir))
    return None if page is None else page.phase


def page_of(place: Workdir) -> Page | None:
    """What is known of the live move in a folder; None where there is none, or one that is over.

    Raises:
        LiteshiftError: the logbook can't be read.
    """
    page = place.logbook.read() if place.logbook.exists() else None
    return None if page is None or page.cleared else page


def refuse_to_replace(path: Path, workdir: Path | None) -> None:
    """Raise where a file that a new one would replace is part of a live move, or the application stays on it since one.

    Raises:
        UsageError: so it is.
    """
    place = place_of(path, workdir)
    if path.exists() and place.logbook.exists() and place.logbook.read().phase is Phase.FINALIZED:
        raise UsageError(
            f"the application lives on {path} since a move was finalized, and what was written there is nowhere else",
            hint=f"Name another target. Where nobody needs that file any more, move it and {place.path} away first.",
        )
    try:
        move = target_of(path).move()
    except LiteshiftError:  # no file of SQLite's, or none that can be read
        return
    if move is not None:
        raise UsageError(
            f"{path} is part of the live move {move}, and what was written there may be nowhere else",
            hint=f"End that move first: liteshift abort SOURCE {path}, or where the application lives on the file"
            " liteshift rollback or finalize.",
        )


@contextmanager
def told(path: Path) -> Iterator[None]:
    """An interrupt is no failure: the move stands where it is."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            "interrupted; the move stands where it was, and its source keeps what is written meanwhile",
            hint=f"Go on with the same command; liteshift status {path} says what else there is to do.",
        ) from error


@contextmanager
def leaving_word(place: Workdir) -> Iterator[None]:
    """Keep the error that a block ends with, for `status`."""
    try:
        yield
    except (LiteshiftError, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, LiteshiftError) else "interrupted"
        with suppress(OSError):  # a full disk may be what it is about
            place.file(STATUS, json.dumps({"stopped": f"{now()}: {why}"}))
        raise


@contextmanager
def opened(
    place: Workdir,
    source: str | None,
    path: Path,
    pause: float,
    as_json: bool,
    rate: float = 0,
    *,
    accepted: bool = False,
) -> Iterator[Move]:
    """A move, ready to be gone on with, which shows what it reports.

    Args:
        accepted: the user can do without what is lost.
    """
    page = place.logbook.read()
    with render.progress(as_json_lines=as_json) as progress, _keeper(page) as gate:
        ends = Ends(
            origin_of(source, rate), target_of(path), gate, lambda side, seconds: _run_hook(page, side, seconds)
        )
        terms = Terms(pause=pause)

        def show(kind: str, word: Any) -> None:
            try:
                switched.show(as_json, kind, word, accepted=accepted)
                sys.stdout.flush()
            except (BrokenPipeError, SystemExit):  # as Rich has it; nobody reading is no reason to stop within a switch
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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


def _run_hook(page: Page, side: str, seconds: float) -> None:
    command = page.hooks.get(side, "")
    if not command:
        return
    undone = "The cutover was undone, and the application stays on PostgreSQL. " if side == "sqlite" else ""
    environment = {**os.environ, "LITESHIFT_SIDE": side, "LITESHIFT_TARGET": page.target}
    try:
        done = subprocess.run(
            shlex.split(command), env=environment, timeout=max(seconds, 0.01), check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise LiteshiftError(
            f"the command for going to {side} did not end within {seconds:.1f} s, and was ended",
            hint=f"{undone}A cutover waits for it within the pause: allow more with --pause, or let the command do the"
            " rest in the background.",
        ) from None
    except (OSError, ValueError) as error:
        raise LiteshiftError(
            f"the command for going to {side} could not be run: {error}", hint=undone or None
        ) from error
    if done.returncode:
        raise LiteshiftError(
            f"the command for going to {side} ended with exit code {done.returncode}", hint=undone or None
        )


def facts_of(place: Workdir) -> dict[str, Any]:
    """What the process that runs a move has last said of it."""
    try:
        found: dict[str, Any] = json.loads((place.path / STATUS).read_text())
    except (OSError, ValueError):
        return {}
    return found


def place_of(path: Path, workdir: Path | None) -> Workdir:
    """The folder of a file's move."""
    return Workdir(workdir) if workdir else Workdir.beside(path.absolute())


def rejects_of(path: Path) -> Path:
    """Where rows that can't be carried into a file are written down."""
    return path.with_name(f"{path.name}{SUFFIX}")


def origin_of(source: str | None, rate: float = 0) -> Any:
    """The source that an argument or the environment names; no more than `rate` bytes a second of it."""
    from liteshift.postgres.connect import resolve
    from liteshift.postgres.slot import PostgresOrigin

    return PostgresOrigin(resolve(source), Pace(rate))


def target_of(path: Path) -> Any:
    """The file at a path."""
    from liteshift.sqlite.target import SqliteTarget

    return SqliteTarget(path)
