"""The phase in which the application lives on the file and PostgreSQL follows, until it is rolled back or finalized."""

from __future__ import annotations

import time

from liteshift.asking import Request
from liteshift.errors import DifferencesFound, LiteshiftError, Locked, UsageError
from liteshift.live import ending
from liteshift.live.move import COMPARING, Move, hook_error
from liteshift.phases import Phase
from liteshift.reports import Verdict
from liteshift.stages.cutover import Bridge, Terms, drafted
from liteshift.stages.moment import verify_reversing
from liteshift.stages.reverse import Reverser
from liteshift.stages.rollback import roll_back
from liteshift.stages.touched import count_touched
from liteshift.stops import Stop, passing
from liteshift.translate.takeback import Takeback

_TURN = 0.25  # seconds between two looks at what was written
_LOOK = 0.05
_ADVANCE = 30.0  # seconds after which the slot forgets what came from ourselves
_SLOT_WAIT = 1.0  # seconds for which a slot that is made anew may wait, and we with it
_MOST_TOUCHED = 1000


def stay(move: Move) -> None:
    """Take back what is written on the file, and do what is asked, until the phase or the process is over.

    Raises:
        NoConnection: the source can't be reached any more; nothing is lost, and it can be gone on with.
        LiteshiftError: PostgreSQL does not take a change.
    """
    ends, name = move.ends, move.page.move
    with move.bridge() as bridge, ends.origin.takeback(name, move.plan, bridge.capture.token()) as applier:
        with ends.origin.snapshot() as snapshot:
            reverser = Reverser(bridge.capture, applier, Takeback(move.plan, snapshot.catalog()))
        session = _Session(move, reverser, bridge)
        while move.page.phase is Phase.REVERSING:
            session.step()
            request = move.asked()
            if request is not None:
                session.do(request)
            if move.is_over:
                return


class _Session:
    """What is done while PostgreSQL follows."""

    def __init__(self, move: Move, reverser: Reverser, bridge: Bridge) -> None:
        self._move = move
        self._reverser = reverser
        self._bridge = bridge
        self._control = bridge.control
        self._capture = bridge.capture
        self._verdict: Verdict | None = None
        self._changes = 0
        self._stepped = self._advanced = 0.0
        self._slot = "there"

    def step(self) -> None:
        """Take back what is there, now and then."""
        time.sleep(_LOOK)
        if time.monotonic() - self._stepped < _TURN:
            return
        try:
            step = self._reverser.step()
        except Locked:
            return  # somebody holds a table there; the next turn tries again
        finally:
            self._stepped = time.monotonic()
        self._changes += step.changes
        newcomers = list(self._capture.newcomers())
        self._move.tell(applied=step.number, changes=self._changes, newcomers=newcomers, slot=self._slot)
        if time.monotonic() - self._advanced > _ADVANCE:
            self._advance()

    def _advance(self) -> None:
        """Let the slot forget what came from ourselves. The way back needs none, so nothing stops it here."""
        move, here = self._move, self._control.here()
        try:
            if move.ends.origin.advance(move.page.move, here, seconds=_SLOT_WAIT):
                text = "the slot was gone, or PostgreSQL had given it up: it was made anew, and nothing is lost"
                move.show("notice", {"message": text})
            self._slot = "there"
        except LiteshiftError as error:
            slot = f"gone; while it is, a rollback ends the move, and no cutover can follow: {error.message}"
            if slot != self._slot:
                move.show("notice", {"message": f"the slot is {slot}"})
            self._slot = slot
        self._advanced = time.monotonic()

    def do(self, request: Request) -> None:
        done: list[str] = []
        with self._move.answering(request, done):
            match request.verb:
                case "rollback":
                    done.append(self._roll_back(self._move.terms_of(request)))
                case "verify":
                    done.append(self._move.file_report("verify", self._verify()))
                case "finalize":
                    self._finalize()
                case "cutover" if name := self._move.done_already("cutover"):
                    done.append(name)
                case verb:
                    raise UsageError(
                        f"{verb} is for when the application lives on PostgreSQL; it lives on SQLite",
                        hint="Bring it back with liteshift rollback, or end the move here with liteshift finalize.",
                    )

    def _verify(self) -> Verdict:
        move = self._move
        move.tell_waiting(COMPARING)
        self._verdict = None
        verdict = verify_reversing(move.ends.origin, move.ends.destination, move.plan, self._reverser, move.progress)
        self._verdict = verdict if verdict.equal else None
        return verdict

    def _roll_back(self, terms: Terms) -> str:
        move = self._move
        self._capture.see_no_newcomers()
        self._advance()
        verdict = self._verdict
        touched = count_touched(move.plan, self._reverser.touched, whole=_MOST_TOUCHED + 1)
        if verdict is None or touched > _MOST_TOUCHED:
            verdict = self._verify()
        if not verdict.equal:
            raise DifferencesFound(
                "PostgreSQL is not equal to the file, so the application can't go back there",
                hint="Look at each difference: liteshift verify SOURCE TARGET",
            )
        move.require_wanted()
        epoch = move.page.epoch + 1
        draft = drafted(self._bridge, "rollback", epoch, verdict)
        move.turn(Phase.RETURNING, "a rollback begins", draft=draft)
        passing(Stop.ROLLBACK_NOTED)
        try:
            report = roll_back(self._bridge, self._reverser, draft=draft, terms=terms)
        except BaseException as error:
            if self._bridge.capture.armed() is not None:  # else it goes forward, and the next turn sees to it
                move.turn(Phase.REVERSING, f"the rollback was undone: {error}")
            raise
        name = move.file_report(f"rollback-{epoch}", report)
        note = f"the application lives on PostgreSQL again, after {report.pause or 0:.3f} s"
        move.turn(Phase.FOLLOWING, note, report=name, epoch=epoch)
        passing(Stop.ROLLBACK_DONE)
        if report.hook_failed:
            raise hook_error("rollback", report.hook_failed)
        return name

    def _finalize(self) -> None:
        """Stay on the file for good; what is left on the source is taken away once this phase is over."""
        ending.stay_for_good(self._move, note="as asked for")
