"""`liteshift plan`, `migrate` and `verify`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from liteshift.cli import options, render
from liteshift.cli.begin import move_live
from liteshift.cli.live import compare_live, refuse_repair, refuse_strange_folder
from liteshift.cli.moves import live_phase, pause_option, refuse_to_replace, rejects_of, workdir_option
from liteshift.ends import Source, Target
from liteshift.errors import DifferencesFound, LossesNotAccepted, UsageError
from liteshift.pace import Pace
from liteshift.plan import Choices, Severity
from liteshift.plan import as_json as words_as_json

if TYPE_CHECKING:
    from liteshift.plan import Plan
    from liteshift.reports import MigrateReport

# What a command does is imported when it does it: the planner and Rich are slow to import, and a live move that goes on
# needs neither.


def open_source(given: str | None, rate: float = 0) -> Source:
    """The PostgreSQL database that an argument or the environment names; no more than `rate` bytes a second of it."""
    from liteshift.postgres.connect import resolve
    from liteshift.postgres.snapshot import PostgresSource

    return PostgresSource(resolve(given), Pace(rate))


def open_target(path: Path) -> Target:
    """The SQLite file at a path."""
    # The wheel's SQLite sorts in memory, however large the index; Python's own spills to disk. While the file is being
    # built nobody else has it open, so what the wheel is preferred for can't happen.
    os.environ.setdefault("LITESHIFT_SQLITE", "stdlib")
    from liteshift.sqlite.target import SqliteTarget

    return SqliteTarget(path)


@click.command()
@click.argument("source", required=False)
@options.choice_options
@options.json_option
def plan(source: str | None, choices: Choices, as_json: bool) -> None:
    """Show what a move would do: what each table, column, constraint and index becomes, what is lost, and why.

    SOURCE is a PostgreSQL URL, a conninfo string or service=NAME; without it, the environment's LITESHIFT_SOURCE.
    """
    from liteshift import migration

    found = migration.plan(open_source(source), choices)
    if as_json:
        render.print_json(found)
    else:
        from liteshift.cli import report

        report.print_plan(render.console(), found, details=True)


@click.command()
@options.source_and_target
@options.choice_options
@click.option("--overwrite", is_flag=True, help="Replace TARGET once the new file is whole and verified.")
@click.option(
    "--accept-losses", is_flag=True, help="End with exit code 0 though objects are lost; rejected rows never are."
)
@click.option("--live", is_flag=True, help="Then follow SOURCE, until the application is cut over to TARGET.")
@click.option(
    "--gate",
    type=click.Path(path_type=Path),
    metavar="ROUTE",
    help="With --live: the route file of the application's gate, which holds its writes for a switch.",
)
@click.option(
    "--on-cutover",
    default="",
    metavar="COMMAND",
    help="With --live: run it, without a shell, when TARGET is ready for writes, within the pause.",
)
@click.option(
    "--on-rollback",
    default="",
    metavar="COMMAND",
    help="With --live: run it, without a shell, when SOURCE takes writes again.",
)
@pause_option
@options.copy_options
@workdir_option
@options.json_option
def migrate(
    ends: tuple[str, ...],
    choices: Choices,
    overwrite: bool,
    accept_losses: bool,
    live: bool,
    gate: Path | None,
    on_cutover: str,
    on_rollback: str,
    pause: float,
    jobs: int,
    max_rate: float,
    restart: bool,
    workdir: Path | None,
    as_json: bool,
) -> None:
    """Move SOURCE, a PostgreSQL database, into TARGET, a new SQLite file, and verify every row.

    SOURCE is only read, but for what --live needs there: a slot, a publication and the schema liteshift, which
    liteshift abort and finalize take away. TARGET appears whole and verified, or not at all. After an interrupt, the
    same command goes on with what was copied.
    """
    given, path = options.split_ends(ends)
    if live:
        hooks = {"sqlite": on_cutover, "postgresql": on_rollback}
        move_live(
            given, path, choices, workdir=workdir, gate=gate, hooks=hooks, overwrite=overwrite,
            accept_losses=accept_losses, pause=pause, jobs=jobs, rate=max_rate, restart=restart, as_json=as_json,
        )  # fmt: skip
        return
    if gate or on_cutover or on_rollback:
        raise UsageError("--gate, --on-cutover and --on-rollback are for a live move", hint="Say --live as well.")
    from liteshift import migration
    from liteshift.cli import report

    source, target = open_source(given, max_rate), open_target(path)
    refuse_to_replace(path, workdir)
    out = render.console()

    def show(found: Plan) -> None:
        if as_json:
            render.print_json({"type": "plan", **words_as_json(found)})
        else:
            report.print_plan(out, found, details=False, accepted=accept_losses)

    with render.progress(as_json_lines=as_json) as progress:
        done = migration.migrate(
            source,
            target,
            choices,
            rejects=rejects_of(path),
            overwrite=overwrite,
            progress=progress,
            show_plan=show,
            notice=lambda text: click.echo(render.printable(text), err=True),
            restart=restart,
            jobs=jobs,
        )
    if as_json:
        render.print_json({"type": "report", **words_as_json(done)})
    else:
        report.print_report(out, done)
    _judge(done, accept_losses)
    if not as_json:
        out.print(
            render.cell(f"{done.target} holds every row of {done.source}, at position {done.position}", "bold green")
        )


def _judge(done: MigrateReport, accept_losses: bool) -> None:
    if not done.verdict.equal:
        raise DifferencesFound(
            f"{done.target} was not put into place: it is not equal to {done.source}",
            hint="The rows that differ are listed above; please report this with your table's definition.",
        )
    if done.rejected:
        raise LossesNotAccepted(
            f"{done.target} is in place, but {render.count(done.rejected, 'row')} of {done.source} can't be carried",
            hint=f"Look at {done.rejects_file}, mend the rows on the source, and migrate again with --overwrite.",
        )
    if done.plan.of(Severity.LOSS) and not accept_losses:
        lost = render.count(done.losses, "object")
        raise LossesNotAccepted(
            f"{done.target} is in place with every row, without {lost} of {done.source}",
            hint="They are listed above. If you can do without them, nothing is left to do: --accept-losses only makes"
            " this exit code 0.",
        )


@click.command()
@options.source_and_target
@options.choice_options
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many differing rows to show per table.",
)
@click.option(
    "--repair", is_flag=True, help="Make TARGET equal to SOURCE: write what differs, with a script to undo it."
)
@click.option("--undo", type=click.Path(path_type=Path), help="The undo script; TARGET.undo-TIME.sql where not given.")
@click.option("--yes", is_flag=True, help="Repair without asking.")
@options.rate_option
@workdir_option
@options.json_option
def verify(
    ends: tuple[str, ...],
    choices: Choices,
    limit: int,
    repair: bool,
    undo: Path | None,
    yes: bool,
    max_rate: float,
    workdir: Path | None,
    as_json: bool,
) -> None:
    """Compare every row of SOURCE and TARGET by value, and show each difference down to the column."""
    given, path = options.split_ends(ends)
    phase = live_phase(path, workdir)
    if phase is not None:  # only whoever follows can bring both sides to one moment
        if repair:
            refuse_repair(path, phase)
        compare_live(given, path, workdir, as_json=as_json)
        return
    from liteshift import migration

    source, target = open_source(given, max_rate), open_target(path)
    refuse_strange_folder(path, workdir)
    with render.progress(as_json_lines=as_json) as progress:
        verdict = migration.compare(source, target, choices, progress=progress, limit=limit)
    if as_json:
        render.print_json({"type": "report", "equal": verdict.equal, **words_as_json(verdict)})
    else:
        from liteshift.cli import report

        report.print_verdict(render.console(), verdict)
    if verdict.equal:
        return
    if not repair:
        raise DifferencesFound(
            f"{target.label} is not equal to {source.label}",
            hint=f"To make it equal: liteshift verify --repair SOURCE {path}; it can be undone.",
        )
    question = f"Write to {target.label} what differs? Rows that were written there since the move are removed."
    options.confirm(yes, as_json, question, f"this writes to {target.label}, and removes what was written there since")
    undo = undo or path.with_name(f"{path.name}.undo-{datetime.now(UTC):%Y%m%d_%H%M%S}.sql")
    with render.progress(as_json_lines=as_json) as progress:
        repaired = migration.repair(source, target, choices, undo=undo, progress=progress)
    if as_json:
        render.print_json({"type": "repair", "tables": words_as_json(repaired), "undo": str(undo)})
    else:
        for table in repaired:
            click.echo(render.printable(f"{table.target}: {table.removed} rows removed, {table.written} written"))
        click.echo(render.printable(f"{target.label} is equal now; {undo} takes it back"))
