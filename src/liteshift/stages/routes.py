"""What the changes of one table become: statements for the file, and the rows to run them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from liteshift.changes import UNCHANGED, Fields, Identity, Relation, Shape
from liteshift.codec.values import Unrepresentable, codec
from liteshift.errors import BEGIN_ANEW, NotFit
from liteshift.plan import ColumnPlan, TablePlan
from liteshift.quoting import quote
from liteshift.reports import Reject
from liteshift.value import Value

_ROWID_NAMES = ("rowid", "_rowid_", "oid")

Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement.

    Attributes:
        beside: the same for the table of `stages.aside`.
        expect_each: each run of it must change exactly one row.
    """

    text: str
    beside: str
    expect_each: bool


class Uncarried(Exception):
    """A value that can't be carried: in which column, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class Route:
    """One table's way from the log into the file, as its last description in the log has it.

    Attributes:
        identity: by which of the log's columns a row is found; none where only all it holds tells it from others.
        told: those that hold the primary key, in its order; none where the log does not tell it of every change.
        insert: takes a whole row; `delete` takes the row's identity, `empty` nothing.
        aside: the name of the table of `stages.aside`.
        columns: the stored columns, as SQL text.
        finding: those that find a row soonest, as SQL text; none in a table without a key.
        where: what finds a row in the table, as SQL text; the last so many parameters, `conditions`, are for it.

    Args:
        table: its plan.
        relation: its description.
        shape: how it looked when we began to listen.
        any_bytes: its texts may be no UTF-8.

    Raises:
        NotFit: the description is not that of the plan's table: somebody has altered it.
    """

    def __init__(self, table: TablePlan, relation: Relation, shape: Shape, *, any_bytes: bool) -> None:
        self.table = table
        self.relation = relation
        self.name = str(table.source)
        _require_shape(table, relation, shape)
        planned = {column.source: column for column in table.columns}
        self._names = [column.name for column in relation.columns]
        columns = [(at, planned[name]) for at, name in enumerate(self._names)]
        self._stored = [(at, column) for at, column in columns if not column.generated]
        self._read = [
            (at, column, _checked(column) if any_bytes else codec(column.form).from_pg) for at, column in self._stored
        ]
        key = [at for at, column in columns if column.target in table.key]
        if relation.identity is not Identity.FULL:
            self.identity = [at for at, column in enumerate(relation.columns) if column.key]
        else:  # while a key may stand twice, the whole row finds a row, which such a table tells
            self.identity = [] if shape.deferrable else key
        if relation.identity is Identity.NOTHING or (relation.identity is not Identity.FULL and not self.identity):
            raise NotFit(
                f"the log no longer tells which rows of {self.name} change: its replica identity is gone",
                hint=BEGIN_ANEW,
            )
        order = {column.target: at for at, column in columns}
        self.told = [order[target] for target in table.key] if set(key) == set(self.identity) else []
        self._converters = {at: own for at, _, own in self._read}
        self.aside = f"liteshift_aside_{relation.oid}"
        self.columns = ", ".join(quote(column.target) for _, column in self._stored)
        self.conditions = len(self.identity or self._stored)
        names = dict(self._stored)
        self.finding = ", ".join(quote(names[at].target) for at in self.identity or key)
        self.where = self._where(quote(table.target))
        marks = ", ".join("?" * len(self._stored))
        self.insert = self._statement(lambda into: f"INSERT INTO {into} ({self.columns}) VALUES ({marks})", each=False)  # noqa: S608 - all is quoted
        self.delete = self._statement(lambda of: f"DELETE FROM {of} WHERE {self._where(of)}", each=True)  # noqa: S608
        self.empty = self._statement(lambda of: f"DELETE FROM {of}", each=False)  # noqa: S608
        self._updates: dict[tuple[int, ...], Statement] = {}

    def values(self, fields: Fields) -> list[Value]:
        """A whole row, as `insert` takes it.

        Raises:
            Uncarried: one of them can't be carried.
        """
        try:
            return [
                None if (text := fields[at]) is None else own(text)  # type: ignore[arg-type]  # a whole row: no UNCHANGED
                for at, _, own in self._read
            ]
        except Unrepresentable:
            raise self._explained(fields) from None

    def update(self, old: Fields | None, new: Fields) -> tuple[Statement, list[Value]] | None:
        """What changes a row; None where nothing of it is stored.

        Args:
            old: what is known of the row before; None where its identity did not change.
            new: the row after.

        Raises:
            Uncarried: a value can't be carried.
        """
        if old is not None and self.identity and all(old[at] == new[at] for at in self.identity):
            old = None
        identity = () if old is not None else self.identity
        sent = tuple(at for at, _, _ in self._read if new[at] is not UNCHANGED and at not in identity)
        if not sent:
            return None
        own = self._converters
        try:
            row = [
                None if (text := new[at]) is None else own[at](text)  # type: ignore[arg-type]  # `sent` has no UNCHANGED
                for at in sent
            ]
        except Unrepresentable:
            raise self._explained(new) from None
        return self.setting(sent), row + self.where_values(new if old is None else old)

    def setting(self, sent: tuple[int, ...]) -> Statement:
        """The UPDATE that sets these columns of the log's."""
        statement = self._updates.get(sent)
        if statement is None:
            statement = self._updates[sent] = self._update(sent)
        return statement

    def where_values(self, fields: Fields) -> list[Value]:
        """The row's identity, as the conditions of `delete` and `update` take it.

        Raises:
            Uncarried: it can't be carried, so the file has no such row.
        """
        own = self._converters
        try:
            return [
                None if (text := fields[at]) is None else own[at](text)  # type: ignore[arg-type]  # an identity is sent
                for at in self.identity or own
            ]
        except Unrepresentable:
            raise self._explained(fields) from None

    def kinds(self, knows: Callable[[str], bool]) -> list[str | Callable[[str], Value] | None]:
        """How to read each column of the log: a form that the native core knows, else the definition's own function;
        None for a column that is not stored.
        """
        kinds: list[str | Callable[[str], Value] | None] = [None] * len(self._names)
        for at, column in self._stored:
            kinds[at] = column.form if knows(column.form) else codec(column.form).from_pg
        return kinds

    def key(self, fields: Fields) -> dict[str, str | None]:
        """The identity's texts by column, as messages and rejects have them."""
        return {self._names[at]: _shown(fields[at]) for at in self.identity or range(len(self._names))}

    def touched(self, fields: Fields) -> Key | None:
        """The primary key's texts in its order; None where the log does not tell it of every change."""
        return tuple([_shown(fields[at]) for at in self.told]) if self.told else None

    def described(self, statement: Statement, row: Sequence[Value]) -> str:
        """Which row a statement was run for, by its key; rows without a key are not shown."""
        if not self.identity:
            return "it has no key, and no row is equal to what it was"
        values = row[-len(self.identity) :]
        verb = "deleted" if statement is self.delete else "updated"
        named = (f"{self._names[at]} = {value!r}" for at, value in zip(self.identity, values, strict=True))
        return f"{verb} where {', '.join(named)}"

    def reject(self, fields: Fields, error: Uncarried) -> Reject:
        """What to write down about a row that can't be carried."""
        return Reject(self.name, self.reject_key(fields), error.column, error.reason)

    def reject_key(self, fields: Fields) -> dict[str, str | None]:
        """How a rejected row is known; rows without a key have none, and are only counted."""
        return self.key(fields) if self.identity else {}

    def fault(self, fields: Fields) -> Uncarried | None:
        """Which of the values that are there can't be carried; None where all can."""
        for at, column, own in self._read:
            text = fields[at]
            if isinstance(text, str):
                try:
                    own(text)
                except Unrepresentable as error:
                    return Uncarried(column.source, str(error))
        return None

    def _explained(self, fields: Fields) -> Uncarried:
        fault = self.fault(fields)
        assert fault is not None  # noqa: S101 - one of them has just been refused
        return fault

    def _update(self, sent: Sequence[int]) -> Statement:
        names = dict(self._stored)
        sets = ", ".join(f"{quote(names[at].target)} = ?" for at in sent)
        return self._statement(lambda of: f"UPDATE {of} SET {sets} WHERE {self._where(of)}", each=True)  # noqa: S608

    def _statement(self, build: Callable[[str], str], *, each: bool) -> Statement:
        return Statement(build(quote(self.table.target)), build(quote(self.aside)), each)

    def _where(self, table: str) -> str:
        """What finds the row: its key by its index; without one, one of those that are equal byte by byte."""
        names = dict(self._stored)
        if self.identity:
            return " AND ".join(f"{quote(names[at].target)} = ?" for at in self.identity)
        taken = {column.target.lower() for column in self.table.columns}
        rowid = next((name for name in _ROWID_NAMES if name not in taken), None)
        if rowid is None:
            raise NotFit(f"{self.name} has no key, and columns named {', '.join(_ROWID_NAMES)}", hint=BEGIN_ANEW)
        same = " AND ".join(f"{quote(column.target)} COLLATE BINARY IS ?" for _, column in self._stored)
        return f"{rowid} = (SELECT {rowid} FROM {table} WHERE {same} LIMIT 1)"  # noqa: S608


def _checked(column: ColumnPlan) -> Callable[[str], Value]:
    """The column's reading of texts that may be no UTF-8, which come with surrogate escapes."""
    from_pg = codec(column.form).from_pg

    def read(text: str) -> Value:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unrepresentable("its text is not UTF-8") from None
        return from_pg(text)

    return read


def _require_shape(table: TablePlan, relation: Relation, shape: Shape) -> None:
    """See that the log describes the table that was planned."""
    name, planned = table.source, {column.source: column for column in table.columns}
    if relation.oid != shape.oid:
        raise NotFit(f"{name} is another table of the same name now", hint=BEGIN_ANEW)
    described = {column.name: (column.type_oid, column.typmod) for column in relation.columns}
    for column, kind in described.items():
        if column not in planned:
            raise NotFit(f"the column {column} of {name} is new, and the plan does not know it", hint=BEGIN_ANEW)
        if shape.columns.get(column) != kind:
            raise NotFit(f"the type of the column {column} of {name} has changed", hint=BEGIN_ANEW)
    for column, own in planned.items():
        if column not in described and not own.generated:
            raise NotFit(f"the column {column} of {name} is gone", hint=BEGIN_ANEW)


def _shown(field: object) -> str | None:
    return field if isinstance(field, str) else None
