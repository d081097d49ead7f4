"""What to do with a switch that was interrupted: forward where its point of no return is passed, else back."""

from __future__ import annotations

from dataclasses import replace

from liteshift.errors import NotFit
from liteshift.live.move import Move
from liteshift.phases import Phase
from liteshift.stages.cutover import Bridge, finish_cutover, now, undo_cutover
from liteshift.stages.rollback import finish_rollback, undo_rollback


def recover(move: Move) -> None:
    """Bring a move that was killed within a switch, or while it was finalized, to a phase in which it can stay.

    Raises:
        NotFit: the application moved to a file, and another one is in its place.
    """
    if move.page.phase in (Phase.SWITCHING, Phase.REVERSING, Phase.RETURNING) and move.is_strange():
        raise strange(move)
    epoch = move.page.epoch + 1
    match move.page.phase:
        case Phase.SWITCHING:
            with move.bridge() as bridge:
                if bridge.capture.armed() == epoch:
                    _finished(move, bridge, "cutover", Phase.REVERSING, finish_cutover(bridge))
                else:
                    undo_cutover(bridge)
                    move.turn(Phase.FOLLOWING, "a cutover that was interrupted has been undone")
        case Phase.RETURNING:
            with move.bridge() as bridge:
                if bridge.capture.armed() is None:
                    _finished(move, bridge, "rollback", Phase.FOLLOWING, finish_rollback(bridge))
                else:
                    undo_rollback(bridge)
                    move.turn(Phase.REVERSING, "a rollback that was interrupted has been undone")
        case Phase.REVERSING:
            with move.bridge() as bridge:
                armed = bridge.capture.armed()
            if armed is None and move.page.ending:
                move.turn(Phase.FINALIZED, "the end that was interrupted is gone on with")
            elif armed != move.page.epoch:
                raise strange(move)
            else:
                move.note_ending(False)


def _finished(move: Move, bridge: Bridge, kind: str, phase: Phase, failed: str) -> None:
    """Go to the phase that a switch leads to, and file what is known of it, unless all of it was filed before."""
    epoch, draft = move.page.epoch + 1, move.page.draft
    name = f"{kind}-{epoch}"
    filed = move.filed(name)
    if draft is not None and (filed is None or filed["token"] != draft.token):
        captured = bridge.capture.returned() if kind == "rollback" else 0
        refused, position = bridge.control.fence.refused(), bridge.capture.position()
        done = replace(draft, at=now(), position=position, captured=captured, refused=refused, hook_failed=failed)
        move.file_report(name, done)
    report = "" if draft is None else f"{name}.json"
    move.turn(phase, f"a {kind} that was interrupted has been finished", report=report, epoch=epoch)
    if failed:
        move.warn(kind, failed)
    move.settle(kind)


def strange(move: Move) -> NotFit:
    """What to say where another file is in the place of the one that the application moved to."""
    label = move.ends.destination.label
    return NotFit(
        f"{label} is not the file that the application moved to, or not as it was then: what was written on SQLite"
        " can't be taken back from it",
        hint="Bring that file back, and go on. If it is lost, the way back is closed: stay on what is there now with"
        f" liteshift finalize SOURCE {label}, or see docs/rollback.md for how to go on on PostgreSQL.",
    )
