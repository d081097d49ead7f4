"""How the application's writing compares with SQLite's one writer: an estimate from the server's own counters."""

from __future__ import annotations

from liteshift.assessment import Load, Writes
from liteshift.survey import Activity

COMMITS = 1000
"""Commits per second that survive a power cut on an ordinary SSD; `liteshift bench` measures a disk's own figure."""

_PEAK = 10  # how far a busy second stands above the average
_SHORTEST = 1.0  # seconds between two readings of the counters, below which they tell nothing
_BUSIEST = 5


def writing(before: Activity, after: Activity, seconds: float) -> Writes:
    """The estimate.

    Args:
        before: the counters when the assessment began.
        after: the counters when it ended.
        seconds: how long it took.
    """
    transactions = _writing(before.commits, before.written, before.seconds)
    now = None
    if seconds >= _SHORTEST:
        now = _writing(after.commits - before.commits, after.written - before.written, seconds)
    most = max(transactions, now or 0)
    load = Load.LIGHT if most * _PEAK <= COMMITS else Load.BUSY if most <= COMMITS else Load.HEAVY
    return Writes(
        load=load,
        transactions=transactions,
        rows=before.written / before.seconds if before.seconds else 0.0,
        seconds=before.seconds,
        exact=before.exact,
        now_transactions=now,
        now_seconds=seconds,
        writers=before.writers,
        busiest=tuple(one for one in before.tables[:_BUSIEST] if one.written),
    )


def _writing(commits: int, rows: int, seconds: float) -> float:
    """Transactions per second that can have written: each wrote a row at least, and each was a commit."""
    return min(commits, rows) / seconds if seconds else 0.0
