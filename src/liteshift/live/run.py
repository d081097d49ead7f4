"""The loop: from one phase of a live move to the next, until it is over or has done what it was started for."""

from __future__ import annotations

import time

from liteshift.errors import LiteshiftError, Locked, NoConnection
from liteshift.live import ending, following, reversing
from liteshift.live.move import Move
from liteshift.live.recover import recover
from liteshift.phases import Phase

_RETRY = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to reach the source, the last for ever
_STEADY = 30.0  # seconds without a fault after which the next one is the first again
_MIDWAY_SECONDS = 300.0  # for which one verb alone tries to undo or finish its switch
_ENDED = (Phase.FINALIZED, Phase.ABORTED)
_UNDONE = {Phase.SWITCHING: Phase.FOLLOWING, Phase.RETURNING: Phase.REVERSING}


def run(move: Move, *, reached: bool = False) -> None:
    """Go on with a move whose rows are copied from wherever it is.

    A source that was reached once, and can't be any more, is tried again for ever: nothing is lost meanwhile.

    Args:
        reached: the source was there a moment ago.

    Raises:
        NoConnection: the source can't be reached at the beginning, or now that the move is over or has done the one
            thing it was started for.
        LiteshiftError: the move can't go on; what is there stays, and the same command goes on from it.
    """
    _Run(move, reached).go()


class _Run:
    """What is known of the attempts so far.

    Attributes:
        reached: the source was there once.
        failed: why the one thing that was to be done failed midway, so that it is to be undone or finished first.
    """

    def __init__(self, move: Move, reached: bool) -> None:
        self._move = move
        self._reached = reached
        self._failed: tuple[LiteshiftError, Phase] | None = None
        self._began = time.monotonic()
        self._attempt, self._since = 0, self._began

    def go(self) -> None:
        while True:
            try:
                if self._turn():
                    return
            except (NoConnection, Locked) as error:
                if not self._is_worth_another_try(error):
                    raise
                self._wait(error)

    def _turn(self) -> bool:
        """From one phase to the next; whether all is done."""
        move = self._move
        recover(move)
        if self._failed is not None and move.page.phase is self._failed[1]:
            raise self._failed[0]
        if move.is_over and move.page.phase not in _ENDED:
            return True
        if not self._reached and move.page.phase not in _ENDED:
            move.ends.origin.reach()
            self._reached = True
        match move.page.phase:
            case Phase.FOLLOWING:
                following.stay(move)
            case Phase.REVERSING:
                reversing.stay(move)
            case Phase.FINALIZED | Phase.ABORTED:
                ending.clear(move)
                return True
        return move.is_over and move.page.phase not in _ENDED

    def _is_worth_another_try(self, error: NoConnection | Locked) -> bool:
        move, is_lost = self._move, isinstance(error, NoConnection)
        if self._failed is not None and error is self._failed[0]:
            return False
        if is_lost and (not self._reached or move.page.phase in _ENDED):
            return False
        if not (move.is_over or (move.does_one_thing and is_lost)):
            return True
        undone = _UNDONE.get(move.page.phase)
        if undone is None or not is_lost:
            return False
        self._failed = self._failed or (error, undone)
        return time.monotonic() < self._began + _MIDWAY_SECONDS

    def _wait(self, error: LiteshiftError) -> None:
        if time.monotonic() - self._since > _STEADY:
            self._attempt = 0
        self._move.show("trouble", error)
        time.sleep(_RETRY[min(self._attempt, len(_RETRY) - 1)])
        self._attempt, self._since = self._attempt + 1, time.monotonic()
        if isinstance(error, NoConnection) and self._attempt >= len(_RETRY) - 1:
            self._answer(error)

    def _answer(self, error: NoConnection) -> None:
        """Do what is asked while the source is away, where it is not needed, or say that it is."""
        move = self._move
        request = None if move.is_over or move.does_one_thing else move.asked()
        if request is None:
            return
        with move.answering(request, []):
            if request.verb == "finalize" and move.page.phase is Phase.REVERSING:
                ending.stay_for_good(move, note="as asked for, while the source could not be reached")
            elif request.verb == "abort" and move.page.phase is Phase.FOLLOWING:
                move.turn(Phase.ABORTED, "as asked for, while the source could not be reached")
            else:
                raise error
