"""Options and arguments that several commands share; each can also come from the environment or `liteshift.toml`."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Set
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from liteshift.errors import UsageError
from liteshift.plan import Choices, Profile

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG = "liteshift.toml"


def json_option(command: Command) -> Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def yes_option(command: Command) -> Command:
    """`--yes`."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def confirm(yes: bool, as_json: bool, question: str, what: str) -> None:
    """Ask before something is done.

    Args:
        yes: it was said before.
        as_json: nobody is there to be asked.
        what: what would be done, for whoever can't be asked.

    Raises:
        UsageError: nobody can be asked, and nobody has said yes.
    """
    if not yes and not as_json and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)
    elif not yes:
        raise UsageError(what, hint="Say --yes where nobody can be asked.")


def choice_options(command: Command) -> Command:
    """`--profile`, `--include`, `--exclude` and `--unknown-as-text`; the command gets them as `choices`."""

    @wraps(command)
    def with_choices(
        *arguments: Any,
        profile: str,
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        unknown_as_text: bool,
        **others: Any,
    ) -> Any:
        return command(*arguments, choices=Choices(Profile(profile), include, exclude, unknown_as_text), **others)

    options = (
        click.option(
            "--profile",
            type=click.Choice([profile.value for profile in Profile]),
            default=Profile.SQLALCHEMY.value,
            show_default=True,
            envvar="LITESHIFT_PROFILE",
            help="Whose habits the file follows: your ORM's, or plain STRICT tables.",
        ),
        click.option(
            "--include", multiple=True, metavar="PATTERN", help="Only these tables (schema.table, * and ?); repeatable."
        ),
        click.option(
            "--exclude",
            multiple=True,
            metavar="PATTERN",
            help="Not these tables; repeatable. pg_catalog.pg_largeobject stands for all large objects.",
        ),
        click.option(
            "--unknown-as-text",
            is_flag=True,
            help="Carry types that liteshift does not know as PostgreSQL prints.",
        ),
    )
    made: Any = with_choices
    for option in reversed(options):
        made = option(made)
    return cast("Command", made)


class Rate(click.ParamType[float]):
    """Bytes per second, such as `20MB`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number of bytes."""
        if isinstance(value, int | float):
            return float(value)
        match = _RATE.fullmatch(value.strip().upper())
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no rate: say something like 20MB, for 20 million bytes per second", param, ctx)
        return float(match[1]) * 1000.0 ** " KMG".index(match[2] or " ")


_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMG]?)B?(?:/S)?")


def rate_option(command: Command) -> Command:
    """`--max-rate`."""
    return click.option(
        "--max-rate",
        type=Rate(),
        default=0.0,
        metavar="RATE",
        envvar="LITESHIFT_MAX_RATE",
        help="Read no more than this from SOURCE in a second, such as 20MB.",
    )(command)


def copy_options(command: Command) -> Command:
    """`--jobs`, `--max-rate` and `--restart`."""
    jobs = click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        envvar="LITESHIFT_JOBS",
        help="Copy over so many connections at the same time, a big table in parts; it pays where both machines have"
        " cores to spare. Each takes some 30 MiB of memory.",
    )
    restart = click.option("--restart", is_flag=True, help="Throw away what an interrupted move has left.")
    return jobs(rate_option(restart(command)))


def source_and_target(command: Command) -> Command:
    """`[SOURCE] TARGET`: with one argument it is the target, and the source is LITESHIFT_SOURCE."""
    return click.argument("ends", nargs=-1, required=True, metavar="[SOURCE] TARGET")(command)


def split_ends(ends: tuple[str, ...]) -> tuple[str | None, Path]:
    """The source as given, None where the environment names it, and the target's path.

    Raises:
        UsageError: more than two arguments, or the two the wrong way round.
    """
    if len(ends) > 2:
        raise UsageError("more than a source and a target is given", hint="It is: liteshift migrate SOURCE TARGET")
    source, target = ends if len(ends) == 2 else (None, ends[0])
    if "://" in target and not target.startswith("sqlite:"):
        raise UsageError(
            "the target is no SQLite file, but a URL" if source else "no target is given",
            hint="The source comes first, then the file to make: liteshift migrate SOURCE app.db",
        )
    path = Path(target.removeprefix("sqlite:///"))
    if not path.name:
        raise UsageError(f"the target {target} names no file", hint="Name the file to make, such as app.db.")
    return source, path


def config_defaults(folder: Path, load: Callable[[], Mapping[str, click.Command]]) -> dict[str, Any]:
    """What `liteshift.toml` in a folder says, as Click's default map.

    Keys outside a section hold for every command that knows them, those in `[migrate]` and so on for that one.

    Args:
        load: gives the commands by their names; asked only where there is such a file.

    Raises:
        UsageError: the file can't be read as TOML, or says what no command knows.
    """
    path = folder / CONFIG
    if not path.exists():
        return {}
    try:
        found = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} can't be read: {error}", hint="It is a TOML file; see docs/cli.md.") from error
    known = {name: {_words(param): param.name or "" for param in command.params} for name, command in load().items()}
    sections = {name: value for name, value in found.items() if isinstance(value, dict)}
    general = {_words(key): value for key, value in found.items() if key not in sections}
    defaults = {}
    for name, parameters in known.items():
        own = {_words(key): value for key, value in sections.pop(name, {}).items()}
        _refuse_unknown(path, own.keys() - parameters.keys(), f"liteshift {name}")
        chosen = {key: value for key, value in general.items() if key in parameters} | own
        defaults[name] = {parameters[key]: value for key, value in chosen.items()}
    _refuse_unknown(
        path, sections.keys() | general.keys() - {key for keys in known.values() for key in keys}, "liteshift"
    )
    return defaults


def _words(parameter: click.Parameter | str) -> str:
    """An option's name as it is typed, without its dashes in front."""
    name = parameter if isinstance(parameter, str) else max(parameter.opts, key=len)
    return name.lstrip("-").replace("_", "-")


def _refuse_unknown(path: Path, unknown: Set[str], command: str) -> None:
    if unknown:
        raise UsageError(
            f"{path} says {', '.join(sorted(unknown))}, which {command} does not know",
            hint=f"Look at: {command} --help",
        )
