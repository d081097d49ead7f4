"""What each object of the source becomes: decided before a byte is copied, shown to the user, then done exactly so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from liteshift.catalog import Name


class Profile(StrEnum):
    """Whose habits the file follows, so that an ORM reads it as if it had written it."""

    SQLALCHEMY = "sqlalchemy"
    DJANGO = "django"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user decides about a plan.

    Attributes:
        profile: whose habits the file follows.
        include: patterns of `schema.table` to carry, all where empty; `*` and `?` as in a shell.
        exclude: patterns of `schema.table` to leave out.
        unknown_as_text: carry types that nobody knows as the text PostgreSQL prints, instead of refusing them.
    """

    profile: Profile = Profile.SQLALCHEMY
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    unknown_as_text: bool = False

    def takes(self, table: str) -> bool:
        """Whether the patterns take a table in, by its `schema.name`."""
        wanted = not self.include or any(fnmatchcase(table, pattern) for pattern in self.include)
        return wanted and not any(fnmatchcase(table, pattern) for pattern in self.exclude)

    @property
    def said(self) -> str:
        """What was decided, in words: `profile django, exclude public.log`."""
        parts = (f"{name} {_word(value)}" for name, value in as_json(self).items() if value)
        return ", ".join(parts)


class Severity(StrEnum):
    """How much a finding weighs.

    A NOTE loses nothing; a LOSS is a residue somebody must accept; a REFUSAL stops the move.
    """

    NOTE = "note"
    LOSS = "loss"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not arrive as it was.

    Attributes:
        kind: what it is about: `column`, `index`, `view` …
        subject: which one, by its PostgreSQL name.
        what: what happens to it.
        why: the reason.
        instead: the way round it, where there is one.
        late: whether it was found while the plan was carried out.
        was: its definition on the source, where one would want to read it to make it anew.
    """

    severity: Severity
    kind: str
    subject: str
    what: str
    why: str
    instead: str = ""
    late: bool = False
    was: str = ""

    @property
    def named(self) -> str:
        """Which object it is about: its definition on the source, or else its name."""
        if not self.was:
            return self.subject
        return self.was if self.was.startswith("CREATE ") else f"{self.subject}: {self.was}"


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What a column becomes.

    Attributes:
        source: its name in PostgreSQL.
        target: its name in SQLite.
        source_type: its type as PostgreSQL prints it.
        declared: its declared type in SQLite.
        form: how its values are stored: the name of a codec.
        rules: NOT NULL, DEFAULT and CHECK clauses, as SQLite text.
        generated: the expression that computes it, in parentheses; empty where it is stored.
    """

    source: str
    target: str
    source_type: str
    declared: str
    form: str
    rules: tuple[str, ...] = ()
    generated: str = ""


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """What a constraint or an index becomes; an empty `becomes` is one that is not carried."""

    kind: str
    name: str
    becomes: str


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a table becomes.

    Attributes:
        rows: PostgreSQL's estimate, -1 where it has none.
        bytes: its size on the source's disk.
        key: the target's names of its key columns in key order; empty where it has none.
        create: the CREATE TABLE statement.
        indexes: the statements that make its indexes, after the rows.
        triggers: the statements that make its triggers, after all else.
        sequence: the value its AUTOINCREMENT goes on from; None where it has no sequence.
        sequence_name: the sequence that gave this value.
        identity: the target's names of the columns by which the source's log tells which row was changed, where those
            of another index than its key's were chosen for that.
        partitioned: whether its rows stand in partitions; else only its own are read, not those of its heirs.
    """

    source: Name
    target: str
    columns: tuple[ColumnPlan, ...]
    key: tuple[str, ...]
    create: str
    indexes: tuple[str, ...]
    triggers: tuple[str, ...]
    objects: tuple[ObjectPlan, ...]
    rows: int
    bytes: int
    sequence: int | None = None
    sequence_name: Name | None = None
    partitioned: bool = False
    identity: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """What a view becomes, if it then gives the same rows on both sides; `create` is its CREATE VIEW."""

    source: Name
    target: str
    columns: tuple[ColumnPlan, ...]
    create: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole move, ready to be read or run."""

    profile: Profile
    database: str
    server_version: int
    tables: tuple[TablePlan, ...]
    views: tuple[ViewPlan, ...]
    findings: tuple[Finding, ...]

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)


def as_json(value: Any) -> Any:
    """Any of these words as plain JSON values; names become `schema.name`."""
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field: as_json(getattr(value, field)) for field in value.__dataclass_fields__}
    return value


def _word(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
