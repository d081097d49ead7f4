"""The gate's keeper: who moves an application from one side to the other while it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from liteshift.errors import LiteshiftError, Locked
from liteshift.gatefile import GateFile, Hold
from liteshift.route import Route, RouteFile, Side, State, gate_of, side_named

if TYPE_CHECKING:
    import os

_LOOK_AGAIN = 0.001


class Keeper:
    """The one who holds an application's writes, and sends them to another side: `flow.Held`.

    Every step may be done again, also by a new process after one that was killed: what counts is what the route says.
    Whoever runs a keeper sees to it that no other is at work on the same route.

    Args:
        path: the route file.

    Raises:
        UsageError: a route file is not called that.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = RouteFile(path)
        self._gate = GateFile(gate_of(self._file.path))
        self._lock = Hold(self._gate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def establish(self, side: Side) -> Route:
        """See that there are a gate and a route; the route that is there now.

        Args:
            side: where the application lives, if there is no route yet.
        """
        self._gate.create()
        self._file.create(Route(side))
        return self._file.read()

    def route(self) -> Route:
        """What the route says; raises as `RouteFile.read`."""
        return self._file.read()

    def drain(self, until: float | None) -> None:
        """Let no new write begin; those that run may end.

        Args:
            until: seconds since 1970; past it, writes that find the gate free take us for dead and go on where they
                were. None from when on they must not, whatever becomes of us: another has to switch or reopen.

        Raises:
            LiteshiftError: route or gate are not there, or not ours to change; nothing has changed.
        """
        self._lock.ensure()
        now = self._file.read()
        if now.state is State.OPEN:
            self._file.sweep()
            self._lock.count_anew()
        self._file.replace(Route(now.active, now.epoch, State.DRAINING, until))

    def hold(self, *, seconds: float) -> None:
        """Wait until every write that runs has ended; from here on no write runs until `switch`, `reopen` or our end.

        Args:
            seconds: how long to wait.

        Raises:
            Locked: one still ran when the time was over, or past the moment until which we drain: reopen the gate.
            LiteshiftError: nobody drains.
        """
        if self._file.read().state is not State.DRAINING:
            raise LiteshiftError(f"{self._file.path} does not drain, so writes can't be held")
        deadline = time.monotonic() + seconds
        while not self._lock.exclusive():
            if time.monotonic() >= deadline:
                processes = ", ".join(map(str, self.holders())) or "that can't be seen from here"
                raise Locked(
                    f"{self._gate.path}: a write still ran after {seconds:g} s, in process {processes}",
                    hint="Try again when it has ended, or allow more time.",
                )
            time.sleep(_LOOK_AGAIN)
        if not self._file.read().holds(time.time()):
            self.release()
            raise Locked(f"{self._file.path}: the running writes ended too late to go on", hint="Try again.")

    def take(self, *, seconds: float) -> None:
        """Hold writes for one who was killed past the point where the application could stay where it was.

        A route that is open is left alone: he had switched it. Raises as `hold`.
        """
        if self._file.read().state is State.DRAINING:
            self.drain(None)
            self.hold(seconds=seconds)

    def switch(self, side: str) -> None:
        """Let everything go on on a side, and let go of the gate; done already is fine.

        Raises:
            UsageError: there is no such side.
            LiteshiftError: writes are not held.
        """
        to = side_named(side)
        now = self._file.read()
        if now.state is State.DRAINING or now.active != to:
            if not self.held():
                raise LiteshiftError(f"{self._gate.path} is not held, so {to} can't become the live side")
            self._file.replace(Route(to, now.epoch + (now.active != to)))
        self.release()

    def reopen(self) -> None:
        """Let everything go on where it was, and let go of the gate; open already is fine."""
        now = self._file.read()
        if now.state is State.DRAINING:
            self._file.replace(Route(now.active, now.epoch))
        self.release()

    def release(self) -> None:
        """Let go of the gate, whatever the route says."""
        self._lock.unlock()

    def is_on(self, side: str) -> bool:
        """Whether everything goes on on this side."""
        now = self._file.read()
        return now.state is State.OPEN and now.active == side_named(side)

    def held(self) -> bool:
        """Whether we keep every write out."""
        return self._lock.is_exclusive and self._lock.in_place()

    def holders(self) -> list[int]:
        """The processes that hold the gate, as far as this system tells: whose writes run, or whoever holds writes."""
        return self._gate.holders()

    def waited(self) -> int:
        """How many writes have had to wait since this drain began."""
        self._lock.ensure()
        return self._lock.counted()

    def close(self) -> None:
        """Close the gate file, and let go of it."""
        self._lock.drop()
        self._gate.close()
