"""Holds the rows that only one side has, in memory with a bound: where they are too many, only some of them are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Set
from typing import TypeAlias

Line: TypeAlias = bytes
Key: TypeAlias = tuple[str | None, ...]

BUCKETS = 1 << 14
_MASK = BUCKETS - 1
_EACH = 200  # bytes that a line takes besides its own


def bucket(line: Line) -> int:
    """Which one of the buckets a line is in."""
    return hash(line) & _MASK


class Held:
    """The lines of some buckets that only one side has, and those that belong to them by their keys.

    Where they take too much memory, half of the buckets are let go with all that is theirs, down to one.

    Args:
        buckets: whose lines to hold.
        most: bytes, for both sides together.
        key: a line's key; None where the table has none.

    Attributes:
        buckets: those that are left.
    """

    def __init__(self, buckets: Iterable[int], most: int, key: Callable[[Line], Key] | None) -> None:
        self.buckets: Set[int] = frozenset(buckets)
        self._most = most
        self._key = key
        self._missing, self._extra = Counter[Line](), Counter[Line]()
        self._old: list[Line] = []
        self._new: list[Line] = []
        self._size = 0

    @property
    def missing(self) -> list[Line]:
        """The source's lines that the target lacks, a changed row's among them."""
        return [*self._missing.elements(), *self._old]

    @property
    def extra(self) -> list[Line]:
        """The target's lines that the source lacks."""
        return [*self._extra.elements(), *self._new]

    def of_source(self, line: Line) -> None:
        """Take a line of the source's, of one of the buckets; first of all come the source's."""
        self._count(self._missing, line)

    def of_target(self, line: Line) -> None:
        """Take a line of the target's, of one of the buckets."""
        left = self._missing[line]
        if left > 1:
            self._missing[line] = left - 1
        elif left:
            del self._missing[line]
            self._size -= _cost(line)
        else:
            self._count(self._extra, line)

    def wanted_of_source(self) -> Set[Key]:
        """The keys of rows whose lines the source may have in other buckets: they are changed, not extra."""
        return self._keys(self._extra) - self._keys(self._missing)

    def wanted_of_target(self) -> Set[Key]:
        """The same of the target's."""
        return self._keys(self._missing) - self._keys(self._extra)

    def add_of_source(self, line: Line) -> bool:
        """Take a line of another bucket, which was wanted; whether all that is wanted still is."""
        self._old.append(line)
        return self._grow(line)

    def add_of_target(self, line: Line) -> bool:
        """The same of the target's."""
        self._new.append(line)
        return self._grow(line)

    def _count(self, lines: Counter[Line], line: Line) -> None:
        lines[line] += 1
        if lines[line] == 1:
            self._grow(line)

    def _grow(self, line: Line) -> bool:
        self._size += _cost(line)
        whole = True
        while self._size > self._most and len(self.buckets) > 1:
            self._let_go()
            whole = False
        return whole

    def _let_go(self) -> None:
        self.buckets = frozenset(sorted(self.buckets)[: len(self.buckets) // 2])
        for lines in (self._missing, self._extra):
            for line in [line for line in lines if bucket(line) not in self.buckets]:
                del lines[line]
        if self._key is not None and (self._old or self._new):
            old, new = self.wanted_of_source(), self.wanted_of_target()
            self._old = [line for line in self._old if self._key(line) in old]
            self._new = [line for line in self._new if self._key(line) in new]
        self._size = sum(map(_cost, [*self._missing, *self._extra, *self._old, *self._new]))

    def _keys(self, lines: Iterable[Line]) -> set[Key]:
        return set(map(self._key, lines)) if self._key is not None else set()


def _cost(line: Line) -> int:
    return len(line) + _EACH
