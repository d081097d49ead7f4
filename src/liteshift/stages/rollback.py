"""Moves a running application from the file back to PostgreSQL: the cutover, mirrored."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from liteshift.errors import LiteshiftError
from liteshift.flow import Capture, Held
from liteshift.reports import SwitchReport
from liteshift.stages.cutover import GRACE, Bridge, Terms, proof, told
from liteshift.stages.pause import Pause
from liteshift.stages.reverse import Reverser
from liteshift.stages.touched import compare_touched
from liteshift.stops import Stop, passing

SIDE = "postgresql"


def roll_back(bridge: Bridge, reverser: Reverser, *, draft: SwitchReport, terms: Terms) -> SwitchReport:
    """Let the application live on PostgreSQL again.

    Args:
        reverser: what takes the file's changes back; only its `touched` has changed since the verdict.
        draft: what is known before; the number of the file's last change is what proves the drain.

    Raises:
        NoConnection: PostgreSQL says nothing any more; all is undone, or the next run goes on.
        Locked: a write did not end in time, or the pause lasted too long; all is undone.
        NotFit, DifferencesFound: PostgreSQL does not take a change, or the sides differ; all is undone.
        UsageError: a table was made meanwhile that PostgreSQL does not have; all is undone.
    """
    control, gate, capture = bridge.control, bridge.gate, bridge.capture
    pause = Pause(terms.pause)
    bound = ExitStack()
    try:
        bound.enter_context(control.within(terms.pause + GRACE))
        bound.enter_context(reverser.within(terms.pause + GRACE))
        if gate is not None:
            gate.drain(pause.until)
            passing(Stop.ROLLBACK_DRAINING)
            gate.hold(seconds=pause.left)
        passing(Stop.ROLLBACK_HELD)
        pause.done("running writes ended")
        last = capture.refuse(until=pause.until)
        capture.see_no_newcomers()  # the comparison before the pause takes its time
        passing(Stop.ROLLBACK_REFUSING)
        pause.done("file refuses writes")
        step = reverser.step()
        if last and step.number < last:
            raise LiteshiftError(f"PostgreSQL has the changes up to {step.number}, and the file's last is {last}")
        passing(Stop.ROLLBACK_DRAINED)
        pause.done("changes drained")
        with bridge.destination.reading() as reading:
            compared, passed_over = compare_touched(control, reading, bridge.plan, reverser.touched)
        passing(Stop.ROLLBACK_COMPARED)
        pause.done("changed rows compared")
        sequences = reverser.set_sequences()
        passing(Stop.ROLLBACK_SEQUENCES)
        pause.done("sequences set")
        position = control.here()
        if gate is not None:
            gate.drain(None)  # once disarmed, nothing would keep what a writer who takes us for dead writes to the file
        capture.disarm(position=position, alone=True)
        passing(Stop.ROLLBACK_DISARMED)
        pause.done("capture disarmed")
        let_in(bridge, held=True)
    except BaseException:
        undo_rollback(capture, gate)
        raise
    finally:
        bound.close()
    passing(Stop.ROLLBACK_SWITCHED)
    pause.end("application switched")
    report = proof(bridge, pause, draft, (compared, passed_over))
    failed = told(bridge.hook, SIDE)
    return replace(report, position=str(position), captured=step.number, sequences=dict(sequences), hook_failed=failed)


def undo_rollback(capture: Capture, gate: Held | None) -> None:
    """Take back a rollback whose capture is still armed; done twice, the second time does nothing.

    PostgreSQL is not needed for it: it refuses writes all the time until the capture is disarmed.
    """
    if capture.armed() is not None:
        capture.allow()
        if gate is not None:
            gate.reopen()


def finish_rollback(bridge: Bridge) -> str:
    """Go on with a rollback that was interrupted after the capture was disarmed.

    Returns:
        Why the command that tells the application failed; empty where it did not. It is run again, as nobody knows
        whether it was.
    """
    let_in(bridge, held=False)
    return told(bridge.hook, SIDE)


def let_in(bridge: Bridge, *, held: bool) -> None:
    """Let writes in on PostgreSQL, once the capture is disarmed.

    Args:
        held: whether we hold the gate; one who goes on after a kill does not, and takes it first.
    """
    bridge.control.fence.down()
    passing(Stop.ROLLBACK_FENCE_DOWN)
    if bridge.gate is not None:
        if not held:
            bridge.gate.take(seconds=Terms().pause)
        bridge.gate.switch(SIDE)
