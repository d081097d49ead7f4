"""Rows whose changes PostgreSQL does not take one by one: only what became of them counts, not how.

A row that was written wrongly, refused on the way back and mended on SQLite is still in the log as it was at first. So
its changes are passed over, and what they come to is done after all others. What they come to is the same in whatever
order they are logged: where a trigger, or a foreign key that points at its own row, changes a row once more, that is
logged before the change that it came of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from liteshift.changes import Captured, CapturedKind
from liteshift.value import Value

Key = tuple[str, tuple[Value, ...]]
Row = tuple[Value, ...]
_MOST_ROWS = 5  # of a table that has more of such rows all are folded, as each of them costs an attempt


class Mending:
    """The rows whose changes are folded.

    Args:
        key_of: the places of a table's key among its captured columns, by the target's name; of a table without a
            key all.
    """

    def __init__(self, key_of: Callable[[str], Sequence[int]]) -> None:
        self._key_of = key_of
        self._keys: set[Key] = set()
        self._rows: Counter[str] = Counter()  # how many were found, by table
        self._all = False
        self._last = 0
        self._paths: dict[str, Paths] = {}

    def add(self, change: Captured) -> bool:
        """Fold the row of a change from now on; whether it was not folded already."""
        if self._is_whole(change.table) or self._keys_of(change) <= self._keys:
            return False
        self._keys.update(self._keys_of(change))
        self._rows[change.table] += 1
        return True

    def add_all(self) -> bool:
        """Fold all rows from now on; whether they were not folded already."""
        before, self._all = self._all, True
        return not before

    def follow(self, changes: Iterable[Captured]) -> bool:
        """Also fold rows under the keys that the folded ones had at other times; whether there were any."""
        before = len(self._keys)
        for change in changes:
            if not self._is_whole(change.table):
                keys = self._keys_of(change)
                if not self._keys.isdisjoint(keys):
                    self._keys.update(keys)
        return len(self._keys) > before

    def others(self, changes: Iterable[Captured]) -> Iterator[Captured]:
        """All changes of other rows; those of the folded rows are noted for `net`."""
        self._paths.clear()
        for change in changes:
            self._last = change.number
            if self._is_whole(change.table) or not self._keys.isdisjoint(self._keys_of(change)):
                self._paths.setdefault(change.table, Paths()).add(change.old, change.new)
            else:
                yield change

    def net(self) -> Iterator[Captured]:
        """What the changes of the folded rows come to: first what goes, then what changes, then what comes."""
        come: list[Captured] = []
        changed: list[Captured] = []
        for table, paths in self._paths.items():
            gone: dict[Key, list[Row]] = {}
            new: list[Row] = []
            for old, end in paths.ends():
                if old is not None and end is not None:
                    changed.append(Captured(self._last, table, CapturedKind.UPDATE, old, end, 0))
                elif old is not None:
                    gone.setdefault(self._key(table, old), []).append(old)
                elif end is not None:
                    new.append(end)
            for row in new:
                if replaced := gone.get(self._key(table, row)):
                    changed.append(Captured(self._last, table, CapturedKind.UPDATE, replaced.pop(), row, 0))
                else:
                    come.append(Captured(self._last, table, CapturedKind.INSERT, None, row, 0))
            for rows in gone.values():
                for row in rows:
                    yield Captured(self._last, table, CapturedKind.DELETE, row, None, 0)
        yield from changed
        yield from come

    def _is_whole(self, table: str) -> bool:
        return self._all or self._rows[table] > _MOST_ROWS

    def _keys_of(self, change: Captured) -> set[Key]:
        return {self._key(change.table, row) for row in (change.old, change.new) if row is not None}

    def _key(self, table: str, row: Row) -> Key:
        return table, tuple(row[at] for at in self._key_of(table))


class Paths:
    """What became of the rows of a table, by changes in any order: each row's old state and its new one."""

    def __init__(self) -> None:
        # By its end, where each path began that leads there; the row itself stands with it.
        self._ends: dict[object, list[tuple[Row | None, Row]]] = {}
        self._gone: list[Row] = []

    def add(self, old: Row | None, new: Row | None) -> None:
        """Go on from where some path has ended, or begin one."""
        begin = old
        if old is not None:
            place = _exactly(old)
            if before := self._ends.get(place):
                begin = before.pop()[0]
                if not before:
                    del self._ends[place]
        if new is not None:
            self._ends.setdefault(_exactly(new), []).append((begin, new))
        elif begin is not None:
            self._gone.append(begin)

    def ends(self) -> Iterator[tuple[Row | None, Row | None]]:
        """Where each row was before and where it is after all; those that are back where they were are left out."""
        onward: dict[object, list[Row | None]] = {}  # where one gets from a row
        steps: list[tuple[Row | None, Row | None]] = []
        for begin, end in self._all():
            if begin is None:
                steps.append((None, end))
            else:
                onward.setdefault(_exactly(begin), []).append(end)
        for begin in [begin for begin, _ in self._all() if begin is not None]:
            place = _exactly(begin)
            if len(onward[place]) > len(self._ends.get(place, ())):  # more rows leave it than come there
                steps.append((begin, onward[place].pop()))
        for begin, step in steps:
            last: Row | None = step
            while last is not None and (some := onward.get(_exactly(last))):
                last = some.pop()
            if begin is not None or last is not None:
                yield begin, last

    def _all(self) -> Iterator[tuple[Row | None, Row | None]]:
        for paths in self._ends.values():
            yield from paths
        for begin in self._gone:
            yield begin, None


def _exactly(row: Row) -> object:
    """What tells a row from all others: to Python 1 is equal to 1.0, and 0.0 to -0.0."""
    return tuple(repr(value) if isinstance(value, float) else value for value in row)
