"""The folder of a live move, beside its target: the lock, the logbook, the reports, and what is asked of the runner."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from liteshift.durable import replace_file
from liteshift.errors import LiteshiftError, Locked
from liteshift.logbook import Logbook

_LOCK = "LITESHIFT_LOCK"
_PATIENCE = 1.0  # seconds; whoever only looks whether the lock is taken holds it for a moment


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks of the process that runs the move."""

    number: str
    verb: str
    options: dict[str, float | bool | str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request: a report's name, or an error."""

    number: str
    report: str = ""
    message: str = ""
    hint: str = ""
    exit_code: int = 0


class Workdir:
    """A move's folder; made for its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self.logbook = Logbook(path / "logbook.json")

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

    def ask(self, request: Request) -> None:
        """Put a request where the runner looks.

        Raises:
            Locked: it has one already.
        """
        staged = self.path / f".request.{os.getpid()}"
        staged.write_text(json.dumps(asdict(request)))
        try:
            os.link(staged, self._request)
        except FileExistsError:
            raise Locked(
                "another command has asked the same runner for something", hint="Wait until it ends."
            ) from None
        finally:
            staged.unlink()

    def asked(self) -> Request | None:
        """What is asked, if anything is."""
        try:
            return Request(**json.loads(self._request.read_text()))
        except FileNotFoundError:
            return None

    def answer(self, answer: Answer) -> None:
        """Answer the request that was asked, and forget it."""
        staged = self.path / ".answer"
        staged.write_text(json.dumps(asdict(answer)))
        staged.replace(self.path / f"answer-{answer.number}.json")
        self._request.unlink(missing_ok=True)

    def await_answer(self, number: str, look: Callable[[], None]) -> Answer:
        """Wait for the runner's answer, as long as it runs.

        Args:
            look: called again and again meanwhile.

        Raises:
            LiteshiftError: it ended without one.
        """
        path = self.path / f"answer-{number}.json"
        alone = 0
        while True:
            if path.exists():
                found = Answer(**json.loads(path.read_text()))
                path.unlink()
                return found
            alone = 0 if self.is_run() else alone + 1
            if alone > 3:
                self._request.unlink(missing_ok=True)
                raise LiteshiftError(
                    "the process that runs the move ended before it answered",
                    hint="Look where the move is: liteshift status TARGET; the same command goes on from there.",
                )
            look()
            time.sleep(0.05)

    def await_end(self) -> None:
        """Wait until no process runs this move any more."""
        while self.is_run():
            time.sleep(0.05)

    @property
    def _request(self) -> Path:
        return self.path / "request.json"


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
