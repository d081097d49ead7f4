"""The end of a live move, on either side; afterwards nothing of ours is left on the source."""

from __future__ import annotations

from liteshift.errors import LiteshiftError, Locked, NoConnection, NoSpace, NotInitialised, UsageError
from liteshift.flow import Origin
from liteshift.live.move import Move, removal
from liteshift.live.recover import recover
from liteshift.phases import Phase
from liteshift.stops import Stop, passing


def abort(move: Move) -> None:
    """Give the move up, while the application lives on PostgreSQL; the file is left as it is.

    Raises:
        UsageError: the application lives on SQLite.
    """
    if move.page.phase not in (Phase.NEW, Phase.COPYING):
        recover(move)
    if move.page.phase is Phase.REVERSING:
        raise UsageError(
            "the application lives on SQLite, and what it wrote there would be lost to PostgreSQL",
            hint="Bring it back first with liteshift rollback, or stay on SQLite with liteshift finalize.",
        )
    if move.page.phase not in (Phase.ABORTED, Phase.FINALIZED):
        move.turn(Phase.ABORTED, "as asked for")
    clear(move)


def finalize(move: Move) -> None:
    """Stay on SQLite for good.

    Raises:
        UsageError: the application lives on PostgreSQL.
    """
    strange = move.page.phase is Phase.REVERSING and move.is_strange()
    if not strange:  # else whoever says so stays on another file, which holds what it holds
        recover(move)
    if move.page.phase is Phase.FOLLOWING:
        raise UsageError(
            "the application lives on PostgreSQL", hint="Move it first: liteshift cutover; or give up: liteshift abort."
        )
    if move.page.phase is Phase.REVERSING:
        stay_for_good(move, note="as asked for" + (", on another file than the one moved to" if strange else ""))
    if move.page.phase not in (Phase.ABORTED, Phase.FINALIZED):
        raise LiteshiftError(f"the move is {move.page.phase}, and can't be finalized from there")
    clear(move)


def stay_for_good(move: Move, *, note: str) -> None:
    """Let the application stay on the file, which is a file like any other from here on; the source is not needed."""
    with move.capture() as capture:
        move.disarm_for_good(capture)
    passing(Stop.FINALIZE_DISARMED)
    move.turn(Phase.FINALIZED, note)


def clear(move: Move) -> None:
    """Take away all that was made on the source, and what keeps writers off a file that was given up.

    Done twice, the second time finds nothing.

    Raises:
        UsageError: nothing is there, and the source bears another name than the one that the move began on.
        NoConnection: the source can't be reached; the file is free all the same.
        Locked, NoSpace: the file can't be written just now, so this is to be done once more.
    """
    origin, name = move.ends.origin, move.page.move
    failed = _let_go(move) if move.page.phase is Phase.ABORTED else None
    try:
        removed = origin.remove(name)
    except NoConnection as error:
        left = f"the move is {move.page.phase}, and what it made on {move.page.source} is still there"
        hint = "Type the same again when it can be reached. Where that server is gone for good, nothing is left to do."
        raise NoConnection(f"{error.message}; {left}", hint=f"{error.hint or ''} {hint}".strip()) from error
    if not removed and origin.label != move.page.source:
        raise UsageError(
            f"{origin.label} has nothing of the move {name}, which began on {move.page.source}",
            hint="Name that one as the source, so that all that was made there is taken away.",
        )
    if failed is not None:
        raise failed
    passing(Stop.ABORT_REMOVED if move.page.phase is Phase.ABORTED else Stop.FINALIZE_REMOVED)
    move.cleared(removed)


def _let_go(move: Move) -> LiteshiftError | None:
    """Let the file take writes again; why it could not be written, where that is worth another try."""
    try:
        move.ends.destination.release(move.page.move)
    except (Locked, NoSpace) as error:
        return error
    except NoConnection as error:
        move.is_over = True  # it is the file's, and no waiting helps
        return error
    except LiteshiftError as error:  # the file may be spoilt, or anything else by now
        move.show("notice", {"message": f"the file was left as it is: {error.message}"})
    return None


def clear_lost(origin: Origin, named: str | None) -> str:
    """Take away what a move has made on the source where its logbook is lost; what was there, in words.

    Raises:
        LiteshiftError: as `require_lost`.
    """
    return removal(origin.remove(require_lost(origin, named)))


def require_lost(origin: Origin, named: str | None) -> str:
    """The move that has made something on the source, where its logbook is lost.

    Args:
        named: the move that is meant; None where nothing says which.

    Raises:
        NotInitialised: there is none.
        UsageError: it is another one, or the application lives on its target.
        Locked: a process runs it.
    """
    name = origin.abandoned()
    if name is None:
        raise NotInitialised(
            f"no live move of {origin.label} was begun", hint="Begin one: liteshift migrate --live SOURCE TARGET"
        )
    if name != named:
        raise UsageError(
            f"the live move of {origin.label} is {name}, and nothing here says that this is its target",
            hint=f"Name its own target, and its folder with --workdir. Where both are lost, say --move {name}.",
        )
    return name
