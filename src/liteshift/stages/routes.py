"""What the changes of one table become: statements for the file, and the rows to run them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from liteshift.changes import UNCHANGED, Fields, Identity, Relation, Shape
from liteshift.codec.values import Unrepresentable, codec
from liteshift.ends import Value
from liteshift.errors import NotFit
from liteshift.plan import ColumnPlan, TablePlan
from liteshift.quoting import quote
from liteshift.reports import Reject

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_BEGIN_AGAIN = "Begin anew: liteshift abort, then liteshift migrate --live."

Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and whether each run of it must change exactly one row."""

    text: str
    expect_each: bool


class Uncarried(Exception):
    """A value that can't be carried: in which column, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class Route:
    """One table's way from the log into the file, as its last description in the log has it.

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
            self._identity = [at for at, column in enumerate(relation.columns) if column.key]
        else:
            self._identity = key
        if relation.identity is Identity.NOTHING or (relation.identity is not Identity.FULL and not self._identity):
            raise NotFit(
                f"the log no longer tells which rows of {self.name} change: its replica identity is gone",
                hint=_BEGIN_AGAIN,
            )
        order = {column.target: at for at, column in columns}
        self._touched = [order[target] for target in table.key]
        self._tells_key = set(key) == set(self._identity)
        self._converters = {at: own for at, _, own in self._read}
        self.insert = self._insert()
        self.delete = Statement(f"DELETE FROM {quote(table.target)} WHERE {self._where()}", True)  # noqa: S608 - all is quoted
        self.empty = Statement(f"DELETE FROM {quote(table.target)}", False)  # noqa: S608
        self._updates: dict[tuple[int, ...], Statement] = {}

    def values(self, fields: Fields) -> list[Value]:
        """A whole row, as `insert` takes it.

        Raises:
            Uncarried: one of them can't be carried.
        """
        try:
            return [None if (text := fields[at]) is None else own(text) for at, _, own in self._read]  # type: ignore[arg-type]
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
        if old is not None and self._identity and all(old[at] == new[at] for at in self._identity):
            old = None
        identity = () if old is not None else self._identity
        sent = tuple(at for at, _, _ in self._read if new[at] is not UNCHANGED and at not in identity)
        if not sent:
            return None
        statement = self._updates.get(sent)
        if statement is None:
            statement = self._updates[sent] = self._update(sent)
        own = self._converters
        try:
            row = [None if (text := new[at]) is None else own[at](text) for at in sent]  # type: ignore[arg-type]
        except Unrepresentable:
            raise self._explained(new) from None
        return statement, row + self.where_values(new if old is None else old)

    def where_values(self, fields: Fields) -> list[Value]:
        """The row's identity, as the conditions of `delete` and `update` take it.

        Raises:
            Uncarried: it can't be carried, so the file has no such row.
        """
        own = self._converters
        try:
            return [
                None if (text := fields[at]) is None else own[at](text)  # type: ignore[arg-type]
                for at in self._identity or own
            ]
        except Unrepresentable:
            raise self._explained(fields) from None

    @property
    def keyed(self) -> bool:
        """Whether rows are found by a key, and not by all they hold."""
        return bool(self._identity)

    def key(self, fields: Fields) -> dict[str, str | None]:
        """The identity's texts by column, as messages and rejects have them."""
        return {self._names[at]: _shown(fields[at]) for at in self._identity or range(len(self._names))}

    def touched(self, fields: Fields) -> Key | None:
        """The primary key's texts in its order; None where the log does not tell it of every change."""
        if not self._touched or not self._tells_key:
            return None
        return tuple(_shown(fields[at]) for at in self._touched)

    def described(self, statement: Statement, row: Sequence[Value]) -> str:
        """Which row a statement was run for, by its key; rows without a key are not shown."""
        if not self._identity:
            return "it has no key, and no row is equal to what it was"
        values = row[-len(self._identity) :]
        verb = "deleted" if statement is self.delete else "updated"
        named = (f"{self._names[at]} = {value!r}" for at, value in zip(self._identity, values, strict=True))
        return f"{verb} where {', '.join(named)}"

    def reject(self, fields: Fields, error: Uncarried) -> Reject:
        """What to write down about a row that can't be carried."""
        return Reject(self.name, self.reject_key(fields), error.column, error.reason)

    def reject_key(self, fields: Fields) -> dict[str, str | None]:
        """How a rejected row is known; rows without a key have none, and are only counted."""
        return self.key(fields) if self._identity else {}

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

    def _insert(self) -> Statement:
        names = ", ".join(quote(column.target) for _, column in self._stored)
        marks = ", ".join("?" * len(self._stored))
        return Statement(f"INSERT INTO {quote(self.table.target)} ({names}) VALUES ({marks})", False)  # noqa: S608

    def _update(self, sent: Sequence[int]) -> Statement:
        names = dict(self._stored)
        sets = ", ".join(f"{quote(names[at].target)} = ?" for at in sent)
        return Statement(f"UPDATE {quote(self.table.target)} SET {sets} WHERE {self._where()}", True)  # noqa: S608

    def _where(self) -> str:
        """What finds the row: its key by its index; without one, one of those that are equal byte by byte."""
        names = dict(self._stored)
        if self._identity:
            return " AND ".join(f"{quote(names[at].target)} = ?" for at in self._identity)
        taken = {column.target.lower() for column in self.table.columns}
        rowid = next((name for name in _ROWID_NAMES if name not in taken), None)
        if rowid is None:
            raise NotFit(f"{self.name} has no key, and columns named {', '.join(_ROWID_NAMES)}", hint=_BEGIN_AGAIN)
        same = " AND ".join(f"{quote(column.target)} COLLATE BINARY IS ?" for _, column in self._stored)
        return f"{rowid} = (SELECT {rowid} FROM {quote(self.table.target)} WHERE {same} LIMIT 1)"  # noqa: S608


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
        raise NotFit(f"{name} is another table of the same name now", hint=_BEGIN_AGAIN)
    described = {column.name: (column.type_oid, column.typmod) for column in relation.columns}
    for column, kind in described.items():
        if column not in planned:
            raise NotFit(f"the column {column} of {name} is new, and the plan does not know it", hint=_BEGIN_AGAIN)
        if shape.columns.get(column) != kind:
            raise NotFit(f"the type of the column {column} of {name} has changed", hint=_BEGIN_AGAIN)
    for column, own in planned.items():
        if column not in described and not own.generated:
            raise NotFit(f"the column {column} of {name} is gone", hint=_BEGIN_AGAIN)


def _shown(field: object) -> str | None:
    return field if isinstance(field, str) else None
