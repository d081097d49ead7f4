"""What the stages ask of the two ends, in their own words; the wings answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
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


class Unbuildable(Exception):
    """A table's pages can't be built; the table is empty."""

    def __init__(self, why: Unbuilt) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a table in the order of its heap.

    Attributes:
        name: where it ends; a later snapshot finds the place again by it.
        place: what the source knows it by.
    """

    name: str = ""
    place: object = None


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

    def ranges(self, table: Name, *, with_children: bool, keyed: bool, after: str = "") -> Sequence[Range] | None:
        """A table in parts, each worth a while, in the order in which its rows come without `order`.

        Args:
            keyed: it has an integer key, in whose order its rows are hoped for.
            after: only what comes after the range of this name, which an earlier snapshot may have given.

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


class Builder(Protocol):
    """Fills one empty table by making its pages; after an error it can only be abandoned."""

    def feed(self, piece: bytes) -> int:
        """Take the next piece of a stream of COPY's binary format; how many rows have come.

        Raises:
            Unbuildable: it can't be done.
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

    def staging(self, *, overwrite: bool, restart: bool = False) -> AbstractContextManager[Staging]:
        """Begin a file beside the target, or go on with one.

        What is not published is removed at the end; where the block raises, rows that are in it stay for a later run.

        Args:
            restart: throw away what an interrupted move has left.

        Raises:
            LiteshiftError: the target exists and `overwrite` is not set, or its folder can't be written.
            Locked: another process makes it.
            NoSpace: the disk is full.
        """
        ...

    def left(self) -> Mapping[str, Kept]:
        """What an interrupted move has left, by table; empty for nothing."""
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
