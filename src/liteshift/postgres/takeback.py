"""The source as it takes back what was written on SQLite: one transaction for all that one look at the file shows.

The foreign keys of the source stay in force, and so do its other rules; its triggers are put to sleep within the
transaction, since what they did on SQLite comes as a change of its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg import pq, sql

from liteshift.catalog import Name
from liteshift.errors import LiteshiftError, Locked, NoConnection
from liteshift.postgres.connect import bounded, connect, label, translate_error
from liteshift.postgres.pipeline import Failed, Pipeline, require_line
from liteshift.postgres.settling import Settling
from liteshift.stops import Stop, passing
from liteshift.writes import Look, Texts, Write, conflict, refusal

_FENCE_DOWN = "25006"
_TOO_LONG = "22001"
_LIMIT = re.compile(r"\((\d+)\)")
_OF_ROWS = ("22", "23")  # classes of errors that a row's values lead to
_PREPARE = (
    "CREATE SCHEMA liteshift",
    "CREATE TABLE liteshift.position (move text PRIMARY KEY, number bigint NOT NULL)",
)
# What would run by itself on our writes, leaves first named after their roots; what is ours, such as the fence, stays.
_AUTOMATA = """
SELECT r.relation, n.nspname, c.relname, a.kind, a.name, a.state
  FROM unnest(%s::text[]) WITH ORDINALITY AS r(relation, place)
 CROSS JOIN LATERAL (
       SELECT r.relation::regclass AS relid, 0 AS level
        UNION SELECT relid, level FROM pg_catalog.pg_partition_tree(r.relation::regclass)) AS p
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT 'TRIGGER' AS kind, t.tgname AS name, t.tgenabled AS state
         FROM pg_catalog.pg_trigger t
         JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
         JOIN pg_catalog.pg_namespace s ON s.oid = f.pronamespace
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND s.nspname <> 'liteshift'
       UNION ALL
       SELECT 'RULE', w.rulename, w.ev_enabled
         FROM pg_catalog.pg_rewrite w
        WHERE w.ev_class = c.oid AND w.ev_type <> '1' AND w.ev_enabled IN ('O', 'A')) AS a
 ORDER BY r.place, p.level, c.oid, a.kind, a.name
"""
_IMMEDIATE_KEYS = """
SELECT n.nspname, c.relname, k.conname
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT k.condeferrable
   AND k.conrelid = ANY (%s::text[]::regclass[])
 ORDER BY 1, 2, 3
"""


class PostgresTakeback:
    """See `liteshift.flow.ReverseApplier`.

    Args:
        info: the source's conninfo.
        move: the move's name, which lets us through the fence.
        tables: the tables that are written to.
    """

    def __init__(self, info: str, move: str, tables: Sequence[Name]) -> None:
        self._info = info
        self._move = move
        self._tables = tables
        self._label = label(info)
        self._connection: psycopg.Connection[Any] | None = None
        self._applied = 0
        self._bounds: tuple[ExitStack, float] | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def applied(self) -> int:
        """The number of the last captured change that the source has."""
        try:
            row = (
                self._open().execute("SELECT number FROM liteshift.position WHERE move = %s", (self._move,)).fetchone()
            )
        except psycopg.Error as error:
            self.close()
            raise translate_error(error, self._label) from error
        self._applied = int(row[0]) if row else 0
        return self._applied

    def apply(self, writes: Iterable[Write], net: Iterable[Write] | None = None) -> int:
        """Apply everything as one transaction; see `liteshift.flow.ReverseApplier`."""
        before = self.applied()
        connection = self._open()
        try:
            number = self._apply(connection, writes, net, before)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise self._locked(error) from error
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error
        finally:
            if connection.info.transaction_status != pq.TransactionStatus.IDLE:
                self.close()  # which ends the transaction, whatever state it is in
        self._applied = number
        return number

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection where the block takes longer: whatever waits for a server that says nothing fails then."""
        connection = self._open()
        with ExitStack() as bounds:
            self._bounds = bounds, time.monotonic() + seconds  # one that is made anew meanwhile has no longer
            try:
                bounds.enter_context(bounded(connection, seconds))
                yield
            finally:
                self._bounds = None

    def rows(self, looks: Sequence[Look]) -> Sequence[Texts | None]:
        """The row that each look shows; None where there is none."""
        try:
            return [next(iter(self._look(look)), None) for look in looks]
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error

    def printed(self, values: Sequence[tuple[str, str]]) -> Sequence[str]:
        """How the source prints some values once it has read them.

        Args:
            values: the type of each, as PostgreSQL prints it, and its text.
        """
        places: dict[str, list[int]] = {}
        for place, (kind, _) in enumerate(values):
            places.setdefault(kind, []).append(place)
        found = [""] * len(values)
        connection = self._open()
        try:
            for kind, some in places.items():
                # The type's name is as PostgreSQL prints it, which quotes what has to be quoted.
                query = f"SELECT format('%s', v::{kind}) FROM unnest($1::text[]) WITH ORDINALITY u(v, n) ORDER BY n"  # noqa: S608
                cursor = psycopg.RawCursor(connection)
                rows = cursor.execute(query.encode(), ([values[place][1] for place in some],)).fetchall()
                for place, (text,) in zip(some, rows, strict=True):
                    found[place] = text
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error
        return found

    def set_sequences(self, last: Mapping[Name, int]) -> None:
        """Let each sequence go on after a value, unless it is further already; one that counts down is left alone."""
        connection = self._open()
        try:
            for name, value in sorted(last.items()):
                sequence = sql.Identifier(name.schema, name.name)
                text = sequence.as_string(connection)
                connection.execute(
                    sql.SQL(
                        "SELECT setval({literal}::regclass, {value}) FROM {sequence}, pg_catalog.pg_sequence s"
                        " WHERE s.seqrelid = {literal}::regclass AND s.seqincrement > 0 AND {value} >= s.seqmin"
                        " AND (last_value < {value} OR (last_value = {value} AND NOT is_called))"
                    ).format(literal=sql.Literal(text), value=sql.Literal(value), sequence=sequence)
                )
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            connection = connect(self._info, writes=True)
            if self._bounds is not None:
                bounds, end = self._bounds
                bounds.enter_context(bounded(connection, max(0.0, end - time.monotonic())))
            try:
                self._make_table(connection)
            except psycopg.Error as error:
                connection.close()
                raise translate_error(error, self._label) from error
            self._connection = connection
        return self._connection

    def _make_table(self, connection: psycopg.Connection[Any]) -> None:
        """The table of positions, where there is none yet."""
        for name, statement in zip(("liteshift", "liteshift.position"), _PREPARE, strict=True):
            query = "SELECT to_regclass(%s) IS NOT NULL" if "." in name else "SELECT to_regnamespace(%s) IS NOT NULL"
            if connection.execute(query, (name,)).fetchone() == (False,):
                connection.execute(statement)

    def _apply(
        self, connection: psycopg.Connection[Any], writes: Iterable[Write], net: Iterable[Write] | None, before: int
    ) -> int:
        connection.execute("BEGIN")
        # Through the fence, within this transaction only: a pooler may give the session to somebody else after it.
        connection.execute("SELECT set_config('liteshift.pass', %s, true)", (self._move,))
        # Whoever takes changes back holds this row; it is made first, so that there is one to hold.
        connection.execute("INSERT INTO liteshift.position VALUES (%s, 0) ON CONFLICT DO NOTHING", (self._move,))
        row = connection.execute(
            "SELECT number FROM liteshift.position WHERE move = %s FOR UPDATE", (self._move,)
        ).fetchone()
        if row is None or row[0] != before:
            raise Locked(f"another process is taking changes back to {self._label}", hint="Let one of them do it.")
        names = [_quoted(connection, table) for table in self._tables]
        asleep, awake = self._automata(connection, names)
        keys = connection.execute(_IMMEDIATE_KEYS, (names,)).fetchall() if net is not None else []
        for key in keys:
            connection.execute(_alter(key, "ALTER CONSTRAINT {} DEFERRABLE INITIALLY DEFERRED"))
        connection.execute("SET CONSTRAINTS ALL DEFERRED")
        pipeline = Pipeline[Write](connection)
        number, touched = before, dict[Name, None]()
        try:
            pipeline.enter()
            for write in writes:
                table = write.statement.table
                if table not in touched:
                    touched[table] = None
                    for order in asleep.get(table, ()):
                        pipeline.order(order)
                pipeline.run(write.statement.text, write.parameters, write)
                number = write.number
            pipeline.leave()
        except Failed as failed:
            raise self._explained(connection, failed, pipeline) from None
        folded = list(net or ())
        for table in dict.fromkeys(write.statement.table for write in folded):
            if table not in touched:
                touched[table] = None
                for order in asleep.get(table, ()):
                    connection.execute(order.encode())
        try:
            Settling(connection).run(folded)
        except Failed as failed:
            raise self._explained(connection, failed) from None
        number = max([number, *(write.number for write in folded)])
        if number == before:
            connection.execute("ROLLBACK")
            return before
        try:
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.errors.IntegrityError as error:
            raise refusal(None, str(error.sqlstate), _said(error)) from error
        for key in keys:
            connection.execute(_alter(key, "ALTER CONSTRAINT {} NOT DEFERRABLE"))
        for table in touched:
            for order in awake.get(table, ()):
                connection.execute(order.encode())
        connection.execute("UPDATE liteshift.position SET number = %s WHERE move = %s", (number, self._move))
        passing(Stop.REVERSE_BEFORE_COMMIT)
        connection.execute("COMMIT")
        return number

    def _automata(
        self, connection: psycopg.Connection[Any], names: Sequence[str]
    ) -> tuple[dict[Name, list[str]], dict[Name, list[str]]]:
        """What puts the triggers and rules of each table to sleep, and what wakes them as they were."""
        tables = dict(zip(names, self._tables, strict=True))
        asleep: dict[Name, list[str]] = {}
        awake: dict[Name, list[str]] = {}
        for relation, schema, name, kind, automaton, state in connection.execute(_AUTOMATA, (names,)).fetchall():
            table, where = tables[relation], sql.Identifier(schema, name)
            back = "ENABLE ALWAYS" if state in ("A", b"A") else "ENABLE"
            for orders, verb in ((asleep, "DISABLE"), (awake, back)):
                order = sql.SQL(f"ALTER TABLE {{}} {verb} {kind} {{}}").format(where, sql.Identifier(automaton))
                orders.setdefault(table, []).append(order.as_string(connection))
        return asleep, awake

    def _explained(
        self, connection: psycopg.Connection[Any], failed: Failed[Write], pipeline: Pipeline[Write] | None = None
    ) -> LiteshiftError:
        """What a failed write means; the transaction is over then.

        Without a pipeline a row is looked at as the writes before this one have left it.
        """
        write, result = failed.tag, failed.result
        if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
            if pipeline is not None:  # whatever came after this write has been tried as well
                pipeline.abandon()
                connection.execute("ROLLBACK")
            text = write.statement.look
            found = conflict(write, self._expected(write), self._look(Look(text, write.key)) if text else ())
            if pipeline is None:
                connection.execute("ROLLBACK")
            return found
        error = psycopg.errors.error_from_result(result)
        state = error.sqlstate or ""
        if isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
            return self._locked(error)
        if state == _FENCE_DOWN:
            return NoConnection(f"{self._label} refuses our writes: {error.diag.message_primary}")
        if state[:2] not in _OF_ROWS:
            return translate_error(error, self._label)
        if pipeline is not None:
            pipeline.abandon()
        connection.execute("ROLLBACK")
        said = _said(error)
        if write and not said["column"]:
            said["column"] = self._column(write, state)
        return refusal(write, state, said)

    def _locked(self, error: psycopg.Error) -> Locked:
        return Locked(
            f"something in {self._label} is held by somebody else: {error.diag.message_primary}",
            hint="Run it again; pg_stat_activity shows who holds it.",
        )

    def _expected(self, write: Write) -> Texts:
        """The row before the change, as PostgreSQL prints what the file had."""
        old = write.old
        if old is None:
            return ()
        given = [(kind, text) for kind, text in zip(write.statement.types, old, strict=True) if text is not None]
        printed = iter(self.printed(given))
        return tuple(None if text is None else next(printed) for text in old)

    def _column(self, write: Write, state: str) -> str:
        """Which column's new value its type does not take; empty where none is seen."""
        old, statement = write.old or (None,) * len(write.statement.columns), write.statement
        for name, kind, before, text in zip(statement.columns, statement.types, old, write.new or (), strict=False):
            if text is None or text == before:
                continue
            if state == _TOO_LONG:
                limit = _LIMIT.search(kind)
                if limit and len(text) > int(limit[1]):
                    return name
                continue
            # The type's name is as PostgreSQL prints it, which quotes what has to be quoted.
            result = self._open().pgconn.exec_params(f"SELECT $1::{kind}".encode(), [text.encode()])
            if result.status != pq.ExecStatus.TUPLES_OK:
                return name
        return ""

    def _look(self, look: Look) -> list[Texts]:
        """The rows that a look shows: one, or none."""
        parameters = [None if text is None else text.encode() for text in look.key]
        pgconn = self._open().pgconn
        result = pgconn.exec_params(look.text.encode(), parameters)
        require_line(pgconn)
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result)
        found = []
        for row in range(result.ntuples):
            cells = [result.get_value(row, column) for column in range(result.nfields)]
            found.append(tuple(None if cell is None else bytes(cell).decode() for cell in cells))
        return found


def _said(error: psycopg.Error) -> dict[str, str]:
    return {
        "message": f"PostgreSQL says: {error.diag.message_primary}",
        "detail": error.diag.message_detail or "",
        "column": error.diag.column_name or "",
    }


def _quoted(connection: psycopg.Connection[Any], table: Name) -> str:
    return sql.Identifier(table.schema, table.name).as_string(connection)


def _alter(key: tuple[Any, ...], what: str) -> sql.Composed:
    schema, table, name = key
    return sql.SQL("ALTER TABLE {} ").format(sql.Identifier(schema, table)) + sql.SQL(what).format(sql.Identifier(name))
