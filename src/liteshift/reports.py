"""What was done and what was found, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field

from liteshift.plan import Plan, Severity


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that can't be carried.

    Attributes:
        table: its table on the source.
        key: its key's values as PostgreSQL prints them, by column; the row's number in the copy where it has none.
        column: the column whose value can't be carried.
        reason: why.
    """

    table: str
    key: dict[str, str | None]
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """One table's copy.

    Attributes:
        rows: rows that arrived.
        rejected: rows that can't be carried.
        seconds: time taken.
        road: who stored the rows: `native` where the native core built the table's pages, else `python`.
        kept: how many of the rows an earlier run had brought, which was interrupted.
        mended: how many rows of those were written or removed since, as the source had changed.
    """

    source: str
    target: str
    rows: int
    rejected: int
    seconds: float
    road: str
    kept: int = 0
    mended: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same on both sides.

    Attributes:
        kind: `missing` on the target, `extra` there, or `different`.
        key: the row's key, or the whole row where the table has none.
        columns: for a different row: each differing column with the source's and the target's value, as texts.
    """

    kind: str
    key: dict[str, str | None]
    columns: dict[str, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class VerifiedTable:
    """One table compared on both sides.

    Attributes:
        source_rows: rows on the source.
        target_rows: rows on the target.
        rejected: source rows that can't be carried, and so are not missed.
        differences: the rows that differ; not more than were asked for.
        more: whether there are more of them.
        partial: whether so many differ that not all were looked at one by one.
        road: who compared the rows: `native` where the native core found them equal, else `python`.
    """

    source: str
    target: str
    source_rows: int
    target_rows: int
    rejected: int
    differences: tuple[Difference, ...]
    more: bool
    seconds: float
    road: str
    partial: bool = False

    @property
    def equal(self) -> bool:
        """Whether every row that can be carried is there, and no other."""
        return not self.differences and not self.more


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verify found, at one position of the source's log."""

    position: str
    tables: tuple[VerifiedTable, ...]

    @property
    def equal(self) -> bool:
        """Whether all tables are equal."""
        return all(table.equal for table in self.tables)

    @property
    def rows(self) -> int:
        """How many of the source's rows were compared; not those that can't be carried."""
        return sum(table.source_rows - table.rejected for table in self.tables)

    @property
    def left_behind(self) -> dict[str, int]:
        """How many rows of each table can't be carried, where there are any."""
        return {table.source: table.rejected for table in self.tables if table.rejected}


@dataclass(frozen=True, slots=True)
class RepairedTable:
    """One table's repair: rows removed and written; a changed row counts in both."""

    source: str
    target: str
    removed: int
    written: int


@dataclass(frozen=True, slots=True)
class MigrateReport:
    """A whole move.

    Attributes:
        bytes: the size of the new file.
        orphans: rows whose parent was rejected, as foreign_key_check words them.
        seconds: how long each stage took.
        shares: each stage's share of all that, up to 1.
    """

    source: str
    target: str
    position: str
    plan: Plan
    copied: tuple[CopiedTable, ...]
    verdict: Verdict
    rejects_file: str | None
    orphans: tuple[str, ...]
    bytes: int
    seconds: dict[str, float]
    shares: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        whole = sum(self.seconds.values()) or 1.0
        object.__setattr__(self, "shares", {stage: took / whole for stage, took in self.seconds.items()})

    @property
    def rows(self) -> int:
        """How many rows arrived."""
        return sum(table.rows for table in self.copied)

    @property
    def rejected(self) -> int:
        """How many rows can't be carried."""
        return sum(table.rejected for table in self.copied)

    @property
    def losses(self) -> int:
        """How many objects were not carried as they were."""
        return len(self.plan.of(Severity.LOSS))


@dataclass(frozen=True, slots=True)
class SwitchReport:
    """A cutover, or a rollback: the proof that an owner can file.

    Attributes:
        kind: `cutover` or `rollback`.
        at: when it was done, in UTC.
        epoch: how many times the application has been moved, this time included.
        token: for a cutover what travelled through the log to prove that everything had arrived; a rollback's name.
        position: where the source's log was when both sides were equal.
        captured: the number of the last change that was written on SQLite, for a rollback.
        verified_rows: rows that were compared on both sides before the pause.
        verified_at: the position at which they were.
        left_behind: rows by table that SQLite can't hold, and that only the source has.
        compared_keys: rows that were changed since then and compared within the pause; None where nobody knows.
        not_compared: tables that have no key, or too many changes, to be compared within the pause.
        pause: seconds in which writes waited; None where nobody knows.
        steps: each step within the pause, and its seconds.
        held: writes that waited at the gate; None where there is none.
        refused: writes that the fence has refused so far.
        sequences: the value that each table's numbers go on after.
        backup: the backup that was made and checked before.
        changes: for a cutover each new table and other rule of the source since the plan, in words; who switched has
            accepted that they stay there.
        interrupted: whoever switched was interrupted past the point of no return, and the next run finished it; so
            nobody knows how long anything took, how many rows were compared in the pause, and how many writes waited.
        hook_failed: why the command that tells the application could not be run, after the switch; else empty.
    """

    kind: str
    at: str
    move: str
    source: str
    target: str
    epoch: int
    token: str
    position: str
    captured: int
    verified_rows: int
    verified_at: str
    left_behind: dict[str, int]
    compared_keys: int | None
    not_compared: tuple[str, ...]
    pause: float | None
    steps: tuple[tuple[str, float], ...]
    held: int | None
    refused: int
    sequences: dict[str, int]
    backup: str
    changes: tuple[str, ...] = ()
    interrupted: bool = False
    hook_failed: str = ""
