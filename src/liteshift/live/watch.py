"""Looks whether the source's tables and their rules are still those that the plan was made from."""

from __future__ import annotations

from liteshift.errors import NotFit
from liteshift.flow import Origin
from liteshift.live.move import Move
from liteshift.logbook import Page
from liteshift.translate import rules


def changed(origin: Origin, page: Page) -> tuple[str, ...] | None:
    """Each table that belongs to the move and is new on the source, and each rule of a moved one that is another.

    Returns:
        Them, in words; None where nobody knows: nothing is copied yet, or an earlier liteshift began the move.
    """
    if page.plan is None or page.rules is None:
        return None
    with origin.snapshot() as snapshot:
        now = rules.rules(snapshot.catalog())
    return tuple(rules.changed(page.rules, now, page.plan, page.choices))


def refuse_changed(move: Move, *, accepted: bool) -> tuple[str, ...]:
    """Stop where anything has changed, unless that is accepted.

    Returns:
        What was accepted, in words.

    Raises:
        NotFit: the message names each change.
    """
    found = changed(move.ends.origin, move.page)
    if found is None:
        move.show(
            "notice", {"message": "begun by an earlier liteshift, the move does not look for new tables and rules"}
        )
        return ()
    if found and not accepted:
        raise NotFit(
            f"the source is not as it was when its plan was made: {'; '.join(found)}",
            hint="Take that back on the source, or begin anew: liteshift abort, then liteshift migrate --live"
            " --overwrite. With --accept-changes the application moves all the same: new tables and rules stay on"
            " PostgreSQL.",
        )
    return found
