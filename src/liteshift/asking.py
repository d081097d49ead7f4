"""What commands ask of the process that runs a move, through its folder: one request at a time.

A request counts for as long as whoever asks is there: it holds a lock on the request's file, which goes with its
process. So what was given up, or what a machine's crash has left, is never done later, when nobody expects it.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from liteshift.errors import Interrupted, LiteshiftError, Locked

_LOOK = 0.05  # seconds
_DEAD = 4  # looks in a row that find nobody at work
_CALLED_OFF = 2.0  # seconds in which most of what is given up has been called off


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


class Asking:
    """Both ends of it, in a move's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._request = folder / "request.json"
        self._begun = folder / "request-begun.json"  # where it is while it is being done
        self._held: int | None = None

    def ask(self, request: Request) -> None:
        """Put a request where the runner looks; it counts until `let_go`, or until this process ends.

        Raises:
            Locked: it has one already.
        """
        self.let_go()
        staged = self._folder / f".request.{os.getpid()}"
        descriptor = os.open(staged, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, json.dumps(asdict(request)).encode())
            self._forget_the_dead()
            if self._begun.exists():
                raise FileExistsError
            os.link(staged, self._request)
            self._held = descriptor
            for stray in self._folder.glob("answer-*.json"):  # nobody waits for it any more
                stray.unlink(missing_ok=True)
        except FileExistsError:
            os.close(descriptor)
            raise Locked(
                "another command has asked the same runner for something", hint="Wait until it ends."
            ) from None
        finally:
            staged.unlink()

    def let_go(self) -> None:
        """Ask for nothing any more."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def is_asked(self) -> bool:
        """Whether something is asked, or being done."""
        self._forget_the_dead()
        return self._request.exists() or self._begun.exists()

    def asked(self) -> Request | None:
        """What is asked, if anything is, by somebody who is still there; first what a runner before us had begun."""
        self._forget_the_dead()
        try:
            if not self._begun.exists():
                self._request.rename(self._begun)
            return Request(**json.loads(self._begun.read_text()))
        except FileNotFoundError:
            return None

    def answer(self, answer: Answer) -> None:
        """Answer the request that was asked, and forget it."""
        staged = self._folder / ".answer"
        staged.write_text(json.dumps(asdict(answer)))
        staged.replace(self._folder / f"answer-{answer.number}.json")
        self._begun.unlink(missing_ok=True)

    def await_answer(self, number: str, look: Callable[[], None], is_run: Callable[[], bool]) -> Answer:
        """Wait for the runner's answer, as long as it runs.

        Args:
            look: called again and again meanwhile.
            is_run: whether a process runs the move.

        Raises:
            Interrupted: the user has given up waiting; the message says what becomes of it.
            LiteshiftError: the runner ended without an answer.
        """
        path = self._folder / f"answer-{number}.json"
        dead = 0
        try:
            while dead < _DEAD:
                if path.exists():
                    found = Answer(**json.loads(path.read_text()))
                    path.unlink()
                    return found
                dead = 0 if is_run() and self.is_asked() else dead + 1
                look()
                time.sleep(_LOOK)
        except KeyboardInterrupt:
            raise self._given_up(path) from None
        finally:
            self.let_go()
        self._forget_the_dead()
        raise LiteshiftError(
            "the process that runs the move ended before it answered",
            hint="Look where the move is: liteshift status TARGET; the same command goes on from there.",
        )

    def _given_up(self, path: Path) -> Interrupted:
        try:
            self._request.unlink()
        except FileNotFoundError:
            self.let_go()  # by which the runner knows
        else:
            return Interrupted("interrupted; nothing of what was asked for had begun, and nothing will")
        deadline = time.monotonic() + _CALLED_OFF
        while not path.exists():
            if time.monotonic() > deadline:
                return Interrupted(
                    "interrupted; what was asked for had begun: a switch is called off before its pause begins, all"
                    " else goes on",
                    hint="Look what came of it: liteshift status TARGET. In time, a ^C of the process that runs the"
                    " move, which is migrate --live, undoes a pause.",
                )
            time.sleep(_LOOK)
        found = Answer(**json.loads(path.read_text()))
        path.unlink()
        what = found.message or "what was asked for had begun, and is done"
        return Interrupted(f"interrupted; {what}", hint=found.hint or None)

    def is_wanted(self) -> bool:
        """Whether whoever asked for what has begun is still there."""
        self._forget_the_dead()
        return self._begun.exists()

    def _forget_the_dead(self) -> None:
        """Take away requests whose asker is gone."""
        for path in (self._request, self._begun):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    path.unlink()
            except FileNotFoundError:
                continue
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)
