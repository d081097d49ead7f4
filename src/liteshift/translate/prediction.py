"""How large the file will be, from rows as SQLite will hold them (https://sqlite.org/fileformat2.html)."""

from __future__ import annotations

from collections.abc import Sequence

from liteshift.catalog import ConstraintKind, Table
from liteshift.plan import Plan, TablePlan
from liteshift.value import Value

PAGE = 4096
_ROOM = PAGE - 8  # a leaf page without its header
_CELL = 2  # the pointer to a cell
_ROWID = 3  # as a variable-length integer, for most tables
_INNER = 1.01  # interior pages
_SHUFFLED = 1 / 0.69  # what random inserts leave of each page in an index that is kept while rows arrive
_EXPRESSION = 20  # bytes of an indexed expression, where nobody knows


def schema_bytes(plan: Plan) -> int:
    """What the file's own description takes: SQLite keeps the text of every CREATE."""
    texts = [text for item in plan.tables for text in (item.create, *item.indexes, *item.triggers)]
    texts += [view.create for view in plan.views]
    return PAGE * (1 + round(sum(len(text.encode()) + 100 for text in texts) / _ROOM))


def table_bytes(table: Table, plan: TablePlan, rows: int, sample: Sequence[Sequence[Value]]) -> int:
    """What a table and its indexes will take.

    Args:
        table: the table.
        plan: what it becomes.
        rows: how many rows it has.
        sample: some of its rows as SQLite will hold them, without the columns that it computes.
    """
    stored = [column.source for column in plan.columns if not column.generated]
    total = _pages(rows, _average([_record(row) + _ROWID + 2 for row in sample]))
    for columns, shuffled in _indexes(table, plan):
        places = [stored.index(name) for name in columns if name in stored]
        unknown = (len(columns) - len(places)) * _EXPRESSION
        entry = _average([_record([row[place] for place in places]) + _ROWID + 2 + unknown for row in sample])
        total += _pages(rows, entry * (_SHUFFLED if shuffled else 1))
    return total


def _indexes(table: Table, plan: TablePlan) -> list[tuple[tuple[str, ...], bool]]:
    """The columns of each index the file will have, and whether it is filled while rows arrive."""
    whole = (table, *table.leaves[:1])
    columns = {index.name: tuple(key.column or "" for key in index.keys) for one in whole for index in one.indexes}
    columns |= {constraint.name: constraint.columns for one in whole for constraint in one.constraints}
    found = []
    for part in plan.objects:
        if part.kind in ("index", "unique index") and part.becomes:
            found.append((columns.get(part.name, ("",)), False))
        elif part.kind in (ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE) and part.becomes not in ("", "the rowid"):
            found.append((columns.get(part.name, ("",)), True))
    return found


def _record(values: Sequence[Value]) -> int:
    """The bytes of a record: its header, then its values."""
    sizes = [_value(value) for value in values]
    header = sum(1 if size < 58 else 2 if size < 8186 else 3 for size in sizes)  # a text's type is twice its length
    return header + 1 + sum(sizes)


def _value(value: Value) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        if value in (0, 1):
            return 0
        bits = (value if value >= 0 else ~value).bit_length() + 1
        return next(size for size in (1, 2, 3, 4, 6, 8) if bits <= 8 * size)
    if isinstance(value, float):
        return 8
    return len(value.encode()) if isinstance(value, str) else len(value)


def _pages(rows: int, entry: float) -> int:
    """Whole pages of entries; a long one has pages of its own."""
    if rows <= 0 or entry == 0:
        return PAGE
    if entry > _ROOM:
        return PAGE + round(rows * (entry + PAGE / 2))
    return PAGE * max(1, round(rows * (entry + _CELL) / _ROOM * _INNER))


def _average(sizes: Sequence[int]) -> float:
    return sum(sizes) / len(sizes) if sizes else 0.0
