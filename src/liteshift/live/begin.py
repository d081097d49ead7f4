"""The beginning of a live move: what the source needs, and the copy, from the very moment its slot begins at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from liteshift import migration
from liteshift.ends import Snapshot, Staging, Target
from liteshift.errors import DifferencesFound
from liteshift.flow import Origin
from liteshift.live.move import Move
from liteshift.phases import Phase
from liteshift.plan import Choices, Plan
from liteshift.position import Lsn
from liteshift.reports import Reject
from liteshift.stages.prepare import prepare, refuse_unfit, refuse_unfit_to_live
from liteshift.stops import Stop, passing
from liteshift.translate.rules import Rules, rules


def fit(origin: Origin, name: str, choices: Choices) -> Plan:
    """The plan, where nothing stands in the way of a live move; only reads.

    Args:
        name: the move's.

    Raises:
        NotFit: the plan has refusals, or the server or a table can't be followed.
        NoConnection: no permission for what must be made on the source.
        Locked: another move is going on from it.
    """
    with origin.snapshot() as snapshot:
        plan = prepare(snapshot, choices)
    refuse_unfit(plan)
    refuse_unfit_to_live(plan)
    origin.require(name, plan)
    return plan


def copy(
    move: Move, plan: Plan, target: Target, rejects: Path, *, overwrite: bool, restart: bool = False, jobs: int = 1
) -> None:
    """Make the slot, and the file that shows the source at its beginning.

    A copy that was interrupted goes on at another moment, and what it had is brought up to that.

    Args:
        plan: what `fit` has found.

    Raises:
        LiteshiftError: what `fit` may raise, as the source may have changed since.
        DifferencesFound: what was copied is not equal to the source.
    """
    origin, name = move.ends.origin, move.page.move
    move.turn(Phase.COPYING, "the copy begins")
    origin.establish(name, plan)
    passing(Stop.ESTABLISHED)

    def mark(plan: Plan, snapshot: Snapshot, staging: Staging, rejected: Iterable[Reject]) -> None:
        passing(Stop.COPIED)
        staging.mark(name, Lsn.parse(snapshot.position), rejected, plan.tables)

    source = _AtSlot(origin, name, move.tell_waiting)
    report = migration.migrate(
        source,
        target,
        move.page.choices,
        rejects=rejects,
        overwrite=overwrite,
        progress=move.progress,
        show_plan=lambda plan: move.show("plan", plan),
        notice=lambda text: move.show("notice", {"message": text}),
        restart=restart,
        jobs=jobs,
        triggers=False,
        before_seal=mark,
    )
    passing(Stop.PUBLISHED)
    if not report.verdict.equal:
        raise DifferencesFound(
            f"{report.target} was not put into place: it is not equal to {report.source}",
            hint="Please report this with the definition of the table. liteshift abort takes away what was made.",
        )
    move.file_report("copy", report)
    note = f"{report.rows:,} rows copied, at {report.position}"
    move.turn(Phase.FOLLOWING, note, report="copy.json", plan=report.plan, rules=source.rules)


class _AtSlot:
    """The source as a copy sees it: at the moment its slot begins at.

    Attributes:
        rules: those of its tables at the last such moment.
    """

    def __init__(self, origin: Origin, name: str, tell: Callable[[str], None]) -> None:
        self._origin = origin
        self._name = name
        self._tell = tell
        self.label = origin.label
        self.rules: Rules = {}

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Make the slot anew, and look at its moment."""
        with self._origin.slot(self._name, tell=self._tell) as snapshot:
            passing(Stop.SLOT_MADE)
            self.rules = rules(snapshot.catalog())
            yield snapshot
