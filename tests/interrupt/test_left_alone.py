"""Whoever switches is killed past the point of no return, and nobody starts it again for longer than the pause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.interrupt.walk import SCHEMA, Application, Mover, is_whole, tokens

from liteshift.asking import Request
from liteshift.keeper import Keeper
from liteshift.phases import Phase
from liteshift.stops import Stop

if TYPE_CHECKING:
    from pathlib import Path

PAUSE = 5.0


@pytest.mark.parametrize("stop", [Stop.CUTOVER_ARMED, Stop.ROLLBACK_DISARMED, Stop.ROLLBACK_FENCE_DOWN])
def test_no_write_goes_where_nobody_would_find_it(stop: Stop, database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover = Mover(database, tmp_path, "--pause", str(PAUSE))
    with Keeper(mover.route) as keeper:
        keeper.establish("postgresql")
    application = Application(database, mover.file, mover.route)
    application.start()
    try:
        mover.start(stop)
        mover.until(Phase.FOLLOWING)
        verb, then = "cutover", Phase.REVERSING
        if stop is not Stop.CUTOVER_ARMED:
            mover.bring(verb, then)
            verb, then = "rollback", Phase.FOLLOWING
        process, number = mover._process, 0
        assert process is not None
        while process.poll() is None:  # a switch that takes too long is undone, and asked for again
            if not mover.workdir.asking.is_asked():
                number += 1
                mover.workdir.asking.ask(Request(f"try-{number}", verb, {"skip_backup": True}))
            time.sleep(0.05)
        acknowledged = len(application.ledger.acknowledged)
        time.sleep(PAUSE + 1)
        assert len(application.ledger.acknowledged) == acknowledged
        mover.bring(verb, then)
        while len(application.ledger.acknowledged) < acknowledged + 5:
            time.sleep(0.01)
    finally:
        ledger = application.stop()
        mover.close()
    assert mover.kills == 1
    assert ledger.failed == []
    is_whole(ledger, tokens(mover.file if stop is Stop.CUTOVER_ARMED else database))
