"""What the live stages ask of the two ends, in their own words; the wings answer. (`ends` has what a copy asks.)"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from liteshift.catalog import Name
from liteshift.changes import Captured, Respelling, Shape
from liteshift.ends import Reading, Snapshot
from liteshift.plan import Plan, TablePlan
from liteshift.position import Lsn
from liteshift.reports import Reject
from liteshift.value import Value
from liteshift.writes import Look, Texts, Write


class Stream(Protocol):
    """The source's log from a slot: pgoutput's messages in commit order.

    Attributes:
        newest: the end of the source's log, as last heard.
        reached: with all messages read so far, and outside a transaction, the log is known to hold nothing more for us
            up to here. The server says so of itself in its keepalives.
        asked: the source waits for a confirmation, such as before it shuts down.
        waiting: whether a read would find something at once.
        any_bytes: the source's texts may be bytes of any kind (SQL_ASCII), not only UTF-8.
    """

    newest: Lsn
    reached: Lsn
    asked: bool
    any_bytes: bool

    @property
    def waiting(self) -> bool: ...

    def read(self, *, seconds: float) -> bytes:
        """The messages that are there, each after its length in four bytes; waits so long for the first, and is empty
        where none came.

        Raises:
            NoConnection: the connection broke; open a new stream at the last durable position.
            NotFit: the slot is gone, or its log was removed.
        """
        ...

    def confirm(self, position: Lsn) -> None:
        """Tell the source that all up to a position is durable on our side; it may forget it."""
        ...


class Applier(Protocol):
    """The target's one writer while it follows: rows and the position in the same transaction.

    Attributes:
        position: up to where the source's commits are durable in the file.
    """

    position: Lsn

    def begin(self) -> None:
        """Begin a transaction, unless one is open."""
        ...

    def run(self, statement: str, rows: Sequence[Sequence[Value]], *, expect_each: bool) -> int | None:
        """Run one statement with each of these parameter rows.

        Args:
            expect_each: every run must change exactly one row.

        Returns:
            The first of the rows with which it changed none, or more than one, where that was not expected; those after
            it were not run. None where all is well.

        Raises:
            DifferencesFound: a rule of the file refuses a row that the source has taken.
            NoSpace: the disk is full; the transaction is rolled back.
        """
        ...

    def restart_numbers(self, table: str) -> None:
        """Let AUTOINCREMENT begin anew."""
        ...

    def rejects(self) -> Sequence[Reject]:
        """The rows of the source that can't be carried, and are not in the file."""
        ...

    def reject(self, reject: Reject) -> None:
        """Write down a row that can't be carried, in the same transaction as everything else."""
        ...

    def forgive(self, table: str, key: Mapping[str, str | None] | None) -> None:
        """Strike out one rejected row of a table: by its key, any where that is empty; all of them without."""
        ...

    def commit(self, position: Lsn, *, token: str | None = None) -> None:
        """Write the position, and a token where one came, and commit durably."""
        ...

    def roll_back(self) -> None:
        """Take back what was not committed."""
        ...

    def token(self) -> str | None:
        """The last token that came through the log, as the file has it."""
        ...


class Fence(Protocol):
    """What refuses writes on the source, for writers that know no gate."""

    def prepare(self, *, seconds: float, tell: Callable[[str], None] = ...) -> None:
        """Make what the fence needs, while writers go on; made already is fine.

        Args:
            seconds: how long to wait for transactions that hold a table.
            tell: told for whom it waits.

        Raises:
            Locked: somebody held a table for too long.
        """
        ...

    def up(self, token: str, *, seconds: float) -> Lsn:
        """Refuse every write that begins from here on, wait for those that run, and put the token into the log.

        Returns:
            A position after it.

        Raises:
            Locked: one still ran when the time was over; writes are let in again.
        """
        ...

    def down(self) -> None:
        """Let writes in again; a fence that is not up is left alone."""
        ...

    def is_up(self) -> bool:
        """Whether the source refuses writes."""
        ...

    def refused(self) -> int:
        """How many writes were refused so far."""
        ...


class Control(Protocol):
    """A connection to the source that may write, open before it is needed."""

    @property
    def fence(self) -> Fence:
        """What refuses writes there."""
        ...

    def lines_of(self, table: TablePlan, keys: Sequence[tuple[str | None, ...]]) -> Iterator[bytes]:
        """The rows that have these keys, as they are now, in COPY's text format.

        Args:
            keys: the texts of each key, in the order of the table's key.
        """
        ...

    def shapes(self, plan: Plan) -> Mapping[Name, Shape]:
        """How the plan's tables look now; see `Origin`."""
        ...

    def last_values(self, plan: Plan) -> Mapping[str, int]:
        """The last value of each table's sequence, by the target's name of the table."""
        ...

    def here(self) -> Lsn:
        """The end of the source's log."""
        ...


class Capture(Protocol):
    """The log of changes that triggers keep inside the SQLite file while the application lives there."""

    def prepare(self, plan: Plan) -> None:
        """Work out beforehand what `arm` does, which writes wait for.

        Raises:
            NotFit: a table that can't be captured.
        """
        ...

    def arm(self, plan: Plan, *, epoch: int, last: Mapping[str, int]) -> None:
        """In one transaction: sequences, the plan's triggers, the capture with its tables for the guards, and the mark.

        Done twice for one epoch, the second time does nothing.

        Args:
            epoch: how many times the application has been moved, this time included.
            last: the last value of each table's sequence, by the target's name of the table.
        """
        ...

    def refuse(self) -> int:
        """Let every write into the captured tables fail from here on, with a message that says where the data went.

        Returns:
            The number of the last change that was kept; whoever has it has all.
        """
        ...

    def allow(self) -> None:
        """Take `refuse` back."""
        ...

    def disarm(self, *, position: Lsn | None) -> None:
        """In one transaction: take away the capture and what refuses writes, and the mark.

        Args:
            position: the file follows the source again, from here on: the plan's triggers go, too, the guards are made,
                and the position is written. None where the application stays on the file for good: the plan's triggers
                stay, and every table of ours goes.
        """
        ...

    def armed(self) -> int | None:
        """The epoch it is armed for; None where it is not."""
        ...

    def changes(self, after: int) -> AbstractContextManager[Iterator[Captured]]:
        """What was kept after a number, as one read snapshot shows it: it ends on a commit's boundary.

        Raises:
            NotFit: a captured table's shape has changed, or its triggers are gone: changes may be missing.
        """
        ...

    def last(self) -> int:
        """The number of the last change that is kept; 0 before the first, and also where all were forgotten."""
        ...

    def respell(self, rows: Sequence[Respelling]) -> int:
        """Write rows as PostgreSQL has them, where they are still as they were captured; that is not captured.

        Returns:
            How many were written.

        Raises:
            Locked: a writer held the file for too long.
        """
        ...

    def forget(self, through: int) -> None:
        """Remove what the source has, in short transactions.

        Raises:
            Locked: a writer held the file for too long; what is left can be forgotten later.
        """
        ...

    def sequences(self) -> Mapping[str, int]:
        """The last value that each table's AUTOINCREMENT gave, by the target's name."""
        ...

    def newcomers(self) -> Sequence[str]:
        """The tables that were made since it was armed: their rows are kept nowhere else, and don't go back."""
        ...


class ReverseApplier(Protocol):
    """The source as it takes back what was written on SQLite; passes the fence."""

    def applied(self) -> int:
        """The number of the last captured change that the source has."""
        ...

    def apply(self, writes: Iterator[Write], *, postpone: bool = False) -> int:
        """Apply everything as one transaction, with the number of the last change in the same transaction.

        Args:
            postpone: check foreign keys at the end, also those that are never deferred.

        Returns:
            That number; unchanged where there was nothing.

        Raises:
            DifferencesFound: a row is not as it was before the change; the message has expected and actual values.
            Refused: PostgreSQL does not take a row.
            Locked: somebody else holds a table, or takes changes back as well.
        """
        ...

    def rows(self, looks: Sequence[Look]) -> Sequence[Texts | None]:
        """The row that each look shows; None where there is none."""
        ...

    def printed(self, values: Sequence[tuple[str, str]]) -> Sequence[str]:
        """How the source prints some values once it has read them.

        Args:
            values: the type of each, as PostgreSQL prints it, and its text.
        """
        ...

    def set_sequences(self, last: Mapping[Name, int]) -> None:
        """Let each sequence go on after a value, unless it is further already."""
        ...


class Held(Protocol):
    """The gate's keys, as the one who switches has them."""

    def drain(self, until: float | None) -> None:
        """Let no new write begin; those that run may end.

        Args:
            until: seconds since 1970; past it, writers who find the gate free take us for dead and go on. None from
                when on they must not: the side they were on is no longer the one to write to.
        """
        ...

    def hold(self, *, seconds: float) -> None:
        """Wait until every running write has ended.

        Raises:
            Locked: one still ran when the time was over.
        """
        ...

    def take(self, *, seconds: float) -> None:
        """Hold the gate again, after one who held it was killed.

        Raises:
            Locked: as `hold`.
        """
        ...

    def switch(self, side: str) -> None:
        """Let everything go on on another side, `postgresql` or `sqlite`."""
        ...

    def reopen(self) -> None:
        """Let everything go on where it was."""
        ...

    def waited(self) -> int:
        """How many writes have had to wait since the last drain began."""
        ...


class Origin(Protocol):
    """The source as a live move uses it: what is made there, read there, and taken away again.

    Attributes:
        label: what to call it in messages.
    """

    label: str

    def establish(self, name: str, plan: Plan) -> None:
        """Make the schema, the publication and the identities that the stream needs; made already is fine.

        Raises:
            NoConnection: no permission; the hint has the statements to have run.
        """
        ...

    def shapes(self, name: str, plan: Plan) -> Mapping[Name, Shape]:
        """How the plan's tables look now; compare what comes in the log with it.

        Raises:
            NotFit: a table or a column is no longer as the plan has it, or no longer published.
        """
        ...

    def slot(self, name: str, *, tell: Callable[[str], None] = ...) -> AbstractContextManager[Snapshot]:
        """Make the slot anew; the snapshot shows the source exactly at its first position.

        Args:
            tell: told for whom it waits.

        Raises:
            Locked: a transaction that began before ours has not ended in time.
        """
        ...

    def moment(
        self, *, seconds: float | None = None, tell: Callable[[str], None] = ...
    ) -> AbstractContextManager[tuple[Lsn, Snapshot]]:
        """A snapshot and the position it shows: every commit that ends at or before it is in it, and no other.

        Args:
            seconds: how long to wait for the transactions that are open now; some minutes where not given.
            tell: told for whom it waits.

        Raises:
            Locked: one of them has not ended in time.
        """
        ...

    def stream(self, name: str, position: Lsn) -> AbstractContextManager[Stream]:
        """Read the slot's log from a position on.

        Raises:
            NoConnection: the server can't be reached.
            Locked: another process reads the slot.
            NotFit: the slot is gone or was invalidated, has gone past this position, or the server is another one.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Look at this moment; read-only."""
        ...

    def takeback(self, name: str, plan: Plan) -> AbstractContextManager[ReverseApplier]:
        """What writes on the source, past the fence.

        Raises:
            NotFit: the source knows nothing of this move, or is another server.
        """
        ...

    def control(self, name: str, plan: Plan, target: str) -> AbstractContextManager[Control]:
        """A connection that may write.

        Args:
            target: where to say that the data went.
        """
        ...

    def advance(self, name: str, position: Lsn) -> None:
        """Let the slot forget what stands before a position."""
        ...

    def held_bytes(self, name: str) -> int | None:
        """How much log the source keeps for the slot; None where there is no slot."""
        ...

    def abandoned(self) -> str | None:
        """The name of the move that has made something on the source; None where there is none.

        Raises:
            UsageError: the application lives on its target.
            Locked: a process runs it.
        """
        ...

    def remove(self, name: str) -> Sequence[str]:
        """Take away everything that was made, the fence first; what was there.

        Raises:
            Locked: somebody held a table for too long.
        """
        ...


class Chosen(Reading, Protocol):
    """The target at one moment, also row by row."""

    def rows_of(
        self, table: str, columns: Sequence[str], key: Sequence[str], keys: Sequence[Sequence[Value]]
    ) -> Iterator[Sequence[Value]]:
        """The rows that have these keys."""
        ...

    def captured(self) -> int:
        """The number of the last change that was captured up to this moment."""
        ...


class Destination(Protocol):
    """The target as a live move uses it."""

    label: str

    def reading(self) -> AbstractContextManager[Chosen]:
        """Look at the file in its place, at one moment."""
        ...

    def applier(self) -> AbstractContextManager[Applier]:
        """Become the file's writer."""
        ...

    def capture(self, plan: Plan) -> AbstractContextManager[Capture]:
        """The capture of the plan's tables."""
        ...

    def move(self) -> str | None:
        """The name of the live move that this file belongs to; None where it is none of a live move's, or not there."""
        ...

    def release(self, move: str) -> None:
        """Make it a file like any other, after this move was given up; none of the move's, or not there, is fine.

        Raises:
            Locked: another connection is writing.
        """
        ...

    def require_fit(self) -> None:
        """See that an application can live on this SQLite.

        Raises:
            NotFit: its library can damage a database that several processes write.
        """
        ...

    def back_up(self) -> str:
        """Make a backup and check that it can be restored; its name."""
        ...
