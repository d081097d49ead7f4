"""The loop: from one phase of a live move to the next, until it is over or has done what it was started for."""

from __future__ import annotations

import time

from liteshift.errors import Locked, NoConnection
from liteshift.live import ending, following, reversing
from liteshift.live.move import Move
from liteshift.live.recover import recover
from liteshift.phases import Phase

_RETRY = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to reach the source, the last for ever
_STEADY = 30.0  # seconds without a fault after which the next one is the first again


def run(move: Move) -> None:
    """Go on with a move whose rows are copied from wherever it is.

    A source that can't be reached is tried again for ever: nothing is lost meanwhile.

    Raises:
        LiteshiftError: the move can't go on; what is there stays, and the same command goes on from it.
    """
    attempt, since = 0, time.monotonic()
    while True:
        try:
            recover(move)
            if move.is_over and move.page.phase not in (Phase.FINALIZED, Phase.ABORTED):
                return
            match move.page.phase:
                case Phase.FOLLOWING:
                    following.stay(move)
                case Phase.REVERSING:
                    reversing.stay(move)
                case Phase.FINALIZED | Phase.ABORTED:
                    ending.clear(move)
                    return
            if move.is_over and move.page.phase not in (Phase.FINALIZED, Phase.ABORTED):
                return
        except (NoConnection, Locked) as error:
            if move.is_over or (move.does_one_thing and isinstance(error, NoConnection)):
                raise
            if time.monotonic() - since > _STEADY:
                attempt = 0
            move.show("trouble", error)
            time.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
            attempt, since = attempt + 1, time.monotonic()
