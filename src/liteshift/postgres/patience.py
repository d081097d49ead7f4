"""Waits for a table's lock in short turns, so that nobody queues up behind us."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from liteshift.errors import Locked

_LOCK_WAIT = "100ms"  # longer, and the application would queue up behind us
_PAUSE = 0.1  # seconds


def patiently(connection: psycopg.Connection[Any], held: str, act: Callable[[], None], *, deadline: float) -> None:
    """Do something that takes a table's lock, in a transaction of its own: try for a short time, again and again.

    Args:
        held: what to call the table where somebody holds it.
        deadline: until when to try, by the monotonic clock.

    Raises:
        Locked: somebody held it for too long.
    """
    while True:
        try:
            with connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_WAIT,))
                act()
            return
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > deadline:
                raise Locked(
                    f"{held} is held by a long transaction or a vacuum",
                    hint="Try again when it has ended; pg_stat_activity shows it.",
                ) from None
        time.sleep(_PAUSE)
