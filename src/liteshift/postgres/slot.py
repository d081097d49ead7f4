"""The source of a live move: its slot, the moments it can be read at, and its log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import psycopg
from psycopg import pq, sql

from liteshift.catalog import Name
from liteshift.changes import Shape
from liteshift.errors import BEGIN_ANEW, LiteshiftError, Locked, NotFit, UsageError
from liteshift.pace import Pace
from liteshift.plan import Plan
from liteshift.position import Lsn
from liteshift.postgres.connect import connect, connect_walsender, label, translate_error
from liteshift.postgres.control import PostgresControl, control
from liteshift.postgres.fence import PostgresFence
from liteshift.postgres.publication import establish, has_schema, present, remove, require
from liteshift.postgres.sessions import telling, transactions
from liteshift.postgres.shapes import read_shapes
from liteshift.postgres.snapshot import PostgresSnapshot, PostgresSource
from liteshift.postgres.tail import PostgresStream
from liteshift.postgres.takeback import PostgresTakeback
from liteshift.progress import untold

_SLOT_WAIT = 300  # seconds; making a slot waits for every transaction that runs
_FREE_WAIT = 20.0  # seconds for a walsender whose client is dead to notice it
_FENCE_WAIT = 60.0  # seconds for the tables' locks
_LOOK = 0.1

_SLOT = """
SELECT active_pid, wal_status, restart_lsn::text, confirmed_flush_lsn::text, plugin, database = current_database()
  FROM pg_catalog.pg_replication_slots WHERE slot_name = %s
"""


@dataclass(frozen=True, slots=True)
class System:
    """Which server this is: its identifier, its timeline, and the end of its log."""

    identifier: str
    timeline: int
    end: Lsn


class PostgresOrigin:
    """See `liteshift.flow.Origin`.

    Args:
        info: the source's conninfo.
        pace: how fast rows may be copied and compared.
    """

    def __init__(self, info: str, pace: Pace | None = None) -> None:
        self._info = info
        self._pace = pace or Pace()
        self._walsender = 0  # the process that served our last stream
        self.label = label(info)

    def require(self, name: str, plan: Plan) -> None:
        """Look whether all is fit for `establish`; see `liteshift.flow.Origin`."""
        self.system()  # the role may replicate
        with self._ordinary() as connection:
            require(connection, name, plan)

    def establish(self, name: str, plan: Plan) -> None:
        """Make the schema, the publication and the identities that the stream needs; made already is fine."""
        system = self.system()
        with self._ordinary(writes=True) as connection:
            establish(connection, name, plan, system.identifier, system.timeline)

    def system(self) -> System:
        """Which server it is."""
        with self._replicating() as connection:
            row = connection.execute("IDENTIFY_SYSTEM").fetchone()
            assert row is not None  # noqa: S101 - it always answers one row
            return System(str(row[0]), int(str(row[1])), Lsn.parse(str(row[2])))

    def shapes(self, name: str, plan: Plan) -> Mapping[Name, Shape]:
        """How the plan's tables look now; see `liteshift.flow.Origin`."""
        with self._ordinary() as connection:
            return read_shapes(connection, name, plan)

    @contextmanager
    def slot(self, name: str, *, tell: Callable[[str], None] = untold) -> Iterator[PostgresSnapshot]:
        """Make the slot anew; the snapshot shows the source exactly at its first position."""
        with self._ordinary(writes=True) as connection:
            self._drop_slot(connection, name)
        with self._exported(name, False, None, tell) as (_, snapshot):
            yield snapshot

    @contextmanager
    def moment(
        self, *, seconds: float | None = None, tell: Callable[[str], None] = untold
    ) -> Iterator[tuple[Lsn, PostgresSnapshot]]:
        """A snapshot and the position it shows; see `liteshift.flow.Origin`."""
        with self._exported(f"liteshift_moment_{token_hex(8)}", True, seconds, tell) as found:
            yield found

    @contextmanager
    def stream(self, name: str, position: Lsn) -> Iterator[PostgresStream]:
        """Read the slot's log from a position on; see `liteshift.flow.Origin`."""
        self._require_same_server(name, position)
        self._await_free(name, position)
        connection = connect_walsender(self._info)
        try:
            any_bytes = connection.info.parameter_status("server_encoding") == "SQL_ASCII"
            if (
                any_bytes
            ):  # bytes of any kind are sent as they are; the server would end the stream at the first odd one
                connection.execute("SET client_encoding = 'SQL_ASCII'")
            start = sql.SQL(
                "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {}, messages 'true')"
            ).format(sql.Identifier(name), sql.SQL(str(position)), sql.Literal(f'"{name}"'))
            result = connection.pgconn.exec_(start.as_bytes(connection))
            if result.status != pq.ExecStatus.COPY_BOTH:
                raise psycopg.errors.error_from_result(result)
            self._walsender = connection.info.backend_pid
        except psycopg.Error as error:
            connection.close()
            raise _stream_error(error, self.label, name) from error
        stream = PostgresStream(connection, position, self.label, any_bytes=any_bytes)
        try:
            yield stream
        finally:
            stream.close()

    def control(self, name: str, plan: Plan, target: str) -> AbstractContextManager[PostgresControl]:
        """A connection that may write; see `postgres.control`."""
        return control(self._info, name, plan, target)

    def snapshot(self) -> AbstractContextManager[PostgresSnapshot]:
        """Look at this moment; read-only."""
        return PostgresSource(self._info, self._pace).snapshot()

    @contextmanager
    def takeback(self, name: str, plan: Plan, token: str | None) -> Iterator[PostgresTakeback]:
        """What writes on the source, past the fence; see `liteshift.flow.Origin`."""
        self._require_same_server(name, Lsn(0))
        self._require_token(token)
        with closing(PostgresTakeback(self._info, name, [table.source for table in plan.tables])) as applier:
            yield applier

    def advance(self, name: str, position: Lsn, *, seconds: float) -> bool:
        """Let the slot forget what stands before a position; see `liteshift.flow.Origin`."""
        with self._ordinary(writes=True) as connection:
            row: Any = connection.execute(_SLOT, (name,)).fetchone()
            if row is not None:
                active, status, restart, _, plugin, here = row
                if plugin != "pgoutput" or not here:
                    raise NotFit(f"the slot {name} of {self.label} is not ours", hint=BEGIN_ANEW)
                if active is not None:
                    return False  # what read it has not gone yet; there is another time
                if status != "lost" and restart is not None:
                    connection.execute(
                        "SELECT pg_replication_slot_advance(slot_name, %s) FROM pg_catalog.pg_replication_slots"
                        " WHERE slot_name = %s AND confirmed_flush_lsn < %s",
                        (str(position), name, str(position)),
                    )
                    return False
                self._drop_slot(connection, name)
        with self._exported(name, False, seconds, untold):
            return True

    def reach(self) -> None:
        """See that the source lets us in."""
        with self._ordinary():
            pass

    def held_bytes(self, name: str) -> int | None:
        """How much log the source keeps for the slot; None where this database has none of that name."""
        with self._ordinary() as connection:
            row: Any = connection.execute(
                "SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::int8"
                " FROM pg_catalog.pg_replication_slots WHERE slot_name = %s AND database = current_database()",
                (name,),
            ).fetchone()
        return int(row[0]) if row else None

    def long_transactions(self, *, seconds: float) -> Sequence[str]:
        """Those of others that have been open for longer, and that a slot or a first cutover would wait for."""
        with self._ordinary() as connection:
            return [str(one) for one in transactions(connection, longer=seconds)]

    def remove(self, name: str) -> Sequence[str]:
        """Take away everything that was made; what was there."""
        with self._ordinary(writes=True) as connection:
            if present(connection) == name:
                PostgresFence(connection, name, (), "", self.label).remove(seconds=_FENCE_WAIT)
            removed = [f"the slot {name}"] if self._drop_slot(connection, name) else []
            return removed + remove(connection, name)

    def abandoned(self) -> str | None:
        """The name of the move that has made something here, which nobody runs; see `liteshift.flow.Origin`."""
        with self._ordinary() as connection:
            name = present(connection)
            if name and PostgresFence(connection, name, (), "", self.label).is_up():
                raise UsageError(
                    f"the application lives on SQLite, and {self.label} refuses its writes until it is brought back",
                    hint="Bring the folder of the move back from a backup, and go on from it. Where the file is lost"
                    " too, DROP SCHEMA liteshift CASCADE lets writes in on PostgreSQL, without what came since.",
                )
            active = "SELECT FROM pg_catalog.pg_replication_slots WHERE active AND slot_name = %s"
            if connection.execute(active, (name,)).fetchone() is not None:
                raise Locked(
                    f"a process runs the live move {name} of {self.label}",
                    hint="Name its file, and its folder: liteshift abort --workdir FOLDER SOURCE TARGET.",
                )
            return name

    @contextmanager
    def _told(self, connection: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
        """Use a connection, then close it; what the server says becomes our words."""
        try:
            yield connection
        except psycopg.Error as error:
            raise translate_error(error, self.label) from error
        finally:
            connection.close()

    def _ordinary(self, *, writes: bool = False) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self._told(connect(self._info, writes=writes))

    def _replicating(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self._told(connect_walsender(self._info))

    @contextmanager
    def _exported(
        self, name: str, temporary: bool, seconds: float | None, tell: Callable[[str], None]
    ) -> Iterator[tuple[Lsn, PostgresSnapshot]]:
        """Make a slot, and look through the snapshot that shows the source at its first position.

        Raises:
            Locked: a transaction that began before has not ended in time.
        """
        seconds = _SLOT_WAIT if seconds is None else seconds
        with self._ordinary() as reader:
            with self._replicating() as connection:
                connection.execute(f"SET lock_timeout = '{max(1, round(seconds * 1000))}ms'".encode())
                kind = sql.SQL("TEMPORARY " if temporary else "")
                create = sql.SQL("CREATE_REPLICATION_SLOT {} {}LOGICAL pgoutput EXPORT_SNAPSHOT")
                try:
                    with telling(reader, tell, connection):
                        row: Any = connection.execute(create.format(sql.Identifier(name), kind)).fetchone()
                except psycopg.errors.LockNotAvailable:
                    oldest = next(iter(transactions(reader)), None)
                    raise Locked(
                        f"a transaction of {self.label} has not ended for {seconds:g} seconds, and rows can't be read"
                        f" at one moment of the log before it does: {oldest or 'it has just ended'}",
                        hint=oldest.hint if oldest else "Run the same command again.",
                    ) from None
                reader.execute("BEGIN /* liteshift */ ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(row[2])))
            yield Lsn.parse(row[1]), PostgresSnapshot(reader, row[1], self._info, self._pace)

    def _require_same_server(self, name: str, position: Lsn) -> None:
        """See that no failover, restore or mix-up has brought us to another server than the move began on."""
        system = self.system()
        with self._ordinary() as connection:
            row: Any = None
            if has_schema(connection):
                row = connection.execute(
                    "SELECT system, timeline FROM liteshift.move WHERE name = %s", (name,)
                ).fetchone()
        if row is None:
            raise NotFit(
                f"{self.label} knows nothing of the move {name}",
                hint="See that it is the source that the move began on, which liteshift status TARGET names. If it is,"
                " begin anew: liteshift abort, then liteshift migrate --live --overwrite.",
            )
        if row[0] != system.identifier:
            raise NotFit(
                f"{self.label} is another server than the move began on: its system identifier is {system.identifier},"
                f" and was {row[0]}",
                hint=BEGIN_ANEW,
            )
        if row[1] != system.timeline:
            raise NotFit(
                f"{self.label} was promoted or restored since the move began: it is on timeline {system.timeline}, and"
                f" was on {row[1]}, so changes may be missing from its log",
                hint=BEGIN_ANEW,
            )
        if system.end < position:
            raise NotFit(
                f"the log of {self.label} ends at {system.end}, before {position}, which the file has already: the"
                " server was set back to an earlier time",
                hint=BEGIN_ANEW,
            )

    def _require_token(self, token: str | None) -> None:
        """See that the server still has the cutover that brought the application to the file."""
        with self._ordinary() as connection:
            known = connection.execute("SELECT FROM liteshift.fence WHERE token = %s", (token,)).fetchone()
        if known is None:
            raise NotFit(
                f"{self.label} knows nothing of the cutover that brought the application to SQLite: the server was set"
                " back to an earlier time",
                hint="Bring the server back to a later time, or stay on SQLite for good: liteshift finalize.",
            )

    def _await_free(self, name: str, position: Lsn | None) -> None:
        """See that the slot can go on from a position; wait for a dead reader to go, end it where it was ours.

        Raises:
            NotFit: the slot is gone, was invalidated, or has forgotten changes after the position.
            Locked: another process reads it.
        """
        with self._ordinary(writes=True) as connection:
            deadline = time.monotonic() + _FREE_WAIT
            while True:
                row: Any = connection.execute(_SLOT, (name,)).fetchone()
                if row is None:
                    raise NotFit(f"the slot {name} is gone from {self.label}", hint=BEGIN_ANEW)
                active, status, restart, confirmed, plugin, here = row
                if plugin != "pgoutput" or not here:
                    raise NotFit(f"the slot {name} of {self.label} is not ours", hint=BEGIN_ANEW)
                if status == "lost" or restart is None:
                    raise NotFit(
                        f"{self.label} has given up the slot {name}, and removed changes that were not fetched yet",
                        hint=f"Raise max_slot_wal_keep_size. {BEGIN_ANEW}",
                    )
                if active is None:
                    break
                if active == self._walsender:
                    connection.execute("SELECT pg_terminate_backend(%s)", (active,))
                if time.monotonic() > deadline:
                    raise Locked(
                        f"the slot {name} of {self.label} is read by another process: {_process(connection, active)}",
                        hint=f"If nobody is there any more, end it: SELECT pg_terminate_backend({active});",
                    )
                time.sleep(_LOOK)
        if position is not None and confirmed is not None and Lsn.parse(confirmed) > position:
            raise NotFit(
                f"the slot {name} has gone on to {confirmed}, and the file is at {position}: it is older than the file"
                " that was followed with, and the changes between the two are not in the log any more",
                hint=f"Bring back the file that was followed with. If it is lost: {BEGIN_ANEW}",
            )

    def _drop_slot(self, connection: psycopg.Connection[Any], name: str) -> bool:
        """Drop a slot, once it is free; whether there was one."""
        with suppress(NotFit):
            self._await_free(name, None)
        dropped = connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots"
            " WHERE slot_name = %s AND plugin = 'pgoutput' AND database = current_database()",
            (name,),
        )
        return dropped.rowcount > 0


def _stream_error(error: psycopg.Error, where: str, name: str) -> LiteshiftError:
    if isinstance(error, psycopg.errors.ObjectInUse):
        return Locked(f"the slot {name} of {where} is read by another process", hint="Wait until it ends.")
    if isinstance(error, psycopg.errors.ObjectNotInPrerequisiteState):
        return NotFit(f"the slot {name} of {where} can't go on: {error.diag.message_primary}", hint=BEGIN_ANEW)
    return translate_error(error, where)


def _process(connection: psycopg.Connection[Any], pid: int) -> str:
    row: Any = connection.execute(
        "SELECT coalesce(application_name, ''), coalesce(client_addr::text, 'local'), backend_start::text"
        " FROM pg_catalog.pg_stat_activity WHERE pid = %s",
        (pid,),
    ).fetchone()
    return f"{pid}" + (f" ({row[0]}, from {row[1]}, since {row[2]})" if row else "")
