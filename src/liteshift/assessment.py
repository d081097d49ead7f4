"""What an assessment finds and concludes: the words of `liteshift assess`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from liteshift.catalog import Name
from liteshift.plan import Finding, Profile
from liteshift.survey import Oddity, TableCounters


class Fate(StrEnum):
    """What becomes of an object."""

    CARRIED = "carried"
    NOTED = "noted"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ObjectFate:
    """One object of the source, what becomes of it, and what is to be said about it."""

    kind: str
    name: str
    fate: Fate
    detail: str


@dataclass(frozen=True, slots=True)
class OddValues:
    """Values of one kind in a column.

    Attributes:
        column: which one, or which field of a composite in it.
        rows: how many rows hold one, among those read.
        example: the key of one of them, by column; empty where there is none.
        refused: whether such a row can't be carried.
    """

    column: str
    oddity: Oddity
    rows: int
    example: dict[str, str]
    refused: bool


@dataclass(frozen=True, slots=True)
class LongNumeric:
    """A numeric column that is stored as text for its size, and what its longest values need.

    Attributes:
        before: the most digits before the point.
        after: the most digits after it.
        fits: the statement that gives it a type SQLite keeps as a number; empty where none of 15 digits does.
    """

    column: str
    before: int
    after: int
    fits: str


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is known of a table's rows.

    Attributes:
        rows: how many it has; PostgreSQL's estimate where not all were read, -1 where nobody knows.
        read: how many were read.
        whole: whether that was all of them.
        unread: why none were, if so.
        bytes: its size on the source's disk, its indexes included.
        predicted: what it will take in the file, its indexes included.
        written: rows written to it since the counters began.
    """

    name: Name
    rows: int
    read: int
    whole: bool
    unread: str
    bytes: int
    predicted: int
    odd: tuple[OddValues, ...]
    numerics: tuple[LongNumeric, ...]
    widest: int
    oversize: int
    written: int


@dataclass(frozen=True, slots=True)
class BrokenKey:
    """A foreign key, and the rows whose parent is not there; `trusted` where PostgreSQL takes it for valid."""

    key: str
    orphans: int
    trusted: bool


class State(StrEnum):
    """How a check ended."""

    READY = "ready"
    ADVICE = "advice"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the live move needs of the server.

    Attributes:
        found: what is there.
        needed: what must be, where it is not.
        fix: the statements that make it so.
        then: what must happen after them.
    """

    name: str
    state: State
    found: str
    needed: str = ""
    fix: tuple[str, ...] = ()
    then: str = ""


class Effect(StrEnum):
    """What SQLite does with a construct."""

    WORKS = "works"
    DIFFERS = "answers differently"
    FAILS = "fails"


class Effort(StrEnum):
    """What it takes to do without a construct, the least first."""

    NONE = "nothing"
    ORM = "an ORM writes it"
    REWRITE = "a rewrite"
    REDESIGN = "another design"


@dataclass(frozen=True, slots=True)
class ConstructUse:
    """A construct in the application's SQL.

    Attributes:
        statements: how many use it.
        share: their part of all statements' time, 0 to 1.
        examples: some of them, without constants.
    """

    title: str
    effect: Effect
    effort: Effort
    instead: str
    statements: int
    calls: int
    share: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """The application's own SQL.

    Attributes:
        missing: why it was not seen; empty where it was.
        remedy: how to have it seen next time.
        since: when counting began.
        statements: how many were looked at.
        unparsed: how many of them were only looked at word by word.
        hidden: how many this role may not see.
        left_out: how many there are beyond.
        write_calls: calls of statements that write.
        milliseconds: the time they all took.
        uses: constructs that SQLite lacks, answers differently, or shares, the worst first.
    """

    missing: str
    remedy: tuple[str, ...]
    since: str
    statements: int
    unparsed: int
    hidden: int
    left_out: int
    calls: int
    write_calls: int
    milliseconds: float
    uses: tuple[ConstructUse, ...]


class Load(StrEnum):
    """How the writes compare with what one writer can do."""

    LIGHT = "light"
    BUSY = "busy"
    HEAVY = "heavy"


@dataclass(frozen=True, slots=True)
class Writes:
    """Writing, against SQLite's one writer.

    Attributes:
        load: the estimate.
        transactions: transactions per second that wrote, at the most.
        rows: rows written per second.
        seconds: how long was counted.
        exact: whether that is known; else the true figures are lower.
        now_transactions: as `transactions`, while the assessment ran; None where it was too short to tell.
        now_seconds: how long that was.
        writers: transactions that were writing at that moment.
        busiest: tables with the most rows written.
    """

    load: Load
    transactions: float
    rows: float
    seconds: float
    exact: bool
    now_transactions: float | None
    now_seconds: float
    writers: int
    busiest: tuple[TableCounters, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the move will make and take: a prediction, from a sample of rows and this machine's speed.

    Attributes:
        road: whether the native core will copy and compare the rows, or Python.
    """

    bytes: int
    seconds: float
    rows: int
    road: str


class Level(StrEnum):
    """How much a reason weighs."""

    STOP = "stop"
    CHANGE = "change"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the verdict is what it is, and what to do about it."""

    level: Level
    what: str
    instead: str


class Decision(StrEnum):
    """May it be moved?"""

    GO = "go"
    CHANGES = "go with these changes"
    NO_GO = "no-go"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and its reasons, the weightiest first."""

    decision: Decision
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything an assessment found.

    Attributes:
        source: what the source is called; no password in it.
        deep: whether every row was read.
        live: what the live move needs; a plain one needs SELECT only.
        seconds: how long each part took.
    """

    source: str
    database: str
    server: str
    position: str
    profile: Profile
    deep: bool
    verdict: Verdict
    objects: tuple[ObjectFate, ...]
    findings: tuple[Finding, ...]
    tables: tuple[TableFacts, ...]
    broken_keys: tuple[BrokenKey, ...]
    live: tuple[Check, ...]
    workload: Workload
    writes: Writes
    prediction: Prediction
    seconds: dict[str, float]

    @property
    def rows(self) -> int:
        """How many rows there are, as far as known."""
        return sum(max(table.rows, 0) for table in self.tables)
