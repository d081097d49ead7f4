"""The `liteshift` command: the group, and what an error looks like."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from liteshift import __version__
from liteshift.errors import LiteshiftError


class Group(click.Group):
    """A group whose commands end in an exit code and a message, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a LiteshiftError becomes `error:`, `hint:` and its exit code."""
        try:
            return super().invoke(ctx)
        except LiteshiftError as error:
            report_error(error)
            raise click.exceptions.Exit(error.exit_code) from error


def report_error(error: LiteshiftError) -> None:
    """Print an error and its hint to stderr, as JSON where the command was asked for JSON."""
    if "--json" in sys.argv:
        line = {"type": "error", "code": error.exit_code, "message": error.message, "hint": error.hint}
        click.echo(json.dumps(line), err=True)
        return
    click.echo(f"error: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="liteshift")
def main() -> None:
    """Move a live application from PostgreSQL to SQLite, prove that nothing was lost, and be able to go back."""
