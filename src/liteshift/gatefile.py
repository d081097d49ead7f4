"""The gate file: locks that a process which dies lets go by itself.

A write holds the file shared while it runs, in whatever process; who switches holds it exclusively, and so waits for
every write that runs and keeps new ones out. The locks are flock(2)'s: each belongs to one open file description, so
every holder opens the file anew, and no child may keep what its parent has open: a lock ends with its last descriptor.

The file must stay where it is: a lock on a file that is gone, or that was replaced, keeps nobody out. So whoever gets
one looks whether the file is still in place. Its length is how many writes had to wait since it was last emptied.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from liteshift.errors import LiteshiftError, NotInitialised

_KEPT = 64
_NONE = -1


class GateFile:
    """A gate file, and the descriptors that this process has on it.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: set[Hold] = set()
        self._idle: list[Hold] = []
        self._closed = False
        _alive.add(self)

    def create(self) -> None:
        """Make the file; one that is there is left alone.

        Raises:
            LiteshiftError: it can't be made.
        """
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o660))
        except OSError as error:
            raise LiteshiftError(f"the gate file {self.path} can't be made: {error.strerror}") from error

    def take(self) -> Hold:
        """A holder without a lock, whom nobody else has.

        Raises:
            NotInitialised: the file is gone.
            LiteshiftError: it can't be opened.
        """
        try:
            return self._idle.pop()
        except IndexError:
            hold = Hold(self)
            hold.ensure()
            return hold

    def holders(self) -> list[int]:
        """The processes that hold a lock, as far as this system tells."""
        try:
            there = self.path.stat()
            lines = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return []
        where = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
        found = [line.split() for line in lines]
        # 1: FLOCK  ADVISORY  READ 4711 08:01:1234 0 EOF; one that waits has an arrow before its kind
        return sorted({int(words[4]) for words in found if words[1] == "FLOCK" and words[5] == where})

    def close(self) -> None:
        """Close what nobody holds now, and the rest when it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().drop()

    def _abandon(self) -> None:
        """In a forked child: no lock of the parent's is ours, nor may it last as long as we do."""
        self._idle.clear()
        for hold in list(self._open):
            hold.drop()


class Hold:
    """One holder of a gate file, with at most one lock.

    Attributes:
        is_exclusive: whether its lock is the only one.
    """

    def __init__(self, file: GateFile) -> None:
        self.is_exclusive = False
        self._file = file
        self._descriptor = _NONE

    def shared(self) -> bool:
        """Try to get a lock beside others of its kind; whether it was got.

        Raises:
            NotInitialised: the file is gone.
            LiteshiftError: it can't be opened.
        """
        return self._lock(fcntl.LOCK_SH)

    def exclusive(self) -> bool:
        """Try to get the only lock; whether it was got. Raises as `shared`."""
        return self._lock(fcntl.LOCK_EX)

    def unlock(self) -> None:
        """Let go of the lock, if there is one."""
        self.is_exclusive = False
        if self._descriptor != _NONE:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def give_back(self) -> None:
        """Let go of the lock; another may take this holder's place."""
        self.unlock()
        file = self._file
        if self._descriptor == _NONE or file._closed or len(file._idle) >= _KEPT:
            self.drop()
        else:
            file._idle.append(self)

    def in_place(self) -> bool:
        """Whether the file we have open is the one that others find."""
        if self._descriptor == _NONE:
            return False
        try:
            there = self._file.path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def count(self) -> None:
        """Note that a write has to wait."""
        with suppress(OSError):  # a full disk is no reason to fail here
            os.write(self._descriptor, b".")

    def counted(self) -> int:
        """How many writes had to wait."""
        return os.fstat(self._descriptor).st_size

    def count_anew(self) -> None:
        """Count from nothing."""
        os.ftruncate(self._descriptor, 0)

    def ensure(self) -> None:
        """Have the file open that is in place. Raises as `shared`."""
        if self.in_place():
            return
        self.drop()
        path = self._file.path
        try:
            with _opening:
                self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
                self._file._open.add(self)
        except FileNotFoundError as error:
            raise NotInitialised(
                f"the gate file {path} is gone: nobody can know who writes",
                hint=f"See that no move is going on, and type: liteshift gate create {path.with_suffix('.route')}",
            ) from error
        except OSError as error:
            raise LiteshiftError(f"the gate file {path} can't be opened: {error.strerror}") from error

    def drop(self) -> None:
        """Close the file, and let go of the lock with it."""
        self.is_exclusive = False
        self._file._open.discard(self)
        descriptor, self._descriptor = self._descriptor, _NONE
        if descriptor != _NONE:
            os.close(descriptor)

    def _lock(self, kind: int) -> bool:
        while True:
            if self._descriptor == _NONE:
                self.ensure()
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if self.in_place():
                self.is_exclusive = kind == fcntl.LOCK_EX
                return True
            self.drop()


_alive: WeakSet[GateFile] = WeakSet()
_opening = threading.Lock()  # a fork must find each open descriptor in its set


def _in_the_child() -> None:
    global _opening
    _opening = threading.Lock()
    for file in list(_alive):
        file._abandon()


os.register_at_fork(
    before=lambda: _opening.acquire() and None,
    after_in_parent=lambda: _opening.release(),
    after_in_child=_in_the_child,
)
