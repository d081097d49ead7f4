"""A table's unique rules as expressions: which of its rows are in the way of one that comes in as NEW.

They are what REPLACE removes rows by. A row too many does no harm; one too few would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liteshift.quoting import quote

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi

ROWID_NAMES = ("rowid", "_rowid_", "oid")
_EXPRESSION = -2  # `pragma_index_xinfo.cid` of a key that is no column
_ORDER = re.compile(r"\s+(?:ASC|DESC)\s*$", re.IGNORECASE)
_WHERE = re.compile(r"\s*WHERE\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_PIECE = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class UniqueRules:
    """What is unique in a table.

    Attributes:
        rowid: a name of the rowid that no column takes; None where columns take all three.
        rows: for each rule the rowid of the one row that has the values of NEW, as an expression.
        looked_at: the columns whose values the rules depend on.
        key: the columns of the primary key, one of which may be the rowid by another name.
        computed: whether SQLite computes one of these, so that it may change without being set.
        unknown: the columns of NEW that tell nothing about the rules where one is NULL, as SQLite puts a default there
            afterwards and computes others from it: any row may be in the way then.
    """

    rowid: str | None
    rows: tuple[str, ...]
    looked_at: tuple[str, ...]
    key: tuple[str, ...]
    computed: bool
    unknown: tuple[str, ...]


def rowid_name(columns: Sequence[str]) -> str | None:
    """A name of the rowid that no column takes; None where columns take all three."""
    taken = {name.lower() for name in columns}
    return next((name for name in ROWID_NAMES if name not in taken), None)


def index_texts(connection: dbapi.Connection) -> dict[str, str]:
    """The statement that made each index; empty for those that a constraint made."""
    rows = connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE type = 'index'").fetchall()
    return {str(name): str(text) for name, text in rows}


def looped_tables(connection: dbapi.Connection, triggers: Mapping[str, Sequence[str]]) -> set[str]:
    """The tables, in lower case, where what a change to a row brings about may come back to that row.

    Args:
        triggers: the text of each table's triggers, which may write to any other that they mention.
    """
    found = connection.execute(
        'SELECT lower(t.name), lower(k."table") FROM sqlite_schema t, pragma_foreign_key_list(t.name) k'
        " WHERE t.type = 'table'"
    ).fetchall()
    parents: dict[str, set[str]] = {}
    for child, parent in found:
        parents.setdefault(child, set()).add(parent)
    for table, texts in triggers.items():
        words = set(_WORD.findall(" ".join(texts).lower())) - {table.lower()}
        for other in {name.lower() for name in triggers} & words:
            parents.setdefault(other, set()).add(table.lower())
    return {table for table in parents if table in _reached(parents, table)}


def _reached(parents: Mapping[str, set[str]], table: str) -> set[str]:
    reached, coming = set[str](), list(parents[table])
    while coming:
        one = coming.pop()
        if one not in reached:
            reached.add(one)
            coming += parents.get(one, ())
    return reached


def unique_rules(connection: dbapi.Connection, table: str, texts: Mapping[str, str]) -> UniqueRules:
    """The unique rules of a table as the file has it now.

    Args:
        texts: the statement that made each index.
    """
    query = 'SELECT name, hidden, pk, "notnull", dflt_value FROM pragma_table_xinfo(?)'
    found = connection.execute(query, (table,)).fetchall()
    hidden = {str(name): bool(computed) for name, computed, *_ in found}
    columns = list(hidden)
    key = tuple(str(name) for name, _, place, *_ in found if place)
    # REPLACE puts the default where NULL is not allowed, after the triggers have seen the NULL.
    defaults = {str(name): str(text) for name, _, _, needed, text in found if needed and text is not None}
    new = {name: _incoming(name, defaults.get(name)) for name in columns}
    rowid = rowid_name(columns)
    rows = [f"NEW.{rowid}"]
    looked_at: dict[str, None] = {}
    unique = connection.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" ORDER BY name', (table,)
    ).fetchall()
    for (index,) in unique:
        text = texts[index]
        mentioned = [column for column in columns if _is_mentioned(column, text)]
        incoming = {column: new[column] for column in mentioned}
        parts = []
        for column, term, collation in _keys(connection, index, text):
            if column is None:
                parts.append(f"{term} = {_of_new(term, incoming)} COLLATE {quote(collation)}")
            else:
                parts.append(f"{quote(column)} = {new[column]} COLLATE {quote(collation)}")
                looked_at[column] = None
        predicate = index_terms(text)[1] if text else ""
        parts += [f"({predicate})", _of_new(predicate, incoming)] if predicate else []
        rows.append(f"(SELECT {rowid} FROM {quote(table)} WHERE {' AND '.join(parts)})")
        looked_at |= dict.fromkeys(mentioned)
    computed = any(hidden[name] for name in looked_at)
    return UniqueRules(rowid, tuple(rows), tuple(looked_at), key, computed, tuple(defaults) if computed else ())


def _incoming(column: str, default: str | None) -> str:
    return f"NEW.{quote(column)}" if default is None else f"coalesce(NEW.{quote(column)}, ({default}))"


def _keys(connection: dbapi.Connection, index: str, text: str) -> Iterator[tuple[str | None, str, str]]:
    """Each key of an index: its column, or None; its text, where the index has one; its collation."""
    terms = index_terms(text)[0] if text else []
    query = "SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno"
    for at, (cid, column, collation) in enumerate(connection.execute(query, (index,)).fetchall()):
        yield None if cid == _EXPRESSION else column, terms[at] if terms else "", collation


def _of_new(expression: str, columns: Mapping[str, str]) -> str:
    """An expression of the table's columns, for the row that comes in."""
    incoming = ", ".join(f"{value} AS {quote(name)}" for name, value in columns.items())
    return f"(SELECT {expression} FROM (SELECT {incoming}))" if columns else f"({expression})"


def _is_mentioned(column: str, text: str) -> bool:
    """Whether an index depends on a column: where its name stands anywhere in the text, perhaps."""
    folded = text.lower()
    return column.lower() in folded or quote(column)[1:-1].lower() in folded


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
