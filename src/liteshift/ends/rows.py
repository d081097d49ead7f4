"""What the stages ask of whatever has rows in SQLite: a file in the making, or one in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from liteshift.value import Value


class Digest(Protocol):
    """What the native core makes of a table's rows, one side at a time or both at once."""

    @property
    def number(self) -> int:
        """What SQLite knows it by."""
        ...

    @property
    def ended(self) -> bool:
        """Whether it takes no more of the target's rows: they are not equal, or nobody wants to know any more."""
        ...

    def feed(self, piece: bytes) -> int:
        """Take a piece of the source's COPY; how many rows have come.

        Raises:
            ValueError: it is no COPY.
        """
        ...

    def end(self) -> None:
        """Take no more of the target's rows."""
        ...


class Rows(Protocol):
    """Anything that gives a table's rows: a sealed staging file, or the target in its place."""

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
        """Every row."""
        ...

    def digest(self, table: str, columns: Sequence[str], into: Digest) -> bool:
        """Put every row into a digest, in whatever thread this is called; whether all went in."""
        ...


class Reading(Rows, Protocol):
    """The target at one moment."""

    def require(self, tables: Mapping[str, Sequence[str]]) -> None:
        """See that it has these tables with these columns.

        Raises:
            NotInitialised: it lacks one.
        """
        ...


class Repairing(Reading, Protocol):
    """The target in a write transaction of its own."""

    def numbered(self, table: str, columns: Sequence[str]) -> Iterator[tuple[int, Sequence[Value]]]:
        """Every row with its rowid."""
        ...

    def replace(
        self, table: str, columns: Sequence[str], numbers: Sequence[int], rows: Sequence[Sequence[Value]]
    ) -> None:
        """Remove the rows of these rowids, then write these rows."""
        ...
