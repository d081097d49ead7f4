"""What a database's error means to the caller of the service: told by error name, not by message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import problems
from liteshift.app.gated import is_fenced

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

    from app.problems import Kind

# The first two words of SQLite's error name; extended names such as SQLITE_BUSY_SNAPSHOT only add to them.
SQLITE: dict[str, Kind] = {
    "SQLITE_BUSY": problems.DATABASE_BUSY,
    "SQLITE_LOCKED": problems.DATABASE_BUSY,
    "SQLITE_CORRUPT": problems.DATABASE_CORRUPT,
    "SQLITE_NOTADB": problems.DATABASE_CORRUPT,
    "SQLITE_FULL": problems.DATABASE_FULL,
    "SQLITE_IOERR": problems.DATABASE_IO_ERROR,
    "SQLITE_CANTOPEN": problems.DATABASE_IO_ERROR,
    "SQLITE_READONLY": problems.DATABASE_IO_ERROR,
    "SQLITE_PERM": problems.DATABASE_IO_ERROR,
}

# PostgreSQL's SQLSTATE, or its class: the first two characters.
POSTGRESQL: dict[str, Kind] = {
    "40001": problems.DATABASE_BUSY,  # serialization_failure
    "40P01": problems.DATABASE_BUSY,  # deadlock_detected
    "55P03": problems.DATABASE_BUSY,  # lock_not_available: lock_timeout is over
    "57014": problems.DATABASE_BUSY,  # query_canceled: statement_timeout is over
    "53300": problems.DATABASE_BUSY,  # too_many_connections
    "53100": problems.DATABASE_FULL,  # disk_full
    "58030": problems.DATABASE_IO_ERROR,  # io_error
    "08": problems.DATABASE_UNAVAILABLE,  # connection_exception
    "57": problems.DATABASE_UNAVAILABLE,  # operator_intervention: shutting down, starting up
    "XX001": problems.DATABASE_CORRUPT,  # data_corrupted
    "XX002": problems.DATABASE_CORRUPT,  # index_corrupted
}


def error_name(error: SQLAlchemyError) -> str:
    """What the database itself calls the error: SQLite's error name, PostgreSQL's SQLSTATE, or nothing."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""


def kind_of(error: SQLAlchemyError) -> Kind:
    """Which problem a database's error is."""
    if isinstance(error, PoolTimeout):
        return problems.DATABASE_BUSY
    if is_fenced(error):
        return problems.DATABASE_MOVING
    name = error_name(error)
    if isinstance(error, IntegrityError) and _is_about_uniqueness(error, name):
        return problems.NAME_TAKEN  # the one unique rule that a request can break
    if name.startswith("SQLITE_"):
        return SQLITE.get("_".join(name.split("_")[:2]), problems.INTERNAL_ERROR)
    if name:
        return POSTGRESQL.get(name) or POSTGRESQL.get(name[:2], problems.INTERNAL_ERROR)
    if isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return problems.DATABASE_UNAVAILABLE  # PostgreSQL never answered, or went away
    return problems.INTERNAL_ERROR


def _is_about_uniqueness(error: IntegrityError, name: str) -> bool:
    # pysqlite3 says SQLITE_CONSTRAINT for every kind of constraint, so here the message has to be asked.
    return name in ("23505", "SQLITE_CONSTRAINT_UNIQUE") or str(error.orig).startswith("UNIQUE constraint failed")
