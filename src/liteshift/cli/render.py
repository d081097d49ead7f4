"""How things look on a terminal: tables to stdout, progress to stderr, names without control characters."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

import click

from liteshift.jsonline import json_line
from liteshift.plan import as_json
from liteshift.progress import Progress as Listener
from liteshift.progress import Step

if TYPE_CHECKING:  # Rich is slow to import, and whoever asks for JSON needs none of it
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def console() -> Console:
    """Where tables are printed; as wide as the terminal, or wide enough where there is none."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False, soft_wrap=False)
    return Console(file=cast("IO[str]", _Trimmed()), width=160, highlight=False, soft_wrap=False)


class _Trimmed(io.TextIOBase):
    """Stdout, with lines that end where their text does."""

    def write(self, text: str) -> int:
        sys.stdout.write("\n".join(line.rstrip(" ") for line in text.split("\n")))
        return len(text)

    def flush(self) -> None:
        sys.stdout.flush()


def printable(text: str) -> str:
    """A text from a database without the characters that control a terminal or reorder what it shows."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)


def typed(text: str) -> str:
    """What to type next, without SOURCE where the environment names it."""
    return text.replace(" SOURCE ", " ") if os.environ.get("LITESHIFT_SOURCE") else text


def cell(text: str, style: str = "") -> Text:
    """A text as a table's cell, never read as markup."""
    from rich.text import Text

    return Text(printable(text), style=style)


def table(*headings: str, title: str = "") -> Table:
    """An empty table; a heading that begins with `>` is a column of numbers."""
    from rich.table import Table

    made = Table(box=None, title=title or None, title_justify="left", header_style="bold", pad_edge=False)
    made.show_header = any(heading.strip(">") for heading in headings)
    for heading in headings:
        made.add_column(heading.lstrip(">"), justify="right" if heading.startswith(">") else "left", overflow="fold")
    return made


def print_json(value: Any) -> None:
    """One JSON document on one line of stdout."""
    click.echo(json_line(as_json(value)))


def count(number: int, what: str) -> str:
    """A number of things: `1 row`, `2 rows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def size(octets: int) -> str:
    """Bytes for people: 1,536 is `1.5 KiB`."""
    number = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


@contextmanager
def progress(*, as_json_lines: bool, quiet: bool = False) -> Iterator[Listener]:
    """What the stages tell their progress to: bars on a terminal, JSON lines on request, else nothing."""
    if as_json_lines:
        yield _JsonLines()
    elif quiet or not sys.stderr.isatty():
        yield lambda _: None
    else:
        from liteshift.cli.bars import shown  # slow to import, and most commands show none

        with shown() as listener:
            yield listener


class _JsonLines:
    """At most one line a second and subject, and one when it is finished."""

    def __init__(self) -> None:
        self._told = 0.0

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        if now - self._told >= 1 or step.done == step.total:
            self._told = now
            print_json({"type": "progress", **as_json(step)})
