"""`liteshift backup create|list|verify|restore|prune`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from liteshift.cli import options, render
from liteshift.errors import LiteshiftError

if TYPE_CHECKING:
    from liteshift.sqlite.restore import Restored
    from liteshift.sqlite.shelf import Backup


def database_path(_: click.Context, __: click.Parameter, value: str) -> Path:
    """A SQLite file given as a path or as `sqlite:///path`."""
    return Path(value.removeprefix("sqlite:///"))


def folder_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--to`, the folder that holds the backups."""
    return click.option(
        "--to",
        "folder",
        type=click.Path(path_type=Path),
        default="migration_backups",
        show_default=True,
        metavar="FOLDER",
        help="The folder that holds the backups.",
    )(command)


def yes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes`."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def patience_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--patience`."""
    return click.option(
        "--patience",
        type=click.FloatRange(min=0),
        default=30,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait while somebody holds the database.",
    )(command)


@click.group()
def backup() -> None:
    """Back up a SQLite database while it is in use, and restore it."""


@backup.command()
@click.argument("database", callback=database_path)
@folder_option
@patience_option
@options.json_option
def create(database: Path, folder: Path, patience: float, as_json: bool) -> None:
    """Copy DATABASE as it is now into the folder, and check the copy."""
    from liteshift.sqlite.backup import create

    with render.progress(as_json_lines=False, quiet=as_json) as progress:
        made = create(database, folder, progress=progress, patience=patience)
    if as_json:
        render.print_json({"type": "backup", **_plain(made)})
    else:
        click.echo(f"{made.path}: {made.rows:,} rows, {render.size(made.bytes)}, checked")


@backup.command("list")
@folder_option
@options.json_option
def list_(folder: Path, as_json: bool) -> None:
    """List the backups in the folder, the newest first, and say which are good."""
    from liteshift.sqlite.shelf import backups

    found = backups(folder)
    if as_json:
        render.print_json({"type": "backups", "folder": str(folder), "backups": [_plain(one) for one in found]})
        return
    if not found:
        click.echo(f"there are no backups in {folder}", err=True)
        return
    rows = render.table("backup", ">size", ">age", ">rows", "verdict")
    for one in found:
        count = "unknown" if one.rows is None else f"{one.rows:,}"
        numbers = (render.size(one.bytes), _age(one), count)
        rows.add_row(render.cell(str(one.path)), *numbers, render.cell(_verdict(one), "" if one.good else "bold red"))
    render.console().print(rows)


@backup.command()
@click.argument("path", metavar="BACKUP", type=click.Path(path_type=Path))
@options.json_option
def verify(path: Path, as_json: bool) -> None:
    """Check BACKUP: its checksum, its integrity, its foreign keys, and the rows it was made with."""
    from liteshift.sqlite.shelf import verify

    found = verify(path)
    if as_json:
        render.print_json({"type": "backup", **_plain(found)})
    if not found.good:
        raise LiteshiftError(f"{path} is not good: {'; '.join(found.problems)}", hint="Do not rely on this backup.")
    if not as_json:
        checked = "checksum, integrity, foreign keys and rows" if found.manifest else "integrity and foreign keys"
        click.echo(f"{path}: {found.rows:,} rows, {_verdict(found)}; checked: {checked}")


@backup.command()
@click.argument("path", metavar="BACKUP", type=click.Path(path_type=Path))
@click.argument("database", callback=database_path)
@folder_option
@patience_option
@yes_option
@options.json_option
def restore(path: Path, database: Path, folder: Path, patience: float, yes: bool, as_json: bool) -> None:
    """Give DATABASE the content of BACKUP, in one step; applications that have it open go on.

    BACKUP is checked first, and a backup is made of what DATABASE holds now. Where there is no DATABASE, it is made.
    A backup of a file that is part of a live move becomes a file like any other.
    """
    from liteshift.sqlite.restore import restore

    if database.exists() and not yes:
        click.confirm(f"Replace what {database} holds by {path}?", abort=True, err=True)
    with render.progress(as_json_lines=False, quiet=as_json) as progress:
        done = restore(path, database, folder, progress=progress, patience=patience)
    notices = _restored_notices(done)
    if as_json:
        safety = _plain(done.safety) if done.safety else None
        words = {"database": str(database), "backup": _plain(done.backup), "safety": safety, "notices": notices}
        render.print_json({"type": "restored", **words})
        return
    click.echo(f"{database} holds the {done.backup.rows:,} rows of {path}")
    for notice in notices:
        click.echo(render.printable(notice))
    if done.safety:
        state = "" if done.safety.good else ", damaged as it was"
        click.echo(f"what it held before is in {done.safety.path}{state}")


@backup.command()
@folder_option
@click.option("--keep", type=int, default=5, show_default=True, metavar="N", help="How many good ones stay.")
@yes_option
@options.json_option
def prune(folder: Path, keep: int, yes: bool, as_json: bool) -> None:
    """Delete old backups, but the newest good ones of each database."""
    from liteshift.sqlite.shelf import backups, remove, surplus

    found = backups(folder)
    old = surplus(found, keep)
    if old and not yes:
        for one in old:
            click.echo(f"{render.printable(str(one.path))}: {_verdict(one)}", err=True)
        click.confirm(f"Delete these {len(old)} backups?", abort=True, err=True)
    for one in old:
        remove(one)
    kept = [one for one in found if one not in old]
    if as_json:
        render.print_json(
            {"type": "pruned", "deleted": [str(one.path) for one in old], "kept": list(map(_plain, kept))}
        )
    else:
        click.echo(f"deleted {len(old)}, kept {len(kept)}, of which {sum(one.good for one in kept)} are good")


def _restored_notices(done: Restored) -> list[str]:
    """What to know of a restore that has to do with a live move."""
    from liteshift.cli.moves import live_phase
    from liteshift.phases import Phase

    notices = []
    if done.part:
        was = "the application lived on" if done.part.lived_on else "followed PostgreSQL"
        notices.append(
            f"{done.backup.path} is of a file that {was} in the live move {done.part.move}; {done.database} has no part"
            " in it: it takes writes, and they go nowhere else"
        )
    try:
        phase = live_phase(done.database)
    except LiteshiftError as error:
        return [*notices, error.message]
    if phase in (Phase.SWITCHING, Phase.REVERSING, Phase.RETURNING):
        notices.append(
            f"{done.database} is where the application moved to, and the way back is closed: PostgreSQL has what was"
            " written before, and refuses writes. Stay on this file with liteshift finalize SOURCE"
            f" {done.database}, or see docs/rollback.md for how to go on on PostgreSQL"
        )
    elif phase in (Phase.NEW, Phase.COPYING, Phase.FOLLOWING):
        notices.append(
            f"the live move to {done.database} can't go on with what was restored: the application lives on"
            f" PostgreSQL. Give the move up: liteshift abort SOURCE {done.database}"
        )
    return notices


def _verdict(found: Backup) -> str:
    if not found.good:
        return found.problems[0]
    return "good" if found.manifest else "good, as far as can be seen without a manifest"


def _age(found: Backup) -> str:
    seconds = max(0, int((datetime.now(UTC) - found.created_at).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _plain(found: Backup) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "created_at": found.created_at.isoformat().replace("+00:00", "Z"),
        "database": found.database,
        "bytes": found.bytes,
        "rows": found.rows,
        "good": found.good,
        "problems": list(found.problems),
        "manifest": {name: getattr(found.manifest, name) for name in found.manifest.__dataclass_fields__}
        if found.manifest
        else None,
    }
