"""The statements that do captured changes to one table on the source, if its row is as it was before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace

from liteshift.catalog import Catalog, Column, ConstraintKind, Name, PgType, Reference, Table, TypeKind
from liteshift.changes import Captured, Respelling
from liteshift.codec import decimals, floats
from liteshift.codec.values import Codec, Unrepresentable, codec
from liteshift.errors import NotFit
from liteshift.plan import ColumnPlan, TablePlan
from liteshift.quoting import quote
from liteshift.translate.spelling import may_differ, may_ever_differ
from liteshift.value import Value
from liteshift.writes import Look, Refused, Statement, Texts, Write, refusal

# Types whose own equality tells all values apart that print differently, or that are the same to everybody.
_COMPARED = frozenset(
    ("int2", "int4", "int8", "oid", "bool", "float4", "float8", "numeric", "date", "time", "timestamp", "timestamptz")
) | frozenset(("uuid", "bytea", "text", "varchar", "bpchar", "name"))
_UNREADABLE = (ValueError, KeyError, TypeError, ArithmeticError, RecursionError)
_ACTS = ("c", "n", "d")  # CASCADE, SET NULL, SET DEFAULT
_BAD_TEXT = "22P02"  # PostgreSQL's code for a text that its type does not read


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that PostgreSQL may print otherwise: its place in the row, its type there, and its text.

    Attributes:
        sure: whether the stored value is none that its form has, so that it is to be written anew in any case.
    """

    place: int
    type: str
    text: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Child:
    """A foreign key that points at a table, and acts on its own rows when those it points at change."""

    table: Name
    columns: tuple[str, ...]
    equals: tuple[str, ...]
    reference: Reference


def references_of(catalog: Catalog, parent: Name) -> list[Child]:
    """The foreign keys that point at a table, those of single partitions among them."""
    found = []
    for root in catalog.tables:
        for table in (root, *root.partitions):
            for constraint in table.constraints:
                reference = constraint.reference
                if reference is not None and reference.table == parent:
                    equals = tuple(_equals(root.column(name).type) for name in constraint.columns)
                    found.append(Child(table.name, constraint.columns, equals, reference))
    return found


@dataclass(frozen=True, slots=True)
class _Field:
    """A column whose values come back."""

    plan: ColumnPlan
    source: Column
    codec: Codec


class Statements:
    """The statements for one table.

    Attributes:
        key: the places of the key's columns among the captured ones.
        identity: the same; of a table without a key all places.
        sequence: the sequence that numbers its rows.
    """

    def __init__(self, plan: TablePlan, source: Table, references: Sequence[Child]) -> None:
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
        self._types = tuple(field.source.type_text for field in self._fields)
        self._always = {at for at in self._own if self._fields[at].source.identity == "always"}
        self._references = references
        self.key = tuple(at for name in plan.key for at, column in enumerate(stored) if column.target == name)
        self.identity = self.key or tuple(range(len(stored)))
        by_target = {column.target: known[column.source] for column in stored}
        self.sequence = by_target[plan.key[0]].sequence if plan.sequence is not None and plan.key else None
        self._statements: dict[object, Statement] = {}
        ruled = {at for at, field in enumerate(self._fields) if _is_ruled(source, field.source.name, references)}
        # A value that others refer to by what it is stays as it is.
        loose = [at for at in self._own if may_ever_differ(self._fields[at].source)]
        self._spelled = [at for at in loose if at not in ruled and at not in self.key]
        self._numbered = [at for at in self._own if self._fields[at].source.sequence not in (None, self.sequence)]
        self._computed = [at for at in range(len(stored)) if at not in self._own and at not in self.key]
        self._seen = sorted({*self._own, *self.key})
        self.looks_after = bool(self._numbered or self._spelled or self._computed)

    def writes(self, change: Captured) -> Iterator[Write]:
        """The writes that do one change; none where nothing changed that the source holds."""
        old = self._texts(change, change.old)
        new = self._texts(change, change.new)
        if old is not None and new is not None:
            changed = tuple(at for at in self._own if old[at] != new[at])
            if not changed:
                return
            if self._always.isdisjoint(changed):
                yield self._update(change, changed, old, new)
                return
        # A new row; one that is gone; or one whose number only PostgreSQL gives, which can't be updated.
        if old is not None:
            yield self._delete(change, old)
        if new is not None:
            yield self._insert(change, new)

    def settled(self, change: Captured) -> Iterator[Write]:
        """The same, where only what became of the row counts: with other ways to get there."""
        for write in self.writes(change):
            yield write if write.old is None or write.new is None else self._roundabout(change, write.old, write.new)

    def _roundabout(self, change: Captured, old: Texts, new: Texts) -> Write:
        """An UPDATE with other ways to the same."""
        changed = [at for at in self._own if old[at] != new[at]]
        emptied = [at for at in changed if old[at] is not None and not self._fields[at].source.not_null]
        ways = []
        pointed_at = {column for child in self._acting(set(self._columns)) for column in child.reference.columns}
        free = [at for at in changed if self._columns[at] not in pointed_at]
        if len(free) < len(changed):
            # What it points at may have to go first, and that may point at what others of its columns are.
            ways += [self._by(change, old, new, free)]
            ways += [self._by(change, old, new, [at for at in free if at in emptied], empty=True)]
        # A row that others point at can't go; but NULL takes no place under a unique rule.
        ways += [self._by(change, old, new, emptied, empty=True)]
        apart = (self._delete(change, old), self._insert(change, new))
        return replace(self._update(change, tuple(changed), old, new), ways=(*filter(None, ways), apart))

    def _by(
        self, change: Captured, old: Texts, new: Texts, first: Sequence[int], *, empty: bool = False
    ) -> tuple[Write, ...]:
        """A way that begins with some columns only; no way where that is none, or the whole of it."""
        between = tuple((None if empty else new[at]) if at in first else text for at, text in enumerate(old))
        if between in (old, new):
            return ()
        return self._update(change, tuple(first), old, between), self._roundabout(change, between, new)

    def _acting(self, moved: Set[str]) -> list[Child]:
        """The foreign keys that change their own rows with any of these columns."""
        return [
            child
            for child in self._references
            if child.reference.on_update in _ACTS and not moved.isdisjoint(child.reference.columns)
        ]

    def doubts(self, change: Captured) -> list[Doubt]:
        """The values of its new row that PostgreSQL may print otherwise."""
        found = []
        for at in self._spelled if change.new is not None else ():
            field, value = self._fields[at], change.new[at] if change.new else None
            if value is None:
                continue
            try:
                text = field.codec.exactly(value)
                if may_differ(field.plan, field.source, text):
                    found.append(Doubt(at, field.source.type_text, text, sure=False))
            except _UNREADABLE:
                found.append(Doubt(at, field.source.type_text, _text(field, value), sure=True))
        return found

    def look(self, change: Captured) -> Look | None:
        """How to see what the source has computed in its new row; None where it computes nothing, or has no key."""
        if not self._computed or not self.key or change.new is None:
            return None
        new = self._texts(change, change.new) or ()
        return Look(self._statement("").look, tuple(new[at] for at in self.key))

    def respelled(self, change: Captured, printed: Sequence[tuple[Doubt, str]], row: Texts | None) -> Respelling | None:
        """Its new row as PostgreSQL has it; None where that is how it was written.

        Args:
            printed: its doubts, each with the text that PostgreSQL prints.
            row: what `look` has shown.
        """
        assert change.new is not None  # noqa: S101 - a row that is gone leaves no doubts
        new = list(change.new)
        texts = [(doubt.place, text) for doubt, text in printed if doubt.sure or text != doubt.text]
        for at, text in texts + [(at, row[at]) for at in self._computed if row is not None]:
            with suppress(Unrepresentable):
                new[at] = None if text is None else self._fields[at].codec.from_pg(text)
        if tuple(new) == change.new:
            return None
        return Respelling(change.table, change.rowid, change.new, tuple(new))

    def given(self, change: Captured) -> dict[Name, int]:
        """Numbers of its new row that a sequence of the source would give."""
        found = {}
        for at in self._numbered if change.new is not None else ():
            value, sequence = change.new[at] if change.new else None, self._fields[at].source.sequence
            if sequence is not None and isinstance(value, int):
                found[sequence] = value
        return found

    def _texts(self, change: Captured, row: tuple[Value, ...] | None) -> Texts | None:
        if row is None:
            return None
        fields = self._fields
        try:
            texts = [
                None if value is None else field.codec.to_pg(value) for field, value in zip(fields, row, strict=True)
            ]
        except _UNREADABLE:
            texts = self._careful(change, row)
        for field, text in zip(fields, texts, strict=True):
            if text is not None and ("\0" in text or not _is_unicode(text)):
                raise self._refusal(change, row, field, "no text of PostgreSQL's can hold this")
        return tuple(texts)

    def _careful(self, change: Captured, row: tuple[Value, ...]) -> list[str | None]:
        """The same where a value is not in its form: what PostgreSQL may read all the same, else which one it is."""
        texts: list[str | None] = []
        for field, value in zip(self._fields, row, strict=True):
            try:
                texts.append(None if value is None else _text(field, value))
            except _UNREADABLE as error:
                raise self._refusal(change, row, field, str(error)) from error
        return texts

    def _refusal(self, change: Captured, row: tuple[Value, ...], field: _Field, why: str) -> Refused:
        """The error for a value that can't even be sent."""
        shown = tuple(None if value is None else str(value) for value in row)
        statement = Statement(self._name, "", self._columns, self._types, (), self.key, "")
        return refusal(
            Write(change, statement, (), None, shown), _BAD_TEXT, {"message": why, "column": field.plan.source}
        )

    def _insert(self, change: Captured, new: Texts) -> Write:
        statement = self._statements.get("insert")
        if statement is None:
            names = ", ".join(quote(self._columns[at]) for at in self._own)
            marks = ", ".join(f"${place}" for place in range(1, len(self._own) + 1))
            override = " OVERRIDING SYSTEM VALUE" if self._always else ""
            text = f"INSERT INTO {_name(self._name)} ({names}){override} VALUES ({marks})"  # noqa: S608 - quoted
            statement = self._statements["insert"] = self._statement(text)
        return Write(change, statement, tuple(new[at] for at in self._own), None, new)

    def _delete(self, change: Captured, old: Texts) -> Write:
        shape = ("delete", self._mask(old))
        statement = self._statements.get(shape)
        if statement is None:
            children = [child for child in self._references if child.reference.on_delete in _ACTS]
            where = self._where(old, 1, children)
            text = f"DELETE FROM {self._from} AS t WHERE {where}"  # noqa: S608 - every name is quoted
            places = "SELECT t.tableoid::regclass::text, t.ctid::text"
            find = (
                f"{places} FROM {self._from} AS t"  # every name is quoted
                f" WHERE {self._where(old, 1, ())} FOR UPDATE"
            )
            pointing = tuple(self._pointing(child) for child in children)
            statement = replace(self._statement(text, children), find=find, pointing=pointing)
            self._statements[shape] = statement
        return Write(change, statement, self._given(old), old, None)

    def _update(self, change: Captured, changed: tuple[int, ...], old: Texts, new: Texts) -> Write:
        shape = (changed, self._mask(old))
        statement = self._statements.get(shape)
        if statement is None:
            sets = ", ".join(f"{quote(self._columns[at])} = ${place}" for place, at in enumerate(changed, start=1))
            moved = {self._columns[at] for at in changed}
            children = self._acting(moved)
            where = self._where(old, len(changed) + 1, children, moved)
            text = f"UPDATE {self._from} AS t SET {sets} WHERE {where}"  # noqa: S608 - every name is quoted
            statement = self._statements[shape] = self._statement(text, children)
        return Write(change, statement, (*(new[at] for at in changed), *self._given(old)), old, new)

    def _statement(self, text: str, children: Sequence[Child] = ()) -> Statement:
        look = ""
        if self.key:
            shown = ", ".join(_printed(self._columns[at]) for at in range(len(self._columns)))
            where = " AND ".join(self._key_is(at, place) for place, at in enumerate(self.key, start=1))
            look = f"SELECT {shown} FROM {self._from} AS t WHERE {where}"  # noqa: S608 - every name is quoted
        acting = tuple(child.table for child in children)
        return Statement(self._name, text, self._columns, self._types, tuple(self._seen), self.key, look, acting)

    def _mask(self, old: Texts) -> tuple[bool, ...]:
        """Which columns are NULL, where that makes another statement: in a table without a key, to use its indexes."""
        return () if self.key else tuple(old[at] is None for at in self._seen)

    def _given(self, old: Texts) -> Texts:
        """The parameters of `_where`."""
        return tuple(old[at] for at in self._seen)

    def _where(self, old: Texts, first: int, children: Sequence[Child], moved: Set[str] | None = None) -> str:
        """The one row that is as it was before, if no row points at it that would be changed with it.

        Args:
            moved: the columns that get another value; None where the row goes.
        """
        places = {at: first + number for number, at in enumerate(self._seen)}
        guards = [self._unreferenced(child, moved) for child in children]
        if self.key:
            keys = [self._key_is(at, places[at]) for at in self.key]
            others = [self._as_before(at, places[at]) for at in self._own if at not in self.key]
            return " AND ".join([*keys, *others, *guards])
        parts = [self._is(at, places[at], null=old[at] is None) for at in self._seen]
        found = f"SELECT tableoid, ctid FROM {self._from} AS t WHERE {' AND '.join([*parts, *guards])} LIMIT 1"  # noqa: S608
        return f"(t.tableoid, t.ctid) = ({found})"

    def _key_is(self, at: int, place: int) -> str:
        field = self._fields[at]
        equals = _equals(field.source.type)
        return f"t.{quote(self._columns[at])} {equals} ${place}::{field.source.type_text}"

    def _as_before(self, at: int, place: int) -> str:
        field, own, given = self._fields[at], f"t.{quote(self._columns[at])}", f"${place}::{self._types[at]}"
        if _is_compared(field.source):
            return f"{own} IS NOT DISTINCT FROM {given}"
        return f"(num_nulls({own}) = num_nulls({given}) AND format('%s', {own}) = format('%s', {given}))"

    def _is(self, at: int, place: int, *, null: bool) -> str:
        """The same as `_as_before`, in a way that an index can answer."""
        own, given = f"t.{quote(self._columns[at])}", f"${place}::{self._types[at]}"
        if null:
            return f"(num_nulls({own}) = 1 AND num_nulls({given}) = 1)"
        if _is_compared(self._fields[at].source):
            return f"{own} = {given}"
        return f"(num_nulls({own}) = 0 AND format('%s', {own}) = format('%s', {given}))"

    def _unreferenced(self, child: Child, moved: Set[str] | None) -> str:
        # A row that points at itself is changed with itself, too, unless it points elsewhere by then.
        itself = moved is not None and moved.isdisjoint(child.columns)
        return f"NOT EXISTS (SELECT FROM {_name(child.table)} AS x WHERE {self._points(child, itself=itself)})"

    def _pointing(self, child: Child) -> str:
        """A query for the places of the rows that point at the row whose place its parameters are."""
        places = "SELECT x.tableoid::regclass::text, x.ctid::text"
        return (
            f"{places} FROM {_name(child.table)} AS x, {self._from} AS t"  # every name is quoted
            f" WHERE t.tableoid = $1::text::regclass AND t.ctid = $2::tid AND {self._points(child)}"
        )

    def _points(self, child: Child, *, itself: bool = False) -> str:
        pairs = zip(child.columns, child.reference.columns, child.equals, strict=True)
        same = [f"x.{quote(own)} {equals} t.{quote(theirs)}" for own, theirs, equals in pairs]
        if child.table == self._name and not itself:
            same.append("(x.tableoid, x.ctid) <> (t.tableoid, t.ctid)")
        return " AND ".join(same)


def _is_unicode(text: str) -> bool:
    """Whether it was UTF-8 in the file."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(field: _Field, value: Value) -> str:
    """The text of a value that may not be in its form, for PostgreSQL to read and round as it always did."""
    try:
        return field.codec.to_pg(value)
    except ValueError:
        if isinstance(value, int | float):
            if field.plan.form.startswith("numeric("):
                return decimals.text(decimals.number(value))
            if field.plan.form == "real":
                return floats.double_to_pg(float(value))
        raise


def _is_ruled(source: Table, column: str, references: Sequence[Child]) -> bool:
    """Whether a key, a foreign key, a unique rule or somebody else's foreign key looks at a column."""
    kinds = (ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE, ConstraintKind.FOREIGN_KEY, ConstraintKind.EXCLUSION)
    own = [constraint.columns for constraint in source.constraints if constraint.kind in kinds]
    indexes = [tuple(key.column or "" for key in index.keys) for index in source.indexes if index.unique]
    theirs = [child.reference.columns for child in references]
    return any(column in columns for columns in (*own, *indexes, *theirs))


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
