"""Looks whether the source's tables and their rules are still those that the plan was made from."""

from __future__ import annotations

from liteshift.errors import NotFit
from liteshift.live.move import Move
from liteshift.translate.rules import changed, rules


def refuse_changed(move: Move) -> None:
    """Stop where a table that belongs to the move is new on the source, or a rule of a moved one is another.

    Raises:
        NotFit: the message names each.
    """
    if move.page.rules is None:
        move.show(
            "notice", {"message": "begun by an earlier liteshift, the move does not look for new tables and rules"}
        )
        return
    with move.ends.origin.snapshot() as snapshot:
        now = rules(snapshot.catalog())
    if found := changed(move.page.rules, now, move.plan, move.page.choices):
        raise NotFit(
            f"the source is not as it was when its plan was made: {'; '.join(found)}",
            hint="Take that back on the source, or begin anew: liteshift abort, then liteshift migrate --live. With"
            " --accept-changes the application moves all the same: new tables and rules stay on PostgreSQL.",
        )
