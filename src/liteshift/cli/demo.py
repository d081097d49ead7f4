"""`liteshift demo`."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import click
from rich.console import Console

from liteshift.cli import options, render
from liteshift.errors import DifferencesFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from liteshift.demo.client import Answer
    from liteshift.demo.conversation import Exchange
    from liteshift.demo.live import Moved
    from liteshift.demo.show import Shown


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where everything goes; what an earlier demonstration left there is replaced.",
)
@click.option(
    "--parties", type=click.IntRange(100, 10_000_000), default=100_000, show_default=True, help="How many rows to move."
)
@click.option("--rate", type=click.FloatRange(1, 10_000), default=200, show_default=True, help="Requests a second.")
@click.option(
    "--at-rest", is_flag=True, help="Move it while nobody uses it, and compare what it answers on both databases."
)
@options.json_option
def demo(folder: Path, parties: int, rate: float, at_rest: bool, as_json: bool) -> None:
    """Move a service under load from a PostgreSQL of its own to SQLite, back, and there again.

    The service comes with liteshift's source; nothing outside the folder is touched.
    """
    if not at_rest:
        _show_live(folder, parties, rate, as_json)
        return
    from liteshift.demo.show import show

    out = Console(quiet=True) if as_json else render.console()
    steps = _Steps(out)
    shown = show(folder, parties, steps, quiet=as_json)
    if as_json:
        render.print_json(_report(shown, parties, steps.seconds))
    _print_exchanges(out, shown.exchanges)
    if shown.different:
        raise DifferencesFound(f"{shown.different} of {len(shown.exchanges)} answers are not what they should be")
    _print_end(out, shown, f"{parties:,} parties moved, and {len(shown.exchanges)} answers equal")


def _show_live(folder: Path, parties: int, rate: float, as_json: bool) -> None:
    from liteshift.demo.live import move_live

    out = Console(quiet=True) if as_json else render.console()
    steps = _Steps(out)
    moved = move_live(folder, parties, steps, rate=rate)
    tally = moved.tally
    if as_json:
        render.print_json(
            {
                "type": "report",
                "parties": parties,
                "rate": rate,
                "sent": tally.sent,
                "failed": tally.failed,
                "slowest": {
                    "while_copied": tally.slowest(until=moved.copied),
                    "afterwards": tally.slowest(since=moved.copied),
                },
                "writes": tally.writes,
                "missing": moved.missing,
                "doubled": moved.doubled,
                "switches": moved.switches,
                "rows_verified": moved.rows,
                "seconds": steps.seconds,
            }
        )
    found = render.table("under load, and moved three times", ">")
    found.add_row("requests sent", f"{tally.sent:,}")
    found.add_row("requests failed", f"{len(tally.failed):,}")
    found.add_row("slowest request while it was copied", f"{tally.slowest(until=moved.copied) * 1000:,.0f} ms")
    found.add_row("slowest request afterwards", f"{tally.slowest(since=moved.copied) * 1000:,.0f} ms")
    for switch in moved.switches:
        found.add_row(f"pause of the {switch['kind']}", f"{switch['pause'] * 1000:,.0f} ms")
    found.add_row("writes acknowledged", f"{tally.writes:,}")
    found.add_row("writes missing", f"{len(moved.missing):,}")
    found.add_row("writes done twice", f"{len(moved.doubled):,}")
    found.add_row("rows compared on both sides", f"{moved.rows:,}")
    out.print()
    out.print(found)
    for text in (*tally.failed[:5], *moved.missing[:5], *moved.doubled[:5]):
        out.print(render.cell(text, "red"))
    if not moved.good:
        wrong = f"{len(moved.missing)} writes are missing, and {len(moved.doubled)} were done twice"
        raise DifferencesFound(f"{len(tally.failed)} requests failed, {wrong}")
    _print_end(out, moved, f"{tally.sent:,} requests, none failed, and no write was lost or done twice")


class _Steps:
    """Says what is being done, and how long it took."""

    def __init__(self, out: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._count = 0
        self._out = out

    @contextmanager
    def __call__(self, what: str, /, *, prints: bool = False) -> Iterator[None]:
        """One step; where it prints something itself, its heading goes first."""
        self._count += 1
        heading = f"{self._count}. {what}"
        started = time.monotonic()
        if prints:
            self._out.print()
            self._out.print(render.cell(heading, "bold"))
            yield
        else:
            with self._out.status(render.cell(heading, "bold")):
                yield
        seconds = time.monotonic() - started
        self.seconds[what] = self.seconds.get(what, 0) + seconds
        if not prints:
            self._out.print(render.cell(heading, "bold"), render.cell(f"({seconds:.1f} s)", "dim"))


def _print_exchanges(out: Console, exchanges: Sequence[Exchange]) -> None:
    found = render.table("request", ">status", "answer", "the same")
    for exchange in exchanges:
        request = exchange.request
        verdict = render.cell("equal", "green") if exchange.equal else render.cell("NOT EQUAL", "bold red")
        asked = f"{request.method} {unquote_plus(request.path)}"
        found.add_row(render.cell(asked), str(exchange.there.status), render.cell(_gist(exchange.there)), verdict)
    out.print(found)
    out.print(
        render.cell(
            "equal: the same status, headers (but Date) and body, byte for byte; "
            "only times that a service made while it answered are left out",
            "dim",
        )
    )
    for exchange in exchanges:
        if not exchange.equal:
            out.print(render.cell(f"{exchange.request} is answered", "red"))
            for name, answer in ("PostgreSQL", exchange.there), ("SQLite", exchange.here):
                out.print(render.cell(f"  on {name}: {answer.status} {answer.headers} {answer.body[:500]!r}"))


def _gist(answer: Answer) -> str:
    content = answer.json() if "json" in answer.header("content-type") else {}
    if "parties" in content:
        return f"{len(content['parties']):,} of {content['total']:,}"
    if "is_active" in content:
        return f"party {content['id']}, {'active' if content['is_active'] else 'inactive'}"
    return str(content.get("code") or content.get("status"))


def _print_end(out: Console, shown: Shown | Moved, done: str) -> None:
    liteshift = shlex.quote(_short(Path(sys.executable).parent / "liteshift"))
    out.print()
    out.print(render.cell(f"Done: {done}.", "bold green"))
    lines = {
        "The files": [
            f"{_short(shown.file)}      the new database, {render.size(shown.file.stat().st_size)}",
            f"{_short(shown.place / 'postgres')}    the PostgreSQL it came from, stopped",
        ],
        "The service on the new file": [_serve(shown), "curl http://localhost:8000/api/parties"],
        "Your own database": [
            "export LITESHIFT_SOURCE=postgresql://user@host/name PGPASSWORD=...",
            f"{liteshift} assess            go, go with these changes, or no-go, and why; it only reads",
            f"{liteshift} plan              what becomes of each table; it only reads",
            f"{liteshift} migrate app.db    move it into a new file, and compare every row",
            f"{liteshift} migrate --live app.db    the same while it is in use; then: {liteshift} cutover app.db",
        ],
    }
    for heading, texts in lines.items():
        out.print()
        out.print(render.cell(heading, "bold"))
        for text in texts:
            out.print(render.cell(f"  {text}"), soft_wrap=True)


def _serve(shown: Shown | Moved) -> str:
    """The command that starts the service on the new file."""
    uvicorn = Path(sys.executable).parent / "uvicorn"
    url = shlex.quote(f"sqlite:///{shown.file}")
    return f"cd {shlex.quote(_short(shown.service))} && DATABASE_URL={url} {shlex.quote(str(uvicorn))} app.main:app"


def _short(path: Path) -> str:
    """A path as one would type it here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)


def _report(shown: Shown, parties: int, seconds: dict[str, float]) -> dict[str, Any]:
    migrated, verified = shown.reports["migrate"], shown.reports["verify"]
    return {
        "type": "report",
        "equal": verified["equal"] and not shown.different,
        "parties": parties,
        "revision": shown.revision,
        "target": str(shown.file),
        "migrate": {name: migrated[name] for name in ("position", "bytes", "seconds")},
        "verify": {name: verified[name] for name in ("equal", "tables")},
        "requests": [_summary(exchange) for exchange in shown.exchanges],
        "seconds": seconds,
        "serve": _serve(shown),
    }


def _summary(exchange: Exchange) -> dict[str, Any]:
    request = exchange.request
    return {"method": request.method, "path": request.path, "status": exchange.here.status, "equal": exchange.equal}
