"""The triggers that write down every change to a table, as SQL.

REPLACE removes the rows in its way, and fires no DELETE trigger where the connection that writes has no recursive
triggers. So before a row comes in, those that it might replace are laid aside in a stash; once it is in, those that
are gone without a DELETE were replaced. They stay in the stash, marked as gone: what cascades from a removed row runs
before its DELETE trigger does, so that one may come late. What a statement left in the stash means nothing to the next
one: each tells its own by SQLite's clock, which stands still within a statement.

SQLite fires the youngest trigger first. Ours that come before are the oldest, so that they see what the others did;
ours that come after are the youngest, so that what others do in turn is written down after what made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from liteshift.quoting import quote
from liteshift.sqlite.rules import UniqueRules

LOG = "liteshift_capture"
STASH = "liteshift_stash"
INSERT, DELETE, BEFORE, AFTER, NOTHING = "I", "D", "B", "A", "N"
"""What a line of the log holds: a new row, one that is gone, one before and after an UPDATE; or nothing."""
_NOW = "julianday('now')"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A table whose changes are written down.

    Attributes:
        number: what the log calls it.
        columns: the columns that are stored, in the order of the log.
    """

    number: int
    name: str
    columns: tuple[str, ...]
    rules: UniqueRules


def log_statements(width: int) -> list[str]:
    """The statements that make the log and the stash.

    Their columns have no type, so that SQLite leaves every value as it was.
    """
    columns = "".join(f", c{at}" for at in range(width))
    return [
        f"CREATE TABLE {LOG} (id INTEGER PRIMARY KEY, tbl INTEGER, op TEXT{columns})",
        f"CREATE TABLE {STASH} (tbl INTEGER, row INTEGER, at, gone{columns}, PRIMARY KEY (tbl, row)) WITHOUT ROWID",
    ]


def names(number: int) -> tuple[str, ...]:
    """What the triggers of a table are called."""
    return tuple(
        f"liteshift_{number}_{when}" for when in ("before_insert", "before_update", "insert", "update", "delete")
    )


def before_triggers(table: Witnessed) -> list[str]:
    """Those to make before any other trigger of the table."""
    insert, update, *_ = names(table.number)
    rowid = table.rules.rowid
    moved = [f"NEW.{rowid} <> OLD.{rowid}"]
    moved += [f"NEW.{quote(name)} IS NOT OLD.{quote(name)} COLLATE BINARY" for name in table.rules.looked_at]
    return [
        _before(table, insert, "INSERT", "", ""),
        _before(table, update, "UPDATE", f"({' OR '.join(moved)}) AND ", f" AND {rowid} <> OLD.{rowid}"),
    ]


def _before(table: Witnessed, name: str, event: str, only: str, besides: str) -> str:
    own, rowid = quote(table.name), table.rules.rowid
    conditions = [f"{condition}{besides}" for condition in table.rules.conditions]
    exists = " OR ".join(f"EXISTS (SELECT 1 FROM {own} WHERE {condition})" for condition in conditions)
    values = ", ".join(map(quote, table.columns))
    stash = [
        f"INSERT INTO {STASH} (tbl, row, at, gone{_slots(table)}) SELECT {table.number}, {rowid}, {_NOW}, 0, {values} FROM {own}"
        f" WHERE {condition} AND {rowid} NOT IN (SELECT row FROM {STASH} WHERE tbl = {table.number})"
        for condition in conditions
    ]
    return _trigger(
        name, "BEFORE", event, own, [f"DELETE FROM {STASH} WHERE at <> {_NOW}", *stash], f"{only}({exists})"
    )


def after_triggers(table: Witnessed) -> list[str]:
    """Those to make after all other triggers of the table."""
    *_, insert, update, delete = names(table.number)
    own, rowid, number = quote(table.name), table.rules.rowid, table.number
    mine = f"tbl = {number} AND at = {_NOW}"
    there = f"EXISTS (SELECT 1 FROM {own} WHERE {own}.{rowid} = {STASH}.row)"
    replaced = f"{mine} AND NOT gone AND (row = NEW.{rowid} OR NOT {there})"
    come = f"DELETE FROM {STASH} WHERE tbl = {number} AND row = NEW.{rowid}"
    moved = ", ".join([f"row = NEW.{rowid}", *(f"c{at} = NEW.{quote(name)}" for at, name in enumerate(table.columns))])
    told = f"EXISTS (SELECT 1 FROM {STASH} WHERE {mine} AND row = OLD.{rowid} AND gone)"
    return [
        _trigger(insert, "AFTER", "INSERT", own, [*_replaced(table, replaced), come, _write(table, INSERT, "NEW")]),
        _trigger(
            update,
            "AFTER",
            "UPDATE",
            own,
            [
                *_replaced(table, f"{replaced} AND row <> OLD.{rowid}"),
                f"{come} AND row <> OLD.{rowid}",
                f"UPDATE {STASH} SET {moved} WHERE tbl = {number} AND row = OLD.{rowid}",
                _write(table, BEFORE, "OLD"),
                _write(table, AFTER, "NEW"),
            ],
        ),
        _trigger(
            delete,
            "AFTER",
            "DELETE",
            own,
            [
                f"{_write(table, DELETE, 'OLD')} WHERE NOT {told}",
                f"DELETE FROM {STASH} WHERE tbl = {number} AND row = OLD.{rowid}",
            ],
        ),
    ]


def refusal_trigger(text: str) -> str:
    """The one trigger that lets every write into a captured table fail: what can't be written down is not done.

    Args:
        text: what to say, as an SQL constant.
    """
    return _trigger(REFUSAL, "BEFORE", "INSERT", LOG, [f"SELECT RAISE(ABORT, {text})"])


REFUSAL = "liteshift_refusal"
REFUSED = "has moved to PostgreSQL, and writes are refused here"
"""How the message ends that a refused writer gets."""


def _replaced(table: Witnessed, condition: str) -> list[str]:
    slots = _slots(table)
    return [
        f"INSERT INTO {LOG} (tbl, op{slots}) SELECT {table.number}, '{DELETE}'{slots} FROM {STASH} WHERE {condition}",
        f"UPDATE {STASH} SET gone = 1 WHERE {condition}",
    ]


def _write(table: Witnessed, op: str, row: str) -> str:
    values = "".join(f", {row}.{quote(name)}" for name in table.columns)
    return f"INSERT INTO {LOG} (tbl, op{_slots(table)}) SELECT {table.number}, '{op}'{values}"


def _slots(table: Witnessed) -> str:
    return "".join(f", c{at}" for at in range(len(table.columns)))


def _trigger(name: str, when: str, event: str, table: str, statements: Sequence[str], condition: str = "") -> str:
    only = f" WHEN {condition}" if condition else ""
    body = "".join(f"  {statement};\n" for statement in statements)
    return f"CREATE TRIGGER {name} {when} {event} ON {table} FOR EACH ROW{only}\nBEGIN\n{body}END"
