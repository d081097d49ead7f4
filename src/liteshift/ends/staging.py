"""What the stages ask of a file in the making; `liteshift.sqlite` answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from liteshift.ends.rows import Digest, Repairing
from liteshift.plan import TablePlan
from liteshift.position import Lsn
from liteshift.reports import Reject
from liteshift.value import Value


class Unbuilt(StrEnum):
    """Why a table's pages were not built.

    UNFIT: only SQLite can fill this table. DISORDERED: too many rows did not come in their key's order. REFUSED: a row
    can't be carried.
    """

    UNFIT = "unfit"
    DISORDERED = "disordered"
    REFUSED = "refused"


class Unbuildable(Exception):
    """A table's pages can't be built; the table is empty."""

    def __init__(self, why: Unbuilt) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Kept:
    """How far a table's copy has come, for a later run to go on from.

    Attributes:
        rows: how many of its rows are in the file.
        whole: whether that is all of them.
        road: who stored them: `native` or `python`.
        after: the name of the last range that is in the file.
        above: where rows come in their key's order: the highest key that is in the file.
    """

    rows: int
    whole: bool
    road: str
    after: str = ""
    above: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a move is about; another run goes on with what it left only where that is the same.

    Attributes:
        asked: the source and the choices, in words.
        plan: a digest of what is planned.
        tables: the target's names of the planned tables.
    """

    asked: str
    plan: str
    tables: tuple[str, ...] = ()


class Part(Protocol):
    """Makes the pages of a part of a table; each may be in a thread of its own."""

    def feed(self, piece: bytes) -> int:
        """As `Builder.feed`, with the rows of the part."""
        ...

    def end(self) -> int:
        """All its rows have come; how many.

        Raises:
            Unbuildable: it can't be done.
        """
        ...

    def join(self) -> None:
        """When it has ended: put it after all that its builder has so far; in the order of the parts' numbers.

        Raises:
            Unbuildable: it can't be done; this says so, or a later call of the builder's.
        """
        ...

    def abandon(self) -> None:
        """Let others have its pages; once it is joined, this does nothing."""
        ...


class Builder(Protocol):
    """Fills one empty table by making its pages; after an error it can only be abandoned."""

    def feed(self, piece: bytes) -> int:
        """Take the next piece of a stream of COPY's binary format; how many rows have come.

        Raises:
            Unbuildable: it can't be done.
        """
        ...

    def part(self, number: int) -> Part:
        """Begin with a part of the table, of any thread's.

        Args:
            number: its place among those that will be joined, from 0.
        """
        ...

    def keep(self, after: str, *, in_order: bool) -> None:
        """Let a later run go on from here. Where a COPY has ended, another may follow.

        Args:
            after: the name of the range that ended.
            in_order: all rows come in their key's order, and the key says where to go on.
        """
        ...

    def finish(self) -> int:
        """All rows have come; how many.

        Raises:
            Unbuildable: it can't be done.
        """
        ...

    def abandon(self) -> None:
        """Leave the table empty; once it is finished, this does nothing."""
        ...


class Building(Protocol):
    """The file while its tables' pages are made; each builder may be in a thread of its own."""

    def builder(self, table: str) -> Builder:
        """Begin with a table, or go on where an earlier run stopped."""
        ...


class Staging(Protocol):
    """A file in the making, which nobody else has open.

    Attributes:
        kept: what an earlier run, and this one, have brought into it, by table.
    """

    @property
    def kept(self) -> Mapping[str, Kept]: ...

    @property
    def begun(self) -> bool:
        """Whether the tables are there, from an earlier run."""
        ...

    def resume(self, task: Task) -> str:
        """Go on with what an interrupted move has left; before anything else is done with the file.

        Returns:
            Why what there was can't be used, and is thrown away; empty where that is not so.

        Raises:
            LiteshiftError: a move about something else has left a file.
        """
        ...

    def execute(self, statements: Iterable[str]) -> None:
        """Run schema statements, all or none."""
        ...

    def load(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]], *, after: str = "", last: bool = True
    ) -> None:
        """Put rows into a table, in one transaction.

        Args:
            after: the name of the range that they are.
            last: whether the table is whole with them.
        """
        ...

    def can_build(self, table: str, columns: Sequence[str], forms: Sequence[str]) -> bool:
        """Whether `building` can fill this table.

        Args:
            forms: the columns' stored forms.
        """
        ...

    def building(self, tables: Mapping[str, Sequence[str]]) -> AbstractContextManager[Building]:
        """Make pages of tables that can be built, while nothing else is done with the file.

        Args:
            tables: each table's stored forms.
        """
        ...

    def index(self, statements: Mapping[str, Sequence[str]], tell: Callable[[str, int, int], None]) -> None:
        """Make and fill the tables' indexes, those of their unique rules among them.

        Args:
            statements: each table's statements that make the indexes which it did not come with.
            tell: told of each table's index as it is done: how many are, and of how many.

        Raises:
            LiteshiftError: rows break a unique rule.
        """
        ...

    def discard(self) -> None:
        """Let no later run go on with this file: it is not what it should be."""
        ...

    def clear(self, table: str) -> None:
        """Empty a table that is to be copied anew."""
        ...

    def mending(self) -> AbstractContextManager[Repairing]:
        """Change rows of tables that are whole, in one transaction."""
        ...

    def set_sequence(self, table: str, value: int) -> None:
        """Let AUTOINCREMENT go on after a value, even where a row with a higher key is gone."""
        ...

    def mark(self, move: str, position: Lsn, rejects: Iterable[Reject], tables: Sequence[TablePlan]) -> None:
        """Make the file part of a live move, which has come to a position; before it is sealed.

        Args:
            move: the move's name.
            position: what the file shows of the source.
            rejects: the rows that could not be copied.
            tables: those of the plan, whose triggers come once the file no longer follows.

        Raises:
            NotFit: a table bears a name that we need.
        """
        ...

    def view_rows(self, view: str, columns: Sequence[str], *, seconds: int) -> Iterator[Sequence[Value]]:
        """Every row of a view.

        Raises:
            LiteshiftError: SQLite can't compute it, or not in this time.
        """
        ...

    def check(self) -> tuple[Sequence[str], Sequence[str]]:
        """What is wrong with the file, and which rows point nowhere; empty for nothing."""
        ...

    def seal(self) -> None:
        """Finish the file and make it durable; from here on it is only read."""
        ...

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
        """Every row of the sealed file."""
        ...

    def digest(self, table: str, columns: Sequence[str], into: Digest) -> bool:
        """See `Rows.digest`."""
        ...

    def publish(self) -> None:
        """Put the sealed file in its place, whole and at once."""
        ...
