"""Writes values of the file as PostgreSQL has them, without anybody's triggers taking note.

Each row is removed and put back under its number. Foreign keys are off for that, so nothing cascades; what our own
triggers wrote down meanwhile is struck out, within the same transaction, in which nobody else can write.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from liteshift.changes import Respelling
from liteshift.quoting import quote
from liteshift.sqlite import state
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.rules import rowid_name
from liteshift.sqlite.shapes import Shape
from liteshift.sqlite.witnesses import LOG, STASH


def respell(path: Path, rows: Sequence[Respelling], shapes: Sequence[Shape], *, busy_timeout: int) -> int:
    """Write some rows, in one transaction; those that are no longer as they were captured are left alone.

    Returns:
        How many were written.

    Raises:
        dbapi.Error: SQLite's own, such as a writer that held the file for too long.
    """
    known = {shape.name: shape for shape in shapes}
    connection = connect(path, preset="durable", create=False, foreign_keys=False, busy_timeout=busy_timeout)
    with closing(connection):
        connection.execute("PRAGMA recursive_triggers=0").close()
        connection.execute("BEGIN IMMEDIATE").close()
        state.put(connection, state.RESPELLING, 1)
        (last,) = connection.execute(f"SELECT max(id) FROM {LOG}").fetchone()  # noqa: S608 - our own name
        count = sum(_write(connection, row, known[row.table]) for row in rows)
        connection.execute(f"DELETE FROM {LOG} WHERE id > ?", (last,)).close()  # noqa: S608 - our own name
        connection.execute(f"DELETE FROM {STASH}").close()  # noqa: S608 - our own name
        state.put(connection, state.RESPELLING, None)
        connection.execute("COMMIT").close()
    return count


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
