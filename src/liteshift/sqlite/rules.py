"""A table's unique rules as conditions: which of its rows are in the way of one that comes in as NEW.

They are what REPLACE removes rows by. A row too many does no harm; one too few would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liteshift.quoting import quote

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_EXPRESSION = -2  # `pragma_index_xinfo.cid` of a key that is no column
_ORDER = re.compile(r"\s+(?:ASC|DESC)\s*$", re.IGNORECASE)
_WHERE = re.compile(r"\s*WHERE\b", re.IGNORECASE)
_PIECE = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class UniqueRules:
    """What is unique in a table.

    Attributes:
        rowid: a name of the rowid that no column takes; None where columns take all three.
        conditions: one for each rule, in a query of the table's rows, with NEW for the row that comes in.
        looked_at: the columns whose values the rules depend on.
    """

    rowid: str | None
    conditions: tuple[str, ...]
    looked_at: tuple[str, ...]


def unique_rules(connection: dbapi.Connection, table: str) -> UniqueRules:
    """The unique rules of a table as the file has it now."""
    columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_xinfo(?)", (table,))]
    taken = {name.lower() for name in columns}
    rowid = next((name for name in _ROWID_NAMES if name not in taken), None)
    conditions = [f"{rowid} = NEW.{rowid}"] if rowid else []
    looked_at: dict[str, None] = {}
    # The row that comes in, under the table's own column names, for what an index computes.
    incoming = "(SELECT " + ", ".join(f"NEW.{quote(name)} AS {quote(name)}" for name in columns) + ")"
    for index, text in _unique_indexes(connection, table):
        terms, predicate = index_terms(text) if text else ([], "")
        parts = [f"({predicate})", f"(SELECT {predicate} FROM {incoming})"] if predicate else []
        keys = "SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno"
        for at, (cid, column, collation) in enumerate(connection.execute(keys, (index,))):
            if cid == _EXPRESSION:
                parts.append(f"{terms[at]} = (SELECT {terms[at]} FROM {incoming}) COLLATE {quote(collation)}")
            else:
                parts.append(f"{quote(column)} = NEW.{quote(column)} COLLATE {quote(collation)}")
                looked_at[column] = None
        conditions.append(" AND ".join(parts))
        looked_at |= dict.fromkeys(_mentioned(columns, text))
    return UniqueRules(rowid, tuple(conditions), tuple(looked_at))


def _unique_indexes(connection: dbapi.Connection, table: str) -> Sequence[tuple[str, str]]:
    """Name and text of each; the text is empty for one that a constraint made."""
    found = connection.execute(
        "SELECT l.name, coalesce(s.sql, '') FROM pragma_index_list(?) l JOIN sqlite_schema s ON s.name = l.name"
        ' WHERE l."unique" ORDER BY l.name',
        (table,),
    )
    return [(str(name), str(text)) for name, text in found.fetchall()]


def _mentioned(columns: Sequence[str], text: str) -> Iterator[str]:
    """The columns whose name stands anywhere in an index's text: those that it depends on, or a few more."""
    folded = text.lower()
    for column in columns:
        if column.lower() in folded or quote(column)[1:-1].lower() in folded:
            yield column


def index_terms(statement: str) -> tuple[list[str], str]:
    """The keys and the WHERE of a CREATE INDEX statement, as it has them, without the keys' order."""
    terms, depth, start, end = list[str](), 0, 0, 0
    for match in _PIECE.finditer(statement):
        piece = match[0]
        if piece == "(":
            depth += 1
            if depth == 1:
                start = match.end()
        elif depth == 1 and piece in (",", ")"):
            terms.append(_ORDER.sub("", statement[start : match.start()]).strip())
            start = match.end()
        if piece == ")":
            depth -= 1
            if depth == 0:
                end = match.end()
                break
    rest = statement[end:]
    where = _WHERE.match(rest)
    return terms, rest[where.end() :].strip() if where else ""
