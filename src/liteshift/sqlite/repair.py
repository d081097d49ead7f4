"""Changes rows of the target in one transaction, and writes down first how to take the changes back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from liteshift.errors import LiteshiftError, NotInitialised
from liteshift.quoting import quote
from liteshift.sqlite.connect import connect
from liteshift.sqlite.digest import offer
from liteshift.sqlite.faults import explained, os_error
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.scan import SqliteReading
from liteshift.value import Value

BUSY_MILLISECONDS = 30_000
_ROWID_NAMES = ("rowid", "_rowid_", "oid")


@contextmanager
def repairing(path: Path, label: str, undo: Path) -> Iterator[SqliteRepairing]:
    """Begin a write transaction; commit it at the end of the block, or roll it back where the block raises.

    Raises:
        NotInitialised: there is no file.
        Locked: another connection is writing.
        LiteshiftError: the changes would leave a row without its parent, or the undo script can't be written.
    """
    if not path.exists():
        raise NotInitialised(f"there is no file {label}", hint="Make it with: liteshift migrate SOURCE TARGET")
    offer()
    # Rows are replaced one table after the other: in between, foreign keys may point nowhere and must not cascade.
    connection = connect(path, preset="durable", create=False, foreign_keys=False, busy_timeout=BUSY_MILLISECONDS)
    with explained(label), closing(connection):
        connection.execute("BEGIN IMMEDIATE").close()
        try:
            changes = SqliteRepairing(connection, label)
            yield changes
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
            if orphans:
                raise LiteshiftError(f"{label} was not changed: {len(orphans)} rows would be left without their parent")
            if changes.statements:
                _write(undo, changes.statements)
        except BaseException:
            connection.execute("ROLLBACK").close()
            raise
        connection.execute("COMMIT").close()


class SqliteRepairing(SqliteReading):
    """See `liteshift.ends.Repairing`.

    Attributes:
        statements: what takes the changes back, in the order to run it; empty where nobody wants to.
    """

    def __init__(self, connection: dbapi.Connection, label: str, *, undo: bool = True) -> None:
        super().__init__(connection, label)
        self.statements: list[str] = []
        self._undo = undo

    def numbered(self, table: str, columns: Sequence[str]) -> Iterator[tuple[int, Sequence[Value]]]:
        """Every row with its rowid."""
        names = ", ".join([self._rowid(table), *map(quote, columns)])
        query = f"SELECT {names} FROM {quote(table)} NOT INDEXED"  # noqa: S608 - every name is quoted
        with closing(self._connection.execute(query)) as cursor:
            for number, *row in cursor:
                yield number, row

    def replace(
        self, table: str, columns: Sequence[str], numbers: Sequence[int], rows: Sequence[Sequence[Value]]
    ) -> None:
        """Remove the rows of these rowids, then write these rows."""
        rowid, own = self._rowid(table), quote(table)
        names = ", ".join(map(quote, columns))
        back = []
        for number in numbers:
            if self._undo:
                found, values = self._literals(own, rowid, columns, number)
                back.append(f"INSERT INTO {own} ({rowid}, {names}) VALUES ({found}, {values});")  # noqa: S608
            self._connection.execute(f"DELETE FROM {own} WHERE {rowid} = ?", (number,)).close()  # noqa: S608
        marks = ", ".join("?" * len(columns))
        for row in rows:
            cursor = self._connection.execute(f"INSERT INTO {own} ({names}) VALUES ({marks})", row)  # noqa: S608
            if self._undo:
                self.statements.append(f"DELETE FROM {own} WHERE {rowid} = {cursor.lastrowid};")  # noqa: S608
            cursor.close()
        self.statements += back

    def _literals(self, table: str, rowid: str, columns: Sequence[str], number: int) -> tuple[int, str]:
        """A row's number and its values as SQL; what is no UTF-8 is written by its bytes."""
        for bytewise in (False, True):
            literals = " || ', ' || ".join(_literal(quote(column), bytewise=bytewise) for column in columns)
            query = f"SELECT {rowid}, {literals} FROM {table} WHERE {rowid} = ?"  # noqa: S608 - every name is quoted
            found, values = self._connection.execute(query, (number,)).fetchone()
            if not any("\ud800" <= letter <= "\udfff" for letter in values):
                break
        return found, values

    def _rowid(self, table: str) -> str:
        """The rowid's name, or an alias that no column of the table takes."""
        rows = self._connection.execute("SELECT lower(name) FROM pragma_table_xinfo(?)", (table,)).fetchall()
        taken = {name for (name,) in rows}
        return next(name for name in _ROWID_NAMES if name not in taken)


def _literal(name: str, *, bytewise: bool) -> str:
    """What writes a value as SQL: SQLite's own quote(), which would end a text at a NUL."""
    odd = "" if bytewise else f" AND instr({name}, char(0))"
    whole = f"'CAST(' || quote(CAST({name} AS BLOB)) || ' AS TEXT)'"
    return f"CASE WHEN typeof({name}) = 'text'{odd} THEN {whole} ELSE quote({name}) END"


def _write(undo: Path, statements: Sequence[str]) -> None:
    head = ["-- Takes a repair back. Run it with: sqlite3 TARGET < THIS_FILE", "PRAGMA foreign_keys=OFF;"]
    head += ["PRAGMA ignore_check_constraints=ON;", "BEGIN IMMEDIATE;"]  # what stood there may have been damaged
    try:
        descriptor = os.open(undo, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join([*head, *statements, "COMMIT;", ""]))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise os_error(error, f"the undo script {undo} can't be written, so nothing was changed") from error
