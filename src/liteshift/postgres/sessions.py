"""Names the sessions of others that stand in our way: which process, whose, since when, and how to end it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from liteshift.errors import LiteshiftError
from liteshift.quoting import literal

_TELL_SECONDS = 1.0

_TRANSACTIONS = """
SELECT pid, coalesce(nullif(application_name, ''), 'no name'), coalesce(usename, ''),
       extract(epoch FROM clock_timestamp() - xact_start)::float8
  FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
 UNION ALL
SELECT NULL, gid, owner, extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_catalog.pg_prepared_xacts
 ORDER BY 4 DESC NULLS LAST
"""
_HOLDERS = """
SELECT l.pid, coalesce(nullif(a.application_name, ''), a.backend_type, 'no name'), coalesce(a.usename, ''),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8
  FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
   AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
   AND l.relation = pg_catalog.to_regclass(%s) AND (%s OR l.mode NOT IN ('AccessShareLock', 'RowShareLock'))
 ORDER BY 4 DESC NULLS LAST LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A transaction of somebody else's.

    Attributes:
        process: the server's process; None for a prepared transaction, which none has.
        application: what it calls itself; of a prepared transaction, its name.
        seconds: how long it has been open; None where our role may not see that.
    """

    process: int | None
    application: str
    user: str
    seconds: float | None

    def __str__(self) -> str:
        held = "" if self.seconds is None else f", open for {self.seconds:,.0f} s"
        if self.process is None:
            return f"the prepared transaction {self.application!r} ({self.user}){held}"
        return f"the process {self.process} ({', '.join(filter(None, (self.application, self.user)))}){held}"

    @property
    def hint(self) -> str:
        """What to type to be rid of it."""
        if self.process is None:
            return f"Try again when it has ended, or end it: ROLLBACK PREPARED {literal(self.application)};"
        return f"Try again when it has ended, or end it: SELECT pg_terminate_backend({self.process});"


def transactions(connection: psycopg.Connection[Any], *, longer: float = 0) -> list[Session]:
    """The transactions that have written and are open, which the making of a slot waits for; the oldest first.

    Args:
        longer: only those that have been open for more seconds.
    """
    rows = connection.execute(_TRANSACTIONS.encode()).fetchall()
    found = [Session(*row) for row in rows]
    return [one for one in found if one.seconds is None or one.seconds >= longer] if longer else found


def holder(connection: psycopg.Connection[Any], table: str, *, readers: bool) -> Session | None:
    """The oldest transaction that holds a table.

    Args:
        table: its name as SQL text.
        readers: whether those count that only read it.
    """
    row = connection.execute(_HOLDERS, (table, readers)).fetchone()
    return Session(*row) if row else None


@contextmanager
def telling(
    connection: psycopg.Connection[Any], tell: Callable[[str], None], waiting: psycopg.Connection[Any]
) -> Iterator[None]:
    """While the block waits for a slot to begin, tell once a second for whom.

    Args:
        connection: one that nobody else uses meanwhile.
        tell: raises where it is to wait no longer.
        waiting: the connection that waits.

    Raises:
        LiteshiftError: what `tell` has raised.
    """
    over, refused = threading.Event(), list[LiteshiftError]()

    def look() -> None:
        with suppress(psycopg.Error, OSError):  # who waits finds out itself
            while not over.wait(_TELL_SECONDS):
                if found := transactions(connection):
                    try:
                        tell(f"waiting for {found[0]}")
                    except LiteshiftError as error:
                        refused.append(error)
                        waiting.cancel()
                        return

    thread = threading.Thread(target=look, name="looks who is in the way")
    thread.start()
    try:
        yield
    except psycopg.errors.QueryCanceled:
        if refused:
            raise refused[0] from None
        raise
    finally:
        over.set()
        thread.join()
