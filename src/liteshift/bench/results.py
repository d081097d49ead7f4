"""What a comparison finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Durability = Literal["durable", "relaxed"]


@dataclass(frozen=True, slots=True)
class Times:
    """How long a unit of an operation took on one side, in milliseconds, over all rounds."""

    median_ms: float
    p99_ms: float
    per_second: float
    count: int
    round_medians_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on both sides.

    Attributes:
        ratio: how many times as fast SQLite is: by the medians, and for concurrent reads by the units per second.
    """

    name: str
    what: str
    postgresql: Times
    sqlite: Times
    ratio: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in use at the end (PSS): all processes of the server, and the client process of each side.

    Attributes:
        client_at_start: a client before its first connection: Python and SQLAlchemy themselves.
    """

    server: int
    postgresql_client: int
    sqlite_client: int
    client_at_start: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out, and under which conditions."""

    durability: Durability
    parties: int
    invoices: int
    seconds: float
    rounds: int
    threads: int
    transport: str
    machine: dict[str, str | int]
    postgresql: dict[str, str]
    sqlite: dict[str, str]
    operations: tuple[Operation, ...]
    memory: Memory
