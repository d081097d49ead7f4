"""Whose turn it is to write.

Endpoints run in threads, of which there are forty. SQLite has one writer at a time; if the others waited in threads,
there would soon be none for readers, who need not wait at all. So writers wait here, before they get a thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio
from fastapi import Depends, Request
from sqlalchemy.exc import TimeoutError as PoolTimeout

if TYPE_CHECKING:
    from app.config import Settings
    from app.db import Database


class Turns:
    """As many writers at once as the live database has connections for them; the others wait in the order they came."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._connections = settings.pool_size + settings.max_overflow
        self._patience = settings.pool_timeout
        self._limiter = anyio.CapacityLimiter(1)

    async def take(self) -> None:
        """Wait for a turn.

        Raises:
            PoolTimeout: it took too long; the caller is told that the database is busy.
        """
        self._limiter.total_tokens = 1 if self._database.live == "sqlite" else self._connections
        try:
            with anyio.fail_after(self._patience):
                await self._limiter.acquire()
        except TimeoutError:
            raise PoolTimeout(f"no turn to write within {self._patience:g} s") from None

    def give_back(self) -> None:
        """Let the next one in."""
        self._limiter.release()


async def _take_turn(request: Request) -> AsyncIterator[None]:
    turns: Turns = request.app.state.turns
    await turns.take()
    try:
        yield
    finally:
        turns.give_back()


# It ends with the endpoint, not after the answer has been sent.
TURN_TO_WRITE = Depends(_take_turn, scope="function")
