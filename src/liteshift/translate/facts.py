"""What a plan must know of the rows, and which questions that takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from liteshift.catalog import Catalog, Constraint, ConstraintKind, Name, PgType, Table, TypeKind
from liteshift.translate.expressions import folded_columns
from liteshift.translate.partitions import UNIQUE, leaf_foreign_keys


@dataclass(frozen=True, slots=True)
class Facts:
    """What was asked of the rows.

    Attributes:
        orphans: rows that break a foreign key, by table and key, for those of `doubtful_foreign_keys`.
        ascii: the columns of `doubtful_texts` in which every text is ASCII, by table and column.
    """

    orphans: Mapping[tuple[Name, str], int] = field(default_factory=dict)
    ascii: frozenset[tuple[Name, str]] = frozenset()


NO_FACTS = Facts()


def doubtful_foreign_keys(catalog: Catalog) -> list[tuple[Table, Constraint]]:
    """Foreign keys that PostgreSQL does not vouch for on every row: NOT VALID, or on some partitions only."""
    doubtful = []
    for table in catalog.tables:
        not_valid = [
            constraint
            for constraint in table.constraints
            if constraint.kind is ConstraintKind.FOREIGN_KEY and not constraint.validated and constraint.enforced
        ]
        doubtful += [(table, constraint) for constraint in not_valid]
        doubtful += [(table, constraint) for constraint, _ in leaf_foreign_keys(table)]
    return doubtful


def foreign_keys(catalog: Catalog) -> list[tuple[Table, Constraint]]:
    """Every foreign key that PostgreSQL vouches for: rows may break it all the same, written past it."""
    return [
        (table, constraint)
        for table in catalog.tables
        for constraint in table.constraints
        if constraint.kind is ConstraintKind.FOREIGN_KEY and constraint.validated and constraint.enforced
    ]


def doubtful_texts(catalog: Catalog) -> list[tuple[Table, str]]:
    """Columns whose unique rule folds case (lower, upper, citext), which SQLite does for ASCII letters only."""
    return [
        (table, column.name)
        for table in catalog.tables
        for column in table.columns
        if column.name in _folded(table) or (_is_citext(column.type) and column.name in _unique(table))
    ]


def _folded(table: Table) -> set[str]:
    indexes = [index for index in table.indexes if index.unique]
    texts = [text for index in indexes for text in (*(key.expression for key in index.keys), index.predicate) if text]
    return {column for text in texts for column in folded_columns(text)}


def _unique(table: Table) -> set[str]:
    keys = [constraint.columns for constraint in table.constraints if constraint.kind in UNIQUE]
    keys += [tuple(key.column for key in index.keys if key.column) for index in table.indexes if index.unique]
    return {column for key in keys for column in key}


def _is_citext(kind: PgType) -> bool:
    while kind.kind is TypeKind.DOMAIN and kind.base:
        kind = kind.base
    return kind.extension == "citext" and kind.name.name == "citext"
