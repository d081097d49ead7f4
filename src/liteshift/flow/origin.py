"""What the live stages ask of the source; `liteshift.postgres` answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from liteshift.catalog import Name
from liteshift.changes import Shape
from liteshift.ends import Snapshot
from liteshift.plan import Plan, TablePlan
from liteshift.position import Lsn
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

        Args:
            seconds: how long to wait for them, and how long it is up, unless `keep` comes before.

        Returns:
            A position after it.

        Raises:
            Locked: one still ran when the time was over; writes are let in again.
        """
        ...

    def keep(self) -> None:
        """Let it stay up, whatever becomes of us.

        Raises:
            Locked: it was up for too short a time, and somebody may have written since.
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
        """The rows that have these keys, each once, as they are now, in COPY's text format.

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

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Cut the connection where the block takes longer: whatever waits for a server that says nothing fails then."""
        ...

    def here(self) -> Lsn:
        """The end of the source's log."""
        ...


class ReverseApplier(Protocol):
    """The source as it takes back what was written on SQLite; passes the fence."""

    def applied(self) -> int:
        """The number of the last captured change that the source has."""
        ...

    def apply(self, writes: Iterator[Write], net: Iterator[Write] | None = None) -> int:
        """Apply everything as one transaction, with the number of the last change in the same transaction.

        Args:
            net: what to do after `writes`, one write for each row, in whatever order it can be done. With it foreign
                keys are checked at the end, also those that are never deferred.

        Returns:
            That number; unchanged where there was nothing.

        Raises:
            DifferencesFound: a row is not as it was before the change; the message has expected and actual values.
            Refused: PostgreSQL does not take a row.
            Locked: somebody else holds a table, or takes changes back as well.
        """
        ...

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Cut the connection where the block takes longer: whatever waits for a server that says nothing fails then."""
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


class Origin(Protocol):
    """The source as a live move uses it: what is made there, read there, and taken away again.

    Attributes:
        label: what to call it in messages.
    """

    label: str

    def require(self, name: str, plan: Plan) -> None:
        """Look whether `establish` has all it takes; makes nothing.

        Raises:
            NoConnection: no permission; the hint has the statements to have run.
            NotFit: the server or a table can't be followed.
            Locked: another move is going on from this source.
        """
        ...

    def establish(self, name: str, plan: Plan) -> None:
        """Make the schema, the publication and the identities that the stream needs; made already is fine.

        Raises:
            LiteshiftError: as `require`.
            Locked: a table's lock was not free in time.
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

    def takeback(self, name: str, plan: Plan, token: str | None) -> AbstractContextManager[ReverseApplier]:
        """What writes on the source, past the fence.

        Args:
            token: that of the last cutover, as the file has it.

        Raises:
            NotFit: the source knows nothing of this move or of its cutover, or is another server.
        """
        ...

    def control(self, name: str, plan: Plan, target: str) -> AbstractContextManager[Control]:
        """A connection that may write.

        Args:
            target: where to say that the data went.
        """
        ...

    def advance(self, name: str, position: Lsn, *, seconds: float) -> bool:
        """Let the slot forget what stands before a position; make it anew where it is gone or was given up.

        While writes are refused, all that a slot would tell is what we brought ourselves: so one that begins now is as
        good as one that was there all the time.

        Args:
            seconds: how long to wait, for a new one, for transactions that are open.

        Returns:
            Whether it was made anew.

        Raises:
            Locked: one of them has not ended in time.
            LiteshiftError: the source does not make one.
        """
        ...

    def reach(self) -> None:
        """See that the source lets us in.

        Raises:
            NoConnection: it can't be reached, or refuses.
        """
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
