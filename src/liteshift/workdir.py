"""The folder of a live move, beside its target: the lock, the logbook and the reports."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liteshift.asking import Asking
from liteshift.durable import replace_file
from liteshift.errors import Locked
from liteshift.logbook import Logbook

_LOCK = "LITESHIFT_LOCK"
_PATIENCE = 1.0  # seconds; whoever only looks whether the lock is taken holds it for a moment


class Workdir:
    """A move's folder; made for its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self.logbook = Logbook(path / "logbook.json")
        self.asking = Asking(path)

    @classmethod
    def beside(cls, target: Path) -> Workdir:
        """The folder of a target where none is named."""
        return cls(target.with_name(f"{target.name}.liteshift"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one process that runs this move.

        Raises:
            Locked: another one does.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = self._inherited()
        if descriptor is None:
            descriptor = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            deadline = time.monotonic() + _PATIENCE
            while not _lock(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise self.taken()
                time.sleep(0.02)
            self._lock = descriptor
            yield
        finally:
            self._lock = None
            os.close(descriptor)

    def taken(self) -> Locked:
        """What to say where another process runs this move."""
        return Locked(
            f"another process runs the move in {self.path}",
            hint="Ask it for what you want (liteshift status, cutover, rollback, abort), or end it first.",
        )

    def bequeath(self) -> None:
        """Let the program that takes our place in this process keep the lock."""
        if self._lock is not None:
            os.set_inheritable(self._lock, True)
            os.environ[_LOCK] = str(self._lock)

    @staticmethod
    def is_bequeathed() -> bool:
        """Whether the program before us in this process has left us its lock."""
        return _LOCK in os.environ

    def _inherited(self) -> int | None:
        """The lock that the program before us in this process had."""
        found = os.environ.pop(_LOCK, "")
        if not found.isdigit():
            return None
        try:
            same = os.path.samestat(os.fstat(int(found)), (self.path / "lock").stat())
        except OSError:
            return None
        os.set_inheritable(int(found), False)
        return int(found) if same else None

    def is_run(self) -> bool:
        """Whether a process runs this move just now."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def file(self, name: str, text: str) -> None:
        """Keep a text, whole or not at all, for its owner only."""
        replace_file(self.path / name, text)

    def await_end(self) -> None:
        """Wait until no process runs this move any more."""
        while self.is_run():
            time.sleep(0.05)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
