"""The conductor: one stage after the other, from a source to a file in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from liteshift.ends import Snapshot, Source, Staging, Target
from liteshift.errors import Interrupted, LiteshiftError, NoConnection
from liteshift.plan import Choices, Plan
from liteshift.progress import Progress, Step
from liteshift.rejects import RejectFile
from liteshift.reports import MigrateReport, Reject, RepairedTable, Verdict
from liteshift.stages.copy import check_file, copy_rows, make_indexes, make_triggers
from liteshift.stages.mend import mend
from liteshift.stages.prepare import prepare, refuse_unfit, task_of
from liteshift.stages.repair import repair as stage_repair
from liteshift.stages.verify import verify
from liteshift.stages.views import make_views

T = TypeVar("T")


@dataclass(slots=True)
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, stage: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[stage] = time.monotonic() - started


def plan(source: Source, choices: Choices) -> Plan:
    """What a move would do; reads the catalog only."""
    with source.snapshot() as snapshot:
        return prepare(snapshot, choices)


def migrate(
    source: Source,
    target: Target,
    choices: Choices,
    *,
    rejects: Path,
    overwrite: bool,
    progress: Progress,
    show_plan: Callable[[Plan], None] = lambda _: None,
    notice: Callable[[str], None] = lambda _: None,
    restart: bool = False,
    jobs: int = 1,
    triggers: bool = True,
    before_seal: Callable[[Plan, Snapshot, Staging, Iterable[Reject]], None] = lambda *_: None,
) -> MigrateReport:
    """Move everything: plan, copy, indexes, checks, verify, and only then the file into its place.

    Args:
        source: the database to move.
        target: the file to make.
        choices: what the user decides.
        rejects: where rows that can't be carried are written down.
        overwrite: replace a target that exists.
        progress: told how far each stage has come.
        show_plan: shown the plan before a byte is copied.
        notice: told what a person should know at once.
        restart: throw away what an interrupted move has left; without, go on with it.
        jobs: how many connections copy at the same time.
        triggers: make the triggers; a file that still follows its source gets them when it no longer does.
        before_seal: what else is to stand in the file, written when all else does.

    Raises:
        NotFit: the plan has refusals.
        Interrupted: the user or the source's end has stopped it, and the same call goes on.
        LiteshiftError: anything else that failed.
    """
    clock = _Clock()
    with (
        _resumable(clock, target),
        source.snapshot() as snapshot,
        target.staging(overwrite=overwrite, restart=restart) as staging,
        RejectFile(rejects) as reject,
    ):
        found = clock.run("plan", lambda: prepare(snapshot, choices))
        show_plan(found)
        refuse_unfit(found)
        snapshot.hold([table.source for table in found.tables])
        anew = staging.resume(task_of(snapshot.identity, choices, found))
        if anew:
            notice(f"what an interrupted move has left is thrown away: {anew}")
        copied = clock.run("copy", lambda: copy_rows(snapshot, found, staging, progress, reject, jobs=jobs))
        if any(table.kept for table in copied):
            work = partial(mend, snapshot, found, staging, copied, progress, reject, reject.strike)
            copied = clock.run("mend", work)
        clock.run("index", lambda: make_indexes(found, staging, progress))
        if triggers:
            make_triggers(found, staging)
        found = clock.run("views", partial(make_views, snapshot, found, staging, progress))
        progress(Step("check", target.label, 0, None))
        orphans = clock.run("check", lambda: check_file(staging, reject.count))
        before_seal(found, snapshot, staging, reject.written())
        clock.run("seal", staging.seal)
        verdict = clock.run("verify", lambda: verify(snapshot, staging, found, progress))
        if verdict.equal:
            staging.publish()
        rejects_file = str(rejects) if reject.count else None
    return MigrateReport(
        source=source.label,
        target=target.label,
        position=verdict.position,
        plan=found,
        copied=copied,
        verdict=verdict,
        rejects_file=rejects_file,
        orphans=orphans,
        bytes=target.size(),
        seconds=clock.seconds,
    )


@contextmanager
def _resumable(clock: _Clock, target: Target) -> Iterator[None]:
    """Where a move is stopped and has left rows, say how to go on."""
    try:
        yield
    except (KeyboardInterrupt, LiteshiftError) as error:
        kept = target.left().values()
        if not kept or not ("copy" in clock.seconds or isinstance(error, KeyboardInterrupt)):
            raise
        rows, whole = sum(table.rows for table in kept), sum(table.whole for table in kept)
        left = f"{rows:,} rows are kept, {whole} tables whole"
        hint = f"The same command goes on with {target.label}; with --restart it begins anew."
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted; {left}", hint=hint) from error
        if isinstance(error, NoConnection):
            raise Interrupted(f"{error.message}; {left}", hint=hint) from error
        error.hint = f"{error.hint or ''} {left[0].upper()}{left[1:]}. {hint}".strip()
        raise


def compare(source: Source, target: Target, choices: Choices, *, progress: Progress, limit: int) -> Verdict:
    """Compare every row of the source with the target, each at one moment.

    Raises:
        NotInitialised: there is no target, or it lacks a table.
    """
    with source.snapshot() as snapshot, target.reading() as rows:
        found = prepare(snapshot, choices)
        snapshot.hold([table.source for table in found.tables])
        rows.require({table.target: [column.target for column in table.columns] for table in found.tables})
        return verify(snapshot, rows, found, progress, limit=limit)


def repair(
    source: Source, target: Target, choices: Choices, *, undo: Path, progress: Progress
) -> tuple[RepairedTable, ...]:
    """Make the target equal to the source as it is now, in one transaction.

    Args:
        source: the database that is right.
        target: the file to change.
        choices: what the user decided when the file was made.
        undo: the SQL script to write that takes the changes back.
        progress: told about rows as they are read.

    Raises:
        DifferencesFound: too much differs; nothing was changed.
        Locked: another connection is writing.
    """
    with source.snapshot() as snapshot, target.repairing(undo) as rows:
        found = prepare(snapshot, choices)
        snapshot.hold([table.source for table in found.tables])
        rows.require({table.target: [column.target for column in table.columns] for table in found.tables})
        return stage_repair(snapshot, rows, found, progress)
