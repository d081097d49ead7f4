"""A connection to the source that may write, for the moments of a live move in which every millisecond counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg import sql

from liteshift.catalog import Name
from liteshift.changes import Shape
from liteshift.plan import Plan, TablePlan
from liteshift.position import Lsn
from liteshift.postgres.connect import bounded, connect, label, translate_error
from liteshift.postgres.fence import PostgresFence
from liteshift.postgres.read import copy_out
from liteshift.postgres.shapes import read_shapes

_KEYS = 500  # in one query


@contextmanager
def control(info: str, move: str, plan: Plan, target: str) -> Iterator[PostgresControl]:
    """Open it.

    Raises:
        NoConnection: the server can't be reached, or the connection broke.
    """
    connection = connect(info, writes=True)
    try:
        fence = PostgresFence(connection, move, [table.source for table in plan.tables], target, label(info))
        yield PostgresControl(connection, fence, move, label(info))
    except psycopg.Error as error:
        raise translate_error(error, label(info)) from error
    finally:
        connection.close()


class PostgresControl:
    """See `liteshift.flow.Control`."""

    def __init__(self, connection: psycopg.Connection[Any], fence: PostgresFence, move: str, where: str) -> None:
        self._connection = connection
        self.fence = fence
        self._move = move
        self._label = where

    def lines_of(self, table: TablePlan, keys: Sequence[tuple[str | None, ...]]) -> Iterator[bytes]:
        """The rows that have these keys, each once, as they are now, in COPY's text format."""
        by_target = {column.target: column.source for column in table.columns}
        key = sql.SQL(", ").join(sql.Identifier(by_target[name]) for name in table.key)
        columns = sql.SQL(", ").join(sql.Identifier(column.source) for column in table.columns)
        seen: set[tuple[bytes, bytes]] = set()  # keys of several queries may be equal, and spelled otherwise
        for at in range(0, len(keys), _KEYS):
            listed = sql.SQL(", ").join(
                sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, one))) for one in keys[at : at + _KEYS]
            )
            query = sql.SQL("SELECT tableoid, ctid, {} FROM {} {} WHERE ({}) IN ({})").format(
                columns,
                sql.SQL("" if table.partitioned else "ONLY"),
                sql.Identifier(table.source.schema, table.source.name),
                key,
                listed,
            )
            with self._connection.cursor() as cursor, cursor.copy(copy_out(self._connection, query)) as copy:
                while data := copy.read():
                    table_number, place, line = bytes(data).split(b"\t", 2)
                    if (table_number, place) not in seen:
                        seen.add((table_number, place))
                        yield line

    def shapes(self, plan: Plan) -> Mapping[Name, Shape]:
        """How the plan's tables look now; see `liteshift.flow.Origin`."""
        return read_shapes(self._connection, self._move, plan)

    def last_values(self, plan: Plan) -> Mapping[str, int]:
        """The last value of each table's sequence, by the target's name of the table."""
        found = {}
        for table in plan.tables:
            if table.sequence_name is None:
                continue
            name = sql.Identifier(table.sequence_name.schema, table.sequence_name.name)
            query = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {}").format(name)
            row = self._connection.execute(query).fetchone()
            if row is not None:
                found[table.target] = int(row[0])
        return found

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Cut the connection where the block takes longer: whatever waits for a server that says nothing fails then."""
        return bounded(self._connection, seconds)

    def here(self) -> Lsn:
        """The end of the source's log, as far as it is durable: all that was committed before stands before it."""
        # The message's own commit makes durable what others committed without waiting for the disk.
        self._connection.execute("SELECT pg_logical_emit_message(true, 'liteshift.here', '')")
        row = self._connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        return Lsn.parse(str(row[0]) if row else "0/0")
