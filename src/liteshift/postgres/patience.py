"""Waits for a table's lock in short turns, so that nobody queues up behind us."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from liteshift.errors import Locked
from liteshift.postgres.sessions import holder
from liteshift.progress import untold

_LOCK_WAIT = "100ms"  # longer, and the application would queue up behind us
_PAUSE = 0.1  # seconds
_TELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table whose lock is wanted.

    Attributes:
        table: its name as SQL text.
        shown: what to call it in messages.
        readers: whether those stand in the way who only read it.
    """

    table: str
    shown: str
    readers: bool = True


def patiently(
    connection: psycopg.Connection[Any],
    wanted: Wanted,
    act: Callable[[], None],
    *,
    deadline: float,
    tell: Callable[[str], None] = untold,
) -> None:
    """Do something that takes a table's lock, in a transaction of its own: try for a short time, again and again.

    Args:
        deadline: until when to try, by the monotonic clock.
        tell: told for whom it waits, once a second.

    Raises:
        Locked: somebody held it for too long.
    """
    told = time.monotonic()
    while True:
        try:
            with connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_WAIT,))
                act()
            return
        except psycopg.errors.LockNotAvailable:
            now = time.monotonic()
            if now > deadline:
                raise _held(connection, wanted) from None
            if now > told + _TELL_SECONDS:
                told = now
                if found := holder(connection, wanted.table, readers=wanted.readers):
                    tell(f"waiting for {found}, which holds {wanted.shown}")
        time.sleep(_PAUSE)


def _held(connection: psycopg.Connection[Any], wanted: Wanted) -> Locked:
    found = holder(connection, wanted.table, readers=wanted.readers)
    if found is None:  # it has just let go
        return Locked(f"{wanted.shown} is held by a long transaction or a vacuum", hint="Try again.")
    return Locked(f"{wanted.shown} is held by {found}", hint=found.hint)
