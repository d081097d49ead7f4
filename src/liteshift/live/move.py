"""One live move: its two ends, its logbook, and what it is asked for while it runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from liteshift.asking import Answer, Request
from liteshift.errors import Interrupted, LiteshiftError
from liteshift.flow import Capture, Destination, Held, Origin
from liteshift.logbook import Entry, Page
from liteshift.phases import Phase
from liteshift.plan import Plan, as_json
from liteshift.progress import Progress
from liteshift.reports import SwitchReport
from liteshift.stages.cutover import Bridge, Terms, now
from liteshift.workdir import Workdir

_TELL_SECONDS = 1.0
STATUS = "status.json"
COMPARING = "comparing every row on both sides; the application goes on meanwhile"


@dataclass(frozen=True, slots=True)
class Ends:
    """The two sides of a move, and how its application is switched.

    Attributes:
        gate: None where the application has none.
        hook: run with the side to go to, once that is ready for its first write, and the seconds it may take; raises
            where it fails.
    """

    origin: Origin
    destination: Destination
    gate: Held | None
    hook: Callable[[str, float], None]


class Move:
    """One live move, run by one process at a time, which holds the workdir's lock.

    Args:
        show: shown what the move reports: a word of ours, by its kind.
    """

    def __init__(
        self,
        ends: Ends,
        workdir: Workdir,
        page: Page,
        *,
        terms: Terms,
        progress: Progress,
        show: Callable[[str, Any], None] = lambda *_: None,
    ) -> None:
        self.ends = ends
        self.terms = terms
        self.progress = progress
        self.show = show
        self.page = page
        self.is_over = False
        self._workdir = workdir
        self._own: Request | None = None
        self._told = 0.0
        self._filed = ""

    @property
    def plan(self) -> Plan:
        """The plan, once everything is copied.

        Raises:
            LiteshiftError: it is not.
        """
        if self.page.plan is None:
            raise LiteshiftError(f"the move is {self.page.phase}: nothing is copied yet")
        return self.page.plan

    def turn(
        self, phase: Phase, note: str, *, report: str = "", draft: SwitchReport | None = None, **changes: Any
    ) -> None:
        """Go to another phase, and write that down durably."""
        page = replace(self.page, **changes)
        self.page = self._workdir.logbook.turn(page, phase, Entry(now(), phase, note, report), draft=draft)

    def disarm_for_good(self, capture: Capture) -> None:
        """Take the capture away from the file, which is then like any other; killed within, the next run knows why."""
        self.note_ending(True)
        capture.disarm(position=None)

    def note_ending(self, is_so: bool) -> None:
        """Write down whether the capture is being taken away for good."""
        if self.page.ending != is_so:
            self.page = self._workdir.logbook.write(replace(self.page, ending=is_so))

    def is_strange(self) -> bool:
        """Whether the file in the target's place is not the one that this move made, or is not there."""
        return self.ends.destination.move() != self.page.move and not self.page.ending

    def cleared(self, removed: Sequence[str]) -> None:
        """Write down that nothing of ours is left on the source."""
        entries = (*self.page.entries, Entry(now(), self.page.phase, removal(removed)))
        self.page = self._workdir.logbook.write(replace(self.page, cleared=True, entries=entries))

    def own(self, request: Request) -> None:
        """Do just this, and then be over; without, the move goes on until it has ended."""
        self._own, self.is_over = request, False

    @property
    def does_one_thing(self) -> bool:
        """Whether all that is left to do is what it was started for."""
        return self._own is not None

    def asked(self) -> Request | None:
        """What is asked of us, if anything is."""
        if self._own is not None:
            request, self._own = self._own, None
            self.is_over = True
            return request
        return None if self.is_over else self._workdir.asking.asked()

    def require_wanted(self) -> None:
        """See that whoever asked for what we are about to do still waits for it.

        Raises:
            Interrupted: nobody does.
        """
        if not self.is_over and not self._workdir.asking.is_wanted():
            raise Interrupted("whoever asked for it has given up, so it was called off, and nothing has changed")

    def terms_of(self, request: Request) -> Terms:
        """What a switch that is asked for may cost."""
        asked = {name: float(request.options[name]) for name in ("pause", "wait") if name in request.options}
        return replace(self.terms, **asked)

    @contextmanager
    def answering(self, request: Request, done: list[str]) -> Iterator[None]:
        """Do what is asked inside the block, which adds its report's name to `done`; whoever asked hears of both ends.

        What another process asked for and what failed is told to it, and the move goes on; our own failures are raised.
        """
        try:
            yield
        except LiteshiftError as error:
            if self.is_over:
                raise
            self._workdir.asking.answer(
                Answer(request.number, message=error.message, hint=error.hint or "", exit_code=error.exit_code)
            )
        else:
            if not self.is_over:
                self._workdir.asking.answer(Answer(request.number, report=done[0] if done else ""))

    def file_report(self, name: str, word: Any) -> str:
        """Keep a report in the workdir, and show it; its file's name."""
        self._workdir.file(f"{name}.json", json.dumps(as_json(word), ensure_ascii=False, indent=1) + "\n")
        self._filed = f"{name}.json"
        self.show(name, word)
        return self._filed

    def filed(self, name: str) -> dict[str, Any] | None:
        """What was filed under a name; None where nothing was."""
        try:
            found: dict[str, Any] = json.loads((self._workdir.path / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        return found

    def done_already(self, kind: str) -> str:
        """Answer with the proof of the switch after which the application lives where it is, whoever has finished it.

        Returns:
            Its file's name; empty where there is none.
        """
        name = f"{kind}-{self.page.epoch}"
        report = self.filed(name)
        if report is None:
            return ""
        if self.is_over and self._filed != f"{name}.json":
            self.show("notice", {"message": f"nothing was left to do: the {kind} was done at {report['at']}"})
            self.show(name, report)
        return f"{name}.json"

    def settle(self, kind: str) -> None:
        """Be over where just this was asked of us: a switch of this kind that was interrupted is finished."""
        if self._own is not None and self._own.verb == kind:
            self._own, self.is_over = None, True

    def warn(self, kind: str, failed: str) -> None:
        """Say that the application has moved, and that the command which is to tell it has failed.

        Raises:
            LiteshiftError: the same, to whoever does just one thing.
        """
        error = hook_error(kind, failed)
        if self._own is not None:
            raise error
        self.show("notice", {"message": f"{error.message}. {error.hint}"})

    def tell(self, **facts: Any) -> None:
        """Let `liteshift status` know how things are; at most once a second."""
        if time.monotonic() - self._told < _TELL_SECONDS:
            return
        self._told = time.monotonic()
        self.show("status", self._write_status(**facts))

    def tell_waiting(self, text: str) -> None:
        """Let whoever has asked for something know what we wait for."""
        self._write_status(waits=text)
        self.show("notice", {"message": text})

    def _write_status(self, **facts: Any) -> dict[str, Any]:
        words = {"at": now(), "process": os.getpid(), "phase": str(self.page.phase), **facts}
        staged = self._workdir.path / f".{STATUS}"
        staged.write_text(json.dumps(words))
        staged.replace(self._workdir.path / STATUS)
        return words

    def capture(self) -> AbstractContextManager[Capture]:
        """The file's side alone, which says on which side of its point of no return a switch is."""
        return self.ends.destination.capture(self.plan)

    @contextmanager
    def bridge(self) -> Iterator[Bridge]:
        """What a switch needs, open before it begins."""
        ends, plan = self.ends, self.plan
        with (
            ends.origin.control(self.page.move, plan, ends.destination.label) as control,
            self.capture() as capture,
        ):
            yield Bridge(
                self.page.move, ends.origin.label, plan, control, ends.destination, capture, ends.gate, ends.hook
            )


def hook_error(kind: str, failed: str) -> LiteshiftError:
    """What to say where the command that tells the application has failed after the switch."""
    side = "SQLite" if kind == "cutover" else "PostgreSQL"
    return LiteshiftError(
        f"the application lives on {side} now, but {failed}",
        hint="Run that command by hand: the switch is done, and it is not run again.",
    )


def removal(removed: Iterable[str]) -> str:
    """What was taken away from the source, in words."""
    return f"taken away from the source: {', '.join(removed) or 'nothing was there'}"
