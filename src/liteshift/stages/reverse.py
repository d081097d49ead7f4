"""The way back: what the application writes on SQLite goes to PostgreSQL, so that it can return there at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from itertools import islice, takewhile

from liteshift.catalog import Name
from liteshift.changes import Captured, Respelling
from liteshift.errors import Locked, NotFit
from liteshift.flow import Capture, ReverseApplier
from liteshift.stops import Stop, passing
from liteshift.translate.mending import Mending
from liteshift.translate.takeback import Takeback
from liteshift.writes import FOREIGN_KEY, IN_THE_WAY, NotAsBefore, Refused, Texts, Write

_MOST_TOUCHED = 100_000  # keys per table
_BATCH = 500  # changes


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took back.

    Attributes:
        changes: how many captured changes the source has got.
        number: the number of the last that it has.
        respelled: how many rows of the file were written as PostgreSQL has them.
    """

    changes: int
    number: int
    respelled: int = 0


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
        self._count = self._last = self._applied = 0

    def step(self, through: int | None = None) -> Step:
        """Take back all that is there now.

        Args:
            through: the number of the last change to take back, which is kept already; a transaction of SQLite's must
                end with it.

        Raises:
            NotFit: the file's schema has changed, or the source has been set back to an earlier time.
            Refused: PostgreSQL does not take a row.
            DifferencesFound: a row of the source is not as it was.
            Locked: somebody holds a table of the source.
        """
        # What a power cut could still take from the file must not be on the source: its numbers would be given again.
        secured = self._capture.secure()
        through = secured if through is None else through
        applied = self._applied = self._applier.applied()
        if applied < (returned := self._capture.returned()):
            raise NotFit(
                f"PostgreSQL has the changes up to {applied}, and had them up to {returned} before: it was set back"
                " to an earlier time, and the file has forgotten what lies between",
                hint="Bring the server back to a later time, or stay on SQLite for good: liteshift finalize.",
            )
        try:
            number = self._ship(applied, through)
        except (Refused, NotAsBefore) as failure:
            number = self._ship_mended(applied, through, failure)
        count, respelled = self._count, 0
        if count:
            passing(Stop.REVERSE_APPLIED)
        with suppress(Locked):  # a writer of the application goes first; the next step does what is left
            respelled = self._look_after(number)
            if count:
                passing(Stop.REVERSE_RESPELLED)
            self._capture.forget(number, returned=self._applied)
        if count:
            passing(Stop.REVERSE_FORGOTTEN)
        return Step(count, number, respelled)

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Give the source up where the block takes longer."""
        return self._applier.within(seconds)

    def set_sequences(self) -> Mapping[str, int]:
        """Let the source's sequences go on from where SQLite's numbers are; those, by the target's table."""
        last = self._capture.sequences()
        self._applier.set_sequences(self._takeback.sequences(last))
        return last

    def _look_after(self, through: int) -> int:
        """What is left to do for changes that the source has; done twice, it does no harm.

        Sequences go on after numbers that the application gave itself, and the file gets its values as PostgreSQL has
        them, so that both sides stay equal to the last byte.
        """
        if not self._takeback.looks_after or not self._capture.last():
            return 0
        count, given = 0, dict[Name, int]()
        with self._capture.changes(0) as changes:
            mine = takewhile(lambda change: change.number <= through, changes)
            while batch := list(islice(mine, _BATCH)):
                for change in batch:
                    for name, value in self._takeback.given(change).items():
                        given[name] = max(value, given.get(name, value))
                rows = self._respelled([change for change in batch if change.new is not None])
                count += self._capture.respell(rows) if rows else 0
        self._applier.set_sequences(given)
        return count

    def _respelled(self, changes: Sequence[Captured]) -> list[Respelling]:
        """The rows that PostgreSQL has otherwise than they were written."""
        doubts = [self._takeback.doubts(change) for change in changes]
        printed = iter(self._applier.printed([(one.type, one.text) for some in doubts for one in some]))
        looks = [self._takeback.look(change) for change in changes]
        rows = iter(self._applier.rows([look for look in looks if look is not None]))
        found = []
        for change, some, look in zip(changes, doubts, looks, strict=True):
            texts = [(doubt, next(printed)) for doubt in some]
            row = self._takeback.respelled(change, texts, next(rows) if look is not None else None)
            found += [row] if row is not None else []
        return found

    def _ship_mended(self, after: int, through: int, failure: Refused | NotAsBefore) -> int:
        """Take all back where the source does not take it change by change.

        SQLite looks at the end of a statement, or of the transaction, whether every row has its parent; so foreign keys
        are checked at the end. And of a row that was refused, or is not as its changes have it, only what became of it
        counts.

        Raises:
            Refused: what became of a row is refused as well.
            DifferencesFound: a row of the source is not as it was.
        """
        mending = Mending(self._takeback.key_of)
        if not (isinstance(failure, Refused) and failure.state == FOREIGN_KEY):
            self._fold(mending, failure, after, through)
        while True:
            try:
                return self._ship(after, through, mending)
            except (Refused, NotAsBefore) as again:
                self._fold(mending, again, after, through)

    def _fold(self, mending: Mending, failure: Refused | NotAsBefore, after: int, through: int) -> None:
        if failure.write is None:
            raise failure
        if not mending.add(failure.write.change) and not (_is_in_the_way(failure) and mending.add_all()):
            raise failure
        more = True
        while more:
            with self._capture.changes(after) as changes:
                more = mending.follow(takewhile(lambda change: change.number <= through, changes))

    def _ship(self, after: int, through: int, mending: Mending | None = None) -> int:
        self._count, self._last = 0, after
        with self._capture.changes(after) as changes:
            counted = self._counted(changes, through)
            if mending is None:
                self._applied = self._applier.apply(self._noted(self._takeback.writes(counted)))
            else:
                others = self._noted(self._takeback.writes(mending.others(counted)))
                # Only once the others are through is it known what the folded ones come to.
                net = self._noted(self._takeback.settled(mending.net()))
                self._applied = self._applier.apply(others, net)
        return self._last  # the last changes may have been none to the source, which then does not count them

    def _counted(self, changes: Iterator[Captured], through: int) -> Iterator[Captured]:
        for change in changes:
            if change.number > through:
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


def _is_in_the_way(failure: Refused | NotAsBefore) -> bool:
    """Whether it is another row that stands in the way, which may be about to change as well."""
    return isinstance(failure, Refused) and failure.state in IN_THE_WAY
