"""One moment of the source: a read-only transaction that sees the same rows however long it lasts."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from liteshift.catalog import Catalog, Name
from liteshift.ends import Range
from liteshift.errors import LiteshiftError
from liteshift.pace import Pace
from liteshift.postgres.binary import binary_copy
from liteshift.postgres.connect import connect, label, translate_error
from liteshift.postgres.ranges import Pages, ranges
from liteshift.postgres.ranges import within as condition
from liteshift.postgres.read import copy_out
from liteshift.postgres.scan import PostgresSurvey
from liteshift.postgres.schema import read_catalog

_SPENT_AT_ONCE = 1 << 16  # bytes


class PostgresSource:
    """The PostgreSQL database to move away from; see `liteshift.ends.Source`."""

    def __init__(self, info: str, pace: Pace | None = None) -> None:
        self._info = info
        self._pace = pace or Pace()
        self.label = label(info)

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """A repeatable-read, read-only transaction on a connection of its own.

        Raises:
            NoConnection: no connection, or no permission.
            LiteshiftError: the server answered with another error.
        """
        connection = connect(self._info)
        try:
            connection.execute("BEGIN /* liteshift */ ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            position = connection.execute(
                "SELECT /* liteshift */ CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
                " ELSE pg_current_wal_lsn() END::text"
            ).fetchone()
            yield PostgresSnapshot(connection, str(position[0]) if position else "", self._info, self._pace)
        except psycopg.Error as error:
            raise translate_error(error, self.label) from error
        finally:
            connection.close()


class PostgresSnapshot:
    """See `liteshift.ends.Snapshot`.

    Args:
        connection: in a transaction that sees the moment.
        info: the conninfo, for another one.
        pace: how fast rows may be read.
    """

    def __init__(self, connection: psycopg.Connection[Any], position: str, info: str, pace: Pace) -> None:
        self._connection = connection
        self._info = info
        self._pace = pace
        self.position = position

    @property
    def identity(self) -> str:
        """The server's own identifier and the database's; where the role may not know it, how it is reached."""
        self._connection.execute("SAVEPOINT identity")
        try:
            row = self._connection.execute(
                "SELECT /* liteshift */ concat_ws(' ', 'database', current_database(), oid, 'of the server',"
                " (SELECT system_identifier FROM pg_catalog.pg_control_system()))"
                " FROM pg_catalog.pg_database WHERE datname = current_database()"
            ).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            row = None
        self._connection.execute("ROLLBACK TO SAVEPOINT identity; RELEASE SAVEPOINT identity")
        return str(row[0]) if row else label(self._info)

    @contextmanager
    def another(self) -> Iterator[PostgresSnapshot]:
        """The same moment on a connection of its own."""
        row = self._connection.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
        connection = connect(self._info)
        try:
            connection.execute("BEGIN /* liteshift */ ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(row[0] if row else "")))
            yield PostgresSnapshot(connection, self.position, self._info, self._pace)
        except psycopg.Error as error:
            raise translate_error(error, label(self._info)) from error
        finally:
            connection.close()

    def catalog(self) -> Catalog:
        """The whole schema."""
        return read_catalog(self._connection)

    def hold(self, tables: Sequence[Name]) -> None:
        """Take the lock that a SELECT takes, on all tables at once: from here on nobody can alter them.

        Raises:
            LiteshiftError: a table was rewritten or emptied just before; this snapshot would see none of its rows.
        """
        if not tables:
            return
        names = sql.SQL(", ").join(_table(name) for name in tables)
        self._connection.execute(sql.SQL("LOCK TABLE /* liteshift */ {} IN ACCESS SHARE MODE").format(names))
        # The snapshot shows pg_class as it was when it was taken; pg_relation_filenode() tells what is true now.
        rewritten = self._connection.execute(
            """
            SELECT n.nspname || '.' || c.relname
              FROM pg_catalog.pg_locks l
              JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind = 'r'
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'pg_catalog'
             WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
               AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid)
             ORDER BY 1
            """
        ).fetchall()
        if rewritten:
            listed = ", ".join(str(name) for (name,) in rewritten)
            raise LiteshiftError(
                f"{listed} was rewritten or emptied by somebody else in this very moment", hint="Run the command again."
            )

    def ranges(
        self, table: Name, *, with_children: bool, keyed: bool, after: str = "", jobs: int = 1
    ) -> Sequence[Range] | None:
        """A table in parts, each worth a while; see `postgres.ranges`."""
        return ranges(self._connection, table, with_children=with_children, keyed=keyed, after=after, jobs=jobs)

    def lines(
        self, table: Name, columns: Sequence[str], *, with_children: bool, within: Range | None = None
    ) -> Iterator[bytes]:
        """Every row, or those of a range, in COPY's text format, as the heap has them."""
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), _from(table, with_children, within)
        )
        size = 0
        with self._connection.cursor() as cursor, cursor.copy(copy_out(self._connection, query)) as copy:
            while data := copy.read():
                yield bytes(data)
                size += len(data)
                if size > _SPENT_AT_ONCE:
                    self._pace.spend(size)
                    size = 0
        self._pace.spend(size)

    def binary(
        self,
        table: Name,
        columns: Sequence[tuple[str, str]],
        *,
        with_children: bool,
        order: Sequence[str] = (),
        above: int | None = None,
        within: Range | None = None,
    ) -> Generator[bytes, None, int]:
        """Every row in COPY's binary format, as one stream that is cut anywhere; closing it early is harmless."""
        beyond = (
            sql.SQL(" WHERE {} > {}").format(sql.Identifier(order[0]), sql.Literal(above))
            if order and above is not None
            else None
        )
        query = sql.SQL("COPY /* liteshift */ (SELECT {} FROM {}{}{}) TO STDOUT (FORMAT binary)").format(
            sql.SQL(", ").join(sql.SQL(text).format(sql.Identifier(name)) for name, text in columns),
            _from(table, with_children, within),
            beyond or sql.SQL(""),
            sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(map(sql.Identifier, order))) if order else sql.SQL(""),
        )
        return binary_copy(self._connection, query.as_bytes(self._connection), self._pace)

    def view_lines(self, view: Name, columns: Sequence[str], *, seconds: int) -> Iterator[bytes]:
        """Every row of a view in COPY's text format.

        Raises:
            LiteshiftError: PostgreSQL can't compute it, or not in this time; the snapshot goes on.
        """
        self._connection.execute("SAVEPOINT view")
        try:
            self._connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{seconds}s",))
            yield from self.lines(view, columns, with_children=True)
        except psycopg.Error as error:
            raise translate_error(error, str(view)) from error
        finally:
            if not self._connection.broken:
                self._connection.execute("ROLLBACK TO SAVEPOINT view; RELEASE SAVEPOINT view")

    def orphans(
        self, table: Name, columns: Sequence[str], parent: Name, keys: Sequence[str], *, match_full: bool
    ) -> int:
        """How many rows point at a parent that is not there, or at half of one where they must match in full."""
        pairs = list(zip(columns, keys, strict=True))
        nulls = sql.SQL("num_nulls({})").format(
            sql.SQL(", ").join(sql.SQL("c.{}").format(sql.Identifier(own)) for own in columns)
        )
        half = sql.SQL("{} NOT IN (0, {})").format(nulls, len(columns)) if match_full else sql.SQL("false")
        query = sql.SQL(
            "SELECT /* liteshift */ count(*) FROM {} c WHERE ({} AND NOT EXISTS (SELECT FROM {} p WHERE {})) OR {}"
        ).format(
            _table(table),
            sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(own)) for own, _ in pairs),
            _table(parent),
            sql.SQL(" AND ").join(
                sql.SQL("p.{} = c.{}").format(sql.Identifier(key), sql.Identifier(own)) for own, key in pairs
            ),
            half,
        )
        row = self._connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def is_ascii(self, table: Name, column: str) -> bool:
        """Whether every text of a column is ASCII, in whatever encoding the database has."""
        odd = sql.SQL(r"""{}::text COLLATE pg_catalog."C" ~ '[^\x01-\x7f]'""").format(sql.Identifier(column))
        query = sql.SQL("SELECT /* liteshift */ NOT EXISTS (SELECT FROM {} WHERE {})").format(_table(table), odd)
        row = self._connection.execute(query).fetchone()
        return row is not None and bool(row[0])

    def survey(self) -> PostgresSurvey:
        """What an assessment asks beside the catalog."""
        return PostgresSurvey(self._connection)


def _from(table: Name, with_children: bool, within: Range | None) -> sql.Composable:
    if within is not None and isinstance(within.place, Pages):
        return sql.SQL("ONLY {} WHERE {}").format(_table(within.place.heap), condition(within.place))
    return sql.SQL("{} {}").format(sql.SQL("" if with_children else "ONLY"), _table(table))


def _table(name: Name) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)
