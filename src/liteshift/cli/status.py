"""`liteshift status`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from liteshift.cli import options, render, switched
from liteshift.cli.moves import facts_of, origin_of, place_of, target_of, workdir_option
from liteshift.errors import LiteshiftError, NoConnection
from liteshift.live.watch import changed
from liteshift.logbook import Page
from liteshift.phases import Phase

_LONG_SECONDS = 30  # for which a transaction is open that `status` warns of


@click.command()
@options.source_and_target
@workdir_option
@options.json_option
def status(ends: tuple[str, ...], workdir: Path | None, as_json: bool) -> None:
    """Say where a live move is, how far behind, what it holds on the source's disk, and what to type next.

    What it holds, which transactions a cutover would have to wait for, and what has changed since the plan was made,
    is asked of SOURCE, where that is given.
    """
    source, path = options.split_ends(ends)
    place = place_of(path, workdir)
    page = place.logbook.read()
    running = place.is_run()
    facts = facts_of(place)
    if not running:  # all else it says was so when it ended
        facts = {name: fact for name, fact in facts.items() if name == "stopped" and not page.cleared}
    held = waiting = None
    with suppress(LiteshiftError):  # all else is known without the file
        waiting = target_of(path).waiting()
    if waiting is not None:
        facts["waiting"] = waiting
    resume = switched.resumed(page.phase, lived_on=waiting is not None)
    if source or os.environ.get("LITESHIFT_SOURCE"):
        origin = origin_of(source)
        try:
            held = origin.held_bytes(page.move)
            if held is None and origin.label != page.source:
                facts["source"] = f"{origin.label} has no slot of this move, which began on {page.source}"
            else:
                facts |= _of_source(origin, page)
        except NoConnection as error:  # all else is known without it
            facts["source"] = error.message
    if as_json:
        render.print_json(switched.status_words(page, facts, running=running, held=held, resume=resume))
    else:
        out = render.console()
        switched.print_status(out, page, facts, running=running, held=held, resume=resume, target=str(path))


def _of_source(origin: Any, page: Page) -> dict[str, Any]:
    """What the source says of a move."""
    facts: dict[str, Any] = {}
    if page.phase in (Phase.NEW, Phase.COPYING, Phase.FOLLOWING):
        facts["long_transactions"] = origin.long_transactions(seconds=_LONG_SECONDS)
    if page.phase in (Phase.FOLLOWING, Phase.REVERSING) and (changes := changed(origin, page)) is not None:
        facts["changed"] = list(changes)
    return facts
