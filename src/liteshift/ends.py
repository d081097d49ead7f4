"""What the stages ask of the two ends, in their own words; the wings answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from liteshift.catalog import Catalog, Name
from liteshift.position import Lsn
from liteshift.reports import Reject
from liteshift.survey import Activity, Rights, ServerFacts, Statements, TableAnswer, TableQuestion

Value = int | float | str | bytes | None


class Unbuilt(StrEnum):
    """Why a table's pages were not built.

    UNFIT: only SQLite can fill this table. DISORDERED: too many rows did not come in their key's order. REFUSED: a row
    can't be carried.
    """

    UNFIT = "unfit"
    DISORDERED = "disordered"
    REFUSED = "refused"


class Snapshot(Protocol):
    """The source as it was at one moment, however long that is looked at.

    Attributes:
        position: the log position (`pg_lsn` text) that it shows.
    """

    position: str

    def catalog(self) -> Catalog:
        """The whole schema."""
        ...

    def hold(self, tables: Sequence[Name]) -> None:
        """Keep the tables' shape until the snapshot ends; readers and writers go on."""
        ...

    def lines(self, table: Name, columns: Sequence[str], *, with_children: bool) -> Iterator[bytes]:
        """Every row in COPY's text format, as the heap has them."""
        ...

    def binary(
        self, table: Name, columns: Sequence[tuple[str, str]], *, with_children: bool, order: Sequence[str] = ()
    ) -> Generator[bytes, None, int]:
        """Every row in COPY's binary format, as one stream that is cut anywhere; closing it early is harmless.

        Args:
            columns: each column and the SQL expression for it, as `codec.copy_binary` has it.
            order: the columns to sort by; without, as the heap has them.

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


class Staging(Protocol):
    """A file in the making, which nobody else has open."""

    def execute(self, statements: Iterable[str]) -> None:
        """Run schema statements."""
        ...

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """Put rows into an empty table."""
        ...

    def can_build(self, table: str, columns: Sequence[str], forms: Sequence[str]) -> bool:
        """Whether `build` can fill this table."""
        ...

    def build(
        self,
        table: str,
        columns: Sequence[str],
        forms: Sequence[str],
        pieces: Iterable[bytes],
        tell: Callable[[int], None],
    ) -> int | Unbuilt:
        """Put rows into an empty table by making its pages.

        Args:
            forms: the columns' stored forms.
            pieces: a stream of COPY's binary format.
            tell: told how many rows have come.

        Returns:
            How many rows came; or why the table is still empty.
        """
        ...

    def set_sequence(self, table: str, value: int) -> None:
        """Let AUTOINCREMENT go on after a value, even where a row with a higher key is gone."""
        ...

    def mark(self, move: str, position: Lsn, rejects: Iterable[Reject]) -> None:
        """Make the file part of a live move, which has come to a position; before it is sealed.

        Args:
            move: the move's name.
            position: what the file shows of the source.
            rejects: the rows that could not be copied.

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
        """What `integrity_check` and `foreign_key_check` find; empty for nothing."""
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


class Target(Protocol):
    """The SQLite file to move to.

    Attributes:
        label: its path.
    """

    label: str

    def staging(self, *, overwrite: bool) -> AbstractContextManager[Staging]:
        """Begin a file beside the target; what is not published is removed at the end.

        Raises:
            LiteshiftError: the target exists and `overwrite` is not set, or its folder can't be written.
            NoSpace: the disk is full.
        """
        ...

    def reading(self) -> AbstractContextManager[Reading]:
        """Look at the file in its place, at one moment.

        Raises:
            NotInitialised: there is no file.
        """
        ...

    def repairing(self, undo: Path) -> AbstractContextManager[Repairing]:
        """Change the file in one transaction; what takes it back is written down first.

        Args:
            undo: the SQL script to write; there is none where nothing is changed.

        Raises:
            NotInitialised: there is no file.
            Locked: another connection is writing.
        """
        ...

    def size(self) -> int:
        """The file's size in bytes; 0 where there is none."""
        ...
