"""Copies a database page by page, between connections, while others use both."""

from __future__ import annotations

import time

from liteshift.errors import Locked
from liteshift.progress import Progress, Step, silent
from liteshift.sqlite.library import dbapi

_PAGES = 4096
_BUSY, _LOCKED = 5, 6


def copy_pages(
    source: dbapi.Connection,
    target: dbapi.Connection,
    *,
    subject: str,
    stage: str,
    progress: Progress = silent,
    patience: float = 30,
) -> None:
    """Make the target's content the source's, in one transaction of the target's.

    Call it inside `check.snapshot(source)`: then it is a copy of that moment, whoever writes. Without, SQLite begins
    again whenever another connection writes.

    Args:
        patience: seconds to wait for a lock; Python's own `timeout` does not end the waiting.

    Raises:
        Locked: somebody held the target, or the source, for too long; the target is as it was.
        dbapi.Error: what SQLite says; the target is as it was.
    """
    # SQLite's own waiting sleeps longer and longer, and a writer that is never idle would starve us: try often.
    target.execute("PRAGMA busy_timeout=0").close()
    deadline = time.monotonic() + patience

    def tell(status: int, remaining: int, total: int) -> None:
        nonlocal deadline
        now = time.monotonic()
        if status & 0xFF not in (_BUSY, _LOCKED):
            deadline = now + patience
            progress(Step(stage, subject, total - remaining, total))
        elif now > deadline:
            raise Locked(
                f"{subject} has been locked by another connection for {patience:g} seconds",
                hint="Try again when it has finished its transaction.",
            )

    source.backup(target, pages=_PAGES, progress=tell, sleep=0.002)
