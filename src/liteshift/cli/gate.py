"""`liteshift gate`: the files by which an application knows where it lives."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from liteshift.cli import options, render
from liteshift.errors import UsageError
from liteshift.keeper import Keeper
from liteshift.route import SIDES, Route, Side, State

route_argument = click.argument("route", metavar="ROUTE", type=click.Path(path_type=Path, dir_okay=False))


@click.group()
def gate() -> None:
    """The gate of an application that moves while it runs.

    ROUTE is the file that says which database is live, such as app.db.route; the gate file app.db.gate is beside it.
    """


@gate.command()
@route_argument
@click.option("--active", type=click.Choice(SIDES), help="Where the application lives; by default on postgresql.")
@options.json_option
def create(route: Path, active: Side | None, as_json: bool) -> None:
    """Make ROUTE and its gate file, before the application is started with them.

    What is there already is left alone: only a cutover and a rollback move an application.
    """
    with Keeper(route) as keeper:
        now = keeper.establish(active or "postgresql")
        if active not in (None, now.active):
            raise UsageError(
                f"{route} is there already, and says {now.active}",
                hint="An application is moved by liteshift cutover and liteshift rollback.",
            )
        _tell(keeper, route, now, as_json)


@gate.command()
@route_argument
@options.json_option
def show(route: Path, as_json: bool) -> None:
    """Say what ROUTE says, and who is writing."""
    with Keeper(route) as keeper:
        _tell(keeper, route, keeper.route(), as_json)


def _tell(keeper: Keeper, path: Path, route: Route, as_json: bool) -> None:
    writers, waited = keeper.holders(), keeper.waited()
    if as_json:
        said: dict[str, Any] = {"type": "gate", "route": str(path), "active": route.active, "epoch": route.epoch}
        render.print_json(said | {"state": route.state, "until": route.until, "holders": writers, "waited": waited})
        return
    text = f"{path}: the application lives on {route.active}"
    if route.state is State.DRAINING:
        left = None if route.until is None else route.until - time.time()
        term = "until the move goes on" if left is None else f"for {left:.1f} s more" if left > 0 else "but no longer"
        text += f"; writes are held, {term}"
    if writers:
        text += f"; the gate is held by process {', '.join(map(str, writers))}"
    click.echo(text)
