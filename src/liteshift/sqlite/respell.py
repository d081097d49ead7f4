"""Writes values of the file as PostgreSQL has them, without any trigger taking note: ours don't, nor the file's own.

Each row is removed and put back under its number. To the application nothing has happened: a trigger of its own that
keeps the time of the last change must not see it either, or the row would differ from PostgreSQL's from then on.
Foreign keys are off for that, so nothing cascades.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from liteshift.changes import Respelling
from liteshift.quoting import quote
from liteshift.sqlite import triggers
from liteshift.sqlite.connect import connect
from liteshift.sqlite.guard import without_triggers
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.rules import rowid_name
from liteshift.sqlite.shapes import Shape


def respell(path: Path, rows: Sequence[Respelling], shapes: Sequence[Shape], *, busy_timeout: int) -> int:
    """Write some rows, in one transaction; those that are no longer as they were captured are left alone.

    Returns:
        How many were written.

    Raises:
        dbapi.Error: SQLite's own, such as a writer that held the file for too long.
    """
    known = {shape.name: shape for shape in shapes}
    make = partial(connect, path, preset="durable", create=False, foreign_keys=False, busy_timeout=busy_timeout)
    connection, switched = without_triggers(make)
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE").close()
        if switched:
            count = sum(_write(connection, row, known[row.table]) for row in rows)
        else:
            with _taken_out(connection):
                count = sum(_write(connection, row, known[row.table]) for row in rows)
        connection.execute("COMMIT").close()
    return count


@contextmanager
def _taken_out(connection: dbapi.Connection) -> Iterator[None]:
    """Without the file's triggers, which are made again in their order, all in the transaction that is open."""
    found = triggers.read(connection)
    triggers.change(connection, drop=[trigger.name for trigger in found])
    yield
    triggers.change(connection, make=found)


def _write(connection: dbapi.Connection, row: Respelling, shape: Shape) -> bool:
    own, rowid = quote(row.table), rowid_name(shape.every)
    same = " AND ".join(f"{quote(name)} IS ? COLLATE BINARY" for name in shape.columns)
    found = f"{rowid} = ? AND {same}"
    connection.execute("SAVEPOINT one").close()
    # Every name is quoted.
    gone = connection.execute(f"DELETE FROM {own} WHERE {found}", (row.rowid, *row.row))  # noqa: S608
    try:
        if gone.rowcount != 1:
            return False
        names = ", ".join([f"{rowid}", *map(quote, shape.columns)])
        marks = ", ".join("?" * (len(shape.columns) + 1))
        connection.execute(f"INSERT INTO {own} ({names}) VALUES ({marks})", (row.rowid, *row.new)).close()  # noqa: S608
    except dbapi.IntegrityError:  # a rule of the file's that PostgreSQL does not have: the row stays as it was
        connection.execute("ROLLBACK TO one").close()
        return False
    finally:
        gone.close()
        connection.execute("RELEASE one").close()
    return True
