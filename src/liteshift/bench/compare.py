"""The comparison: both databases made, asked in turn, and what came out."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from sqlalchemy import text

from liteshift.app.engines import make_tool_engine
from liteshift.bench import machine
from liteshift.bench.results import Comparison, Durability, Memory, Operation, Times
from liteshift.bench.rows import INVOICES_EACH, fill
from liteshift.children import child, environment, run
from liteshift.errors import LiteshiftError
from liteshift.postgres.embedded import EmbeddedServer
from liteshift.progress import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from liteshift.progress import Progress

Side = Literal["postgresql", "sqlite"]

ROUNDS = 5
THREADS = 8
OPERATIONS = {
    "select": "SELECT of a row by its key",
    "select_in_transaction": "the same, inside an open transaction",
    "insert": "INSERT of a row, with commit",
    "join": "JOIN with aggregation, a week's invoices",
    "join_all": "JOIN with aggregation, all invoices",
    "concurrent_select": f"SELECT by key, {THREADS} threads at once",
}
# What a commit has survived once it is answered: a power cut, or a killed process but maybe not a power cut.
SERVER_SETTINGS: Mapping[Durability, Mapping[str, str]] = {
    "durable": {"fsync": "on", "synchronous_commit": "on"},
    "relaxed": {"fsync": "on", "synchronous_commit": "off"},
}
PRESETS: Mapping[Durability, Literal["fast", "durable"]] = {"durable": "durable", "relaxed": "fast"}
SHOWN_SETTINGS = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "work_mem")
SHOWN_PRAGMAS = ("journal_mode", "synchronous", "cache_size", "mmap_size", "page_size")


def compare(folder: Path, parties: int, seconds: float, durability: Durability, progress: Progress) -> Comparison:
    """Make both databases in a folder, and measure.

    Args:
        folder: an empty folder on the disk in question.
        parties: how many, with INVOICES_EACH invoices each.
        seconds: how long to repeat each operation on each side, all rounds together.
        durability: what a commit means, on both sides.
        progress: told how far it has come.

    Raises:
        LiteshiftError: something failed.
    """
    file = folder / "bench.db"
    preset = PRESETS[durability]
    progress(Step("prepare", f"{parties:,} parties, {parties * INVOICES_EACH:,} invoices", 0, None))
    with ExitStack() as running:
        server = running.enter_context(EmbeddedServer(folder / "postgres", settings=SERVER_SETTINGS[durability]))
        source = server.create_database("bench")
        engine = make_tool_engine(source)
        with engine.begin() as connection:
            fill(connection, parties)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))
            settings = {name: str(connection.scalar(text(f"SHOW {name}"))) for name in SHOWN_SETTINGS}
        run(["-m", "liteshift", "migrate", str(file)], folder=folder, env=environment(LITESHIFT_SOURCE=source))
        engine = make_tool_engine(f"sqlite:///{file}", preset=preset)
        with engine.connect() as connection:
            pragmas = {name: str(connection.scalar(text(f"PRAGMA {name}"))) for name in SHOWN_PRAGMAS}
            pragmas["library"] = str(connection.scalar(text("SELECT sqlite_version()")))
        clients: dict[Side, _Client] = {
            "postgresql": running.enter_context(_client(source, folder, parties, preset)),
            "sqlite": running.enter_context(_client(f"sqlite:///{file}", folder, parties, preset)),
        }
        at_start = machine.memory(clients["sqlite"].pid)
        operations = _measure(clients, seconds, progress)
        memory = Memory(
            server=sum(machine.memory(pid) for pid in machine.family(server.pid)),
            postgresql_client=machine.memory(clients["postgresql"].pid),
            sqlite_client=machine.memory(clients["sqlite"].pid),
            client_at_start=at_start,
        )
    return Comparison(
        durability=durability,
        parties=parties,
        invoices=parties * INVOICES_EACH,
        seconds=seconds,
        rounds=ROUNDS,
        threads=THREADS,
        transport="TCP on the loopback interface",
        machine=machine.facts(folder),
        postgresql=settings,
        sqlite={**pragmas, "preset": preset},
        operations=operations,
        memory=memory,
    )


class _Client:
    """One side's client process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process
        self._read()

    def measure(self, operation: str, seconds: float, seed: int) -> tuple[list[float], float]:
        """As `Operations.measure`, over there."""
        stdin = cast("IO[bytes]", self._process.stdin)
        stdin.write(json.dumps({"name": operation, "seconds": seconds, "seed": seed}).encode() + b"\n")
        stdin.flush()
        times, elapsed = self._read()
        return times, elapsed

    def _read(self) -> Any:
        line = cast("IO[bytes]", self._process.stdout).readline()
        if not line:
            raise LiteshiftError(f"a client of the benchmark ended with exit code {self._process.wait()}")
        return json.loads(line)


@contextmanager
def _client(url: str, folder: Path, parties: int, preset: str) -> Iterator[_Client]:
    command = ["-m", "liteshift.bench.worker", str(parties), str(THREADS), preset]
    pipe = subprocess.PIPE
    with child(command, folder=folder, env=environment(DATABASE_URL=url), stdin=pipe, stdout=pipe) as process:
        yield _Client(process)


def _measure(clients: Mapping[Side, _Client], seconds: float, progress: Progress) -> tuple[Operation, ...]:
    """Rounds in turn: whatever slows the machine down for a while slows both sides down."""
    rounds: dict[tuple[str, Side], list[tuple[list[float], float]]] = {}
    for number in range(ROUNDS):
        for operation, what in OPERATIONS.items():
            progress(Step("measure", what, number, ROUNDS))
            for side in sorted(clients, reverse=bool(number % 2)):
                done = clients[side].measure(operation, seconds / ROUNDS, number)
                rounds.setdefault((operation, side), []).append(done)
    found = []
    for operation, what in OPERATIONS.items():
        postgresql, sqlite = _times(rounds[operation, "postgresql"]), _times(rounds[operation, "sqlite"])
        ratio = postgresql.median_ms / sqlite.median_ms
        if operation == "concurrent_select":  # a client's threads also wait for each other: what counts is their sum
            ratio = sqlite.per_second / postgresql.per_second
        found.append(Operation(operation, what, postgresql, sqlite, round(ratio, 2)))
    return tuple(found)


def _times(rounds: list[tuple[list[float], float]]) -> Times:
    every = [seconds * 1000 for times, _ in rounds for seconds in times]
    return Times(
        median_ms=round(median(every), 4),
        p99_ms=round(quantiles(every, n=100, method="inclusive")[98] if len(every) > 1 else every[0], 4),
        per_second=round(len(every) / sum(elapsed for _, elapsed in rounds), 1),
        count=len(every),
        round_medians_ms=tuple(round(median(times) * 1000, 4) for times, _ in rounds),
    )
