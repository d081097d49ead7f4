"""What a PostgreSQL database holds, as its own catalog says: the words of the source's schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A schema-qualified name, exactly as PostgreSQL stores it."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class TypeKind(StrEnum):
    """What a type is made of (`pg_type.typtype`, arrays told apart)."""

    BASE = "base"
    ARRAY = "array"
    ENUM = "enum"
    DOMAIN = "domain"
    COMPOSITE = "composite"
    RANGE = "range"
    MULTIRANGE = "multirange"
    PSEUDO = "pseudo"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a composite type; its modifier is -1 for none, and its collation may be `fuzzy`, as a column's."""

    name: str
    type: PgType
    typmod: int
    fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class PgType:
    """A type; `base` is a domain's base type or an array's element type.

    Attributes:
        fields: a composite's.
        extension: the extension that owns it, if one does.
        delimiter: what stands between array elements of this type: `;` for box, else `,`.
        typmod: a domain's modifier for its base type; -1 for none.
        checks: a domain's constraints, as (name, expression with VALUE); no expression for one that is NOT VALID.
    """

    oid: int
    name: Name
    kind: TypeKind
    base: PgType | None = None
    extension: str | None = None
    delimiter: str = ","
    typmod: int = -1
    labels: tuple[str, ...] = ()
    not_null: bool = False
    default: str | None = None
    checks: tuple[tuple[str, str | None], ...] = ()
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        typmod: the type's modifier as `pg_attribute.atttypmod`; -1 for none.
        type_text: the type as PostgreSQL prints it.
        default: the default's expression as PostgreSQL prints it.
        generated: a generated column's expression.
        identity: `always` or `by default` for an identity column.
        sequence: the sequence that feeds it: its identity's, or the one its default calls.
        collation: its collation where it isn't the type's own and doesn't sort by code point.
        fuzzy: whether its collation takes different texts for equal.
        sorted: whether its texts have the order of the database.
    """

    name: str
    type: PgType
    typmod: int
    type_text: str
    not_null: bool
    default: str | None = None
    generated: str | None = None
    identity: str | None = None
    sequence: Name | None = None
    collation: str | None = None
    fuzzy: bool = False
    sorted: bool = False


class ConstraintKind(StrEnum):
    """The kinds of constraint a table can have."""

    PRIMARY_KEY = "primary key"
    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    CHECK = "check"
    EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a foreign key points at, and what happens when that changes."""

    table: Name
    columns: tuple[str, ...]
    on_update: str
    on_delete: str
    match_full: bool
    delete_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """A table's constraint; `expression` is a CHECK's, `definition` the whole as PostgreSQL prints it."""

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...]
    definition: str
    expression: str | None = None
    reference: Reference | None = None
    deferrable: bool = False
    deferred: bool = False
    validated: bool = True
    enforced: bool = True
    nulls_not_distinct: bool = False


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One key of an index: a column, or an expression.

    Attributes:
        collation: one that takes different texts for equal.
        own_equality: whether its operator class may have an equality other than the type's.
    """

    column: str | None
    expression: str | None
    descending: bool = False
    nulls_first: bool = False
    collation: str | None = None
    own_equality: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """An index that no constraint made."""

    name: str
    method: str
    unique: bool
    keys: tuple[IndexKey, ...]
    definition: str
    included: tuple[str, ...] = ()
    predicate: str | None = None
    nulls_not_distinct: bool = False
    valid: bool = True


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of the user's.

    Attributes:
        before: it runs before the event; else after, or instead of it.
        row: it runs for each row; else for each statement.
        events: of `insert`, `update`, `delete`, `truncate`.
        columns: the columns of its UPDATE OF.
        condition: whether it has a WHEN.
        source: its function's body.
        argument: what it gives its function, where that is one text.
    """

    name: str
    before: bool
    row: bool
    events: tuple[str, ...]
    columns: tuple[str, ...]
    condition: bool
    enabled: bool
    language: str
    source: str
    definition: str
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence.

    Attributes:
        start: what it gives first, where it was not called yet.
        last_value: what it gave last; None where it was not called yet.
        readable: whether we may know these.
    """

    name: Name
    start: int
    increment: int
    last_value: int | None
    readable: bool = True
    owner: tuple[Name, str] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary table, or the root of a partitioned one with its leaves.

    Attributes:
        rows: PostgreSQL's estimate of its rows, leaves included; -1 where it never counted them.
        bytes: its heap and TOAST on the source's disk, leaves included.
        partitions: those of every level below it, each with the constraints and indexes that are its own.
        gaps: whether there may be rows that none of its partitions, one level down, takes.
        parents: the tables it inherits from, partitions aside.
        replica_identity: `default`, `full`, `index` or `nothing`.
        replica_columns: those of the index that was chosen for its identity, where there is one.
    """

    name: Name
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rows: int = 0
    bytes: int = 0
    partitioned: bool = False
    partitions: tuple[Table, ...] = ()
    gaps: bool = False
    parents: tuple[Name, ...] = ()
    row_security: bool = False
    unlogged: bool = False
    replica_identity: str = "default"
    replica_columns: tuple[str, ...] = ()

    @property
    def leaves(self) -> tuple[Table, ...]:
        """The partitions that hold rows."""
        return tuple(partition for partition in self.partitions if not partition.partitioned)

    @property
    def primary_key(self) -> Constraint | None:
        """Its primary key, if it has one."""
        return next((c for c in self.constraints if c.kind is ConstraintKind.PRIMARY_KEY), None)

    def column(self, name: str) -> Column:
        """A column by its name."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class View:
    """A view, with the query that PostgreSQL prints for it; `updatable` where a write to it goes to its table."""

    name: Name
    columns: tuple[Column, ...]
    definition: str
    updatable: bool = False


@dataclass(frozen=True, slots=True)
class OtherObject:
    """Anything else in the database: a function, a rule, a policy …

    Attributes:
        kind: as PostgreSQL calls it, in lower case.
        table: the table it stands on, where it stands on one.
    """

    kind: str
    name: Name
    table: Name | None = None
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """A whole database's schema at one moment.

    Attributes:
        collation: the order of its texts, unless a column has its own.
        large_objects: how many it holds.
        comments: how many comments were made.
        granted: how many relations others may use than the owner and the role that asks.
    """

    database: str
    server_version: int
    encoding: str
    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    others: tuple[OtherObject, ...] = field(default=())
    collation: str = "C"
    large_objects: int = 0
    comments: int = 0
    granted: int = 0

    @property
    def sorts_by_code_point(self) -> bool:
        """Whether its texts sort as SQLite's do."""
        return self.collation in ("C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic")
