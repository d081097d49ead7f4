"""Keeps every change to the file while the application lives there, in the transaction that makes it.

The log's numbers begin at the epoch times 2^40, and its last line stays when all is forgotten, emptied: so a number is
never given twice, however often the capture is armed, and no write has to look up the next one.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from liteshift.changes import Captured, CapturedKind, Respelling
from liteshift.durable import sync
from liteshift.errors import LiteshiftError, NotFit, NotInitialised, UsageError
from liteshift.plan import Plan, TablePlan
from liteshift.position import Lsn
from liteshift.quoting import literal
from liteshift.sqlite import shapes, state, triggers
from liteshift.sqlite.connect import connect
from liteshift.sqlite.faults import explained
from liteshift.sqlite.guard import guards, standing
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.part import remember_triggers, set_free
from liteshift.sqlite.respell import respell
from liteshift.sqlite.rules import index_texts, looped_tables, unique_rules
from liteshift.sqlite.witnesses import (
    AFTER,
    BEFORE,
    DELETE,
    INSERT,
    LOG,
    NOTHING,
    REFUSAL,
    REFUSED,
    STASH,
    UNSAID,
    Witnessed,
    after_triggers,
    before_triggers,
    forget_said,
    log_statements,
    names,
    refusal_trigger,
    say_unsaid,
)

EPOCH = 1 << 40
"""How many numbers an epoch has."""
BUSY_MILLISECONDS = 10_000
_TEXT = partial(str, encoding="utf-8", errors="surrogateescape")  # what is no UTF-8 is for PostgreSQL to refuse
_SLICE = 2000  # lines forgotten in one transaction
_PATIENCE = 0.02  # seconds left to other writers between two of ours


class SqliteCapture:
    """See `liteshift.flow.Capture`.

    Args:
        connection: a connection of ours, which nobody else uses.
        path: its file.
        label: what to call the file in messages.
    """

    def __init__(self, connection: dbapi.Connection, path: Path, label: str) -> None:
        self._connection = connection
        self._path = path
        self._label = label
        self._ready: tuple[int, Plan, list[Witnessed], list[triggers.Trigger]] | None = None
        self._secured = 0  # the number of the last change that is known to be durable
        self._seen = -1  # the schema's version that was found to be well

    def prepare(self, plan: Plan) -> None:
        """Work out beforehand what `arm` does, which writes wait for.

        Raises:
            NotFit: a table that can't be captured.
        """
        with explained(self._label):
            self._prepared(plan)

    def arm(self, plan: Plan, *, epoch: int, last: Mapping[str, int]) -> None:
        """In one transaction: sequences, the plan's triggers, the capture with its tables for the guards, and the mark.

        Done twice for one epoch, the second time does nothing.

        Args:
            plan: the tables to capture.
            epoch: how many times the application has been moved, this time included.
            last: the last value of each table's sequence, by the target's name of the table.

        Raises:
            LiteshiftError: it is armed for another epoch.
            NotFit: a table that can't be captured.
        """
        with self._transaction():
            found = self.armed()
            if found == epoch:
                return
            if found is not None:
                raise LiteshiftError(f"the capture of {self._label} is armed already, for the epoch {found}")
            self._set_sequences(plan.tables, last)
            tables, made = self._prepared(plan)
            self._run(log_statements(max((len(table.columns) for table in tables), default=1)))
            triggers.change(self._connection, drop=standing(self._connection), make=made)
            self._run([f"INSERT INTO {LOG} (id, op) VALUES ({epoch * EPOCH}, '{NOTHING}')"])  # noqa: S608
            shapes.remember(self._connection, tables)
            state.make(self._connection)
            state.put(self._connection, state.ARMED, epoch)
            state.put(self._connection, state.TRIGGERS, None)

    def refuse(self, *, until: float) -> int:
        """Let every write into the captured tables fail from here on, with a message that says where the data went.

        Args:
            until: seconds since 1970; past it, writes that come take us for dead, and are kept as before.

        Returns:
            The number of the last change that was kept; whoever has it has all.
        """
        text = f"the data of {self._label} {REFUSED}"
        with self._transaction():
            self._require()
            self._run([say_unsaid(), f"DROP TRIGGER IF EXISTS {REFUSAL}", refusal_trigger(literal(text), until)])
            return self.last()

    def allow(self) -> None:
        """Take `refuse` back."""
        with self._transaction():
            self._run([f"DROP TRIGGER IF EXISTS {REFUSAL}"])

    def disarm(self, *, position: Lsn | None, alone: bool = False) -> None:
        """In one transaction: take away the capture and what refuses writes, and the mark.

        Args:
            position: the file follows the source again, from here on: the plan's triggers go, too, the guards are made,
                and the position is written. None where the application stays on the file for good: the plan's triggers
                stay, and every table of ours goes.
            alone: whether the tables that were captured have to be the only ones, and still as they were.

        Raises:
            LiteshiftError: changes are left that the source does not have.
            UsageError, NotFit: where they have to be alone: there are newcomers, or their shape has changed.
        """
        with self._transaction():
            if self.armed() is None:
                return
            if position is not None and self.last():
                raise LiteshiftError(
                    f"changes of {self._label} are left that PostgreSQL does not have yet",
                    hint="Run the same command again: the pause was over, and writes went on.",
                )
            if alone:  # a table can be made, and another built anew, while writes into those we know are refused
                self.see_no_newcomers()
                self._see_that_nothing_is_missed(self._connection, shapes.remembered(self._connection), 0)
            if position is None:
                set_free(self._connection)
                return
            tables = shapes.remembered(self._connection)
            doomed = [name for table in tables for name in table.triggers]
            ours = {name for table in tables for name in names(table.number)}
            remember_triggers(self._connection, triggers.read(self._connection, set(doomed) - ours))
            triggers.change(self._connection, drop=doomed, make=guards(table.name for table in tables))
            self._run(f"DROP TABLE {name}" for name in (LOG, STASH, shapes.TABLE))  # the refusal goes with its table
            state.put(self._connection, state.ARMED, None)
            state.put(self._connection, state.POSITION, str(position))

    def armed(self) -> int | None:
        """The epoch it is armed for; None where it is not."""
        epoch = state.get(self._connection, state.ARMED)
        return epoch if isinstance(epoch, int) else None

    @contextmanager
    def changes(self, after: int) -> Iterator[Iterator[Captured]]:
        """What was kept after a number, as one read snapshot shows it: it ends on a commit's boundary.

        Raises:
            NotFit: a captured table's shape has changed, or its triggers are gone: changes may be missing.
        """
        with (
            explained(self._label),
            closing(connect(self._path, preset="durable", read_only=True)) as connection,
        ):
            connection.text_factory = _TEXT
            connection.execute("BEGIN").close()
            self._require(connection)
            tables = shapes.remembered(connection)
            self._see_that_nothing_is_missed(connection, tables, after)
            with closing(_read(connection, tables, after)) as found:
                yield found

    def last(self) -> int:
        """The number of the last change that is kept; 0 before the first, and also where all were forgotten."""
        query = f"SELECT id, op FROM {LOG} ORDER BY id DESC LIMIT 1"  # noqa: S608 - our own name
        with explained(self._label):
            self._require()
            number, op = self._connection.execute(query).fetchone()
        return 0 if op == NOTHING else int(number)

    def secure(self) -> int:
        """Make durable what was kept so far, however its writers commit; the number of the last change, as `last`.

        With `synchronous=NORMAL` a commit is in the WAL and may be lost in a power cut; what was moved from there into
        the file was synced by SQLite. The file itself is not touched: closing it would let go of SQLite's locks.

        Raises:
            LiteshiftError: the WAL can't be written to the disk.
            Locked: a writer held the file for too long, and a row that is gone could not be written down.
        """
        self._say_unsaid()
        number = self.last()
        if number > self._secured:
            try:
                sync(self._path.resolve().with_name(f"{self._path.resolve().name}-wal"))
            except OSError as error:
                raise LiteshiftError(f"the changes of {self._label} can't be made durable: {error.strerror}") from error
            self._secured = number
        return number

    def respell(self, rows: Sequence[Respelling]) -> int:
        """Write rows as PostgreSQL has them, where they are still as they were captured; that is not captured.

        Returns:
            How many were written.

        Raises:
            Locked: a writer held the file for too long.
        """
        with explained(self._label):
            self._require()
            tables = shapes.remembered(self._connection)
            return respell(self._path, rows, tables, busy_timeout=BUSY_MILLISECONDS)

    def token(self) -> str | None:
        """The token of the cutover it was armed in."""
        token = state.get(self._connection, state.TOKEN)
        return token if isinstance(token, str) else None

    def position(self) -> str:
        """Where the source's log was when the file last followed it."""
        return str(state.get(self._connection, state.POSITION) or "")

    def returned(self) -> int:
        """The highest number that the source has said to have; 0 before the first."""
        number = state.get(self._connection, state.RETURNED)
        return number if isinstance(number, int) else 0

    def forget(self, through: int, *, returned: int) -> None:
        """Remove what the source has, in short transactions that leave room for other writers.

        Args:
            through: the number of the last change to forget.
            returned: the number that the source says to have; changes that are none to it do not count there.

        Raises:
            Locked: a writer held the file for too long; what is left can be forgotten later.
        """
        slots = ", ".join(f"c{at} = NULL" for at in range(self._width()))
        doomed = f"SELECT id FROM {LOG} WHERE id <= ? AND id < (SELECT max(id) FROM {LOG}) ORDER BY id LIMIT {_SLICE}"  # noqa: S608
        count = _SLICE
        while count == _SLICE:
            with self._transaction():
                if returned > self.returned():  # before the first line goes
                    state.put(self._connection, state.RETURNED, returned)
                count = self._connection.execute(f"DELETE FROM {LOG} WHERE id IN ({doomed})", (through,)).rowcount  # noqa: S608
                if count < _SLICE:
                    # The last line stays, so that its number is not given again.
                    emptied = (
                        f"UPDATE {LOG} SET tbl = NULL, op = '{NOTHING}', {slots} WHERE id <= ? AND op <> '{NOTHING}'"  # noqa: S608
                    )
                    self._connection.execute(emptied, (through,)).close()
                    self._run([forget_said()])
            if count == _SLICE:
                time.sleep(_PATIENCE)

    def sequences(self) -> Mapping[str, int]:
        """The last value that each table's AUTOINCREMENT gave, by the target's name."""
        with explained(self._label):
            known = self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone()
            rows = self._connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall() if known else []
        return {str(name): int(value) for name, value in rows if isinstance(value, int)}

    def newcomers(self) -> Sequence[str]:
        """The tables that were made since it was armed: their rows are kept nowhere else, and don't go back."""
        with explained(self._label):
            self._require()
            return shapes.newcomers(self._connection, shapes.remembered(self._connection))

    def see_no_newcomers(self) -> None:
        """See that all goes back.

        Raises:
            UsageError: there are newcomers.
        """
        if newcomers := self.newcomers():
            raise UsageError(
                f"tables were made on SQLite that PostgreSQL does not have: {', '.join(newcomers)}",
                hint="Move their rows yourself and drop them, or stay on SQLite: liteshift finalize.",
            )

    def _prepared(self, plan: Plan) -> tuple[list[Witnessed], list[triggers.Trigger]]:
        """The tables and their triggers, from the oldest to the youngest, as the schema is now."""
        (version,) = self._connection.execute("PRAGMA schema_version").fetchone()
        if self._ready is None or self._ready[:2] != (version, plan):
            texts = index_texts(self._connection)
            looped = looped_tables(self._connection, {table.target: table.triggers for table in plan.tables})
            tables = [self._witnessed(number, one, texts, looped) for number, one in enumerate(plan.tables, start=1)]
            made = [trigger for table in tables for trigger in before_triggers(table)]
            made += [triggers.of_plan(text, table.target) for table in plan.tables for text in table.triggers]
            made += [trigger for table in tables for trigger in after_triggers(table)]
            self._ready = (version, plan, tables, made)
        return self._ready[2:]

    def _witnessed(self, number: int, table: TablePlan, texts: Mapping[str, str], looped: Set[str]) -> Witnessed:
        rules = unique_rules(self._connection, table.target, texts)
        if rules.rowid is None:
            raise NotFit(
                f"changes to the table {table.target} can't be kept: its columns take every name that SQLite has for"
                " the number of a row",
                hint="Rename one of its columns rowid, _rowid_ and oid on the source, or leave the table out.",
            )
        columns = tuple(column.target for column in table.columns if not column.generated)
        return Witnessed(number, table.target, columns, rules, table.target.lower() in looped)

    def _set_sequences(self, tables: Sequence[TablePlan], last: Mapping[str, int]) -> None:
        counting = [table.target for table in tables if table.sequence is not None and table.target in last]
        if not counting:
            return
        known = dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        rows = [(name, max(last[name], known.get(name, last[name]))) for name in counting]
        self._connection.executemany(
            "DELETE FROM sqlite_sequence WHERE name = ?", [(name,) for name, _ in rows]
        ).close()
        self._connection.executemany("INSERT INTO sqlite_sequence VALUES (?, ?)", rows).close()

    def _see_that_nothing_is_missed(
        self, connection: dbapi.Connection, tables: Sequence[shapes.Shape], after: int
    ) -> None:
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        if version != self._seen:
            faults = shapes.changed(connection, tables)
            if faults:
                raise NotFit(
                    f"the schema of {self._label} was changed since the application moved there, and PostgreSQL's was"
                    f" not: {'; '.join(faults)}",
                    hint="Take the change back, or stay on SQLite for good: liteshift finalize.",
                )
            self._seen = version
        (highest,) = connection.execute(f"SELECT max(id) FROM {LOG}").fetchone()  # noqa: S608 - our own name
        if highest is None or highest < after:
            raise NotFit(f"the capture of {self._label} was emptied by somebody else: changes are missing")

    def _say_unsaid(self) -> None:
        """Write down what no later row has made a trigger write down."""
        known = f"SELECT tbl FROM {shapes.TABLE}"  # noqa: S608 - our own name
        found = f"SELECT 1 FROM {STASH} WHERE tbl IN ({known}) AND gone = {UNSAID} LIMIT 1"  # noqa: S608 - our own names
        with explained(self._label):
            self._require()
            if self._connection.execute(found).fetchone() is None:
                return
        with self._transaction():
            self._require()
            self._run([say_unsaid()])

    def _require(self, connection: dbapi.Connection | None = None) -> None:
        if state.get(connection or self._connection, state.ARMED) is None:
            raise NotInitialised(f"the changes of {self._label} are not captured: the application has not moved there")

    def _width(self) -> int:
        found = self._connection.execute("SELECT count(*) FROM pragma_table_info(?)", (LOG,)).fetchone()
        return int(found[0]) - 4

    def _run(self, statements: Iterator[str] | Sequence[str]) -> None:
        for statement in statements:
            self._connection.execute(statement).close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A write transaction.

        Raises:
            Locked: another writer held the file for too long.
        """
        with explained(self._label):
            self._connection.execute("BEGIN IMMEDIATE").close()
            try:
                yield
            except BaseException:
                with suppress(dbapi.Error):
                    self._connection.execute("ROLLBACK").close()
                raise
            self._connection.execute("COMMIT").close()


@contextmanager
def capture(path: Path, label: str) -> Iterator[SqliteCapture]:
    """The capture of a file.

    Raises:
        NotInitialised: there is no file.
    """
    if not path.exists():
        raise NotInitialised(f"there is no file {label}")
    with explained(label):
        connection = connect(path, preset="durable", create=False, busy_timeout=BUSY_MILLISECONDS)
    with closing(connection):
        yield SqliteCapture(connection, path, label)


def _read(connection: dbapi.Connection, tables: Sequence[shapes.Shape], after: int) -> Generator[Captured]:
    known = {table.number: table for table in tables}
    slots = "".join(f", c{at}" for at in range(max((len(table.columns) for table in tables), default=1)))
    query = f"SELECT id, tbl, op, row{slots} FROM {LOG} WHERE id > ? AND op <> '{NOTHING}' ORDER BY id"  # noqa: S608
    before = None
    with closing(connection.execute(query, (after,))) as rows:
        for number, which, op, rowid, *values in rows:
            table = known[which]
            row = tuple(values[: len(table.columns)])
            if op == BEFORE:
                before = row
            elif op == AFTER:
                yield Captured(number, table.name, CapturedKind.UPDATE, before, row, rowid)
            elif op == INSERT:
                yield Captured(number, table.name, CapturedKind.INSERT, None, row, rowid)
            elif op == DELETE:
                yield Captured(number, table.name, CapturedKind.DELETE, row, None, rowid)
