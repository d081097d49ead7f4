"""The `liteshift` command: the group, and what an error looks like."""

from __future__ import annotations

import signal
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from liteshift import __version__, native
from liteshift.cli.options import config_defaults
from liteshift.cli.render import printable, typed
from liteshift.errors import LiteshiftError, UsageError
from liteshift.jsonline import json_line

_MODULES = {
    "abort": "live",
    "assess": "assess",
    "backup": "backup",
    "bench": "bench",
    "cutover": "live",
    "demo": "demo",
    "finalize": "live",
    "gate": "gate",
    "health": "health",
    "maintain": "health",
    "migrate": "migrate",
    "plan": "migrate",
    "rollback": "live",
    "status": "status",
    "verify": "migrate",
}
"""Where each command is; it is imported when it is typed, as the planner's imports alone take half a second."""


class Group(click.Group):
    """A group whose commands end in an exit code and a message, never in a traceback."""

    def main(self, *arguments: Any, **more: Any) -> Any:
        """Run what was typed, once it is clear that the native core is as it was asked for."""
        try:
            native.insist()
        except LiteshiftError as error:
            report_error(error)
            sys.exit(error.exit_code)
        return super().main(*arguments, **more)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in order."""
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; None where there is none."""
        if cmd_name not in _MODULES:
            return None
        found: click.Command = getattr(import_module(f"liteshift.cli.{_MODULES[cmd_name]}"), cmd_name)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what stands before the command; what is wrong there looks like any other error."""
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            report_error(_as_ours(error))
            raise click.exceptions.Exit(2) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant.

        Raises:
            UsageError: there is none of that name.
        """
        if args and args[0] not in _MODULES and not args[0].startswith("-"):
            near = get_close_matches(args[0], _MODULES, 1)
            meant = f"Did you mean liteshift {near[0]}? " if near else ""
            raise UsageError(f"{args[0]} is no command of liteshift's", hint=f"{meant}All of them: liteshift --help")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a LiteshiftError becomes `error:`, `hint:` and its exit code, and so does a wrong call."""
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            report_error(_as_ours(error))
            raise click.exceptions.Exit(2) from error
        except LiteshiftError as error:
            report_error(error)
            raise click.exceptions.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            click.echo("interrupted: what was begun has been undone", err=True)
            raise click.exceptions.Exit(130) from error


def _as_ours(error: click.UsageError) -> UsageError:
    command = error.ctx.command_path if error.ctx else "liteshift"
    message = error.format_message().rstrip(".")
    return UsageError(f"{message[:1].lower()}{message[1:]}", hint=f"See: {command} --help")


def _terminate(_: int, __: object) -> NoReturn:
    raise KeyboardInterrupt  # so that a polite kill undoes what was begun, as ^C does


def report_error(error: LiteshiftError) -> None:
    """Print an error and its hint to stderr, as JSON where the command was asked for JSON."""
    hint = typed(error.hint) if error.hint else None
    if "--json" in sys.argv:
        line = {"type": "error", "code": error.exit_code, "message": error.message, "hint": hint}
        click.echo(json_line(line), err=True)
        return
    click.echo(f"error: {printable(error.message)}", err=True)
    if hint:
        click.echo(f"hint: {printable(hint)}", err=True)


def load_commands() -> dict[str, click.Command]:
    """Every command by its name, imported."""
    return {name: getattr(import_module(f"liteshift.cli.{module}"), name) for name, module in _MODULES.items()}


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(f"{__version__} ({native.described()})", prog_name="liteshift")
@click.pass_context
def main(context: click.Context) -> None:
    """Move a live application from PostgreSQL to SQLite, prove that nothing was lost, and be able to go back."""
    context.default_map = config_defaults(Path.cwd(), load_commands)
