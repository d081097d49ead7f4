"""The points at which a live move can be killed, and must go on as if nothing had happened.

`LITESHIFT_STOP=NAME` or `NAME:N` in the environment kills the process with SIGKILL at the first, or N-th, time that it
passes there; the tests kill it at every one of them.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class Stop(StrEnum):
    """Where a live move passes."""

    ESTABLISHING = "establishing"  # the schema is there, identities and publication are not
    ESTABLISHED = "established"  # publication and identities are there, the slot is not
    SLOT_MADE = "slot-made"
    COPIED = "copied"  # the rows are in the staging file
    PUBLISHED = "published"  # the file is in its place, the logbook does not say so yet
    FOLLOW_BEFORE_COMMIT = "follow-before-commit"
    FOLLOW_COMMITTED = "follow-committed"  # in the file, and the source does not know
    FOLLOW_CONFIRMED = "follow-confirmed"
    CUTOVER_NOTED = "cutover-noted"  # the logbook says that a cutover is on its way
    CUTOVER_DRAINING = "cutover-draining"
    CUTOVER_HELD = "cutover-held"
    CUTOVER_FENCED = "cutover-fenced"
    CUTOVER_DRAINED = "cutover-drained"  # the token is in the file
    CUTOVER_COMPARED = "cutover-compared"
    CUTOVER_ARMED = "cutover-armed"  # from here on it goes forward
    CUTOVER_SWITCHED = "cutover-switched"
    CUTOVER_DONE = "cutover-done"
    REVERSE_BEFORE_COMMIT = "reverse-before-commit"
    REVERSE_APPLIED = "reverse-applied"  # the source has it, and the file still keeps it
    REVERSE_RESPELLED = "reverse-respelled"  # the file has its values as the source has them
    REVERSE_FORGOTTEN = "reverse-forgotten"
    ROLLBACK_NOTED = "rollback-noted"
    ROLLBACK_DRAINING = "rollback-draining"
    ROLLBACK_HELD = "rollback-held"
    ROLLBACK_REFUSING = "rollback-refusing"  # the file refuses writes
    ROLLBACK_DRAINED = "rollback-drained"  # the source has every change
    ROLLBACK_COMPARED = "rollback-compared"
    ROLLBACK_SEQUENCES = "rollback-sequences"
    ROLLBACK_DISARMED = "rollback-disarmed"  # from here on it goes forward
    ROLLBACK_FENCE_DOWN = "rollback-fence-down"
    ROLLBACK_SWITCHED = "rollback-switched"
    ROLLBACK_DONE = "rollback-done"
    FINALIZE_DISARMED = "finalize-disarmed"
    FINALIZE_REMOVED = "finalize-removed"
    REMOVING = "removing"  # slot and publication are gone, identities and schema are not
    ABORT_REMOVED = "abort-removed"


_passed: dict[str, int] = {}


def passing(point: Stop) -> None:
    """Be killed here, if that was asked for."""
    wanted, _, times = os.environ.get("LITESHIFT_STOP", "").partition(":")
    if wanted != point:
        return
    _passed[point] = _passed.get(point, 0) + 1
    if _passed[point] == int(times or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
