"""From a captured change to the statement that does it on the source, if the row there is as it was before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from liteshift.catalog import Catalog, Column, Name, PgType, Reference, Table, TypeKind
from liteshift.changes import Captured, CapturedKind, Value
from liteshift.codec import decimals
from liteshift.codec.values import Codec, codec
from liteshift.errors import NotFit
from liteshift.plan import ColumnPlan, Plan, TablePlan
from liteshift.quoting import quote
from liteshift.writes import Statement, Texts, Write, refusal

# Types whose own equality tells all values apart that print differently, or that are the same to everybody.
_COMPARED = frozenset(
    ("int2", "int4", "int8", "oid", "bool", "float4", "float8", "numeric", "date", "time", "timestamp", "timestamptz")
) | frozenset(("uuid", "bytea", "text", "varchar", "bpchar", "name"))
_UNREADABLE = (ValueError, KeyError, TypeError, ArithmeticError, RecursionError)
_ACTS = ("c", "n", "d")  # CASCADE, SET NULL, SET DEFAULT
_BAD_TEXT = "22P02"  # PostgreSQL's code for a text that its type does not read


class Takeback:
    """The statements for one source.

    Args:
        plan: what became of everything.
        catalog: the source as it is now.

    Raises:
        NotFit: a table or a column of the plan is no longer there.
    """

    def __init__(self, plan: Plan, catalog: Catalog) -> None:
        found = {table.name: table for table in catalog.tables}
        self._tables: dict[str, _Table] = {}
        for planned in plan.tables:
            source = found.get(planned.source)
            if source is None:
                raise NotFit(f"the table {planned.source} is no longer there, so nothing can be taken back into it")
            self._tables[planned.target] = _Table(planned, source, _references(catalog, planned.source))

    def writes(self, changes: Iterator[Captured]) -> Iterator[Write]:
        """The writes that do some changes, in their order.

        Raises:
            Refused: a value that its column's form can't hold.
        """
        held: Captured | None = None
        for change in changes:
            if held is not None and _is_replaced_by(held, change, self._tables[held.table].key):
                merged = Captured(change.number, held.table, CapturedKind.UPDATE, held.old, change.new)
                yield from self._tables[held.table].writes(merged)
                held = None
                continue
            if held is not None:
                yield from self._tables[held.table].writes(held)
            held = change
        if held is not None:
            yield from self._tables[held.table].writes(held)

    def sequences(self, last: Mapping[str, int]) -> dict[Name, int]:
        """Where the source's sequences have to go on from.

        Args:
            last: the last value that each table's AUTOINCREMENT gave, by the target's name.
        """
        found: dict[Name, int] = {}
        for target, value in last.items():
            table = self._tables.get(target)
            if table is not None and table.sequence is not None:
                found[table.sequence] = max(value, found.get(table.sequence, value))
        return found


def _is_replaced_by(gone: Captured, come: Captured, key: Sequence[int]) -> bool:
    """Whether a row was removed and put there again under its key, as REPLACE does: to the source that is an UPDATE."""
    if not key or gone.table != come.table or gone.old is None or come.new is None:
        return False
    if gone.kind is not CapturedKind.DELETE or come.kind is not CapturedKind.INSERT:
        return False
    return all(gone.old[at] == come.new[at] for at in key)


@dataclass(frozen=True, slots=True)
class _Child:
    """A foreign key that points at a table, and acts on its own rows when those it points at change."""

    table: Name
    columns: tuple[str, ...]
    equals: tuple[str, ...]
    reference: Reference


def _references(catalog: Catalog, parent: Name) -> list[_Child]:
    found = []
    for root in catalog.tables:
        for table in (root, *root.partitions):
            for constraint in table.constraints:
                reference = constraint.reference
                if reference is not None and reference.table == parent:
                    equals = tuple(_equals(root.column(name).type) for name in constraint.columns)
                    found.append(_Child(table.name, constraint.columns, equals, reference))
    return found


@dataclass(frozen=True, slots=True)
class _Field:
    """A column whose values come back."""

    plan: ColumnPlan
    source: Column
    codec: Codec


class _Table:
    """The statements for one table.

    Attributes:
        key: the places of the key's columns among the captured ones.
        sequence: the sequence that numbers its rows.
    """

    def __init__(self, plan: TablePlan, source: Table, references: Sequence[_Child]) -> None:
        self._name = plan.source
        self._from = f"{'' if plan.partitioned else 'ONLY '}{_name(plan.source)}"
        stored = [column for column in plan.columns if not column.generated]
        known = {column.name: column for column in source.columns}
        for column in stored:
            if column.source not in known:
                missing = f"the column {column.source} of {plan.source}"
                raise NotFit(f"{missing} is no longer there, so nothing can be taken back into it")
        self._fields = [_Field(column, known[column.source], codec(column.form)) for column in stored]
        # What the source computes itself is neither written there nor compared.
        self._own = [at for at, field in enumerate(self._fields) if field.source.generated is None]
        self._columns = tuple(column.source for column in stored)
        self._always = {at for at in self._own if self._fields[at].source.identity == "always"}
        self._references = references
        self.key = tuple(at for name in plan.key for at, column in enumerate(stored) if column.target == name)
        by_target = {column.target: known[column.source] for column in stored}
        self.sequence = by_target[plan.key[0]].sequence if plan.sequence is not None and plan.key else None
        self._statements: dict[object, Statement] = {}

    def writes(self, change: Captured) -> Iterator[Write]:
        """The writes that do one change; none where nothing changed that the source holds."""
        old = self._texts(change, change.old)
        new = self._texts(change, change.new)
        if old is not None and new is not None:
            changed = tuple(at for at in self._own if old[at] != new[at])
            if not changed:
                return
            if self._always.isdisjoint(changed):
                yield self._update(change.number, changed, old, new)
                return
        # A new row; one that is gone; or one whose number only PostgreSQL gives, which can't be updated.
        if old is not None:
            yield self._delete(change.number, old)
        if new is not None:
            yield self._insert(change.number, new)

    def _texts(self, change: Captured, row: tuple[Value, ...] | None) -> Texts | None:
        if row is None:
            return None
        try:
            return tuple(
                [
                    None if value is None else field.codec.to_pg(value)
                    for field, value in zip(self._fields, row, strict=True)
                ]
            )
        except _UNREADABLE:
            return self._careful(change, row)

    def _careful(self, change: Captured, row: tuple[Value, ...]) -> Texts:
        """The same where a value is not in its form: what PostgreSQL may read all the same, else which one it is."""
        texts: list[str | None] = []
        for field, value in zip(self._fields, row, strict=True):
            try:
                texts.append(None if value is None else _text(field, value))
            except _UNREADABLE as error:
                shown = tuple(None if value is None else str(value) for value in row)
                statement = Statement(self._name, "", self._columns, self.key, "")
                write = Write(change.number, statement, (), None, shown)
                said = {"message": str(error), "column": field.plan.source}
                raise refusal(write, _BAD_TEXT, said) from error
        return tuple(texts)

    def _insert(self, number: int, new: Texts) -> Write:
        statement = self._statements.get("insert")
        if statement is None:
            names = ", ".join(quote(self._columns[at]) for at in self._own)
            marks = ", ".join(f"${place}" for place in range(1, len(self._own) + 1))
            override = " OVERRIDING SYSTEM VALUE" if self._always else ""
            text = f"INSERT INTO {_name(self._name)} ({names}){override} VALUES ({marks})"  # noqa: S608 - quoted
            statement = self._statements["insert"] = self._statement(text)
        return Write(number, statement, tuple(new[at] for at in self._own), None, new)

    def _delete(self, number: int, old: Texts) -> Write:
        shape = ("delete", self._mask(old))
        statement = self._statements.get(shape)
        if statement is None:
            children = [child for child in self._references if child.reference.on_delete in _ACTS]
            where = self._where(old, 1, children)
            text = f"DELETE FROM {self._from} AS t WHERE {where}"  # noqa: S608 - every name is quoted
            statement = self._statements[shape] = self._statement(text, children)
        return Write(number, statement, self._given(old), old, None)

    def _update(self, number: int, changed: tuple[int, ...], old: Texts, new: Texts) -> Write:
        shape = (changed, self._mask(old))
        statement = self._statements.get(shape)
        if statement is None:
            sets = ", ".join(f"{quote(self._columns[at])} = ${place}" for place, at in enumerate(changed, start=1))
            moved = {self._columns[at] for at in changed}
            children = [
                child
                for child in self._references
                if child.reference.on_update in _ACTS and not moved.isdisjoint(child.reference.columns)
            ]
            where = self._where(old, len(changed) + 1, children)
            text = f"UPDATE {self._from} AS t SET {sets} WHERE {where}"  # noqa: S608 - every name is quoted
            statement = self._statements[shape] = self._statement(text, children)
        return Write(number, statement, (*(new[at] for at in changed), *self._given(old)), old, new)

    def _statement(self, text: str, children: Sequence[_Child] = ()) -> Statement:
        look = ""
        if self.key:
            shown = ", ".join(_printed(self._columns[at]) for at in range(len(self._columns)))
            where = " AND ".join(self._key_is(at, place) for place, at in enumerate(self.key, start=1))
            look = f"SELECT {shown} FROM {self._from} AS t WHERE {where}"  # noqa: S608 - every name is quoted
        return Statement(self._name, text, self._columns, self.key, look, tuple(child.table for child in children))

    def _mask(self, old: Texts) -> tuple[bool, ...]:
        """Which columns are NULL, where that makes another statement: in a table without a key, to use its indexes."""
        return () if self.key else tuple(old[at] is None for at in self._own)

    def _given(self, old: Texts) -> Texts:
        """The parameters of `_where`."""
        return tuple(old[at] for at in self._own)

    def _where(self, old: Texts, first: int, children: Sequence[_Child]) -> str:
        """The one row that is as it was before, if no row points at it that would be changed with it."""
        places = {at: first + number for number, at in enumerate(self._own)}
        guards = [self._unreferenced(child) for child in children]
        if self.key:
            keys = [self._key_is(at, places[at]) for at in self.key]
            others = [self._as_before(at, places[at]) for at in self._own if at not in self.key]
            return " AND ".join([*keys, *others, *guards])
        parts = [self._is(at, places[at], null=old[at] is None) for at in self._own]
        found = f"SELECT tableoid, ctid FROM {self._from} AS t WHERE {' AND '.join([*parts, *guards])} LIMIT 1"  # noqa: S608
        return f"(t.tableoid, t.ctid) = ({found})"

    def _key_is(self, at: int, place: int) -> str:
        field = self._fields[at]
        equals = _equals(field.source.type)
        return f"t.{quote(self._columns[at])} {equals} ${place}::{field.source.type_text}"

    def _as_before(self, at: int, place: int) -> str:
        field, own, given = self._fields[at], f"t.{quote(self._columns[at])}", f"${place}::{self._type(at)}"
        if _is_compared(field.source):
            return f"{own} IS NOT DISTINCT FROM {given}"
        return f"(num_nulls({own}) = num_nulls({given}) AND format('%s', {own}) = format('%s', {given}))"

    def _is(self, at: int, place: int, *, null: bool) -> str:
        """The same as `_as_before`, in a way that an index can answer."""
        own, given = f"t.{quote(self._columns[at])}", f"${place}::{self._type(at)}"
        if null:
            return f"(num_nulls({own}) = 1 AND num_nulls({given}) = 1)"
        if _is_compared(self._fields[at].source):
            return f"{own} = {given}"
        return f"(num_nulls({own}) = 0 AND format('%s', {own}) = format('%s', {given}))"

    def _type(self, at: int) -> str:
        return self._fields[at].source.type_text

    def _unreferenced(self, child: _Child) -> str:
        pairs = zip(child.columns, child.reference.columns, child.equals, strict=True)
        same = [f"x.{quote(own)} {equals} t.{quote(theirs)}" for own, theirs, equals in pairs]
        if child.table == self._name:
            same.append("(x.tableoid, x.ctid) <> (t.tableoid, t.ctid)")
        return f"NOT EXISTS (SELECT FROM {_name(child.table)} AS x WHERE {' AND '.join(same)})"


def _text(field: _Field, value: Value) -> str:
    try:
        return field.codec.to_pg(value)
    except ValueError:
        if field.plan.form.startswith("numeric(") and isinstance(value, int | float):
            return decimals.text(decimals.number(value))  # PostgreSQL rounds it, as it would have
        raise


def _printed(column: str) -> str:
    name = f"t.{quote(column)}"
    return f"CASE WHEN num_nulls({name}) = 0 THEN format('%s', {name}) END"


def _is_compared(column: Column) -> bool:
    base = _base(column.type)
    if column.fuzzy:
        return False
    return base.kind is TypeKind.ENUM or (base.name.schema == "pg_catalog" and base.name.name in _COMPARED)


def _equals(source: PgType) -> str:
    """The operator that tells whether two values of a type are equal; an extension's stands in its own schema."""
    base = _base(source)
    return f"OPERATOR({quote(base.name.schema)}.=)" if base.extension else "="


def _base(source: PgType) -> PgType:
    while source.kind is TypeKind.DOMAIN and source.base:
        source = source.base
    return source


def _name(name: Name) -> str:
    return f"{quote(name.schema)}.{quote(name.name)}"
