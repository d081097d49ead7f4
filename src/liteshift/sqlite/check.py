"""Whether a SQLite file is sound, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from liteshift.quoting import quote
from liteshift.sqlite.library import dbapi

_MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Check:
    """What one look at a database found.

    Attributes:
        problems: damage and dangling references, in words; empty when all is well.
        rows: how many rows each table has; a table that can't be counted is left out.
        alembic_revision: what Alembic says the schema is at, where the application uses Alembic.
    """

    problems: tuple[str, ...]
    rows: dict[str, int]
    alembic_revision: str | None


def check(connection: dbapi.Connection) -> Check:
    """Read the whole file: `integrity_check`, `foreign_key_check`, every table's rows. Call it inside a `snapshot`."""
    problems = [*_integrity(connection), *_references(connection)]
    rows: dict[str, int] = {}
    revision = None
    try:
        for table in tables(connection):
            (rows[table],) = connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()  # noqa: S608
        if "alembic_version" in rows:
            heads = connection.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
            revision = ",".join(str(head) for (head,) in heads) or None
    except dbapi.DatabaseError as error:
        problems.append(str(error))
    return Check(tuple(dict.fromkeys(problems)), rows, revision)


def tables(connection: dbapi.Connection) -> list[str]:
    """The names of all ordinary tables."""
    found = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow')"
        " AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name"
    )
    return [name for (name,) in found.fetchall()]


@contextmanager
def snapshot(connection: dbapi.Connection) -> Iterator[None]:
    """See the database as it is now until the end of the block, whatever others write."""
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # BEGIN alone takes no snapshot
        yield
    finally:
        connection.rollback()


def _integrity(connection: dbapi.Connection) -> list[str]:
    try:
        found = connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()
    except dbapi.DatabaseError as error:
        return [str(error)]
    lines = [line for (text,) in found for line in str(text).splitlines()]
    return [line for line in lines if line != "ok" and not line.startswith("*** in database")]


def _references(connection: dbapi.Connection) -> list[str]:
    try:
        found = connection.execute(
            'SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2'
        ).fetchall()
    except dbapi.DatabaseError as error:
        return [str(error)]
    return [f"{count} rows of {table} refer to rows of {parent} that are not there" for table, parent, count in found]
