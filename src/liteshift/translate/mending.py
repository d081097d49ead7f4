"""Rows that PostgreSQL refused at some moment: only what became of them counts, not how.

A row that was written wrongly, refused on the way back and mended on SQLite is still in the log as it was at first. So
its changes are passed over one by one, and what they come to is done after all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from liteshift.changes import Captured, CapturedKind
from liteshift.value import Value

Key = tuple[str, tuple[Value, ...]]
Row = tuple[Value, ...]


class Mending:
    """The rows whose changes are folded.

    Args:
        key_of: the places of a table's key among its captured columns, by the target's name; of a table without a
            key all.
    """

    def __init__(self, key_of: Callable[[str], Sequence[int]]) -> None:
        self._key_of = key_of
        self._keys: set[Key] = set()

    def add(self, change: Captured) -> bool:
        """Fold the row of a change from now on; whether it was not folded already."""
        before = len(self._keys)
        self._keys.update(self._keys_of(change))
        return len(self._keys) > before

    def follow(self, changes: Iterable[Captured]) -> bool:
        """Also fold rows under the keys that the folded ones had at other times; whether there were any."""
        before = len(self._keys)
        for change in changes:
            keys = self._keys_of(change)
            if not self._keys.isdisjoint(keys):
                self._keys.update(keys)
        return len(self._keys) > before

    def fold(self, changes: Iterable[Captured]) -> Iterator[Captured]:
        """All changes of other rows, and then what those of the folded rows come to."""
        sums: Counter[tuple[str, Row]] = Counter()  # how many more such rows there are than before
        last: Captured | None = None
        for last in changes:
            if self._keys.isdisjoint(self._keys_of(last)):
                yield last
                continue
            if last.old is not None:
                sums[last.table, last.old] -= 1
            if last.new is not None:
                sums[last.table, last.new] += 1
        if last is not None:
            yield from self._net(sums, last.number)

    def _net(self, sums: Counter[tuple[str, Row]], number: int) -> Iterator[Captured]:
        """First what goes, then what changes, then what comes."""
        come: dict[Key, list[Row]] = {}
        for (table, row), count in sums.items():
            come.setdefault(self._key(table, row), []).extend([row] * count)
        changed = []
        for (table, row), count in sums.items():
            for _ in range(-count):
                new = come[self._key(table, row)]
                if new:
                    changed.append(Captured(number, table, CapturedKind.UPDATE, row, new.pop(), 0))
                else:
                    yield Captured(number, table, CapturedKind.DELETE, row, None, 0)
        yield from changed
        for (table, _), rows in come.items():
            for row in rows:
                yield Captured(number, table, CapturedKind.INSERT, None, row, 0)

    def _keys_of(self, change: Captured) -> set[Key]:
        return {self._key(change.table, row) for row in (change.old, change.new) if row is not None}

    def _key(self, table: str, row: Row) -> Key:
        return table, tuple(row[at] for at in self._key_of(table))
