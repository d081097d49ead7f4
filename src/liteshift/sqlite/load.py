"""Builds the target in a staging file beside it, with every safety off, and puts it into place whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from liteshift.durable import sync
from liteshift.ends import Digest, Kept, Task
from liteshift.errors import LiteshiftError, NotFit
from liteshift.plan import TablePlan
from liteshift.position import Lsn
from liteshift.quoting import quote
from liteshift.reports import Reject
from liteshift.sqlite import fill, rejected, resume, state, triggers
from liteshift.sqlite.build import PageBuilding, building, packed, rowid_column, site
from liteshift.sqlite.connect import connect
from liteshift.sqlite.digest import digest, offer
from liteshift.sqlite.faults import explained, os_error
from liteshift.sqlite.functions import register
from liteshift.sqlite.guard import guarded_tables, guards
from liteshift.sqlite.halfway import Entry, Halfway
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.part import remember_triggers
from liteshift.sqlite.repair import SqliteRepairing
from liteshift.sqlite.scan import SCAN_CACHE, scan
from liteshift.value import Value

SIDECARS = ("-wal", "-shm", "-journal")

# Nobody else has the staging file open. A process that is killed leaves a journal, which the next one rolls back; after
# a machine that went down nobody looks at the file, so it needs no syncs.
LOADING = (
    "PRAGMA page_size=4096",
    "PRAGMA journal_mode=TRUNCATE",
    "PRAGMA synchronous=OFF",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA foreign_keys=OFF",
    "PRAGMA ignore_check_constraints=ON",  # they are all judged at the end
    "PRAGMA cache_size=-8000",  # also what sorting an index may take: memory stays small however large the table
    "PRAGMA trusted_schema=OFF",
)


_MOST_ORPHANS = 1000


class SqliteStaging:
    """See `liteshift.ends.Staging`."""

    def __init__(self, half: Halfway, target: Path, *, overwrite: bool) -> None:
        self._half = half
        self._staged = half.file
        self._target = target
        self._overwrite = overwrite
        self._opened: dbapi.Connection | None = None

    @property
    def _connection(self) -> dbapi.Connection:
        if self._opened is None:
            if self._half.record is None or not self._half.taken:
                self._half.begin(Task("", ""))
            self._opened = self._open()
        return self._opened

    def _open(self) -> dbapi.Connection:
        offer()
        connection = dbapi.connect(self._staged, isolation_level=None, check_same_thread=False)
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
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def kept(self) -> Mapping[str, Kept]:
        """How far each table has come."""
        return {name: entry.kept for name, entry in self._half.tables.items()}

    @property
    def begun(self) -> bool:
        """Whether the tables are there, from an earlier run."""
        return self._half.taken and bool(self._half.tables)

    def resume(self, task: Task) -> str:
        """Go on with what an interrupted move has left; see `sqlite.resume`."""
        with explained(self._target):
            reason = resume.resume(self._half, task, self._open)
        for table in list(self._half.tables):
            self._insert_aside(table)
        return reason

    def discard(self) -> None:
        """Let no later run go on with this file."""
        self._half.record = None

    def execute(self, statements: Iterable[str]) -> None:
        """Run schema statements, all or none."""
        with explained(self._target), self._transaction() as connection:
            for statement in statements:
                connection.execute(statement).close()

    @contextmanager
    def _transaction(self) -> Iterator[dbapi.Connection]:
        connection = self._connection
        connection.execute("BEGIN").close()
        try:
            yield connection
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK").close()
            raise
        connection.execute("COMMIT").close()

    def load(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]], *, after: str = "", last: bool = True
    ) -> None:
        """Put rows into a table, in one transaction; its indexes are made afterwards, in `index`."""
        had = self._half.tables.get(table, Entry(Kept(0, False, "python")))
        if not had.kept.rows:
            made = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
            self.execute(f"DROP INDEX {quote(name)}" for (name,) in self._connection.execute(made, (table,)).fetchall())
        with self._transaction() as connection:
            # Where an earlier run has begun, at another moment, a row may come again; all are compared in the end.
            count = _insert(connection, table, columns, rows, ignore=table in self._half.older)
            entry = Entry(Kept(had.kept.rows + count, last, "python", after))
            if not last or had.kept.rows:
                (number,) = connection.execute("PRAGMA user_version").fetchone()
                self._half.announce(table, entry, number + 1)
                connection.execute(f"PRAGMA user_version={number + 1}").close()
        self._half.note(table, entry, at_once=not last)

    def can_build(self, table: str, columns: Sequence[str], forms: Sequence[str]) -> bool:
        """Whether `building` can fill this table."""
        return site(self._connection, table, columns, forms) is not None

    @contextmanager
    def building(self, tables: Mapping[str, Sequence[str]]) -> Iterator[PageBuilding]:
        """Make pages, while SQLite has the file closed; rows that came too late for that are inserted at the end."""
        sites = {}
        for table, forms in tables.items():
            found = site(self._connection, table, self._columns(table), forms)
            if found is not None:
                sites[table] = found
        roots = resume.roots(self._connection)
        self.close()
        with building(self._half, sites, roots) as made:
            yield made
        for table in sites:
            self._insert_aside(table)

    def _columns(self, table: str) -> list[str]:
        return [name for (name,) in self._connection.execute("SELECT name FROM pragma_table_xinfo(?)", (table,))]

    def _insert_aside(self, table: str) -> None:
        """Insert rows of a table that came too late for its pages."""
        entry = self._half.tables.get(table)
        if entry is None or not entry.aside:
            return
        entry, done = replace(entry, aside=()), entry
        with explained(self._target), self._transaction() as connection:
            rows = packed(self._half, done, rowid_column(connection, table))
            _insert(connection, table, self._columns(table), rows, ignore=table in self._half.older)
            (number,) = connection.execute("PRAGMA user_version").fetchone()
            self._half.announce(table, entry, number + 1)
            connection.execute(f"PRAGMA user_version={number + 1}").close()
        self._half.note(table, entry, at_once=True)

    def index(self, statements: Mapping[str, Sequence[str]], tell: Callable[[str, int, int], None]) -> None:
        """Make and fill the tables' indexes: see `sqlite.fill`."""
        jobs, ours = [], list[fill.Index]()
        for table, wanted in statements.items():
            entry = self._half.tables.get(table)
            if entry is not None and entry.indexed:
                continue
            made = self._connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?", (table,)
            )
            there = dict(made.fetchall())
            jobs += [(table, statement) for statement in wanted if statement not in there.values()]
            if entry is None or entry.kept.road != "native":
                continue  # SQLite has kept those of its rules itself
            for name in there:
                index = fill.known(self._connection, table, name)
                if index is not None:
                    ours.append(index)
                else:
                    jobs.append((table, f"REINDEX {quote(name)}"))
        left = [table for table, _ in jobs] + [index.table for index in ours]
        total = len(left)

        def done(table: str) -> None:
            left.remove(table)
            tell(table, total - len(left), total)
            if table not in left:
                self._note_indexed(table)

        self.close()
        jobs += [
            (index.table, f"REINDEX {quote(index.name)}")
            for index in fill.fill(self._staged, ours, lambda index: done(index.table))
        ]
        for table, statement in jobs:
            self.execute([statement])
            done(table)
        for table in statements:
            self._note_indexed(table)

    def _note_indexed(self, table: str) -> None:
        entry = self._half.tables.get(table)
        if entry is not None and not entry.indexed:
            self._half.note(table, replace(entry, indexed=True))

    def clear(self, table: str) -> None:
        """Empty a table that is to be copied anew."""
        self._half.note(table, None, at_once=True)
        self._half.older.discard(table)
        self.execute([f"DELETE FROM {quote(table)}"])  # noqa: S608 - the name is quoted

    @contextmanager
    def mending(self) -> Iterator[SqliteRepairing]:
        """Change rows of tables that are whole, in one transaction."""
        with explained(self._target), self._transaction() as connection:
            # An index that is not filled yet lacks the rows to remove, which SQLite takes for damage but for this.
            connection.execute("PRAGMA writable_schema=ON").close()
            try:
                yield SqliteRepairing(connection, str(self._target), undo=False)
            finally:
                connection.execute("PRAGMA writable_schema=OFF").close()

    def set_sequence(self, table: str, value: int) -> None:
        """Let AUTOINCREMENT go on after a value, even where a row with a higher key is gone."""
        self._connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,)).close()
        self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, value)).close()

    def mark(self, move: str, position: Lsn, rejects: Iterable[Reject], tables: Sequence[TablePlan]) -> None:
        """Make the file part of a live move, which has come to a position; see `sqlite.state` and `sqlite.guard`."""
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
            later = [triggers.of_plan(text, table.target) for table in tables for text in table.triggers]
            remember_triggers(self._connection, later)
            triggers.change(self._connection, make=guards(guarded_tables(self._connection)))

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
        """What SQLite's checks of the whole file find, and ours of the indexes; empty for nothing.

        `integrity_check` would look up every row in every index, which takes longer than all the rest; `quick_check` is
        the same without that, and our audit reads each index once.
        """
        connection = self._connection
        connection.execute("PRAGMA ignore_check_constraints=OFF").close()
        unsound = [text for (text,) in connection.execute("PRAGMA quick_check") if text != "ok"]
        orphans, more = list[str](), 0
        for table, rowid, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            if len(orphans) < _MOST_ORPHANS:
                orphans.append(f"{table} row {rowid} points at a row of {parent} that is not there")
            else:
                more += 1
        if more:
            orphans.append(f"{more} more rows point at rows that are not there")
        made = "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index'"
        indexes = [fill.known(connection, table, name) for table, name in connection.execute(made).fetchall()]
        self.close()
        return unsound + fill.audit(self._staged, [index for index in indexes if index is not None]), orphans

    def seal(self) -> None:
        """Finish the file and make it durable: statistics, WAL mode with an empty log, fsync."""
        self._connection.execute("ANALYZE").close()
        self._connection.execute("PRAGMA user_version=0").close()
        self._half.flush()
        self.close()
        with closing(dbapi.connect(self._staged, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL").close()
        sync(self._staged)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Sequence[Value]]:
        """Every row of the sealed file, read from it as anyone would."""
        with self._reading() as connection:
            yield from scan(connection, table, columns)

    def digest(self, table: str, columns: Sequence[str], into: Digest) -> bool:
        """Put every row of the sealed file into a digest; whether all went in."""
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
                refuse_in_use(self._target)
                for suffix in SIDECARS:  # a log of the old file beside the new one would damage it
                    Path(f"{self._target}{suffix}").unlink(missing_ok=True)
                self._staged.replace(self._target)
            else:
                os.link(self._staged, self._target)  # unlike a rename, it fails where something stands
        except OSError as error:
            raise os_error(error, f"{self._target} can't be put into place") from error
        sync(self._target.parent)


def refuse_in_use(path: Path) -> None:
    """See that nobody has the file open that is to be replaced: an application would go on in the one that is gone.

    Raises:
        LiteshiftError: somebody has.
    """
    if not path.exists():
        return
    with closing(dbapi.connect(path, isolation_level=None, timeout=0)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").close()
            connection.execute("BEGIN EXCLUSIVE").close()
            connection.execute("ROLLBACK").close()
        except dbapi.OperationalError as error:
            raise LiteshiftError(
                f"{path} is in use, and replacing it now would lose what is written to it",
                hint="Stop what uses it, or name another target.",
            ) from error
        except dbapi.DatabaseError:
            return  # no database: --overwrite was said, and nobody has it open as one


def _insert(
    connection: dbapi.Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Value]],
    *,
    ignore: bool,
) -> int:
    """Insert rows as they come; how many. Those that break a unique rule are an error, or left out."""
    names, marks = ", ".join(map(quote, columns)), ", ".join("?" * len(columns))
    statement = f"INSERT {'OR IGNORE ' if ignore else ''}INTO {quote(table)} ({names}) VALUES ({marks})"  # noqa: S608 - every name is quoted
    with closing(connection.executemany(statement, rows)) as cursor:
        return max(cursor.rowcount, 0)
