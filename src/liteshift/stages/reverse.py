"""The way back: what the application writes on SQLite goes to PostgreSQL, so that it can return there at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from liteshift.catalog import Name
from liteshift.changes import Captured
from liteshift.errors import Locked
from liteshift.flow import Capture, ReverseApplier
from liteshift.stops import Stop, passing
from liteshift.translate.takeback import Takeback
from liteshift.writes import Refused, Texts, Write

_FOREIGN_KEY = "23503"
_MOST_TOUCHED = 100_000  # keys per table


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took back.

    Attributes:
        changes: how many captured changes the source has got.
        number: the number of the last that it has.
    """

    changes: int
    number: int


class Reverser:
    """Takes back what the capture has kept, one look at the file after the other.

    Killed at any moment, it takes up where it was: the source knows the number of the last change that it has, and
    what it has is only then forgotten.

    Attributes:
        touched: for each changed table the keys of the rows that were changed since this began, as PostgreSQL prints
            them; None for a table that has no key, or in which too many were changed.

    Args:
        capture: what the file has kept.
        applier: the source.
        takeback: what each change is to the source.
    """

    def __init__(self, capture: Capture, applier: ReverseApplier, takeback: Takeback) -> None:
        self.touched: dict[Name, set[Texts] | None] = {}
        self._capture = capture
        self._applier = applier
        self._takeback = takeback
        self._count = self._last = 0

    def step(self, through: int | None = None) -> Step:
        """Take back all that is there now.

        Args:
            through: the number of the last change to take back; a transaction of SQLite's must end with it.

        Raises:
            NotFit: the file's schema has changed.
            Refused: PostgreSQL does not take a row.
            DifferencesFound: a row of the source is not as it was.
            Locked: somebody holds a table of the source.
        """
        applied = self._applier.applied()
        try:
            number = self._ship(applied, through, postpone=False)
        except Refused as refused:
            if refused.state != _FOREIGN_KEY:
                raise
            # SQLite looks at the end of a statement, or of the transaction, whether every row has its parent.
            number = self._ship(applied, through, postpone=True)
        count = self._count
        if count:
            passing(Stop.REVERSE_APPLIED)
        with suppress(Locked):  # a writer of the application goes first; the next step forgets it
            self._capture.forget(number)
        if count:
            passing(Stop.REVERSE_FORGOTTEN)
        return Step(count, number)

    def set_sequences(self) -> Mapping[str, int]:
        """Let the source's sequences go on from where SQLite's numbers are; those, by the target's table."""
        last = self._capture.sequences()
        self._applier.set_sequences(self._takeback.sequences(last))
        return last

    def _ship(self, after: int, through: int | None, *, postpone: bool) -> int:
        self._count, self._last = 0, after
        with self._capture.changes(after) as changes:
            writes = self._takeback.writes(self._counted(changes, through))
            self._applier.apply(self._noted(writes), postpone=postpone)
        return self._last  # the last changes may have been none to the source, which then does not count them

    def _counted(self, changes: Iterator[Captured], through: int | None) -> Iterator[Captured]:
        for change in changes:
            if through is not None and change.number > through:
                return
            self._count += 1
            self._last = change.number
            yield change

    def _noted(self, writes: Iterator[Write]) -> Iterator[Write]:
        for write in writes:
            keys = self.touched.setdefault(write.statement.table, set())
            if keys is not None:
                if not write.statement.key or len(keys) >= _MOST_TOUCHED:
                    self.touched[write.statement.table] = None
                else:
                    keys.update(write.keys)
            yield write
