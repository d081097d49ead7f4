"""The way back: what the application writes on SQLite goes to PostgreSQL, so that it can return there at any time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from liteshift.changes import Captured
from liteshift.errors import Locked
from liteshift.flow import Capture, ReverseApplier
from liteshift.translate.takeback import Takeback
from liteshift.writes import Refused

_FOREIGN_KEY = "23503"


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

    Args:
        capture: what the file has kept.
        applier: the source.
        takeback: what each change is to the source.
    """

    def __init__(self, capture: Capture, applier: ReverseApplier, takeback: Takeback) -> None:
        self._capture = capture
        self._applier = applier
        self._takeback = takeback
        self._count = 0

    def step(self) -> Step:
        """Take back all that is there now.

        Raises:
            NotFit: the file's schema has changed.
            Refused: PostgreSQL does not take a row.
            DifferencesFound: a row of the source is not as it was.
            Locked: somebody holds a table of the source.
        """
        applied = self._applier.applied()
        try:
            number = self._ship(applied, postpone=False)
        except Refused as refused:
            if refused.state != _FOREIGN_KEY:
                raise
            # SQLite looks at the end of a statement, or of the transaction, whether every row has its parent.
            number = self._ship(applied, postpone=True)
        count = self._count
        with suppress(Locked):  # a writer of the application goes first; the next step forgets it
            self._capture.forget(number)
        return Step(count, number)

    def finish(self) -> Step:
        """Take back all that is there, when no more can come, and set the source's sequences.

        Raises:
            As `step`.
        """
        step = self.step()
        self._applier.set_sequences(self._takeback.sequences(self._capture.sequences()))
        return step

    def _ship(self, after: int, *, postpone: bool) -> int:
        self._count = 0
        with self._capture.changes(after) as changes:
            return self._applier.apply(self._takeback.writes(self._counted(changes)), postpone=postpone)

    def _counted(self, changes: Iterator[Captured]) -> Iterator[Captured]:
        for change in changes:
            self._count += 1
            yield change
