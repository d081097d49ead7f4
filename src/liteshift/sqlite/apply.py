"""Writes what the source's log tells into the file, with the position in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from liteshift.errors import DifferencesFound, NotInitialised
from liteshift.position import Lsn
from liteshift.reports import Reject
from liteshift.sqlite import rejected, state
from liteshift.sqlite.connect import connect
from liteshift.sqlite.faults import explain, explained
from liteshift.sqlite.guard import passing_guards
from liteshift.sqlite.library import dbapi
from liteshift.value import Value

_CHECKPOINT_PAGES = 4000  # of the log; past that, a commit also moves what it can into the file
_LOG_LIMIT = 64 << 20  # bytes that the log's file keeps once all is in the file


@contextmanager
def applying(path: Path, label: str) -> Iterator[SqliteApplier]:
    """Become the file's writer; what is not committed at the end is taken back.

    Raises:
        NotInitialised: there is no file, or no live move made it.
        Locked: another connection is writing.
    """
    if not path.exists():
        raise NotInitialised(
            f"there is no file {label}", hint="Begin a live move: liteshift migrate --live SOURCE TARGET"
        )
    # PostgreSQL has checked the foreign keys, and cascades come in the log as changes of their own.
    with (
        explained(label),
        closing(
            passing_guards(lambda: connect(path, preset="durable", create=False, foreign_keys=False))
        ) as connection,
    ):
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}").close()
        connection.execute(f"PRAGMA journal_size_limit={_LOG_LIMIT}").close()
        yield SqliteApplier(connection, label)


class SqliteApplier:
    """See `liteshift.flow.Applier`."""

    def __init__(self, connection: dbapi.Connection, label: str) -> None:
        self._connection = connection
        self._label = label
        self._open = False
        position = state.get(connection, state.POSITION)
        if not isinstance(position, str):
            raise NotInitialised(
                f"{label} is not part of a live move",
                hint="Begin one: liteshift migrate --live SOURCE TARGET; one that is going on without its file is to be"
                " given up before: liteshift abort SOURCE TARGET.",
            )
        self.position = Lsn.parse(position)

    def begin(self) -> None:
        """Begin a transaction, unless one is open."""
        if not self._open:
            with explained(self._label):
                self._connection.execute("BEGIN IMMEDIATE").close()
            self._open = True

    def run(self, statement: str, rows: Sequence[Sequence[Value]], *, expect_each: bool) -> int | None:
        """Run one statement with each of these parameter rows; see `liteshift.flow.Applier`."""
        checked = _Checked(self._connection, rows) if expect_each else None
        try:
            self._connection.executemany(statement, rows if checked is None else iter(checked)).close()
        except dbapi.IntegrityError as error:
            self.roll_back()
            raise DifferencesFound(
                f"{self._label} refuses a row that the source has taken: {error}",
                hint="A rule of the source may have changed since the plan was made, as by a new label of an enum. The"
                " plan has to be made anew: liteshift abort, then liteshift migrate --live --overwrite.",
            ) from error
        except dbapi.Error as error:
            self.roll_back()
            raise explain(error, self._label) from error
        return None if checked is None else checked.missed

    def restart_numbers(self, table: str) -> None:
        """Let AUTOINCREMENT begin anew."""
        known = self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone()
        if known:
            self._connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,)).close()

    def rejects(self) -> Sequence[Reject]:
        """The rows of the source that can't be carried, and are not in the file."""
        return rejected.read(self._connection)

    def reject(self, reject: Reject) -> None:
        """Write down a row that can't be carried, in the same transaction as everything else."""
        with explained(self._label):
            rejected.add(self._connection, reject)

    def forgive(self, table: str, key: Mapping[str, str | None] | None) -> None:
        """Strike out one rejected row of a table: by its key, any where that is empty; all of them without."""
        with explained(self._label):
            rejected.strike(self._connection, table, key)

    def commit(self, position: Lsn, *, token: str | None = None) -> None:
        """Write the position, and a token where one came, and commit durably."""
        self.begin()
        try:
            state.put(self._connection, state.POSITION, str(position))
            if token is not None:
                state.put(self._connection, state.TOKEN, token)
            self._connection.execute("COMMIT").close()
        except dbapi.Error as error:
            self.roll_back()
            raise explain(error, self._label) from error
        self._open = False
        self.position = position

    def roll_back(self) -> None:
        """Take back what was not committed."""
        self._open = False
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK").close()

    def token(self) -> str | None:
        """The last token that came through the log, as the file has it."""
        found = state.get(self._connection, state.TOKEN)
        return found if isinstance(found, str) else None


class _Checked:
    """Parameter rows that end before the next where the last has not changed exactly one row.

    Attributes:
        missed: which one that was; None where all did.
    """

    def __init__(self, connection: dbapi.Connection, rows: Sequence[Sequence[Value]]) -> None:
        self.missed: int | None = None
        self._connection = connection
        self._rows = rows

    def __iter__(self) -> Iterator[Sequence[Value]]:
        connection, changed = self._connection, self._connection.total_changes
        for at, row in enumerate(self._rows):
            yield row
            changed += 1
            if connection.total_changes != changed:
                self.missed = at
                return
