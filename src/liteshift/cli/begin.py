"""`liteshift migrate --live`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import click

from liteshift.cli import render
from liteshift.cli.moves import (
    leaving_word,
    opened,
    origin_of,
    page_of,
    place_of,
    refuse_to_replace,
    rejects_of,
    target_of,
    told,
)
from liteshift.errors import LossesNotAccepted, UsageError
from liteshift.keeper import Keeper
from liteshift.live.move import STATUS
from liteshift.live.run import run
from liteshift.logbook import Page
from liteshift.phases import Phase
from liteshift.plan import Choices, Severity
from liteshift.workdir import Workdir

_FOR_COPYING = "stdlib"
_SHELLS = re.compile(r"[|&;<>]|\d[<>]")
_INTERRUPTS = {signal.SIGINT, signal.SIGTERM}


def move_live(
    source: str | None,
    path: Path,
    choices: Choices,
    *,
    workdir: Path | None,
    gate: Path | None,
    hooks: dict[str, str],
    overwrite: bool,
    accept_losses: bool,
    pause: float,
    jobs: int,
    rate: float,
    restart: bool,
    as_json: bool,
) -> None:
    """Begin a live move, or go on with it, until it is over or interrupted.

    Raises:
        LossesNotAccepted: it is over, on SQLite, where nobody has accepted what was left behind.
    """
    place = place_of(path, workdir)
    for command in hooks.values():
        _require_runnable(command)
    # The copy sorts its indexes with the SQLite that spills to disk. Once the file is in its place, others use it as
    # well, which is for a mended SQLite: a process can choose only at its start.
    chosen = "LITESHIFT_SQLITE" in os.environ
    is_the_same = place.is_bequeathed()  # as before the copy's end
    name, plan = f"liteshift_{token_hex(4)}", None
    with told(path):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
        if page_of(place) is None:  # nothing is made, here or there, before all is known to be fit
            from liteshift.live import begin  # the planner, which no other phase needs, is slow to import

            os.environ.setdefault("LITESHIFT_SQLITE", _FOR_COPYING)
            refuse_to_replace(path, workdir)
            target_of(path).require_free(overwrite=overwrite)
            if gate is None and not any(hooks.values()):
                _refuse_to_pass_over(path.with_name(f"{path.name}.route"))
            plan = begin.fit(origin_of(source), name, choices)
        with place.locked(), leaving_word(place):
            page = page_of(place)
            (place.path / STATUS).unlink(missing_ok=True)  # what another process has said
            if page is None:
                page = _first_page(place, source, path, choices, gate, hooks, name, overwrite=overwrite)
            else:
                page = _as_asked(place, page, choices, gate, hooks)
                if not (as_json or is_the_same):
                    click.echo(f"going on with the move of {page.source}, which is {page.phase}", err=True)
            if page.phase in (Phase.NEW, Phase.COPYING):
                from liteshift.live import begin

                os.environ.setdefault("LITESHIFT_SQLITE", _FOR_COPYING)
                with opened(place, source, path, pause, as_json, rate, accepted=accept_losses) as move:
                    begin.copy(
                        move,
                        plan or begin.fit(move.ends.origin, page.move, page.choices),
                        target_of(path),
                        rejects_of(path),
                        overwrite=overwrite or page.overwrite or target_of(path).move() == page.move,
                        restart=restart,
                        jobs=jobs,
                    )
                if not chosen:
                    del os.environ["LITESHIFT_SQLITE"]
                    place.bequeath()
                    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)  # until we are back here, and can say so
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os.execv(sys.executable, [sys.executable, "-m", "liteshift", *sys.argv[1:]])  # noqa: S606 - no shell
            with opened(place, source, path, pause, as_json, rate) as move:
                run(move, reached=is_the_same)
                page = move.page
    _tell_the_end(page, accept_losses=accept_losses, as_json=as_json)


def _refuse_to_pass_over(route: Path) -> None:
    """See that a gate which was made beside the file is not forgotten: every write would fail after a cutover.

    Raises:
        UsageError: there is one.
    """
    if route.exists():
        raise UsageError(
            f"{route} lies there, and no gate was named: nobody would tell the application of a switch",
            hint=f"Say --gate {route}, or move that file away where the application has no gate.",
        )


def _require_runnable(command: str) -> None:
    """See before the move that a command can be run, and not in the pause.

    Raises:
        UsageError: it can't be, or is written for a shell, which runs none of them.
    """
    hint = "Commands are run without a shell; for one, say: sh -c '...'"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"the command {command!r} can't be read: {str(error).lower()}", hint=hint) from error
    if strange := [word for word in words if _SHELLS.match(word)]:
        raise UsageError(f"{strange[0]} in the command {command!r} means nothing without a shell", hint=hint)
    if words and shutil.which(words[0]) is None:
        raise UsageError(f"there is no {words[0]} to run, as the command {command!r} would", hint=hint)


def _tell_the_end(page: Page, *, accept_losses: bool, as_json: bool) -> None:
    if as_json:
        render.print_json({"type": "end", "phase": str(page.phase), "note": page.entries[-1].note})
    else:
        click.echo(render.printable(f"the move is {page.phase}; {page.entries[-1].note}"))
    lost = page.plan.of(Severity.LOSS) if page.plan and page.phase is Phase.FINALIZED else ()
    if lost and not accept_losses:
        raise LossesNotAccepted(
            f"the application stays on {page.target}, with every row, without {render.count(len(lost), 'object')} of"
            f" {page.source}",
            hint="They were listed before the copy began. --accept-losses makes this exit code 0.",
        )


def _first_page(
    place: Workdir,
    source: str | None,
    path: Path,
    choices: Choices,
    gate: Path | None,
    hooks: dict[str, str],
    name: str,
    *,
    overwrite: bool,
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
        move=name,
        phase=Phase.NEW,
        epoch=0,
        source=origin_of(source).label,
        target=str(path.absolute()),
        gate=str(gate.absolute()) if gate else "",
        hooks=hooks,
        choices=choices,
        overwrite=overwrite,
    )
    return place.logbook.write(page)


def _as_asked(place: Workdir, page: Page, choices: Choices, gate: Path | None, hooks: dict[str, str]) -> Page:
    """A move keeps what it was begun with, which needn't be typed again; other commands to run may be named."""
    known = []
    if gate is not None and str(gate.absolute()) != page.gate:
        known.append(f"the gate {page.gate}" if page.gate else "no gate")
    if choices not in (Choices(), page.choices):
        known.append(page.choices.said)
    if known:
        raise UsageError(
            f"the move in {place.path} was begun with {' and '.join(known)}, and keeps to that",
            hint="Go on without these options; or give the move up with liteshift abort, and begin anew.",
        )
    named = {side: command for side, command in hooks.items() if command}
    return place.logbook.write(replace(page, hooks=page.hooks | named)) if named else page
