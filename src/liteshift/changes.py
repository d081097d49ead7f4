"""What happens to rows: changes of the source as its log tells them, and changes that the target's capture kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from liteshift.catalog import Name
from liteshift.position import Lsn
from liteshift.value import Value


class Unchanged(Enum):
    """A large value that an UPDATE left alone, which the log does not repeat."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED
Field = str | None | Unchanged
"""A column's value: the text that PostgreSQL prints, None for NULL, or UNCHANGED."""
Fields = tuple[Field, ...]


class Identity(StrEnum):
    """By what a table's log tells which row was changed (`pg_class.relreplident`)."""

    DEFAULT = "d"
    NOTHING = "n"
    FULL = "f"
    INDEX = "i"


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column as the log describes it; `key` says whether it belongs to the identity."""

    name: str
    type_oid: int
    typmod: int
    key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the log describes it, before the first change to it and whenever it has been altered."""

    oid: int
    name: Name
    identity: Identity
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as it looks on the source at a moment.

    Attributes:
        columns: the type of each column, as (`atttypid`, `atttypmod`).
        deferrable: one of its unique rules is checked at the end of a statement or a transaction only.
        storage: changes whenever rows come or go past the log: a partition is attached, detached, dropped or emptied,
            a table is rewritten. Between two equal ones the log tells all.
    """

    oid: int
    columns: Mapping[str, tuple[int, int]]
    deferrable: bool
    storage: str


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins; its changes follow, then its Commit.

    Attributes:
        final: where its commit stands.
        seconds: when it was committed, in seconds since 1970.
    """

    final: Lsn
    seconds: float
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction is whole; `end` is the position just after it: all that is confirmed is confirmed up to here."""

    end: Lsn
    seconds: float


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row."""

    relation: Relation
    new: Fields


@dataclass(frozen=True, slots=True)
class Update:
    """A changed row.

    Attributes:
        old: the identity's columns before (others None), or the whole row where `whole`; None where the identity did
            not change and the log leaves it out.
        whole: whether `old` is the whole row (REPLICA IDENTITY FULL).
    """

    relation: Relation
    old: Fields | None
    new: Fields
    whole: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """A row that is gone; `old` as in Update."""

    relation: Relation
    old: Fields
    whole: bool


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables that were emptied together."""

    relations: tuple[Relation, ...]
    restart_identity: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A message that somebody emitted into the log."""

    prefix: str
    content: bytes
    transactional: bool


Change = Insert | Update | Delete | Truncate
Event = Relation | Begin | Commit | Change | Message


class CapturedKind(StrEnum):
    """What happened to a captured row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Captured:
    """A change that the triggers in the SQLite file kept.

    Attributes:
        number: its place in the capture, growing.
        table: the target's name of its table.
        old: the row before, as SQLite holds it, in the order of the plan's stored columns; None for an INSERT.
        new: the row after; None for a DELETE.
        rowid: SQLite's number of the row, after the change where there is a row then.
    """

    number: int
    table: str
    kind: CapturedKind
    old: tuple[Value, ...] | None
    new: tuple[Value, ...] | None
    rowid: int


@dataclass(frozen=True, slots=True)
class Respelling:
    """A row of the file with values that PostgreSQL writes otherwise, such as JSON with its keys in another order.

    Attributes:
        row: the row as it was captured; one that has changed since is left alone.
        new: the row as PostgreSQL has it.
    """

    table: str
    rowid: int
    row: tuple[Value, ...]
    new: tuple[Value, ...]
