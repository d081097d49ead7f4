"""What the live stages ask of the file; `liteshift.sqlite` answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from liteshift.changes import Captured, Respelling
from liteshift.ends import Reading
from liteshift.plan import Plan
from liteshift.position import Lsn
from liteshift.reports import Reject
from liteshift.value import Value


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

    def refuse(self, *, until: float) -> int:
        """Let every write into the captured tables fail from here on, with a message that says where the data went.

        Args:
            until: seconds since 1970; past it, writes that come take us for dead, and are kept as before.

        Returns:
            The number of the last change that was kept; whoever has it has all.
        """
        ...

    def allow(self) -> None:
        """Take `refuse` back."""
        ...

    def disarm(self, *, position: Lsn | None, alone: bool = False) -> None:
        """In one transaction: take away the capture and what refuses writes, and the mark.

        Args:
            position: the file follows the source again, from here on: the plan's triggers go, too, the guards are made,
                and the position is written. None where the application stays on the file for good: the plan's triggers
                stay, and every table of ours goes.
            alone: whether the tables that were captured have to be the only ones, as `see_no_newcomers` says.
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

    def secure(self) -> int:
        """Make durable what was kept so far, however its writers commit; the number of the last change, as `last`.

        Raises:
            LiteshiftError: it can't be made durable.
        """
        ...

    def respell(self, rows: Sequence[Respelling]) -> int:
        """Write rows as PostgreSQL has them, where they are still as they were captured; that is not captured.

        Returns:
            How many were written.

        Raises:
            Locked: a writer held the file for too long.
        """
        ...

    def token(self) -> str | None:
        """The token of the cutover it was armed in."""
        ...

    def position(self) -> str:
        """Where the source's log was when the file last followed it."""
        ...

    def returned(self) -> int:
        """The highest number that the source has said to have; 0 before the first."""
        ...

    def forget(self, through: int, *, returned: int) -> None:
        """Remove what the source has, in short transactions.

        Args:
            returned: the number that the source says to have; changes that are none to it do not count there.

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

    def see_no_newcomers(self) -> None:
        """See that all goes back.

        Raises:
            UsageError: there are newcomers.
        """
        ...


class Chosen(Reading, Protocol):
    """The target at one moment, also row by row."""

    def rows_of(
        self, table: str, columns: Sequence[str], key: Sequence[str], keys: Sequence[Sequence[Value]]
    ) -> Iterator[Sequence[Value]]:
        """The rows that have these keys, each once, however often and in however many spellings a key is given."""
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
