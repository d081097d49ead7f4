"""Compares every row of both sides at one moment, while the application goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from liteshift.flow import Destination, Origin
from liteshift.plan import Plan
from liteshift.progress import Progress, untold
from liteshift.reports import Verdict
from liteshift.stages.follow import Follower
from liteshift.stages.reverse import Reverser
from liteshift.stages.verify import verify

_TRIES = 50


def verify_following(
    origin: Origin,
    destination: Destination,
    follower: Follower,
    plan: Plan,
    progress: Progress,
    *,
    lived_in: bool,
    wait: float | None = None,
    tell: Callable[[str], None] = untold,
) -> Verdict:
    """Compare all while the file follows: each side at one and the same position of the source's log.

    From then on, `follower.touched` has the rows that were changed since.

    Args:
        lived_in: whether the application has lived on the file before.
        wait: seconds to wait for transactions that are open on the source; some minutes where not given.
        tell: told for whom it waits.

    Raises:
        Locked: one of them has not ended in time.
        LiteshiftError: as `Follower.step`.
    """
    with origin.moment(seconds=wait, tell=tell) as (position, snapshot):
        follower.until(position)
        with destination.reading() as rows:
            follower.touched.clear()
            snapshot.hold([table.source for table in plan.tables])
            return meanwhile(
                lambda: verify(snapshot, rows, plan, progress, lived_in=lived_in), lambda: follower.step(0.05)
            )


def verify_reversing(
    origin: Origin, destination: Destination, plan: Plan, reverser: Reverser, progress: Progress
) -> Verdict:
    """Compare all while PostgreSQL follows the file: just what the file shows is taken back first.

    From then on, `reverser.touched` has the rows that were changed since.

    Raises:
        LiteshiftError: as `Reverser.step`.
    """
    tries = 0
    while True:
        tries += 1
        reverser.step()
        with destination.reading() as rows:
            # What the file shows may have come a moment ago, and not yet be written as PostgreSQL has it.
            if reverser.step(through=rows.captured()).respelled and tries < _TRIES:
                continue
            reverser.touched.clear()
            with origin.snapshot() as snapshot:
                return verify(snapshot, rows, plan, progress, lived_in=True)


def meanwhile(work: Callable[[], Verdict], turn: Callable[[], object]) -> Verdict:
    """Do a long piece of work in a thread, and take turns at another until it is done.

    Raises:
        BaseException: what either of them raised.
    """
    done: list[Verdict] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="verify")
    thread.start()
    try:
        while thread.is_alive():
            turn()
    finally:
        thread.join()
    if failed:
        raise failed[0]
    return done[0]
