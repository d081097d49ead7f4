"""`gated` for asyncio: sessions behind the gate, on whichever database is live.

A task can be cancelled while the database is at work for it, in a thread or on the server. So a write ends in a task of
its own: whatever happens to the one that waits for it, the gate is let go when the database is done, and not before.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import aiosqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import async_sessionmaker

from liteshift.app.engines import POOL, AsyncEngines, PoolSettings, make_async_engines
from liteshift.app.gate import Passage
from liteshift.app.gated import DrainWatcher, check_urls, is_fenced, say_unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
    from types import TracebackType

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from liteshift.app.gate import Gate
    from liteshift.route import Side
    from liteshift.sqlite.connect import Preset

__all__ = ["AsyncGatedEngines"]

Done = TypeVar("Done")


class AsyncGatedEngines:
    """As `gated.GatedEngines`, for the tasks of one event loop."""

    def __init__(
        self,
        gate: Gate,
        urls: Mapping[Side, str],
        *,
        preset: Preset = "fast",
        pool: PoolSettings = POOL,
        echo: bool = False,
        sessions: async_sessionmaker[AsyncSession] | None = None,
        prepare: Callable[[Side, AsyncEngines], AsyncEngines] | None = None,
    ) -> None:
        check_urls(urls)
        self.gate = gate
        self._urls = dict(urls)
        self._settings: dict[str, Any] = {"preset": preset, "pool": pool, "echo": echo, "create": False}
        self._sessions = sessions or async_sessionmaker()
        self._prepare = prepare
        self._engines: dict[Side, AsyncEngines] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        gate.watch(DrainWatcher(self._warm_meanwhile))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A session on the live side's writer; committed at the end of the block, rolled back when the block raises.

        Raises:
            GateTimeout: the pause was longer than the gate's patience; the block did not run.
        """
        while True:
            side = self.gate.reading()  # the order of things is `gated`'s
            async with AsyncExitStack() as open_yet:
                connection = await open_yet.enter_async_context(self.engines(side).writer.connect())
                passage = Passage(self.gate)
                open_yet.callback(passage.leave)
                if passage.enters() and passage.side == side:
                    open_yet.push_async_exit(await _quiet(connection))
                    session = await open_yet.enter_async_context(self._sessions(bind=connection))
                    await open_yet.enter_async_context(session.begin())
                    opened = open_yet.pop_all()
                    try:
                        yield session
                    except BaseException as error:
                        await self._end(opened, error)
                        raise
                    await self._end(opened, None)
                    return
            async with self.gate.writing_async():
                pass

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session on the reader of the side that is live now; never waits at the gate."""
        async with self._sessions(bind=self.engines(self.gate.reading()).reader) as session:
            yield session

    async def write(self, work: Callable[[AsyncSession], Awaitable[Done]]) -> Done:
        """Do a piece of work in a `writing` session, and give back what it returns; once more as `gated` has it."""
        try:
            async with self.writing() as session:
                return await work(session)
        except DBAPIError as error:
            if not is_fenced(error):
                raise
        async with self.writing() as session:
            return await work(session)

    def engines(self, side: Side) -> AsyncEngines:
        """A side's engines, live or not."""
        if side not in self._engines:
            made = make_async_engines(self._urls[side], **self._settings)
            self._engines[side] = made if self._prepare is None else self._prepare(side, made)
        return self._engines[side]

    async def warm(self, side: Side) -> None:
        """Open a connection of each kind, so that the first to use that side need not wait for it."""
        engines = self.engines(side)
        async with engines.writer.connect(), engines.reader.connect():
            pass

    async def dispose(self) -> None:
        """Wait for writes that are ending, and close the connections that nobody is using."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for engines in self._engines.values():
            await engines.dispose()

    def _warm_meanwhile(self, side: Side) -> None:
        with suppress(RuntimeError):  # no loop here: another user of the gate has noticed first
            self._task(self._try_to_warm, side)

    async def _try_to_warm(self, side: Side) -> None:
        try:
            await self.warm(side)
        except Exception as error:
            say_unreachable(side, error)

    async def _end(self, opened: AsyncExitStack, error: BaseException | None) -> None:
        how = (type(error), error, error.__traceback__) if error else (None, None, None)
        await asyncio.shield(self._task(opened.__aexit__, *how))

    def _task(self, act: Callable[..., Coroutine[Any, Any, Any]], *arguments: object) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(act(*arguments))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has heard it


async def _quiet(connection: AsyncConnection) -> Callable[..., Awaitable[None]]:
    """What waits, after a failure, until the thread of an SQLite connection has done all that it was told.

    After a cancellation SQLAlchemy may have turned its back on a connection whose thread is about to commit.
    (PostgreSQL needs no such thing: there the fence waits for every transaction.)
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    has_thread = isinstance(driver, aiosqlite.Connection)

    async def wait(kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None or not has_thread:
            return
        try:
            if driver._running:
                await driver._execute(lambda: None)
            while not driver._running and driver._thread.is_alive():
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:  # the loop ends
            driver.stop()
            driver._thread.join()
            raise

    return wait
