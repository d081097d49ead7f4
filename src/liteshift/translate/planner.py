"""From a catalog to a plan: what every object of the source becomes, and what does not arrive as it was."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase

from liteshift.catalog import Catalog, ConstraintKind, Index, Name, Table
from liteshift.catalog import Sequence as PgSequence
from liteshift.errors import UsageError
from liteshift.plan import Choices, Finding, ObjectPlan, Plan, Profile, Severity, TablePlan
from liteshift.quoting import quote
from liteshift.translate.columns import PlannedColumn, Report, is_rowid, plan_columns
from liteshift.translate.constraints import Tables, carried, constraint_clause, lost, note_deferrable, null_blind_index
from liteshift.translate.facts import NO_FACTS, Facts
from liteshift.translate.indexes import index_statement
from liteshift.translate.large_objects import TABLE as LARGE_OBJECTS
from liteshift.translate.large_objects import report_large_objects
from liteshift.translate.names import Namespace
from liteshift.translate.partitions import lifted_foreign_keys, lifted_indexes
from liteshift.translate.residue import report_others
from liteshift.translate.triggers import trigger_statements
from liteshift.translate.views import plan_views

_NEXTVAL = re.compile(r"nextval\('(?:[^']|'')+'::regclass\)")


def make_plan(catalog: Catalog, choices: Choices, facts: Facts = NO_FACTS) -> Plan:
    """Decide what every object becomes.

    Args:
        catalog: the source's schema.
        choices: what the user decides.
        facts: what was asked of the rows.

    Raises:
        UsageError: a pattern that names no table.
    """
    findings: list[Finding] = []
    chosen = chosen_tables(catalog, choices, findings.append)
    namespace = Namespace(table.name.schema for table in chosen)
    targets = {table.name: namespace.claim(table.name) for table in chosen}
    for table in chosen:
        if targets[table.name] != table.name.name:
            why = "SQLite has one namespace, blind to case, without schemas"
            findings.append(Finding(Severity.NOTE, "table", str(table.name), f"is called {targets[table.name]}", why))
    columns = {table.name: plan_columns(table, choices, facts.ascii, findings.append) for table in chosen}
    known = {
        name: (targets[name], {column.source.name: column for column in planned}) for name, planned in columns.items()
    }
    strict = choices.profile is Profile.PLAIN
    around = _around(catalog)
    tables = tuple(
        _Table(table, columns[table.name], known, namespace, around, facts, strict, findings.append).plan()
        for table in chosen
    )
    relations = {
        name: (targets[name], {column.source.name: column.operand for column in planned})
        for name, planned in columns.items()
    }
    views = plan_views(catalog, relations, namespace, choices.profile, findings.append)
    report_others(catalog, chosen, findings.append)
    report_large_objects(catalog, chosen, choices, findings.append)
    return Plan(choices.profile, catalog.database, catalog.server_version, tables, views, tuple(findings))


def chosen_tables(catalog: Catalog, choices: Choices, report: Report = lambda _: None) -> list[Table]:
    """The tables to carry; the others are reported.

    Raises:
        UsageError: a pattern that names no table.
    """
    include, exclude = choices.include, choices.exclude
    names = [str(table.name) for table in catalog.tables]
    for pattern in (*include, *exclude):
        if pattern != LARGE_OBJECTS and not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(
                f"the pattern {pattern} names no table of {catalog.database}",
                hint="Patterns are schema.table; liteshift plan lists the tables.",
            )
    chosen = []
    for table in catalog.tables:
        name = str(table.name)
        if not choices.takes(name):
            report(Finding(Severity.NOTE, "table", name, "is left out", "as --include and --exclude say"))
        elif not table.columns:
            lost(report, "table", name, "SQLite has no table without columns")
        else:
            chosen.append(table)
    return chosen


@dataclass(frozen=True, slots=True)
class _Around:
    """What a table's plan must know of the rest of the database.

    Attributes:
        sequences: every sequence.
        shared: those that feed more than one column.
        referenced: the columns that foreign keys point at, with their table.
    """

    sequences: Mapping[Name, PgSequence]
    shared: Set[Name | None]
    referenced: Set[tuple[Name, tuple[str, ...]]]


def _around(catalog: Catalog) -> _Around:
    uses = Counter(column.sequence for table in catalog.tables for column in table.columns)
    whole = [one for table in catalog.tables for one in (table, *table.partitions)]
    references = [constraint.reference for one in whole for constraint in one.constraints]
    return _Around(
        {sequence.name: sequence for sequence in catalog.sequences},
        {name for name, count in uses.items() if count > 1},
        {(reference.table, reference.columns) for reference in references if reference},
    )


class _Table:
    """The plan of one table."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[PlannedColumn],
        known: Tables,
        namespace: Namespace,
        around: _Around,
        facts: Facts,
        strict: bool,
        report: Report,
    ) -> None:
        self._table = table
        self._columns = {column.source.name: column for column in columns}
        self._known = known
        self._target = known[table.name][0]
        self._namespace = namespace
        self._around = around
        self._facts = facts
        self._strict = strict
        self._report = report
        self._objects: list[ObjectPlan] = []

    def plan(self) -> TablePlan:
        table = self._table
        rowid = next((column for column in self._columns.values() if is_rowid(table, column.source)), None)
        next_value = self._sequence(rowid)
        lines = [
            self._column_line(column, column is rowid, next_value is not None) for column in self._columns.values()
        ]
        indexes: list[str] = []
        for constraint in (*table.constraints, *lifted_foreign_keys(table, self._facts.orphans, self._report)):
            if rowid is not None and constraint.kind is ConstraintKind.PRIMARY_KEY:
                note_deferrable(table, constraint, self._report)
                self._objects.append(carried(constraint, "the rowid"))
                continue
            broken = self._facts.orphans.get((table.name, constraint.name), 0)
            if broken:
                why = f"{broken} rows point at a row that is not there"
                lost(self._report, "foreign key", f"{table.name}.{constraint.name}", why, "mend the rows first")
                self._objects.append(carried(constraint, ""))
                continue
            clause = constraint_clause(table, constraint, self._columns, self._known, self._report)
            if clause:
                lines.append(clause)
            elif constraint.nulls_not_distinct:
                operands = [self._columns[name].operand for name in constraint.columns]
                keys = [(operand.sql, operand.collation) for operand in operands]
                name = self._namespace.claim(Name(table.name.schema, constraint.name))
                clause = null_blind_index(name, self._target, keys)
                indexes.append(clause)
                indexes += self._plain_unique(constraint.columns, constraint.name)
            self._objects.append(carried(constraint, clause))
        for index in (*table.indexes, *lifted_indexes(table, self._report)):
            indexes += self._index(index)
        triggers = self._triggers()
        self._notes()
        primary = table.primary_key
        key = tuple(self._columns[name].plan.target for name in primary.columns) if primary else ()
        create = f"CREATE TABLE {quote(self._target)} (\n  " + ",\n  ".join(lines) + "\n)"
        return TablePlan(
            source=table.name,
            target=self._target,
            columns=tuple(column.plan for column in self._columns.values()),
            key=key,
            create=create + " STRICT" if self._strict else create,
            indexes=tuple(indexes),
            triggers=triggers,
            objects=tuple(self._objects),
            rows=table.rows,
            bytes=table.bytes,
            sequence=next_value,
            sequence_name=rowid.source.sequence if rowid is not None and next_value is not None else None,
            partitioned=table.partitioned,
            identity=self._identity(),
        )

    def _identity(self) -> tuple[str, ...]:
        columns = [self._columns[name] for name in self._table.replica_columns]
        # Generated ones may not stand in the log, so a live move gives such a table another identity.
        return () if any(column.source.generated for column in columns) else tuple(c.plan.target for c in columns)

    def _column_line(self, column: PlannedColumn, is_key: bool, counts: bool) -> str:
        plan = column.plan
        if not is_key:
            generated = [f"GENERATED ALWAYS AS {plan.generated} STORED"] if plan.generated else []
            return " ".join([quote(plan.target), plan.declared, *generated, *plan.rules])
        primary = self._table.primary_key
        assert primary is not None  # noqa: S101 - a rowid is a primary key
        words = [quote(plan.target), "INTEGER", "NOT NULL", f"CONSTRAINT {quote(primary.name)} PRIMARY KEY"]
        words += ["AUTOINCREMENT"] if counts else []
        return " ".join([*words, *(rule for rule in plan.rules if rule.startswith("CHECK"))])

    def _sequence(self, rowid: PlannedColumn | None) -> int | None:
        """The value AUTOINCREMENT goes on from; sequences of other columns are reported as lost."""
        found = None
        for column in self._columns.values():
            if column.source.sequence is None:
                continue
            sequence = self._around.sequences[column.source.sequence]
            subject = f"{self._table.name}.{column.source.name}"
            default = column.source.default
            if default is not None and not _NEXTVAL.fullmatch(default):
                lost(self._report, "default", subject, f"not translated: {default}", "the application gives the value")
                continue
            if column is not rowid:
                what = f"no longer gets its value from the sequence {sequence.name}"
                why = "SQLite numbers only a single-column integer primary key"
                self._report(Finding(Severity.LOSS, "default", subject, what, why, "the application gives the value"))
                continue
            found = sequence.start - sequence.increment if sequence.last_value is None else sequence.last_value
            if column.source.identity == "always":
                what = "takes a value that is given, as GENERATED BY DEFAULT does"
                self._report(Finding(Severity.LOSS, "identity", subject, what, "SQLite has no GENERATED ALWAYS"))
            if not sequence.readable:
                why = "there is no right to read its last value: GRANT SELECT on it"
                self._report(
                    Finding(Severity.LOSS, "sequence", subject, "goes on from the highest value there is", why)
                )
                found = 0
            if sequence.name in self._around.shared:
                what = f"counts for itself, and no longer shares the sequence {sequence.name}"
                why = "SQLite counts for each table, so two tables may give the same value"
                self._report(Finding(Severity.LOSS, "sequence", subject, what, why))
            if sequence.increment != 1:
                what = f"counts by 1, not by {sequence.increment}"
                self._report(Finding(Severity.LOSS, "sequence", subject, what, "AUTOINCREMENT has no increment"))
        return found

    def _index(self, index: Index) -> list[str]:
        name = self._namespace.claim(Name(self._table.name.schema, index.name))
        statement = index_statement(self._table, index, name, self._target, self._columns, self._report)
        self._objects.append(ObjectPlan("unique index" if index.unique else "index", index.name, statement))
        columns = tuple(key.column or "" for key in index.keys)
        plain = self._plain_unique(columns, index.name) if index.nulls_not_distinct and not index.predicate else []
        return [statement, *plain] if statement else []

    def _plain_unique(self, columns: tuple[str, ...], name: str) -> list[str]:
        """A unique index of bare columns, where a foreign key needs one that only expressions keep unique so far."""
        if (self._table.name, columns) not in self._around.referenced:
            return []
        own = quote(self._namespace.claim(Name(self._table.name.schema, name)))
        listed = ", ".join(quote(self._columns[column].plan.target) for column in columns)
        return [f"CREATE UNIQUE INDEX {own} ON {quote(self._target)} ({listed})"]

    def _triggers(self) -> tuple[str, ...]:
        def name(wanted: str) -> str:
            return self._namespace.claim(Name(self._table.name.schema, wanted))

        statements: list[str] = []
        for trigger in self._table.triggers:
            made = trigger_statements(self._table, trigger, name, self._target, self._columns, self._report)
            self._objects.append(ObjectPlan("trigger", trigger.name, ";\n".join(made)))
            statements += made
        return tuple(statements)

    def _notes(self) -> None:
        table, subject = self._table, str(self._table.name)
        if table.partitioned:
            what = f"its {len(table.leaves)} partitions become one table"
            self._report(Finding(Severity.NOTE, "table", subject, what, "SQLite has no partitions"))
            if table.gaps or any(partition.gaps for partition in table.partitions):
                what = "takes every row, also one that no partition takes"
                instead = "say it in a CHECK, on the source or in SQLite"
                self._report(Finding(Severity.LOSS, "partitioning", subject, what, "they become one table", instead))
        for parent in table.parents:
            what = f"no longer shows its rows in {parent}"
            self._report(Finding(Severity.LOSS, "inheritance", subject, what, "SQLite has no inheritance"))
        if table.row_security:
            what = "row level security is not carried: every connection sees every row"
            self._report(Finding(Severity.LOSS, "row level security", subject, what, "SQLite has no users"))
        for column in self._columns.values():
            name = f"{subject}.{column.source.name}"
            if column.source.generated is not None and not column.plan.generated:
                what = "holds its values as they are, and is no longer computed"
                in_key = self._table.primary_key is not None and column.source.name in self._table.primary_key.columns
                why = (
                    "SQLite computes no part of a primary key"
                    if in_key
                    else f"not translated: {column.source.generated}"
                )
                self._report(Finding(Severity.LOSS, "generated column", name, what, why))
            if column.source.collation is not None:
                what = f"sorts by code point, not by {column.source.collation}"
                self._report(Finding(Severity.LOSS, "collation", name, what, "SQLite does not have this collation"))
