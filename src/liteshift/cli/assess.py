"""`liteshift assess`."""

from __future__ import annotations

from pathlib import Path

import click

from liteshift.assessment import Assessment, Decision
from liteshift.cli import options, render
from liteshift.cli.migrate import open_source
from liteshift.errors import LiteshiftError, NotFit
from liteshift.plan import Choices
from liteshift.plan import as_json as words_as_json
from liteshift.stages import assess as stage


@click.command()
@click.argument("source", required=False)
@options.choice_options
@click.option("--deep", is_flag=True, help="Read every row; without it, a sample of large tables.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page to look at and to pass on.",
)
@options.json_option
def assess(source: str | None, choices: Choices, deep: bool, html: Path | None, as_json: bool) -> None:
    """Say whether SOURCE can move to SQLite: go, go with these changes, or no-go, and why.

    Looks at the schema, the rows, the server's settings, the application's own SQL where pg_stat_statements keeps it,
    and how much is written. Changes nothing; SELECT on the tables is enough.

    SOURCE is a PostgreSQL URL, a conninfo string or service=NAME; without it, the environment's LITESHIFT_SOURCE.
    """
    with render.progress(as_json_lines=False, quiet=as_json) as progress:
        found = stage.assess(open_source(source), choices, deep=deep, progress=progress)
    if html:
        _write_page(html, found)
    if as_json:
        render.print_json({"type": "assessment", **words_as_json(found)})
    else:
        from liteshift.cli.assessed import print_assessment

        print_assessment(render.console(), found)
        if html:
            click.echo(f"the page is in {html}", err=True)
    if found.verdict.decision is Decision.NO_GO:
        first = found.verdict.reasons[0]
        raise NotFit(f"{found.database} can't be moved as it is: {first.what}", hint=f"{first.instead}.")


def _write_page(path: Path, found: Assessment) -> None:
    from liteshift.cli.page import page

    try:
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise LiteshiftError(f"{path} can't be written: {error.strerror}", hint="Name another file.") from error
