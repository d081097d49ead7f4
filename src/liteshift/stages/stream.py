"""One table's rows as the source sends them to the native road, in COPY's binary format."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from liteshift.codec.copy_binary import wire
from liteshift.ends import Range, Snapshot
from liteshift.plan import ColumnPlan, TablePlan

KEEP_EVERY = 64 << 20
"""Bytes sent between two places that a later run may go on from."""


def stored(table: TablePlan) -> Sequence[ColumnPlan]:
    """The columns that are copied; SQLite computes the others."""
    return [column for column in table.columns if not column.generated]


class Stream:
    """A table over one connection."""

    def __init__(self, snapshot: Snapshot, table: TablePlan) -> None:
        self._snapshot = snapshot
        self._table = table
        self._columns = [(column.source, wire(column.form, column.source_type)) for column in stored(table)]
        self._key = [column for column in stored(table) if column.target in table.key]

    def ranges(self, after: str, jobs: int = 1) -> Sequence[Range] | None:
        """Its parts, in the order in which they must come; see `Snapshot.ranges`."""
        keyed = [column.form for column in self._key] == ["integer"]
        return self._snapshot.ranges(
            self._table.source, with_children=self._table.partitioned, keyed=keyed, after=after, jobs=jobs
        )

    def within(self, one: Range) -> Generator[bytes, None, int]:
        """The rows of a range, as the heap has them, which costs the source least."""
        return self._snapshot.binary(
            self._table.source, self._columns, with_children=self._table.partitioned, within=one
        )

    def by_key(self, above: int | None) -> Generator[bytes, None, int]:
        """All rows in the key's order, or those above one."""
        order = [column.source for column in self._key]
        return self._snapshot.binary(
            self._table.source, self._columns, with_children=self._table.partitioned, order=order, above=above
        )
