"""Whoever switches is killed within the pause, and nobody starts it again for longer than the pause."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.interrupt.walk import SCHEMA, Application, Mover, is_whole, tokens

from liteshift.asking import Request
from liteshift.keeper import Keeper
from liteshift.phases import Phase
from liteshift.stops import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAUSE = 5.0
BACK = (Stop.CUTOVER_HELD, Stop.CUTOVER_FENCED, Stop.CUTOVER_COMPARED, Stop.ROLLBACK_REFUSING, Stop.ROLLBACK_SEQUENCES)
FORWARD = (Stop.CUTOVER_ARMED, Stop.ROLLBACK_DISARMED, Stop.ROLLBACK_FENCE_DOWN)


@contextmanager
def left_alone(stop: Stop, url: str, folder: Path) -> Iterator[Application]:
    """The application of a move that was just killed. The switch is done after the block; nothing is lost."""
    with psycopg.connect(url, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover = Mover(url, folder, "--pause", str(PAUSE))
    with Keeper(mover.route) as keeper:
        keeper.establish("postgresql")
    application = Application(url, mover.file, mover.route)
    application.start()
    try:
        mover.start(stop)
        mover.until(Phase.FOLLOWING)
        verb, then = "cutover", Phase.REVERSING
        if stop.value.startswith("rollback"):
            mover.bring(verb, then)
            verb, then = "rollback", Phase.FOLLOWING
        process, number = mover._process, 0
        assert process is not None
        while process.poll() is None:  # a switch that takes too long is undone, and asked for again
            if not mover.workdir.asking.is_asked():
                number += 1
                mover.workdir.asking.ask(Request(f"try-{number}", verb, {"skip_backup": True}))
            time.sleep(0.05)
        yield application
        mover.bring(verb, then)
        until_it_writes(application)
    finally:
        ledger = application.stop()
        mover.close()
    assert mover.kills == 1
    assert ledger.failed == []
    is_whole(ledger, tokens(mover.file if verb == "cutover" else url))


def until_it_writes(application: Application) -> None:
    before, deadline = len(application.ledger.acknowledged), time.monotonic() + 60
    while len(application.ledger.acknowledged) < before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("stop", FORWARD)
def test_no_write_goes_where_nobody_would_find_it(stop: Stop, database: str, tmp_path: Path) -> None:
    with left_alone(stop, database, tmp_path) as application:
        acknowledged = len(application.ledger.acknowledged)
        time.sleep(PAUSE + 1)
        assert len(application.ledger.acknowledged) == acknowledged


@pytest.mark.parametrize("stop", BACK)
def test_the_application_goes_on_where_it_was(stop: Stop, database: str, tmp_path: Path) -> None:
    with left_alone(stop, database, tmp_path) as application:
        until_it_writes(application)
