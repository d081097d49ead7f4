"""The process that moves is killed at every stop point while the application writes; nothing is lost or doubled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.interrupt.walk import SCHEMA, Application, Ledger, Mover, leftovers, tokens

from liteshift.keeper import Keeper
from liteshift.phases import Phase
from liteshift.stops import Stop

if TYPE_CHECKING:
    from pathlib import Path

SECOND = (Stop.FOLLOW_BEFORE_COMMIT, Stop.FOLLOW_COMMITTED, Stop.FOLLOW_CONFIRMED)
"""Points that are passed all the time: there it is killed once it is well on its way, too."""
POINTS = [*(str(stop) for stop in Stop), *(f"{stop}:5" for stop in SECOND)]


def is_whole(ledger: Ledger, held: list[str]) -> None:
    """Every write that was acknowledged is there, once."""
    counted = Counter(held)
    lost = [token for token in ledger.acknowledged if token not in counted and not token.startswith("old")]
    assert not lost, (lost[:5], ledger.failed[:5])
    assert max(counted.values()) == 1


def walk(mover: Mover, stop: str, url: str) -> str | Path:
    """Go as far as the stop point lies, and end the move; where the application lives then."""
    if stop == Stop.ABORT_REMOVED:
        mover.bring("abort", Phase.ABORTED)
        mover.end()
        return url
    mover.bring("cutover", Phase.REVERSING)
    if stop.startswith(("rollback", "reverse")):
        mover.bring("rollback", Phase.FOLLOWING)
        mover.bring("cutover", Phase.REVERSING)
    mover.bring("finalize", Phase.FINALIZED)
    mover.end()
    return mover.file


@pytest.mark.parametrize("stop", POINTS)
def test_killed_at(stop: str, database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover = Mover(database, tmp_path)
    with Keeper(mover.route) as keeper:
        keeper.establish("postgresql")
    application = Application(database, mover.file, mover.route)
    application.start()
    try:
        mover.start(stop)
        mover.until(Phase.FOLLOWING)
        if stop.startswith("follow"):
            mover.until_killed()
        side = walk(mover, stop, database)
    finally:
        ledger = application.stop()
        mover.close()
    assert mover.kills == 1
    is_whole(ledger, tokens(side))
    assert leftovers(database) == []
