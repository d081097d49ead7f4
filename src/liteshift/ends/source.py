"""What the stages ask of the database to move away from; `liteshift.postgres` answers."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from liteshift.catalog import Catalog, Name
from liteshift.survey import Activity, Rights, ServerFacts, Statements, TableAnswer, TableQuestion


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a table in the order of its heap.

    Attributes:
        name: where it ends; a later snapshot finds the place again by it.
        place: what the source knows it by.
    """

    name: str = ""
    place: object = None


class Snapshot(Protocol):
    """The source as it was at one moment, however long that is looked at.

    Attributes:
        position: the log position (`pg_lsn` text) that it shows.
        identity: which database it is, wherever it is reached.
    """

    position: str

    @property
    def identity(self) -> str: ...

    def another(self) -> AbstractContextManager[Snapshot]:
        """The same moment on a connection of its own, for another thread.

        Raises:
            NoConnection: no connection.
        """
        ...

    def catalog(self) -> Catalog:
        """The whole schema."""
        ...

    def hold(self, tables: Sequence[Name]) -> None:
        """Keep the tables' shape until the snapshot ends; readers and writers go on."""
        ...

    def ranges(
        self, table: Name, *, with_children: bool, keyed: bool, after: str = "", jobs: int = 1
    ) -> Sequence[Range] | None:
        """A table in parts, each worth a while, in the order in which its rows come without `order`.

        Args:
            keyed: it has an integer key, in whose order its rows are hoped for.
            after: only what comes after the range of this name, which an earlier snapshot may have given.
            jobs: how many will read it at the same time; the more, the smaller the ranges, within reason.

        Returns:
            None where that range can't be found again.
        """
        ...

    def lines(
        self, table: Name, columns: Sequence[str], *, with_children: bool, within: Range | None = None
    ) -> Iterator[bytes]:
        """Every row, or those of a range, in COPY's text format, as the heap has them."""
        ...

    def binary(
        self,
        table: Name,
        columns: Sequence[tuple[str, str]],
        *,
        with_children: bool,
        order: Sequence[str] = (),
        above: int | None = None,
        within: Range | None = None,
    ) -> Generator[bytes, None, int]:
        """Every row in COPY's binary format, as one stream that is cut anywhere; closing it early is harmless.

        Args:
            columns: each column and the SQL expression for it, as `codec.copy_binary` has it.
            order: the columns to sort by; without, as the heap has them.
            above: only rows whose first column of `order` is above this.
            within: only rows of this range.

        Returns:
            How many rows the server says it sent.
        """
        ...

    def view_lines(self, view: Name, columns: Sequence[str], *, seconds: int) -> Iterator[bytes]:
        """Every row of a view in COPY's text format.

        Raises:
            LiteshiftError: PostgreSQL can't compute it, or not in this time; the snapshot goes on.
        """
        ...

    def orphans(
        self, table: Name, columns: Sequence[str], parent: Name, keys: Sequence[str], *, match_full: bool
    ) -> int:
        """How many rows point at a parent that is not there, or at half of one where they must match in full."""
        ...

    def is_ascii(self, table: Name, column: str) -> bool:
        """Whether every text of a column is ASCII."""
        ...

    def survey(self) -> Survey:
        """What an assessment asks beside the catalog."""
        ...


class Survey(Protocol):
    """The source under an assessment's questions; none writes, and none that fails ends the others."""

    def server(self) -> ServerFacts:
        """What the server allows the role we are."""
        ...

    def rights(self) -> tuple[Rights, ...]:
        """What the role may do with each table and sequence."""
        ...

    def activity(self) -> Activity:
        """The counters at this moment."""
        ...

    def statements(self) -> Statements:
        """The application's SQL, the statements that take the most time first."""
        ...

    def table(self, question: TableQuestion) -> TableAnswer:
        """One reading of a table.

        Raises:
            LiteshiftError: it can't be read.
        """
        ...

    def sample(self, question: TableQuestion, columns: Sequence[str], *, rows: int) -> Sequence[bytes]:
        """Some rows in COPY's text format.

        Raises:
            LiteshiftError: they can't be read.
        """
        ...


class Source(Protocol):
    """The database to move away from.

    Attributes:
        label: what to call it in messages; never holds a password.
    """

    label: str

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Look at one moment; read-only.

        Raises:
            NoConnection: no connection, or no permission.
        """
        ...
