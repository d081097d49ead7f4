"""Which database an application lives on: what the route file says, and how it is read and replaced.

The route is a small JSON file such as `app.db.route`:

    {"active": "postgresql", "epoch": 1, "state": "open", "until": null}

Beside it is the gate file, `app.db.gate` (see `gatefile`): a write holds it shared, who moves the application holds it
exclusively. Applications (`app.gate`) and the one who switches (`keeper`) share these two files and nothing else.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from liteshift.durable import sync
from liteshift.errors import LiteshiftError, NotInitialised, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Side = Literal["postgresql", "sqlite"]
SIDES: tuple[Side, ...] = get_args(Side)
SUFFIX = ".route"
_LARGEST = 4096
_replacing = threading.Lock()


class State(StrEnum):
    """Whether writes may begin. OPEN: yes. DRAINING: those that run may end, new ones wait."""

    OPEN = "open"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Route:
    """What a route file says.

    Attributes:
        active: the side that the application lives on.
        epoch: how many times it has moved from one side to the other.
        state: whether writes may begin.
        until: while draining, the moment (seconds since 1970) from which a write that finds the gate free may take the
            one who drains for dead, and go on where it was; None where it never may.
    """

    active: Side
    epoch: int = 0
    state: State = State.OPEN
    until: float | None = None

    def holds(self, now: float) -> bool:
        """Whether a write that begins now has to wait."""
        return self.state is State.DRAINING and (self.until is None or now < self.until)


def other(side: Side) -> Side:
    """The side across."""
    return "sqlite" if side == "postgresql" else "postgresql"


def side_named(name: str) -> Side:
    """The side of that name.

    Raises:
        UsageError: there is none.
    """
    for side in SIDES:
        if name == side:
            return side
    raise UsageError(f"{name!r} is no side to live on", hint="It is postgresql or sqlite.")


def beside(database: Path) -> Path:
    """The route of an SQLite file: `app.db.route` for `app.db`."""
    return database.with_name(database.name + SUFFIX)


def gate_of(route: Path) -> Path:
    """The gate file of a route.

    Raises:
        UsageError: a route file is not called that.
    """
    if route.suffix != SUFFIX:
        raise UsageError(f"{route} is no name of a route file", hint=f"It ends in {SUFFIX}, such as app.db{SUFFIX}.")
    return route.with_suffix(".gate")


class RouteFile:
    """A route file. Any number of threads and processes may read it while it is replaced.

    Args:
        path: where it is; its name ends in `.route`.

    Raises:
        UsageError: the name is another.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        gate_of(self.path)
        self._seen: tuple[tuple[int, int, int], Route] | None = None

    def read(self) -> Route:
        """What it says; the same object as long as the file is the same, for the price of one `stat`.

        Raises:
            NotInitialised: there is none.
            LiteshiftError: it can't be read, or makes no sense.
        """
        try:
            there, seen = _identity(self.path.stat()), self._seen
            if seen is not None and seen[0] == there:
                return seen[1]
            with self.path.open("rb") as file:
                there, content = _identity(os.fstat(file.fileno())), file.read(_LARGEST)
        except FileNotFoundError as error:
            raise self._missing() from error
        except OSError as error:
            raise LiteshiftError(f"the route file {self.path} can't be read: {error.strerror}") from error
        route = _decoded(content, self.path)
        self._seen = there, route
        return route

    def create(self, route: Route) -> bool:
        """Make the file, whole and at once; whether it was made: one that is there is left alone.

        Raises:
            LiteshiftError: it can't be made.
        """
        with self._written(route, None) as temporary:
            try:
                os.link(temporary, self.path)
            except FileExistsError:
                return False
            sync(self.path.parent)
        return True

    def replace(self, route: Route) -> None:
        """Put another route in its place, whole, at once and durably. Readers see the old one or the new one.

        Raises:
            NotInitialised: there is no route to replace.
            LiteshiftError: it can't be replaced; the old one is still there.
        """
        try:
            before = self.path.stat()
        except FileNotFoundError as error:
            raise self._missing() from error
        with self._written(route, before) as temporary:
            temporary.replace(self.path)
            sync(self.path.parent)

    def sweep(self) -> None:
        """Remove what killed processes left beside it; for the only one who replaces it."""
        for left in self.path.parent.glob(f".{self.path.name}.*.new"):
            left.unlink(missing_ok=True)

    @contextmanager
    def _written(self, route: Route, before: os.stat_result | None) -> Iterator[Path]:
        """A new file with this content, as durable as the disk is; removed at the end if it is still there."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            with _replacing, _cleared(temporary):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                descriptor = os.open(temporary, flags, 0o660)
                try:
                    os.write(descriptor, _encoded(route))
                    if before is not None:
                        _keep_owner(descriptor, before)
                        _be_younger(descriptor, before)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                yield temporary
        except OSError as error:
            raise LiteshiftError(f"the route file {self.path} can't be written: {error.strerror}") from error

    def _missing(self) -> NotInitialised:
        return NotInitialised(
            f"there is no route file {self.path}: nothing says which database is live",
            hint=f"Type: liteshift gate create {self.path}",
        )


@contextmanager
def _cleared(path: Path) -> Iterator[None]:
    """No file there, neither before nor after."""
    path.unlink(missing_ok=True)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def _identity(there: os.stat_result) -> tuple[int, int, int]:
    return there.st_mtime_ns, there.st_ino, there.st_size


def _keep_owner(descriptor: int, before: os.stat_result) -> None:
    """Whoever could read the old file can read the new one."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, before.st_mode & 0o777)


def _be_younger(descriptor: int, before: os.stat_result) -> None:
    """Make the time of change grow: the new file may get the inode of the one before the last, and their size."""
    wanted = max(time.time_ns(), before.st_mtime_ns + 1)
    os.utime(descriptor, ns=(wanted, wanted))
    if os.fstat(descriptor).st_mtime_ns <= before.st_mtime_ns:  # a file system that counts in seconds
        os.utime(descriptor, ns=(wanted + 2 * 10**9, wanted + 2 * 10**9))


def _encoded(route: Route) -> bytes:
    words = {"active": route.active, "epoch": route.epoch, "state": route.state.value, "until": route.until}
    return (json.dumps(words) + "\n").encode()


def _decoded(content: bytes, path: Path) -> Route:
    try:
        words = json.loads(content)
        if not isinstance(words, dict) or words.keys() != {"active", "epoch", "state", "until"}:
            raise ValueError("it has other words than active, epoch, state and until")
        active, epoch, until = words["active"], words["epoch"], words["until"]
        state = State(words["state"])
        if active not in SIDES:
            raise ValueError(f"{active!r} is no side")
        if type(epoch) is not int or epoch < 0:
            raise ValueError(f"{epoch!r} is no epoch")
        if until is not None and (type(until) not in (int, float) or not math.isfinite(until)):
            raise ValueError(f"{until!r} is no moment")
        if until is not None and state is State.OPEN:
            raise ValueError(f"it is {state} until {until}")
    except (ValueError, RecursionError) as error:
        raise LiteshiftError(
            f"the route file {path} makes no sense, so nothing says which database is live: {error}",
            hint="Find out which database has the newest rows; then remove the file, and type: "
            f"liteshift gate create --active SIDE {path}",
        ) from error
    return Route(active, epoch, state, until)
