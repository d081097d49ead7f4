"""The gate: where an application's writes wait while it is moved from one database to the other.

    gate = Gate("app.db.route")

    with gate.writing() as side:  # "postgresql" or "sqlite"
        ...                       # write there, and commit

A write holds the gate while its block runs, so the one who moves the application knows when none runs any more. In the
pause that follows, new writes wait, and then go on with the side that is live by then. Reads ask where to go, and never
wait. Every process of the application has a gate of its own on the same file; none needs a restart, ever.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Protocol

from liteshift.errors import Locked
from liteshift.gatefile import GateFile
from liteshift.route import RouteFile, gate_of

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterator

    from liteshift.route import Route, Side

__all__ = ["Gate", "GateTimeout", "Watcher"]

_FIRST_SLEEP, _LONGEST_SLEEP, _GROWTH = 0.001, 0.01, 1.5


class GateTimeout(Locked):
    """A write waited at the gate for as long as it may, and did not run: try again later.

    Attributes:
        retry_after: seconds to wait before, as for HTTP's Retry-After.
    """

    retry_after = 1


class Watcher(Protocol):
    """Told what happens at a gate, in the thread where it happens; must neither raise nor take long."""

    def moved(self, before: Route, now: Route) -> None:
        """The route says something else."""
        ...

    def waited(self, seconds: float, *, entered: bool) -> None:
        """A write had to wait, and then ran, or gave up."""
        ...


class Gate:
    """The gate on a route, for all threads and tasks of this process, and for its children after a fork.

    Args:
        path: the route file; its name ends in `.route`.
        patience: how many seconds a write may wait; longer than the pause of a switch may last, or one that is undone
            fails it.

    Raises:
        UsageError: a route file is not called that.
        NotInitialised: there is no route, or no gate file.
        LiteshiftError: the route makes no sense, or one of the files can't be opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 15) -> None:
        self.patience = patience
        self._watchers: list[Watcher] = []
        self._route = RouteFile(path)
        self._file = GateFile(gate_of(self._route.path))
        self._last = self._route.read()
        self._file.take().give_back()

    def route(self) -> Route:
        """What the route file says now.

        Raises:
            LiteshiftError: it is gone, or makes no sense.
        """
        now = self._route.read()
        if now is not self._last:
            before, self._last = self._last, now
            for watcher in self._watchers:
                watcher.moved(before, now)
        return now

    def reading(self) -> Side:
        """The side to read from, now; raises as `route`."""
        return self.route().active

    @contextmanager
    def writing(self) -> Iterator[Side]:
        """Hold the gate while the block runs, and give the side to write to. Commit inside the block.

        A block inside another is a write of its own, for which the outer one would have to wait: don't.

        Raises:
            GateTimeout: the pause was longer than our patience; the block did not run.
            LiteshiftError: as `route`; the block did not run.
        """
        passage = self.enter()
        try:
            yield passage.side
        finally:
            passage.leave()

    @asynccontextmanager
    async def writing_async(self) -> AsyncIterator[Side]:
        """As `writing`, for asyncio. The block may not end before the database has done what it was told.

        (A task that is cancelled can leave a COMMIT on its way. The sessions of `gated_async` wait for it.)
        """
        passage = await self.enter_async()
        try:
            yield passage.side
        finally:
            passage.leave()

    def enter(self) -> Passage:
        """What `writing` does at its beginning; who enters must leave. Raises as `writing`."""
        passage = Passage(self)
        try:
            for seconds in passage.sleeps():
                time.sleep(seconds)
        except BaseException:
            passage.leave()
            raise
        return passage

    async def enter_async(self) -> Passage:
        """What `writing_async` does at its beginning; who enters must leave. Raises as `writing`."""
        passage = Passage(self)
        try:
            for seconds in passage.sleeps():
                await asyncio.sleep(seconds)
        except BaseException:
            passage.leave()
            raise
        return passage

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody what happens from here on."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """Close the gate file; writes that run keep it until they end."""
        self._file.close()


class Passage:
    """One write's way through a gate. Who makes one leaves it, once.

    Attributes:
        side: where to write, once it has entered.
    """

    side: Side

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._hold = gate._file.take()

    def sleeps(self) -> Iterator[float]:
        """Enter: how long to sleep, each time before the next try; ends when it has entered."""
        if self.enters():
            return
        began = time.monotonic()
        self._hold.count()
        entered, sleep = False, _FIRST_SLEEP
        try:
            while not entered:
                left = began + self._gate.patience - time.monotonic()
                if left <= 0:
                    raise GateTimeout(
                        f"{self._gate._file.path}: writes were held for more than {self._gate.patience:g} s",
                        hint="Try again in a moment: the application is being moved to another database.",
                    )
                yield min(sleep, left)
                sleep = min(sleep * _GROWTH, _LONGEST_SLEEP)
                # Who waits leaves the lock alone, so as to be in nobody's way.
                entered = not self._gate.route().holds(time.time()) and self.enters()
        finally:
            for watcher in self._gate._watchers:
                watcher.waited(time.monotonic() - began, entered=entered)

    def enters(self) -> bool:
        """Enter if that can be done at once; whether it has entered. Raises as `Gate.route`."""
        if not self._hold.shared():
            return False
        # Past `until` nobody can be holding writes, or we would not have the lock: who drained is dead.
        route = self._gate.route()
        if route.holds(time.time()):
            self._hold.unlock()
            return False
        self.side = route.active
        return True

    def leave(self) -> None:
        """The write has ended, and all that it did is committed or rolled back."""
        self._hold.give_back()
