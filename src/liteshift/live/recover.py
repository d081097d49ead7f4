"""What to do with a switch that was interrupted: forward where its point of no return is passed, else back."""

from __future__ import annotations

from dataclasses import replace

from liteshift.errors import LiteshiftError, NotFit
from liteshift.flow import Capture
from liteshift.live.move import Move
from liteshift.phases import Phase
from liteshift.stages.cutover import finish_cutover, now, undo_cutover
from liteshift.stages.rollback import finish_rollback, undo_rollback


def recover(move: Move) -> None:
    """Bring a move that was killed within a switch, or while it was finalized, to a phase in which it can stay.

    The file alone says whether a switch goes forward or back, and often it alone is needed: the application is not kept
    waiting for a source that can't be reached.

    Raises:
        NotFit: the application moved to a file, and another one is in its place.
        NoConnection: the source is needed, and can't be reached.
    """
    if move.page.phase not in (Phase.SWITCHING, Phase.REVERSING, Phase.RETURNING):
        return
    if move.is_strange():
        raise strange(move)
    with move.capture() as capture:
        armed = capture.armed()
        match move.page.phase:
            case Phase.SWITCHING if armed == move.page.epoch + 1:
                failed = finish_cutover(move.ends.gate, move.ends.hook)
                _finished(move, capture, "cutover", Phase.REVERSING, failed)
            case Phase.SWITCHING:
                with move.bridge() as bridge:
                    undo_cutover(bridge)
                move.turn(Phase.FOLLOWING, "a cutover that was interrupted has been undone")
            case Phase.RETURNING if armed is None:
                with move.bridge() as bridge:
                    failed = finish_rollback(bridge)
                _finished(move, capture, "rollback", Phase.FOLLOWING, failed)
            case Phase.RETURNING:
                undo_rollback(capture, move.ends.gate)
                move.turn(Phase.REVERSING, "a rollback that was interrupted has been undone")
            case _ if armed is None and move.page.ending:
                move.turn(Phase.FINALIZED, "the end that was interrupted is gone on with")
            case _ if armed != move.page.epoch:
                raise strange(move)
            case _:
                move.note_ending(False)


def _finished(move: Move, capture: Capture, kind: str, phase: Phase, failed: str) -> None:
    """Go to the phase that a switch leads to, and file what is known of it, unless all of it was filed before."""
    epoch, draft = move.page.epoch + 1, move.page.draft
    name = f"{kind}-{epoch}"
    filed = move.filed(name)
    if draft is not None and (filed is None or filed["token"] != draft.token):
        captured = capture.returned() if kind == "rollback" else 0
        refused, position = _refused(move), capture.position()
        done = replace(draft, at=now(), position=position, captured=captured, refused=refused, hook_failed=failed)
        move.file_report(name, done)
    report = "" if draft is None else f"{name}.json"
    move.turn(phase, f"a {kind} that was interrupted has been finished", report=report, epoch=epoch)
    if failed:
        move.warn(kind, failed)
    move.settle(kind)


def _refused(move: Move) -> int:
    """How many writers the source has refused, as far as it can be asked."""
    try:
        with move.bridge() as bridge:
            return bridge.control.fence.refused()
    except LiteshiftError:
        return 0


def strange(move: Move) -> NotFit:
    """What to say where another file is in the place of the one that the application moved to."""
    label = move.ends.destination.label
    return NotFit(
        f"{label} is not the file that the application moved to, or not as it was then: what was written on SQLite"
        " can't be taken back from it",
        hint="Bring that file back, and go on. If it is lost, the way back is closed: stay on what is there now with"
        f" liteshift finalize SOURCE {label}, or see docs/rollback.md for how to go on on PostgreSQL.",
    )
