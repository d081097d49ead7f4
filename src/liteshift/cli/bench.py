"""`liteshift bench`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from liteshift.cli import options, render
from liteshift.errors import LiteshiftError, NotInitialised
from liteshift.plan import as_json as words_as_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from liteshift.bench.results import Comparison, Durability, Memory, Times


@click.command()
@click.option(
    "--rows", type=click.IntRange(1000, 100_000_000), default=100_000, show_default=True, help="Parties in the table."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    default=3.0,
    show_default=True,
    help="How long to repeat each operation on each side.",
)
@click.option(
    "--durability",
    type=click.Choice(["durable", "relaxed"]),
    default="durable",
    show_default=True,
    help="What a commit survives, on both sides: a power cut, or a killed process only.",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="A folder on the disk to measure on, for temporary files; this one without it.",
)
@options.json_option
def bench(rows: int, seconds: float, durability: Durability, folder: Path, as_json: bool) -> None:
    """Compare an embedded PostgreSQL with SQLite: the same rows, the same SQLAlchemy code, the same durability."""
    try:
        from liteshift.bench.compare import compare
    except ModuleNotFoundError as error:
        raise NotInitialised(
            f"the benchmark needs {error.name}, which is not installed",
            hint="Type: pip install 'liteshift[app,embedded]'",
        ) from error

    try:
        place = tempfile.TemporaryDirectory(prefix="liteshift-bench-", dir=folder)
    except OSError as error:
        raise LiteshiftError(
            f"no folder for the benchmark can be made in {folder}: {error.strerror}", hint="Use --folder."
        ) from error
    with place as name, render.progress(as_json_lines=as_json) as progress:
        found = compare(Path(name).absolute(), rows, seconds, durability, progress)
    if as_json:
        render.print_json({"type": "report", **words_as_json(found)})
    else:
        _print(render.console(), found)


def _print(out: Console, found: Comparison) -> None:
    times = render.table(
        "one unit of work, milliseconds",
        ">PostgreSQL median", ">p99", ">per second",
        ">SQLite median", ">p99", ">per second",
        ">SQLite is",
    )  # fmt: skip
    for operation in found.operations:
        cells = [*_cells(operation.postgresql), *_cells(operation.sqlite)]
        times.add_row(render.cell(operation.what), *cells, _verdict(operation.ratio))
    out.print(times)
    out.print()
    if found.memory.server:
        _print_memory(out, found.memory)
        out.print()
    meaning = {
        "durable": "a commit survives a power cut",
        "relaxed": "a commit survives a killed process, maybe not a power cut",
    }
    server, file, here = found.postgresql, found.sqlite, found.machine
    for line in (
        f"The same on both sides: {found.parties:,} parties and {found.invoices:,} invoices, moved by liteshift "
        f"migrate; SQLAlchemy sessions; {meaning[found.durability]}.",
        f"PostgreSQL {server['server_version']} over {found.transport}: fsync={server['fsync']}, "
        f"synchronous_commit={server['synchronous_commit']}, shared_buffers={server['shared_buffers']}.",
        f"SQLite {file['library']} in the client's process: preset {file['preset']}, "
        f"journal_mode={file['journal_mode']}, synchronous={file['synchronous']}, mmap_size={file['mmap_size']}.",
        f"{found.rounds} rounds in turn, {found.seconds:g} s for each operation and side; "
        f"{here['cpu']}, {here['cores']} cores, {here['file_system']}, Python {here['python']}, {here['date']}.",
    ):
        out.print(render.cell(line, "dim"))


def _print_memory(out: Console, memory: Memory) -> None:
    together = memory.server + memory.postgresql_client
    table = render.table("memory (PSS)", ">PostgreSQL", ">SQLite")
    table.add_row("all processes of the server", render.size(memory.server), "none")
    table.add_row("the client process", render.size(memory.postgresql_client), render.size(memory.sqlite_client))
    table.add_row("  of it Python and SQLAlchemy", *[render.size(memory.client_at_start)] * 2)
    table.add_row("together", render.size(together), render.size(memory.sqlite_client))
    out.print(table)


def _cells(times: Times) -> tuple[str, str, str]:
    return f"{times.median_ms:.3f}", f"{times.p99_ms:.3f}", f"{times.per_second:,.0f}"


def _verdict(ratio: float) -> Text:
    if ratio >= 1:
        return render.cell(f"{ratio:.1f} times as fast", "green")
    return render.cell(f"{1 / ratio:.1f} times as slow", "yellow")
