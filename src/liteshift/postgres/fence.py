"""Refuses writes on the source, at once and for everybody, without waiting for a lock that stops readers or vacuums.

Each table gets, well before, a trigger that asks a sequence until when the fence is up. A sequence's value is seen by
every statement as it is now, whatever snapshot its transaction has; so from the moment it is set, every statement that
begins is refused. Those that began before hold their table's lock, which pg_locks shows: they are waited for.

At first it is up for as long as the pause may last: where whoever switches dies, the application goes on where it was.

Two kinds of writers fire no trigger for statements: what applies a subscription, and who writes straight into a
partition that was attached later. For them there is one for rows; on a table without partitions it is asleep for all
others, whom it would only cost time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from liteshift.catalog import Name
from liteshift.errors import Locked
from liteshift.position import Lsn
from liteshift.postgres.connect import translate_error
from liteshift.postgres.patience import Wanted, patiently
from liteshift.postgres.sessions import holder
from liteshift.progress import untold

SCHEMA = "liteshift"
TRIGGER = "liteshift_fence"
_ROWS = "liteshift_fence_rows"
_PARTS = "liteshift_fence_parts"  # PostgreSQL makes it on every partition, also on one that is attached later
_OPEN, _FOR_GOOD = 1, 2**63 - 1  # milliseconds since 1970
_EARLIER = 0.1  # seconds before the gate lets writers in, who take us for dead
_LOOK = 0.001
_MOMENT = 1.0  # seconds, for which a pause may wait for a transaction
_TELL_SECONDS = 1.0

_FUNCTION = """
CREATE OR REPLACE FUNCTION liteshift.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $liteshift$
DECLARE
  -- It comes first: who sees the fence up for a while only, and that it is over, began before it was up for good.
  moment bigint := extract(epoch FROM clock_timestamp()) * 1000;
BEGIN
  IF moment >= (SELECT last_value FROM liteshift.closed) OR current_setting('liteshift.pass', true) = TG_ARGV[0] THEN
    RETURN NULL;
  END IF;
  PERFORM nextval('liteshift.refused');
  RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
    MESSAGE = format('%I.%I has moved to SQLite, and writes are refused here', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    HINT = TG_ARGV[1];
END
$liteshift$
"""
# Each table and what it consists of, the partitions first; and whether it has all its triggers, and they are awake.
_TREE = """
SELECT n.nspname, c.relname, c.oid::int8, t.relid = r.oid, r.relkind = 'p',
       (SELECT count(*) FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid
         WHERE g.tgrelid = c.oid AND f.pronamespace = 'liteshift'::regnamespace
           AND (g.tgname = %s AND g.tgenabled = 'A'
                OR r.relkind = 'p' AND g.tgname = %s AND g.tgenabled = 'A'
                OR r.relkind <> 'p' AND g.tgname = %s AND g.tgenabled = 'R')) = 2
  FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY w(schema, name, place)
  JOIN pg_catalog.pg_namespace m ON m.nspname = w.schema
  JOIN pg_catalog.pg_class r ON r.relnamespace = m.oid AND r.relname = w.name
 CROSS JOIN LATERAL (SELECT relid, level FROM pg_catalog.pg_partition_tree(r.oid) UNION SELECT r.oid, 0) t
  JOIN pg_catalog.pg_class c ON c.oid = t.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY w.place, t.level DESC, c.oid
"""
_WRITERS = """
SELECT l.virtualtransaction, c.oid::regclass::text
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
 WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND l.relation = ANY (%s)
   AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""


@dataclass(frozen=True, slots=True)
class _Relation:
    """A table, or a part of one.

    Attributes:
        partitioned: the table has partitions.
        fenced: it has all the triggers it needs.
    """

    name: Name
    oid: int
    root: bool
    partitioned: bool
    fenced: bool


class PostgresFence:
    """See `liteshift.flow.Fence`.

    Args:
        connection: one that may write, in autocommit mode.
        move: the move's name; a session that has set `liteshift.pass` to it is let through.
        tables: the tables to fence; their partitions are looked up when the fence is made.
        target: what to tell those who are refused: where the data went.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], move: str, tables: Sequence[Name], target: str, label: str
    ) -> None:
        self._connection = connection
        self._move = move
        self._tables = tables
        self._target = target
        self._label = label
        self._oids: list[int] = []

    def prepare(self, *, seconds: float, tell: Callable[[str], None] = untold) -> None:
        """Make what the fence needs, and leave it open; what is there already stays.

        Args:
            seconds: how long to wait for transactions that hold a table, or have written to one and stay open.
            tell: told for whom it waits.

        Raises:
            Locked: somebody held a table for too long.
            NoConnection: no permission.
        """
        try:
            execute = self._connection.execute
            for name in ("closed", "refused"):
                execute(sql.SQL("CREATE SEQUENCE IF NOT EXISTS {}").format(sql.Identifier(SCHEMA, name)))
            execute(_FUNCTION.encode())
            deadline = time.monotonic() + seconds
            for relation in self._relations():
                if not relation.fenced:
                    # A trigger can be made while others read.
                    wanted, make = self._wanted(relation.name, readers=False), partial(self._make_triggers, relation)
                    patiently(self._connection, wanted, make, deadline=deadline, tell=tell)
            # A partition that has come meanwhile has the trigger for rows from its table.
            self._oids = [relation.oid for relation in self._relations()]
            self._await_short_writers(deadline, tell)
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error

    def up(self, token: str, *, seconds: float) -> Lsn:
        """Refuse every write from here on, wait for those that run, and put the token into the log.

        Args:
            seconds: how long to wait for them, and how long it is up, unless `keep` comes before.

        Returns:
            A position after it.

        Raises:
            Locked: one still ran when the time was over; writes are let in again.
        """
        try:
            self._set(self._now() + round(max(0.0, seconds - _EARLIER) * 1000))
            try:
                self._await_writers(time.monotonic() + seconds)
                with self._connection.transaction():
                    self._connection.execute("INSERT INTO liteshift.fence (token) VALUES (%s)", (token,))
                    self._connection.execute("SELECT pg_logical_emit_message(true, 'liteshift', %s)", (token,))
            except BaseException:
                self._set(_OPEN)
                raise
            return Lsn.parse(str(self._one("SELECT pg_current_wal_insert_lsn()::text")))
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error

    def keep(self) -> None:
        """Let it stay up, whatever becomes of us.

        Raises:
            Locked: it was up for too short a time, and somebody may have written since.
        """
        try:
            until = int(self._one("SELECT last_value FROM liteshift.closed"))
            self._set(_FOR_GOOD)
            late = self._now() >= until
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error
        if late:
            raise Locked(f"the pause was over before {self._label} could be closed for good", hint="Try again.")

    def down(self) -> None:
        """Let writes in again; a fence that is not up is left alone."""
        try:
            if self._exists("closed") and self._one("SELECT last_value FROM liteshift.closed") != _OPEN:
                self._set(_OPEN)
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error

    def is_up(self) -> bool:
        """Whether the source refuses writes."""
        return self._exists("closed") and int(self._one("SELECT last_value FROM liteshift.closed")) > self._now()

    def refused(self) -> int:
        """How many writes were refused so far."""
        if not self._exists("refused"):
            return 0
        return int(self._one("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM liteshift.refused"))

    def remove(self, *, seconds: float) -> None:
        """Take away what `prepare` made.

        Raises:
            Locked: somebody held a table for too long.
        """
        try:
            deadline = time.monotonic() + seconds
            for table, triggers in self._triggers().items():
                drop = partial(self._drop_triggers, table, triggers)
                patiently(self._connection, self._wanted(table, readers=True), drop, deadline=deadline)
            self._connection.execute("DROP FUNCTION IF EXISTS liteshift.refuse()")
            self._connection.execute("DROP SEQUENCE IF EXISTS liteshift.closed, liteshift.refused")
        except psycopg.Error as error:
            raise translate_error(error, self._label) from error

    def _relations(self) -> list[_Relation]:
        """The tables as they are now, each after its partitions."""
        schemas, names = [one.schema for one in self._tables], [one.name for one in self._tables]
        rows = self._connection.execute(_TREE, (TRIGGER, _PARTS, _ROWS, schemas, names)).fetchall()
        return [_Relation(Name(schema, name), *rest) for schema, name, *rest in rows]

    def _triggers(self) -> dict[Name, list[str]]:
        """The triggers that were made, by table."""
        rows = self._connection.execute(
            "SELECT n.nspname, c.relname, t.tgname FROM pg_catalog.pg_trigger t"
            " JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
            " JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace"
            " WHERE t.tgname = ANY (%s) AND f.nspname = %s AND t.tgparentid = 0",
            ([TRIGGER, _ROWS, _PARTS], SCHEMA),
        ).fetchall()
        found: dict[Name, list[str]] = {}
        for schema, name, trigger in rows:
            found.setdefault(Name(schema, name), []).append(trigger)
        return found

    def _wanted(self, table: Name, *, readers: bool) -> Wanted:
        name = sql.Identifier(table.schema, table.name).as_string(self._connection)
        return Wanted(name, f"{table} of {self._label}", readers)

    def _make_triggers(self, relation: _Relation) -> None:
        """Make what a relation lacks, awake also for sessions that are replicas (`session_replication_role`)."""
        self._make_trigger(relation.name, TRIGGER, "OR TRUNCATE", "STATEMENT", "ALWAYS")
        if not relation.partitioned:
            self._make_trigger(relation.name, _ROWS, "", "ROW", "REPLICA")
        elif relation.root:
            self._make_trigger(relation.name, _PARTS, "", "ROW", "ALWAYS")

    def _make_trigger(self, table: Name, trigger: str, more: str, each: str, awake: str) -> None:
        hint = f"The application lives on {self._target} now; send what you write there."
        name, on = sql.Identifier(trigger), sql.Identifier(table.schema, table.name)
        # After a row, since before it COPY could not take many at once.
        when = "AFTER" if each == "ROW" else "BEFORE"
        make = "CREATE OR REPLACE TRIGGER {} " + when + " INSERT OR UPDATE OR DELETE " + more
        self._connection.execute(
            sql.SQL(make + " ON {} FOR EACH " + each + " EXECUTE FUNCTION liteshift.refuse({}, {})").format(
                name, on, sql.Literal(self._move), sql.Literal(hint)
            )
        )
        only = "ONLY " if each == "STATEMENT" else ""  # the partitions have their own, and may not have it yet
        self._connection.execute(sql.SQL("ALTER TABLE " + only + "{} ENABLE " + awake + " TRIGGER {}").format(on, name))

    def _drop_triggers(self, table: Name, triggers: Sequence[str]) -> None:
        on = sql.Identifier(table.schema, table.name)
        for trigger in triggers:
            self._connection.execute(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(trigger), on))

    def _await_short_writers(self, deadline: float, tell: Callable[[str], None]) -> None:
        """Wait until all who write end within a moment, so that those who don't are not waited for in the pause."""
        while True:
            began = time.monotonic()
            self._await_writers(deadline, tell)
            if time.monotonic() < began + _MOMENT:
                return

    def _await_writers(self, deadline: float, tell: Callable[[str], None] = untold) -> None:
        """Wait for the statements that run just now, and for their transactions: they hold locks."""
        running, told = self._writers(), time.monotonic()
        while running:
            now = time.monotonic()
            if now > deadline or now > told + _TELL_SECONDS:
                told = now
                _, table = next(iter(running))
                who = holder(self._connection, table, readers=False)
                if now > deadline:
                    raise Locked(
                        f"{who or 'somebody'} is still writing to {table} of {self._label}",
                        hint=who.hint if who else "Try again.",
                    )
                if who is not None:
                    tell(f"waiting for {who}, which has written to {table} of {self._label}")
            time.sleep(_LOOK)
            running &= self._writers()

    def _writers(self) -> set[tuple[str, str]]:
        return {(str(who), str(table)) for who, table in self._connection.execute(_WRITERS, (self._oids,))}

    def _set(self, value: int) -> None:
        self._connection.execute("SELECT setval('liteshift.closed', %s)", (value,))

    def _now(self) -> int:
        """The server's clock, in milliseconds since 1970."""
        return int(self._one("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"))

    def _exists(self, sequence: str) -> bool:
        return self._one(f"SELECT to_regclass('liteshift.{sequence}')::text") is not None

    def _one(self, query: str) -> Any:
        row = self._connection.execute(query.encode()).fetchone()
        return row[0] if row else None
