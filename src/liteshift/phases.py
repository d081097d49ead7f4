"""Where a live move is, and where it may go from there.

new ──▶ copying ──▶ following ◀──▶ switching ──▶ reversing ◀──▶ returning ──▶ following
any phase ──▶ aborted, while the application lives on PostgreSQL
reversing ──▶ finalized
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a live move is.

    NEW: nothing was made yet. COPYING: the slot is there, the file not yet. FOLLOWING: the file is there and follows
    the source, where the application lives. SWITCHING: a cutover is on its way, and can still be undone or gone on
    with. REVERSING: the application lives on the file, and PostgreSQL follows. RETURNING: a rollback is on its way.
    FINALIZED, ABORTED: it is over, on SQLite or on PostgreSQL, and nothing of ours is left on the source.
    """

    NEW = "new"
    COPYING = "copying"
    FOLLOWING = "following"
    SWITCHING = "switching"
    REVERSING = "reversing"
    RETURNING = "returning"
    FINALIZED = "finalized"
    ABORTED = "aborted"


NEXT: dict[Phase, frozenset[Phase]] = {
    Phase.NEW: frozenset({Phase.COPYING, Phase.ABORTED}),
    Phase.COPYING: frozenset({Phase.COPYING, Phase.FOLLOWING, Phase.ABORTED}),
    Phase.FOLLOWING: frozenset({Phase.SWITCHING, Phase.ABORTED}),
    Phase.SWITCHING: frozenset({Phase.FOLLOWING, Phase.REVERSING}),
    Phase.REVERSING: frozenset({Phase.RETURNING, Phase.FINALIZED}),
    Phase.RETURNING: frozenset({Phase.REVERSING, Phase.FOLLOWING}),
    Phase.FINALIZED: frozenset(),
    Phase.ABORTED: frozenset(),
}
"""Every step that may be taken."""


def may_go(now: Phase, then: Phase) -> bool:
    """Whether a move may go from one phase to another."""
    return then in NEXT[now]
