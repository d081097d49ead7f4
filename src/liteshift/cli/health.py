"""`liteshift health` and `liteshift maintain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from liteshift.cli import options, render
from liteshift.cli.backup import database_path, patience_option
from liteshift.plan import as_json as words_as_json

_FIT = {True: "without a known fault that damages files", False: "which can damage a file, see below"}
_STYLES = {"good": "bold green", "warning": "bold yellow", "bad": "bold red"}


@click.command()
@click.argument("database", metavar="TARGET", callback=database_path)
@options.json_option
@click.pass_context
def health(context: click.Context, database: Path, as_json: bool) -> None:
    """Look at the SQLite file TARGET, in use or not: is it sound, how large, with which settings?

    Changes nothing. Ends with exit code 1 when the file is damaged, or refers to rows that are not there.
    """
    from liteshift.sqlite.health import health

    found = health(database)
    if as_json:
        render.print_json({"type": "health", **words_as_json(found), "database": str(database)})
    else:
        out = render.console()
        facts = render.table("", "")
        for name, value in (
            ("file", f"{render.size(found.bytes)}, of which {render.size(found.free_bytes)} are free pages"),
            ("log", render.size(found.log_bytes)),
            ("disk", f"{render.size(found.disk_free)} left"),
            ("rows", f"{sum(found.rows.values()):,} in {len(found.rows)} tables"),
            ("schema", found.alembic_revision or "no Alembic revision"),
            ("in the file", _settings(found.stored)),
            ("per connection", _settings(found.connection)),
            ("SQLite", f"{found.sqlite_version}, {_FIT[not found.wal_reset_bug]}"),
        ):
            facts.add_row(render.cell(name, "bold"), render.cell(value))
        out.print(facts)
        for line in (*found.problems, *found.warnings):
            out.print(render.cell(line, _STYLES["bad" if line in found.problems else "warning"]))
        out.print(render.cell(f"{database}: {found.verdict}", _STYLES[found.verdict]))
    context.exit(0 if found.good else 1)


@click.command()
@click.argument("database", metavar="TARGET", callback=database_path)
@click.argument("act", type=click.Choice(["vacuum", "analyze", "checkpoint", "optimize"]))
@patience_option
@options.json_option
def maintain(database: Path, act: str, patience: float, as_json: bool) -> None:
    """Maintain the SQLite file TARGET, in use or not.

    \b
    vacuum      give free pages back to the disk
    analyze     measure every table and index for the query planner
    checkpoint  bring the log back into the file
    optimize    measure what needs it
    """
    from liteshift.sqlite import maintain

    done: Any = getattr(maintain, act)(database, patience=patience)
    if as_json:
        render.print_json({"type": act, "database": str(database), **words_as_json(done)})
        return
    match done:
        case maintain.Checkpoint():
            rest = "" if done.moved == done.frames else "; the others are still being read, so the log stays"
            text = f"{done.moved:,} of the log's {done.frames:,} pages are in the file{rest}"
            text += f"; log: {render.size(done.log_bytes_before)} → {render.size(done.log_bytes)}"
        case maintain.Vacuum():
            text = f"file: {render.size(done.bytes_before)} → {render.size(done.bytes)}"
            text += f", log: {render.size(done.log_bytes)}, in {done.seconds:.1f} s"
        case _:
            changed = f"{done.renewed:,} of them changed" if done.renewed else "none of which has changed"
            text = f"{done.indexes:,} tables and indexes have statistics, {changed}, in {done.seconds:.1f} s"
    click.echo(f"{database}: {text}")


def _settings(settings: dict[str, int | str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
