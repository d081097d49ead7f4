"""The `liteshift` command: the group, and what an error looks like."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from liteshift import __version__, native
from liteshift.cli.assess import assess
from liteshift.cli.backup import backup
from liteshift.cli.bench import bench
from liteshift.cli.demo import demo
from liteshift.cli.gate import gate
from liteshift.cli.health import health, maintain
from liteshift.cli.live import abort, cutover, finalize, rollback, status
from liteshift.cli.migrate import migrate, plan, verify
from liteshift.cli.options import config_defaults
from liteshift.cli.render import printable
from liteshift.errors import LiteshiftError
from liteshift.jsonline import json_line


class Group(click.Group):
    """A group whose commands end in an exit code and a message, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a LiteshiftError becomes `error:`, `hint:` and its exit code."""
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except LiteshiftError as error:
            report_error(error)
            raise click.exceptions.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            click.echo("interrupted: what was begun has been undone", err=True)
            raise click.exceptions.Exit(130) from error


def _terminate(_: int, __: object) -> NoReturn:
    raise KeyboardInterrupt  # so that a polite kill undoes what was begun, as ^C does


def report_error(error: LiteshiftError) -> None:
    """Print an error and its hint to stderr, as JSON where the command was asked for JSON."""
    if "--json" in sys.argv:
        line = {"type": "error", "code": error.exit_code, "message": error.message, "hint": error.hint}
        click.echo(json_line(line), err=True)
        return
    click.echo(f"error: {printable(error.message)}", err=True)
    if error.hint:
        click.echo(f"hint: {printable(error.hint)}", err=True)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(f"{__version__} ({native.described()})", prog_name="liteshift")
@click.pass_context
def main(context: click.Context) -> None:
    """Move a live application from PostgreSQL to SQLite, prove that nothing was lost, and be able to go back."""
    context.default_map = config_defaults(Path.cwd(), main.commands)


main.add_command(assess)
main.add_command(plan)
main.add_command(migrate)
main.add_command(verify)
main.add_command(cutover)
main.add_command(rollback)
main.add_command(finalize)
main.add_command(abort)
main.add_command(status)
main.add_command(bench)
main.add_command(demo)
main.add_command(gate)
main.add_command(backup)
main.add_command(health)
main.add_command(maintain)
