"""Makes the views, and keeps those that give the same rows on both sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from liteshift.codec.values import codec
from liteshift.ends import Snapshot, Staging
from liteshift.errors import LiteshiftError, NoConnection
from liteshift.plan import Finding, Plan, Severity, ViewPlan
from liteshift.progress import Progress, Step
from liteshift.quoting import quote
from liteshift.stages.verify import Sums, line_of

_SECONDS = 60  # for one view, on either side


def make_views(snapshot: Snapshot, plan: Plan, staging: Staging, progress: Progress) -> Plan:
    """Make each view, read it on both sides, and drop it again where the rows differ.

    Returns:
        The plan as it was carried out: views that were dropped are among its losses.
    """
    kept: list[ViewPlan] = []
    findings: list[Finding] = []
    for number, view in enumerate(plan.views, start=1):
        reason = _try(snapshot, view, staging)
        if reason:
            why = f"translated, but {reason}"
            instead = "make it anew on SQLite"
            findings.append(Finding(Severity.LOSS, "view", str(view.source), "is not carried", why, instead, late=True))
        else:
            kept.append(view)
        progress(Step("views", str(view.source), number, len(plan.views)))
    return replace(plan, views=tuple(kept), findings=(*plan.findings, *findings))


def _try(snapshot: Snapshot, view: ViewPlan, staging: Staging) -> str:
    """Why the view can't be kept; empty where it can, and stands in the file."""
    try:
        staging.execute([view.create])
    except LiteshiftError as error:
        return error.message
    names = [column.source for column in view.columns]
    codecs = [codec(column.form) for column in view.columns]
    try:
        there = _sum(snapshot.view_lines(view.source, names, seconds=_SECONDS))
        rows = staging.view_rows(view.target, [column.target for column in view.columns], seconds=_SECONDS)
        here = _sum(line_of(codecs, row) for row in rows)
    except NoConnection:
        raise
    except LiteshiftError as error:
        reason = error.message
    else:
        if there.count == here.count and there.buckets == here.buckets:
            return ""
        reason = "the rows are not the same on both sides"
    staging.execute([f"DROP VIEW {quote(view.target)}"])
    return reason


def _sum(lines: Iterable[bytes]) -> Sums:
    sums = Sums()
    for line in lines:
        sums.add(line)
    return sums
