"""Builds the target in a staging file beside it, with every safety off, and puts it into place whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from liteshift.ends import Digest, Unbuilt, Value
from liteshift.errors import LiteshiftError, NotFit
from liteshift.position import Lsn
from liteshift.quoting import quote
from liteshift.reports import Reject
from liteshift.sqlite import rejected, state
from liteshift.sqlite.build import build, site
from liteshift.sqlite.connect import connect
from liteshift.sqlite.digest import digest, offer
from liteshift.sqlite.faults import explained, os_error
from liteshift.sqlite.functions import register
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.scan import SCAN_CACHE, scan

SIDECARS = ("-wal", "-shm", "-journal")
_BATCH = 1000

# Nobody else has the staging file open and a crash throws it away, so it needs no journal and no syncs.
LOADING = (
    "PRAGMA page_size=4096",
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA foreign_keys=OFF",
    "PRAGMA ignore_check_constraints=ON",  # integrity_check judges them all at the end
    "PRAGMA cache_size=-8000",  # also what sorting an index may take: memory stays small however large the table
    "PRAGMA trusted_schema=OFF",
)


class SqliteStaging:
    """See `liteshift.ends.Staging`."""

    def __init__(self, staged: Path, target: Path, *, overwrite: bool) -> None:
        self._staged = staged
        self._target = target
        self._overwrite = overwrite
        self._connection = self._open()

    def _open(self) -> dbapi.Connection:
        connection = dbapi.connect(self._staged, isolation_level=None)
        try:
            for pragma in LOADING:
                connection.execute(pragma).close()
            register(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def execute(self, statements: Iterable[str]) -> None:
        """Run schema statements."""
        with explained(self._target):
            for statement in statements:
                self._connection.execute(statement).close()

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> None:
        """Put rows into an empty table, in one transaction."""
        names, marks = ", ".join(map(quote, columns)), ", ".join("?" * len(columns))
        statement = f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})"  # noqa: S608 - every name is quoted
        source = iter(rows)
        self._connection.execute("BEGIN").close()
        while batch := list(islice(source, _BATCH)):
            self._connection.executemany(statement, batch).close()
        self._connection.execute("COMMIT").close()

    def can_build(self, table: str, columns: Sequence[str], forms: Sequence[str]) -> bool:
        """Whether `build` can fill this table."""
        return site(self._connection, table, columns, forms) is not None

    def build(
        self,
        table: str,
        columns: Sequence[str],
        forms: Sequence[str],
        pieces: Iterable[bytes],
        tell: Callable[[int], None],
    ) -> int | Unbuilt:
        """Put rows into an empty table by making its pages, while SQLite has the file closed."""
        place = site(self._connection, table, columns, forms)
        if place is None:
            return Unbuilt.UNFIT
        self._connection.close()
        try:
            built = build(self._staged, place, forms, pieces, tell)
        finally:
            self._connection = self._open()
        if isinstance(built, Unbuilt):
            return built
        if place.indexed:  # those of its unique rules, which came with the table and are empty
            self._connection.execute(f"REINDEX {quote(table)}").close()
        count, aside = built
        self.load(table, columns, aside)
        return count

    def set_sequence(self, table: str, value: int) -> None:
        """Let AUTOINCREMENT go on after a value, even where a row with a higher key is gone."""
        self._connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,)).close()
        self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, value)).close()

    def mark(self, move: str, position: Lsn, rejects: Iterable[Reject]) -> None:
        """Make the file part of a live move, which has come to a position; see `sqlite.state`."""
        for name in (state.TABLE, rejected.TABLE):
            if self._connection.execute("SELECT 1 FROM sqlite_schema WHERE lower(name) = ?", (name,)).fetchone():
                raise NotFit(
                    f"a table is called {name}, as one of ours is", hint="Rename it, or leave it out: --exclude."
                )
        with explained(self._target):
            state.make(self._connection)
            rejected.make(self._connection)
            state.put(self._connection, state.MOVE, move)
            state.put(self._connection, state.POSITION, str(position))
            for reject in rejects:
                rejected.add(self._connection, reject)

    def view_rows(self, view: str, columns: Sequence[str], *, seconds: int) -> Iterator[Sequence[Value]]:
        """Every row of a view.

        Raises:
            LiteshiftError: SQLite can't compute it, or not in this time.
        """
        deadline = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 100_000)
        try:
            yield from scan(self._connection, view, columns)
        except dbapi.OperationalError as error:
            raise LiteshiftError(f"SQLite answered: {error}") from error
        finally:
            self._connection.set_progress_handler(None, 0)

    def check(self) -> tuple[Sequence[str], Sequence[str]]:
        """What `integrity_check` and `foreign_key_check` find; empty for nothing."""
        self._connection.execute("PRAGMA ignore_check_constraints=OFF").close()
        integrity = [text for (text,) in self._connection.execute("PRAGMA integrity_check")]
        orphans = [
            f"{table} row {rowid} points at a row of {parent} that is not there"
            for table, rowid, parent, _ in self._connection.execute("PRAGMA foreign_key_check")
        ]
        return [] if integrity == ["ok"] else integrity, orphans

    def seal(self) -> None:
        """Finish the file and make it durable: statistics, WAL mode with an empty log, fsync."""
        self._connection.execute("ANALYZE").close()
        self._connection.close()
        with closing(dbapi.connect(self._staged, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL").close()
        _sync(self._staged, os.O_RDONLY)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
        """Every row of the sealed file, read from it as anyone would."""
        with self._reading() as connection:
            yield from scan(connection, table, columns)

    def digest(self, table: str, columns: Sequence[str], into: Digest) -> bool:
        """Put every row of the sealed file into a digest; whether all went in."""
        offer()
        with self._reading() as connection:
            return digest(connection, table, columns, into)

    def _reading(self) -> closing[dbapi.Connection]:
        connection = connect(self._staged, preset="durable", read_only=True)
        connection.execute(SCAN_CACHE).close()
        return closing(connection)

    def publish(self) -> None:
        """Put the sealed file in its place, whole and at once.

        A target that came into being meanwhile is not replaced unasked.

        Raises:
            LiteshiftError: the target is there or in use.
        """
        try:
            if self._overwrite:
                self._refuse_open_target()
                for suffix in SIDECARS:  # a log of the old file beside the new one would damage it
                    Path(f"{self._target}{suffix}").unlink(missing_ok=True)
                self._staged.replace(self._target)
            else:
                os.link(self._staged, self._target)  # unlike a rename, it fails where something stands
        except OSError as error:
            raise os_error(error, f"{self._target} can't be put into place") from error
        _sync(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)

    def _refuse_open_target(self) -> None:
        """Replacing a file under an application that has it open would split it in two."""
        if not self._target.exists():
            return
        with closing(dbapi.connect(self._target, isolation_level=None, timeout=0)) as connection:
            try:
                connection.execute("PRAGMA locking_mode=EXCLUSIVE").close()
                connection.execute("BEGIN EXCLUSIVE").close()
                connection.execute("ROLLBACK").close()
            except dbapi.OperationalError as error:
                raise LiteshiftError(
                    f"{self._target} is in use, and replacing it now would lose what is written to it",
                    hint="Stop what uses it, or name another target.",
                ) from error
            except dbapi.DatabaseError:
                return  # no database: --overwrite was said, and nobody has it open as one


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
