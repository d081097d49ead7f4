"""What an assessment asks of a source beside its catalog, and what it hears."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from liteshift.catalog import Name


class Oddity(StrEnum):
    """A kind of value that may not arrive as it is, or that is good to know of."""

    NAN = "NaN"
    NEGATIVE_ZERO = "-0"
    INFINITY = "infinity"
    BEFORE_CHRIST = "before Christ"
    PAST_9999 = "past the year 9999"
    HOUR_24 = "24:00:00"
    PAST_15_DIGITS = "more than 15 digits"
    NOT_UTF8 = "not UTF-8"
    NOT_ASCII = "beyond ASCII"
    CONTROL = "control characters"


@dataclass(frozen=True, slots=True)
class Probe:
    """One kind of value to count in a column.

    Attributes:
        steps: the way into a value: the name of a composite's field, or None for each element of an array.
    """

    column: str
    oddity: Oddity
    steps: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """What to ask of a table's rows, all of it in one reading.

    Attributes:
        with_children: whether its rows stand in partitions; else only its own are read.
        key: the columns that tell which row it is; none where that can't be said.
        probes: the kinds of value to count.
        texts: columns whose length counts as it is.
        blobs: columns whose length counts twice, as COPY sends two digits for a byte.
        packed: columns of which only the size on the disk is cheap to know.
        numerics: numeric columns whose longest values are wanted.
        row_limit: a row of more bytes than this can't be moved.
        percent: how much of the table to read; None for all of it.
    """

    table: Name
    with_children: bool
    key: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    texts: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    packed: tuple[str, ...] = ()
    numerics: tuple[str, ...] = ()
    row_limit: int = 1_000_000_000
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """What a table's rows say.

    Attributes:
        rows: how many were read.
        counts: rows that each probe found.
        examples: for each probe a row's key as a JSON list; None where it found none, or the table has no key.
        widest: the bytes of the widest row.
        oversize: rows past the limit.
        digits: for each numeric column the most digits before and after the point.
    """

    rows: int
    counts: tuple[int, ...]
    examples: tuple[str | None, ...]
    widest: int
    oversize: int
    digits: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the server allows the role we are.

    Attributes:
        database: its name.
        version: as `server_version_num`.
        role: the role we are.
        superuser: whether it is a superuser.
        replication: whether it has the attribute REPLICATION.
        create: whether it may create in the database, as a publication needs.
        slots: replication slots in use, of `max_slots`.
        senders: WAL senders in use, of `max_senders`.
        keep_bytes: `max_slot_wal_keep_size`; -1 for no limit, None where the server has no such setting.
        plugins: `output_plugin_libraries`; None where the server has no such setting.
        prepared: transactions prepared for two-phase commit and not ended.
        replica: whether it is a standby.
        long: transactions that have written and have been open for more than a minute, in words, the oldest first.
    """

    database: str
    version: int
    version_text: str
    role: str
    superuser: bool
    replication: bool
    create: bool
    wal_level: str
    slots: int
    max_slots: int
    senders: int
    max_senders: int
    keep_bytes: int | None
    plugins: str | None
    prepared: int
    replica: bool
    long: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rights:
    """What the role may do with a table, or with a sequence.

    Attributes:
        usage: it may use the schema.
        select: it may read it.
        owner: it has the rights of its owner, as a publication asks of a table.
        owner_name: who that is.
        hidden: row level security hides rows from it.
    """

    name: Name
    sequence: bool
    usage: bool
    select: bool
    owner: bool
    owner_name: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class StatementStats:
    """One statement of the application as pg_stat_statements keeps it, constants taken out."""

    text: str
    calls: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Statements:
    """What pg_stat_statements holds for the database.

    Attributes:
        missing: why there is nothing to read; empty where there is.
        since: when it began to count, in UTC; empty where nobody knows.
        hidden: statements of other roles, whose text this role may not see.
        left_out: statements past the most that are looked at.
    """

    missing: str = ""
    since: str = ""
    statements: tuple[StatementStats, ...] = ()
    hidden: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class TableCounters:
    """Rows written to a table since counting began, and its bytes on the disk, those of its indexes included."""

    table: Name
    inserted: int
    updated: int
    deleted: int
    bytes: int

    @property
    def written(self) -> int:
        """All of them."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True, slots=True)
class Activity:
    """The server's counters for the database at one moment.

    Attributes:
        commits: transactions committed, those that only read among them.
        seconds: how long the counters have counted, at least.
        exact: whether that is known; else it is the time since the server started, and may be longer.
        writers: transactions that hold a transaction id at this moment: they have written.
    """

    commits: int
    seconds: float
    exact: bool
    writers: int
    tables: tuple[TableCounters, ...] = ()

    @property
    def written(self) -> int:
        """Rows written."""
        return sum(table.written for table in self.tables)
