"""Moves a running application from PostgreSQL to the file, within a pause; whatever fails undoes all before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex

from liteshift.catalog import Name
from liteshift.changes import Shape
from liteshift.errors import DifferencesFound, LiteshiftError, Locked, LossesNotAccepted
from liteshift.flow import Capture, Control, Destination, Held
from liteshift.plan import Plan
from liteshift.progress import untold
from liteshift.reports import SwitchReport, Verdict
from liteshift.stages.follow import Follower
from liteshift.stages.pause import Pause
from liteshift.stages.touched import compare_touched
from liteshift.stops import Stop, passing

SIDE = "sqlite"
GRACE = 2.0  # seconds past the pause's end, after which a server that says nothing is given up
HOOK_SECONDS = 300.0  # for a command that is run when writes go on already


@dataclass(frozen=True, slots=True)
class Terms:
    """What a switch may cost.

    Attributes:
        pause: seconds for which writes may wait, at the most; then all is undone.
        wait: seconds to wait for transactions of others on the source, before the pause begins.
    """

    pause: float = 10.0
    wait: float = 60.0


@dataclass(frozen=True, slots=True)
class Bridge:
    """Both sides of a move, and what holds the application's writes between them.

    Attributes:
        source: what to call the source.
        gate: None where the application has none.
        hook: run once the new side is ready for its first write, with the seconds it may take; raises where it fails.
    """

    move: str
    source: str
    plan: Plan
    control: Control
    destination: Destination
    capture: Capture
    gate: Held | None
    hook: Callable[[str, float], None]


def cut_over(
    bridge: Bridge,
    follower: Follower,
    *,
    draft: SwitchReport,
    shapes: Mapping[Name, Shape],
    terms: Terms,
    accept_rejects: bool = False,
    tell: Callable[[str], None] = untold,
    look: Callable[[], tuple[str, ...]] = tuple,
) -> SwitchReport:
    """Let the application live on the file.

    Args:
        follower: what brings the source's changes; only its `touched` has changed since the verdict.
        draft: what is known before; its token travels through the log.
        shapes: how the tables looked when all rows were compared.
        accept_rejects: rows that the file can't hold may stay behind.
        tell: told for whom it waits.
        look: looks a last time, right before the pause, what has changed on the source since the plan; raises where
            that is not accepted, or anything else stands in the way.

    Raises:
        LossesNotAccepted: there are such rows, whenever they came; all is undone.
        Locked: a write did not end in time, or the pause lasted too long; all is undone.
        DifferencesFound: a row that was changed lately is not the same on both sides; all is undone.
    """
    control, fence, gate = bridge.control, bridge.control.fence, bridge.gate
    fence.prepare(seconds=terms.wait, tell=tell)
    draft = replace(draft, changes=look())
    bridge.capture.prepare(bridge.plan)
    pause, token = Pause(terms.pause), draft.token
    bound = ExitStack()
    try:
        bound.enter_context(control.within(terms.pause + GRACE))
        if gate is not None:
            gate.drain(pause.until)
            passing(Stop.CUTOVER_DRAINING)
            gate.hold(seconds=pause.left)
        passing(Stop.CUTOVER_HELD)
        pause.done("running writes ended")
        fence.up(token, seconds=pause.left)
        passing(Stop.CUTOVER_FENCED)
        pause.done("source fenced")
        if not follower.until_token(token, seconds=pause.left):
            raise Locked("the token did not come through the source's log in time", hint="Try again.")
        if not accept_rejects:
            refuse_rejects(follower)
        passing(Stop.CUTOVER_DRAINED)
        pause.done("log drained")
        with bridge.destination.reading() as reading:
            compared, passed_over = compare_touched(control, reading, bridge.plan, follower.touched)
        if past := past_the_log(shapes, control.shapes(bridge.plan)):
            raise DifferencesFound(
                f"{', '.join(past)} was emptied or rewritten, or has other partitions, since all rows were compared",
                hint="Run the same command again: it compares them anew.",
            )
        passing(Stop.CUTOVER_COMPARED)
        pause.done("changed rows compared")
        last = control.last_values(bridge.plan)
        # Once armed there is no way back to writers who would take us for dead.
        fence.keep()
        if gate is not None:
            gate.drain(None)
        bridge.capture.arm(bridge.plan, epoch=draft.epoch, last=last)
        passing(Stop.CUTOVER_ARMED)
        pause.done("capture armed")
        bridge.hook(SIDE, pause.left)
    except BaseException:
        undo_cutover(bridge)
        raise
    finally:
        bound.close()
    if gate is not None:
        gate.switch(SIDE)
    passing(Stop.CUTOVER_SWITCHED)
    pause.end("application switched")
    report = proof(bridge, pause, draft, (compared, passed_over))
    left = follower.rejected  # by now: some may have come, or been mended, since all rows were compared
    return replace(report, position=str(follower.position), sequences=dict(last), left_behind=left)


def refuse_rejects(follower: Follower) -> None:
    """Let no row of the source stay behind because the file can't hold it.

    Raises:
        LossesNotAccepted: one would.
    """
    if rejected := follower.rejected:
        listed = ", ".join(f"{count:,} of {table}" for table, count in rejected.items())
        raise LossesNotAccepted(
            f"rows of the source can't be carried, and would stay behind: {listed}",
            hint="Mend them on the source, and they come by themselves; the file's table liteshift_rejects names each."
            " If you can do without them, say --accept-rejects.",
        )


def past_the_log(before: Mapping[Name, Shape], now: Mapping[Name, Shape]) -> list[str]:
    """The tables whose rows may have come or gone without the log's telling."""
    return [str(name) for name, shape in now.items() if before[name].storage != shape.storage]


def undo_cutover(bridge: Bridge) -> None:
    """Take back a cutover that has not switched the application yet; done twice, the second time does nothing.

    Raises:
        LiteshiftError: something was written to the file already.
    """
    if bridge.capture.armed() is not None:
        if bridge.capture.last():
            raise LiteshiftError(
                "the cutover can't be taken back: something was written to the file already",
                hint="Go on with it: liteshift cutover; afterwards, liteshift rollback brings everything back.",
            )
        bridge.capture.disarm(position=bridge.control.here())
    try:
        bridge.control.fence.down()
    finally:  # where the source can't be reached, it is for it to refuse writes or to take them
        if bridge.gate is not None:
            bridge.gate.reopen()


def finish_cutover(gate: Held | None, hook: Callable[[str, float], None]) -> str:
    """Go on with a cutover that was interrupted after the capture was armed; the source is not needed for it.

    Returns:
        Why the command that tells the application failed; empty where it did not. It is run again, as nobody knows
        whether it was.
    """
    if gate is not None and not gate.is_on(SIDE):
        gate.take(seconds=Terms().pause)
        gate.switch(SIDE)
    return told(hook, SIDE)


def told(hook: Callable[[str, float], None], side: str) -> str:
    """Tell the application, once writes go on; why that failed, or nothing."""
    try:
        hook(side, HOOK_SECONDS)
    except LiteshiftError as error:
        return error.message
    return ""


def drafted(
    bridge: Bridge, kind: str, epoch: int, verdict: Verdict, backup: str = "", changes: tuple[str, ...] = ()
) -> SwitchReport:
    """What is known of a switch before its pause; all that is left of it where whoever switches is interrupted.

    Args:
        verdict: every row compared, at one position.
        backup: the backup that was made and checked.
        changes: what has changed on the source since the plan, and is accepted.
    """
    return SwitchReport(
        kind=kind,
        at=now(),
        move=bridge.move,
        source=bridge.source,
        target=bridge.destination.label,
        epoch=epoch,
        token=token_hex(16),  # one that nobody has seen before
        position="",
        captured=0,
        verified_rows=verdict.rows,
        verified_at=verdict.position,
        left_behind=verdict.left_behind,
        compared_keys=None,
        not_compared=(),
        pause=None,
        steps=(),
        held=None,
        refused=0,
        sequences={},
        backup=backup,
        changes=changes,
        interrupted=True,
    )


def proof(bridge: Bridge, pause: Pause, draft: SwitchReport, compared: tuple[int, tuple[str, ...]]) -> SwitchReport:
    """What the reports of both switches have in common.

    Args:
        compared: how many keys were compared within the pause, and the tables that were passed over.
    """
    return replace(
        draft,
        at=now(),
        compared_keys=compared[0],
        not_compared=compared[1],
        pause=pause.seconds,
        steps=tuple(pause.steps),
        held=bridge.gate.waited() if bridge.gate is not None else None,
        refused=bridge.control.fence.refused(),
        interrupted=False,
    )


def now() -> str:
    """This moment, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
