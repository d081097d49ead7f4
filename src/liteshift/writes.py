"""What is written to the source on the way back, and what is said where the source does not take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liteshift.catalog import Name
from liteshift.changes import Captured
from liteshift.errors import DifferencesFound, NotFit

Texts = tuple[str | None, ...]
FOREIGN_KEY = "23503"
"""PostgreSQL's code for a row without its parent."""
IN_THE_WAY = (FOREIGN_KEY, "23001", "23505", "23P01")
"""PostgreSQL's codes for what another row leads to: foreign keys, RESTRICT, unique and exclusion rules."""
_LONGEST = 200  # characters of a value in a message


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A statement for one table; every run of it changes exactly one row.

    Attributes:
        text: with `$1` and so on for its parameters, all of them texts.
        columns: the columns whose texts a write has, by the source's names.
        types: their types, as PostgreSQL prints them.
        compared: the places of those among them that must be as they were.
        key: the places of the key's columns; empty for a table without a key.
        look: a query that shows these columns, as texts, of the row whose key its parameters are; empty without a key.
        children: what must not point at the row any more when it goes, or changes its key.
        find: of a DELETE a query for the place (relation and `ctid`) of its row, whoever points at it; it locks it.
        pointing: for each of the children a query for the places of the rows that point at the row in a place.
    """

    table: Name
    text: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    compared: tuple[int, ...]
    key: tuple[int, ...]
    look: str
    children: tuple[Name, ...] = ()
    find: str = ""
    pointing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the row that has a key.

    Attributes:
        text: the query, with `$1` and so on for the key's texts; it shows the row's columns as texts.
    """

    text: str
    key: Texts


@dataclass(frozen=True, slots=True)
class Write:
    """One run of a statement.

    Attributes:
        change: the captured change that it does, or a part of it.
        old: the row before, as PostgreSQL prints it; None for a new row.
        new: the row after; None for one that goes.
        ways: other writes that come to the same, one after the other, where another row holds what this one is to get.
    """

    change: Captured
    statement: Statement
    parameters: Texts
    old: Texts | None
    new: Texts | None
    ways: tuple[tuple[Write, ...], ...] = ()

    @property
    def number(self) -> int:
        """The number of the captured change."""
        return self.change.number

    @property
    def key(self) -> Texts:
        """The texts of its key: as it was before, or of a new row."""
        row = self.old if self.old is not None else self.new
        return tuple(row[at] for at in self.statement.key) if row is not None else ()

    @property
    def keys(self) -> tuple[Texts, ...]:
        """The texts of its key before and after, where there is a row before and after."""
        return tuple(tuple(row[at] for at in self.statement.key) for row in (self.old, self.new) if row is not None)

    @property
    def row(self) -> str:
        """Which row it is about, as the source has it."""
        return self._named(self.old if self.old is not None else self.new)

    @property
    def row_of_file(self) -> str:
        """Which row it is about, as the file has it."""
        return self._named(self.new if self.new is not None else self.old)

    def _named(self, row: Texts | None) -> str:
        statement = self.statement
        places = statement.key or range(len(statement.columns))
        named = ", ".join(f"{statement.columns[at]} = {_shown(row[at])}" for at in places if row)
        return f"{statement.table} ({named})"


class Refused(NotFit):
    """The source does not take a row that SQLite took; nothing of its transaction was done.

    Attributes:
        write: the one that was refused, where that is known.
        state: PostgreSQL's error code.
    """

    def __init__(self, message: str, *, write: Write | None, state: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.write = write
        self.state = state


class NotAsBefore(DifferencesFound):
    """A row of the source is not as it was before the change; nothing of its transaction was done.

    Attributes:
        write: the one that has not found its row.
    """

    def __init__(self, message: str, *, write: Write, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.write = write


def conflict(write: Write, expected: Texts, actual: Sequence[Texts]) -> NotAsBefore | Refused:
    """The error for a row that is not as it was before the change.

    Args:
        expected: the row as it was before, as PostgreSQL prints it.
        actual: the rows that the source has under the key; none where it has no such row, or no key.
    """
    statement = write.statement
    head = f"{write.row} can't be taken back: "
    hint = (
        "Somebody wrote to PostgreSQL past the fence, or before it. Make the row as expected there, and run it again."
    )
    if write.old is None:
        what = "PostgreSQL has left the new row out, without a word"
        return Refused(head + what, write=write, state="", hint="Look for what does that: row security, or a rule.")
    if not actual:
        what = "PostgreSQL has no such row"
        if not statement.key:
            what += "; it has no key, so a row with all these values was expected"
        return NotAsBefore(head + what, write=write, hint=hint)
    differing = [
        f"{statement.columns[at]} was expected to be {_shown(expected[at])} and is {_shown(actual[0][at])}"
        for at in statement.compared
        if expected[at] != actual[0][at]
    ]
    if differing or not statement.children:
        what = ", ".join(differing) or "another row stands there by now"
        return NotAsBefore(head + what, write=write, hint=hint)
    children = ", ".join(map(str, statement.children))
    return Refused(
        f"{head}PostgreSQL would change rows of {children} with it, which SQLite left as they are",
        write=write,
        state=FOREIGN_KEY,
        hint=(
            "A connection without foreign_keys wrote to the file, or an UPDATE OR REPLACE took away what its own row"
            " points at. Mend the rows there: PRAGMA foreign_key_check shows them."
        ),
    )


def refusal(write: Write | None, state: str, said: Mapping[str, str]) -> Refused:
    """The error for a row that PostgreSQL does not take.

    Args:
        said: the `message`, and PostgreSQL's `detail` and `column` where it gave them.
    """
    where = write.row_of_file if write else "what was written on SQLite"
    column = f", column {said['column']}," if said.get("column") else ""
    detail = f" ({said['detail']})" if said.get("detail") else ""
    return Refused(
        f"{where}{column} can't be taken back: {said['message']}{detail}",
        write=write,
        state=state,
        hint="Mend the row on SQLite, where nothing is lost, and run it again; its last state is what counts.",
    )


def _shown(text: str | None) -> str:
    if text is None:
        return "NULL"
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")
