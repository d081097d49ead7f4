"""From captured changes to what is written to the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from liteshift.catalog import Catalog, Name
from liteshift.changes import Captured, CapturedKind, Respelling
from liteshift.errors import NotFit
from liteshift.plan import Plan
from liteshift.translate.statements import Doubt, Statements, references_of
from liteshift.writes import Look, Texts, Write


class Takeback:
    """The statements for one source.

    Args:
        plan: what became of everything.
        catalog: the source as it is now.

    Raises:
        NotFit: a table or a column of the plan is no longer there.
    """

    def __init__(self, plan: Plan, catalog: Catalog) -> None:
        found = {table.name: table for table in catalog.tables}
        self._tables: dict[str, Statements] = {}
        for planned in plan.tables:
            source = found.get(planned.source)
            if source is None:
                raise NotFit(f"the table {planned.source} is no longer there, so nothing can be taken back into it")
            self._tables[planned.target] = Statements(planned, source, references_of(catalog, planned.source))

    def writes(self, changes: Iterator[Captured]) -> Iterator[Write]:
        """The writes that do some changes, in their order.

        Raises:
            Refused: a value that its column's form can't hold.
        """
        held: Captured | None = None
        for change in changes:
            if held is not None and _is_replaced_by(held, change, self._tables[held.table].key):
                merged = Captured(change.number, held.table, CapturedKind.UPDATE, held.old, change.new, change.rowid)
                yield from self._tables[held.table].writes(merged)
                held = None
                continue
            if held is not None:
                yield from self._tables[held.table].writes(held)
            held = change
        if held is not None:
            yield from self._tables[held.table].writes(held)

    def settled(self, changes: Iterator[Captured]) -> Iterator[Write]:
        """The writes that do some changes of which there is one for each row, in whatever order they can be done.

        Raises:
            Refused: a value that its column's form can't hold.
        """
        for change in changes:
            yield from self._tables[change.table].settled(change)

    def key_of(self, target: str) -> Sequence[int]:
        """The places of what tells a table's rows apart among its captured columns: its key, or all of them."""
        return self._tables[target].identity

    def doubts(self, change: Captured) -> list[Doubt]:
        """The values of a row that PostgreSQL may print otherwise than they were written."""
        return self._tables[change.table].doubts(change)

    def look(self, change: Captured) -> Look | None:
        """How to see what the source has computed in a row; None where it computes nothing there."""
        return self._tables[change.table].look(change)

    def respelled(self, change: Captured, printed: Sequence[tuple[Doubt, str]], row: Texts | None) -> Respelling | None:
        """A row as PostgreSQL has it; None where that is how it was written.

        Args:
            printed: its doubts, each with the text that PostgreSQL prints.
            row: what `look` has shown.
        """
        return self._tables[change.table].respelled(change, printed, row)

    @property
    def looks_after(self) -> bool:
        """Whether any change can need `doubts` or `given`."""
        return any(table.looks_after for table in self._tables.values())

    def given(self, change: Captured) -> dict[Name, int]:
        """Numbers that the application gave itself, where on the source a sequence gives them."""
        return self._tables[change.table].given(change)

    def sequences(self, last: Mapping[str, int]) -> dict[Name, int]:
        """Where the source's sequences have to go on from.

        Args:
            last: the last value that each table's AUTOINCREMENT gave, by the target's name.
        """
        found: dict[Name, int] = {}
        for target, value in last.items():
            table = self._tables.get(target)
            if table is not None and table.sequence is not None:
                found[table.sequence] = max(value, found.get(table.sequence, value))
        return found


def _is_replaced_by(gone: Captured, come: Captured, key: Sequence[int]) -> bool:
    """Whether a row was removed and put there again under its key, as REPLACE does: to the source that is an UPDATE."""
    if not key or gone.table != come.table or gone.old is None or come.new is None:
        return False
    if gone.kind is not CapturedKind.DELETE or come.kind is not CapturedKind.INSERT:
        return False
    return all(gone.old[at] == come.new[at] for at in key)
