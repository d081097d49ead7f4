"""The phase in which the application lives on PostgreSQL and the file follows, until it is cut over."""

from __future__ import annotations

import time
from collections.abc import Mapping

from liteshift.asking import Request
from liteshift.catalog import Name
from liteshift.changes import Shape
from liteshift.errors import DifferencesFound, LiteshiftError, Locked, UsageError
from liteshift.live.move import COMPARING, Move
from liteshift.live.watch import refuse_changed
from liteshift.phases import Phase
from liteshift.reports import Verdict
from liteshift.stages.cutover import Bridge, Terms, cut_over, drafted, past_the_log, refuse_rejects
from liteshift.stages.follow import Follower
from liteshift.stages.moment import verify_following
from liteshift.stages.touched import count_touched
from liteshift.stops import Stop, passing

_TURN = 0.05  # seconds
_MOST_TOUCHED = 1000  # keys to compare within a pause; where there are more, all is compared anew before it
_ROUNDS = 4
_TELL_SECONDS = 1.0
_CLOSE_BYTES = 1 << 20  # so far behind, the file may be when a pause begins


def stay(move: Move) -> None:
    """Follow, and do what is asked, until the phase or the process is over.

    Raises:
        NoConnection: the source can't be reached any more; begin again from what the file has.
        LiteshiftError: the stream can't go on.
    """
    ends, name = move.ends, move.page.move
    with (
        move.bridge() as bridge,
        ends.destination.applier() as applier,
        ends.origin.stream(name, applier.position) as stream,
    ):
        follower = Follower(move.plan, ends.origin.shapes(name, move.plan), stream, applier)
        session = _Session(move, follower, bridge)
        while move.page.phase is Phase.FOLLOWING:
            follower.step(_TURN)
            session.tell()
            request = move.asked()
            if request is not None:
                session.do(request)
            if move.is_over:
                return


class _Session:
    """What is done while the file follows."""

    def __init__(self, move: Move, follower: Follower, bridge: Bridge) -> None:
        self._move = move
        self._follower = follower
        self._bridge = bridge
        self._verdict: Verdict | None = None  # the last, which `follower.touched` counts from
        self._shapes: Mapping[Name, Shape] = {}  # how the tables looked before it

    def tell(self) -> None:
        lag = self._follower.lag()
        self._move.tell(
            lag_bytes=lag.bytes,
            lag_seconds=round(lag.seconds, 3),
            position=str(self._follower.position),
            transactions=self._follower.transactions,
            changes=self._follower.rows,
        )

    def do(self, request: Request) -> None:
        done: list[str] = []
        with self._move.answering(request, done):
            match request.verb:
                case "cutover":
                    done.append(self._cut_over(self._move.terms_of(request), request))
                case "verify":
                    done.append(self._move.file_report("verify", self._verify(None)))
                case "abort":
                    self._move.turn(Phase.ABORTED, "as asked for")
                case "rollback" if name := self._move.done_already("rollback"):
                    done.append(name)
                case verb:
                    raise UsageError(
                        f"{verb} is for when the application lives on SQLite; it lives on PostgreSQL",
                        hint="Look where the move is: liteshift status TARGET",
                    )

    def _verify(self, wait: float | None) -> Verdict:
        move = self._move
        move.tell_waiting(COMPARING)
        self._verdict = None
        self._shapes = self._bridge.control.shapes(move.plan)
        lived_in = move.page.epoch > 0
        verdict = verify_following(
            move.ends.origin,
            move.ends.destination,
            self._follower,
            move.plan,
            move.progress,
            lived_in=lived_in,
            wait=wait,
            tell=self._tell_waiting,
        )
        self._verdict = verdict if verdict.equal else None
        return verdict

    def _cut_over(self, terms: Terms, request: Request) -> str:
        move, follower = self._move, self._follower
        move.ends.destination.require_fit()
        accept_rejects = bool(request.options.get("accept_rejects"))
        accept_changes = bool(request.options.get("accept_changes"))
        changes = refuse_changed(move, accepted=accept_changes)
        if not accept_rejects:
            refuse_rejects(follower)
        backup = "" if request.options.get("skip_backup") else move.ends.destination.back_up()
        verdict = self._made_ready(terms.wait)
        if not accept_rejects:
            refuse_rejects(follower)  # those that came meanwhile
        move.require_wanted()
        epoch = move.page.epoch + 1
        draft = drafted(self._bridge, "cutover", epoch, verdict, backup, changes)
        move.turn(Phase.SWITCHING, "a cutover begins", draft=draft)
        passing(Stop.CUTOVER_NOTED)
        try:
            report = cut_over(
                self._bridge,
                follower,
                draft=draft,
                shapes=self._shapes,
                terms=terms,
                accept_rejects=accept_rejects,
                tell=self._tell_waiting,
                look=lambda: self._look_again(accept_changes),
            )
        except BaseException as error:
            if self._is_undone():  # else the next turn sees to it
                move.turn(Phase.FOLLOWING, f"the cutover was undone: {error}")
            raise
        name = move.file_report(f"cutover-{epoch}", report)
        move.turn(
            Phase.REVERSING,
            f"the application lives on SQLite, after {report.pause or 0:.3f} s",
            report=name,
            epoch=epoch,
        )
        passing(Stop.CUTOVER_DONE)
        return name

    def _tell_waiting(self, text: str) -> None:
        self._move.require_wanted()
        self._move.tell_waiting(text)

    def _look_again(self, accept_changes: bool) -> tuple[str, ...]:
        changes = refuse_changed(self._move, accepted=accept_changes)
        self._move.require_wanted()
        return changes

    def _is_undone(self) -> bool:
        try:
            return self._bridge.capture.armed() is None and not self._bridge.control.fence.is_up()
        except LiteshiftError:
            return False

    def _made_ready(self, wait: float) -> Verdict:
        """Every row compared, few changed since, and the file close behind the source.

        Raises:
            DifferencesFound: the sides are not equal.
            Locked: the source changes faster than it can be followed, or a transaction there did not end in time.
        """
        follower = self._follower
        verdict = self._verdict
        for _ in range(_ROUNDS):
            self._read_all(wait)
            if verdict is None or self._touched() > _MOST_TOUCHED or self._is_past_the_log():
                verdict = self._verify(wait)
                if not verdict.equal:
                    self._move.file_report("verify", verdict)
                    raise DifferencesFound(
                        "the file is not equal to the source, so the application can't move there",
                        hint="Look at each difference: liteshift verify SOURCE TARGET",
                    )
                self._read_all(wait)
            if self._touched() <= _MOST_TOUCHED and follower.lag().bytes <= _CLOSE_BYTES:
                break
        if verdict is not None and follower.lag().bytes <= _CLOSE_BYTES:
            return verdict
        raise Locked(
            f"the file is {follower.lag().bytes:,} bytes behind the source, and does not come closer",
            hint="Try again at a quieter time.",
        )

    def _read_all(self, wait: float) -> None:
        """Follow up to the log's end as it is now, of which the server may be reading a part that is none of ours.

        Raises:
            Locked: that takes too long.
        """
        here, deadline = self._bridge.control.here(), time.monotonic() + wait
        while not self._follower.until(here, seconds=min(_TELL_SECONDS, wait)):
            if time.monotonic() > deadline:
                raise Locked(
                    f"the source's log was not read up to {here} within {wait:g} s",
                    hint="The server reads all of it, also what was written to tables that are left out. Try again"
                    " when that is over, or allow more with --wait.",
                )
            self._tell_waiting(f"waiting until the source's log is read up to {here}")

    def _touched(self) -> int:
        """How many keys are to be compared in the pause; too many where a table with a key counts as changed whole."""
        return count_touched(self._move.plan, self._follower.touched, whole=_MOST_TOUCHED + 1)

    def _is_past_the_log(self) -> bool:
        return bool(past_the_log(self._shapes, self._bridge.control.shapes(self._move.plan)))
