"""Keys, foreign keys and CHECKs: table constraints of CREATE TABLE, or indexes where SQLite has no constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liteshift.catalog import Constraint, ConstraintKind, Name, PgType, Table, TypeKind
from liteshift.plan import Finding, ObjectPlan, Severity
from liteshift.quoting import quote
from liteshift.translate.columns import PlannedColumn, Report
from liteshift.translate.expressions import Operand, Untranslatable, translate

Tables = Mapping[Name, tuple[str, Mapping[str, PlannedColumn]]]

_NUMBERS = ("integer", "boolean", "double", "real", "numeric")
_TEXTS = ("text", "varchar", "bpchar", "name", "citext")
_ACTIONS = {"a": "", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def constraint_clause(
    table: Table,
    constraint: Constraint,
    columns: Mapping[str, PlannedColumn],
    tables: Tables,
    report: Report,
) -> str:
    """A constraint as a clause of CREATE TABLE; empty where it is not carried, which is then reported.

    Args:
        table: the table it stands on.
        constraint: any but a rowid's primary key, which is its column's business.
        columns: the table's columns by source name.
        tables: every table of the plan by source name: its target name, and its columns by source name.
        report: takes the findings.
    """
    subject = f"{table.name}.{constraint.name}"
    if constraint.kind is ConstraintKind.CHECK:
        return _check(constraint, columns, subject, report)
    if constraint.kind is ConstraintKind.FOREIGN_KEY:
        return _foreign_key(constraint, columns, tables, subject, report)
    if constraint.kind is ConstraintKind.EXCLUSION:
        lost(report, "exclusion constraint", subject, f"SQLite has no such rule: {constraint.definition}")
        return ""
    note_deferrable(table, constraint, report)
    refuse_unfaithful(constraint.kind, subject, [columns[name] for name in constraint.columns], report)
    word = "PRIMARY KEY" if constraint.kind is ConstraintKind.PRIMARY_KEY else "UNIQUE"
    names = ", ".join(quote(columns[name].plan.target) for name in constraint.columns)
    if constraint.nulls_not_distinct:
        return ""  # `null_blind_index` keeps it
    return f"CONSTRAINT {quote(constraint.name)} {word} ({names})"


def note_deferrable(table: Table, constraint: Constraint, report: Report) -> None:
    """Report a key that PostgreSQL checks at the end of the transaction."""
    if constraint.deferrable:
        what = "is checked at every statement, not at the end of the transaction"
        why = "SQLite defers foreign keys only"
        report(Finding(Severity.LOSS, constraint.kind, f"{table.name}.{constraint.name}", what, why))


def null_blind_index(name: str, table: str, keys: Sequence[tuple[str, str]]) -> str:
    """UNIQUE NULLS NOT DISTINCT, which SQLite can't say, as an index over each key and whether it is NULL.

    Args:
        name: its name in SQLite.
        table: its table's name in SQLite.
        keys: the keys' SQLite text and collation.
    """
    collated = [(key, f" COLLATE {collation}" if collation else "") for key, collation in keys]
    terms = ", ".join(f"coalesce({key}, ''){suffix}, {key} IS NULL" for key, suffix in collated)
    return f"CREATE UNIQUE INDEX {quote(name)} ON {quote(table)} ({terms})"


def refuse_unfaithful(kind: str, subject: str, columns: Sequence[PlannedColumn], report: Report) -> None:
    """Refuse a unique rule over values that PostgreSQL takes for equal though their texts differ."""
    for column in columns:
        if not column.operand.keeps_unique:
            what = "can't be carried, and it is a unique rule"
            why = f"{column.source.name} is {column.source.type_text}: values that are equal there differ as text here"
            instead = "exclude the table, or give the column on the source a type that says how values are written"
            report(Finding(Severity.REFUSAL, kind, subject, what, why, instead))


def lost(report: Report, kind: str, subject: str, why: str, instead: str = "", was: str = "") -> None:
    """Report an object that is not carried."""
    report(Finding(Severity.LOSS, kind, subject, "is not carried", why, instead, was=was))


def _check(constraint: Constraint, columns: Mapping[str, PlannedColumn], subject: str, report: Report) -> str:
    if not constraint.validated or not constraint.enforced:
        lost(report, "check", subject, "it is NOT VALID or NOT ENFORCED on the source: rows may break it")
        return ""
    operands: dict[str, Operand] = {name: column.operand for name, column in columns.items()}
    try:
        return f"CONSTRAINT {quote(constraint.name)} CHECK ({translate(constraint.expression or '', operands)})"
    except Untranslatable as error:
        lost(report, "check", subject, f"not translated: {error}", was=constraint.definition)
        return ""


def _foreign_key(
    constraint: Constraint,
    columns: Mapping[str, PlannedColumn],
    tables: Tables,
    subject: str,
    report: Report,
) -> str:
    reference = constraint.reference
    assert reference is not None  # noqa: S101 - the catalog gives every foreign key its reference
    if reference.table not in tables:
        lost(report, "foreign key", subject, f"the table {reference.table} is not part of the move")
        return ""
    if not constraint.enforced:
        lost(report, "foreign key", subject, "it is NOT ENFORCED on the source: rows may break it")
        return ""
    target_name, target_columns = tables[reference.table]
    pairs = [
        (columns[own], target_columns[its]) for own, its in zip(constraint.columns, reference.columns, strict=True)
    ]
    strangers = [pair for pair in pairs if not _finds(*pair)]
    if strangers:
        one, other = strangers[0]
        why = f"{one.source.type_text} and {other.source.type_text} are stored in different forms"
        lost(report, "foreign key", subject, why, "give both columns one type on the source")
        return ""
    if reference.delete_columns:
        what = "ON DELETE sets all its columns, not some of them"
        report(Finding(Severity.LOSS, "foreign key", subject, what, "SQLite knows no column list there"))
    own = [quote(columns[name].plan.target) for name in constraint.columns]
    theirs = ", ".join(quote(target_columns[name].plan.target) for name in reference.columns)
    clause = (
        f"CONSTRAINT {quote(constraint.name)} FOREIGN KEY ({', '.join(own)}) REFERENCES {quote(target_name)} ({theirs})"
    )
    for event, letter in (("UPDATE", reference.on_update), ("DELETE", reference.on_delete)):
        if _ACTIONS[letter]:
            clause += f" ON {event} {_ACTIONS[letter]}"
    if constraint.deferrable:
        clause += f" DEFERRABLE INITIALLY {'DEFERRED' if constraint.deferred else 'IMMEDIATE'}"
    if reference.match_full and len(own) > 1:  # SQLite reads MATCH FULL and does MATCH SIMPLE
        same = " AND ".join(f"({own[0]} IS NULL) = ({name} IS NULL)" for name in own[1:])
        clause += f",\n  CONSTRAINT {quote(constraint.name + '_full')} CHECK ({same})"
    return clause


def _finds(child: PlannedColumn, parent: PlannedColumn) -> bool:
    """Whether SQLite finds the parent of each value, as PostgreSQL does: it compares what is stored."""
    one, other = child.operand, parent.operand
    forms = [operand.form.partition("(")[0] for operand in (one, other)]
    if all(form in _NUMBERS for form in forms):
        return True
    if other.collation == "DECIMAL":
        return forms[0] in (*_NUMBERS, "decimal")
    names = [_base_name(column.source.type) for column in (child, parent)]
    if all(name in _TEXTS for name in names):
        return names[0] != "bpchar" or names[1] == "bpchar"  # only there trailing blanks don't count
    return one.form == other.form and names[0] == names[1]


def _base_name(kind: PgType) -> str:
    while kind.kind is TypeKind.DOMAIN and kind.base:
        kind = kind.base
    return kind.name.name


def carried(constraint: Constraint, clause: str) -> ObjectPlan:
    """How the plan shows a constraint."""
    return ObjectPlan(constraint.kind, constraint.name, clause)
