"""The triggers that write down every change to a table, as SQL.

REPLACE removes the rows in its way, and fires no DELETE trigger where the connection that writes has no recursive
triggers. So before a row comes in, those that it might replace are laid aside in a stash; once it is in, those that
are gone without a DELETE were replaced. They stay in the stash, marked as gone: what cascades from a removed row runs
before its DELETE trigger does, so that one may come late. What a statement leaves in the stash means nothing to the
next one: each tells its own by SQLite's clock, which stands still within a statement.

The row that was to come in may never be: the one it replaces takes it along, by a foreign key within the table. So a
DELETE marks what is gone as well, but leaves it unsaid: the source, which cascades too, has to be told of those that
depend on a row first. It is said before the next row comes in, and before anybody reads the log.

SQLite fires the youngest trigger first. Ours that come before are the oldest, so that they see what the others did;
ours that come after are the youngest, so that what others do in turn is written down after what made them.

Every connection reads all of this text when it opens the file, so there is as little of it as can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from liteshift.quoting import quote
from liteshift.sqlite.rules import ROWID_NAMES, UniqueRules
from liteshift.sqlite.triggers import Trigger

LOG = "liteshift_capture"
STASH = "liteshift_stash"
_THERE, _SAID, UNSAID = 0, 1, 2  # of a row that was laid aside: not gone; gone, as the log says; gone, unsaid yet
INSERT, DELETE, BEFORE, AFTER, NOTHING = "I", "D", "B", "A", "N"
"""What a line of the log holds: a new row, one that is gone, one before and after an UPDATE; or nothing."""
_NOW = "julianday('now')"
_WHEN = ("before_insert", "before_update", "insert", "update", "delete")


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A table whose changes are written down.

    Attributes:
        number: what the log calls it.
        columns: the columns that are stored, in the order of the log.
        looped: whether foreign keys lead from the table back to it.
    """

    number: int
    name: str
    columns: tuple[str, ...]
    rules: UniqueRules
    looped: bool


def log_statements(width: int) -> list[str]:
    """The statements that make the log and the stash.

    Their columns have no type, so that SQLite leaves every value as it was.
    """
    columns = "".join(f", c{at}" for at in range(width))
    given = "".join(f", NEW.c{at}" for at in range(width))
    return [
        f"CREATE TABLE {LOG} (id INTEGER PRIMARY KEY, tbl INTEGER, op TEXT, row INTEGER{columns})",
        f"CREATE TABLE {STASH} (tbl INTEGER, at, row INTEGER, gone{columns},"
        " PRIMARY KEY (tbl, gone, at, row)) WITHOUT ROWID",
        _trigger(
            "liteshift_replaced",
            "AFTER",
            "UPDATE OF gone",
            STASH,
            [f"INSERT INTO {LOG} (tbl, op, row{columns}) VALUES (NEW.tbl, '{DELETE}', NEW.row{given})"],
            f"NEW.gone = {_SAID}",
        ),
    ]


def names(number: int) -> tuple[str, ...]:
    """What the triggers of a table are called."""
    return tuple(f"liteshift_{number}_{when}" for when in _WHEN)


def before_triggers(table: Witnessed) -> list[Trigger]:
    """Those to make before any other trigger of the table."""
    insert, update, *_ = names(table.number)
    own, rowid, mine = quote(table.name), table.rules.rowid, _mine(table)
    values = ", ".join(map(quote, table.columns))
    stash = (
        f"INSERT INTO {STASH} (tbl, at, row, gone{_slots(table)})"
        f" SELECT {table.number}, {_NOW}, {rowid}, {_THERE}, {values} FROM {own}"
        f" WHERE {rowid} NOT IN (SELECT row FROM {STASH} WHERE {mine})"
    )
    ways = [f"{stash} AND {rowid} IN ({', '.join(table.rules.rows)})"]
    if table.rules.unknown:
        ways.append(f"{stash} AND ({' OR '.join(f'NEW.{quote(name)} IS NULL' for name in table.rules.unknown)})")
    others = [f"{way} AND {rowid} <> OLD.{rowid}" for way in ways]
    if table.looped:  # the row may be changed before its UPDATE is: its own line tells what it was then
        others.append(f"{stash} AND {rowid} = OLD.{rowid} AND EXISTS (SELECT 1 FROM {STASH} WHERE {mine})")
    # Named, so that an UPDATE of other columns has nothing to do with it, nor with a collation that it does not know.
    named = (
        f"UPDATE OF {', '.join([*ROWID_NAMES, *map(quote, dict.fromkeys(table.rules.key + table.rules.looked_at))])}"
    )
    event = "UPDATE" if table.rules.computed else named
    return [
        Trigger(insert, table.name, _trigger(insert, "BEFORE", "INSERT", own, ways)),
        Trigger(update, table.name, _trigger(update, "BEFORE", event, own, others, _moved(table))),
    ]


def after_triggers(table: Witnessed) -> list[Trigger]:
    """Those to make after all other triggers of the table."""
    *_, insert, update, delete = names(table.number)
    own, rowid, mine = quote(table.name), table.rules.rowid, _mine(table)
    there = f"EXISTS (SELECT 1 FROM {own} WHERE {own}.{rowid} = {STASH}.row)"
    say = say_unsaid(table.number)
    mark = f"UPDATE {STASH} SET gone = {{}} WHERE {mine} AND gone = {_THERE} AND "
    replaced = f"{mark.format(_SAID)}(row = NEW.{rowid} OR NOT {there})"
    come = f"DELETE FROM {STASH} WHERE {mine} AND row = NEW.{rowid}"
    other = f" AND row <> OLD.{rowid}"
    moved = ", ".join([f"row = NEW.{rowid}", *(f"c{at} = NEW.{quote(name)}" for at, name in enumerate(table.columns))])
    late = f"EXISTS (SELECT 1 FROM {STASH} WHERE {mine} AND row = OLD.{rowid} AND gone = {_SAID})"
    bodies = {
        "INSERT": [say, replaced, come, _write(table, INSERT, "NEW")],
        "UPDATE": [
            f"{say}{other} AND ({_moved(table)})",
            f"{replaced}{other} AND ({_moved(table)})",
            come + other,
            *(_looped_update(table, late) if table.looped else _plain_update(table, late)),
            f"UPDATE {STASH} SET gone = {_THERE}, {moved} WHERE {mine} AND row = OLD.{rowid}",
            *([_as_it_is(table)] if table.looped else []),
        ],
        "DELETE": [
            f"{_write(table, DELETE, 'OLD')} WHERE NOT {late}",
            f"DELETE FROM {STASH} WHERE {mine} AND row = OLD.{rowid}",
            f"{mark.format(UNSAID)}NOT {there}",
        ],
    }
    return [
        Trigger(name, table.name, _trigger(name, "AFTER", event, own, bodies[event]))
        for name, event in ((insert, "INSERT"), (update, "UPDATE"), (delete, "DELETE"))
    ]


def _plain_update(table: Witnessed, late: str) -> list[str]:
    return [
        f"{_write(table, BEFORE, 'OLD')} WHERE NOT {late}",
        # A row whose number changes is at neither for a moment, and is taken for one that is gone then.
        f"{_write(table, AFTER, 'NEW')} WHERE NOT {late}",
        f"{_write(table, INSERT, 'NEW')} WHERE {late}",
    ]


def _looped_update(table: Witnessed, late: str) -> list[str]:
    """What an UPDATE writes down where its own row may have been changed in between, by what cascades from it.

    That is written down already when the UPDATE itself is, and OLD or NEW is no longer true: then the row's line in the
    stash tells the row before, and the table the row after. Where it has another number by then, or no line, what was
    written down began with NEW, which the log never had; it is made to begin with the row before, and says it all.
    """
    own, rowid, mine, slots = quote(table.name), table.rules.rowid, _mine(table), _slots(table)
    held = f"EXISTS (SELECT 1 FROM {STASH} WHERE {mine} AND row = OLD.{rowid})"
    columns = list(map(quote, table.columns))
    is_new = "".join(f" AND {name} IS NEW.{name} COLLATE BINARY" for name in columns)
    still = f"EXISTS (SELECT 1 FROM {own} WHERE {own}.{rowid} = NEW.{rowid}{is_new})"
    same = f"(NOT ({_moved(table)}) OR {still})"  # nothing cascades from another UPDATE
    # CASE, as a subquery's condition would be looked at for every line of the log.
    begun = (
        f"CASE WHEN {same} OR {late} OR NEW.{rowid} = OLD.{rowid} AND {held} THEN NULL ELSE"
        f" (SELECT id FROM {LOG} WHERE tbl = {table.number} AND row = NEW.{rowid}"
        f" AND op IN ('{BEFORE}', '{DELETE}')"
        + "".join(f" AND c{at} IS NEW.{name} COLLATE BINARY" for at, name in enumerate(columns))
        + " ORDER BY id DESC LIMIT 1) END"
    )
    plain = f"NOT {held} AND {begun} IS NULL"
    now = "".join(f", {name}" for name in columns)
    row = f"INSERT INTO {LOG} (tbl, op, row{slots}) SELECT {table.number}, '{{}}', {rowid}{now} FROM {own}"
    row += f" WHERE {rowid} = NEW.{rowid} AND {held} AND {begun} IS NULL AND "
    old = "".join(f", c{at} = OLD.{name}" for at, name in enumerate(columns))
    return [
        f"{_write(table, BEFORE, 'OLD')} WHERE {plain}",
        f"{_write(table, AFTER, 'NEW')} WHERE {plain}",
        f"UPDATE {LOG} SET row = OLD.{rowid}{old} WHERE NOT {held} AND id = {begun}",
        f"INSERT INTO {LOG} (tbl, op, row{slots}) SELECT tbl, '{BEFORE}', row{slots} FROM {STASH}"
        f" WHERE {mine} AND row = OLD.{rowid} AND gone <> {_SAID} AND {begun} IS NULL",
        f"{row.format(AFTER)}NOT {late}",
        f"{row.format(INSERT)}{late}",
        f"UPDATE {LOG} SET (row{slots}) = (SELECT row{slots} FROM {STASH} WHERE {mine} AND row = OLD.{rowid})"
        f" WHERE {held} AND id = {begun}",
        # What a key's action gives a row may put that one in the way as well.
        f"INSERT INTO {STASH} (tbl, at, row, gone{slots}) SELECT {table.number}, {_NOW}, NEW.{rowid}, {_THERE}"
        + "".join(f", NEW.{name}" for name in columns)
        + f" WHERE ({_moved(table)}) AND EXISTS (SELECT 1 FROM {STASH} WHERE {mine})"
        f" AND NOT EXISTS (SELECT 1 FROM {STASH} WHERE {mine} AND row IN (OLD.{rowid}, NEW.{rowid}))",
    ]


def _as_it_is(table: Witnessed) -> str:
    """Lay aside a row as it is now: NEW may be no longer true."""
    own, rowid, values = quote(table.name), table.rules.rowid, ", ".join(map(quote, table.columns))
    found = f"FROM {own} WHERE {rowid} = NEW.{rowid}"
    return (
        f"UPDATE {STASH} SET ({_slots(table)[2:]}) = (SELECT {values} {found})"
        f" WHERE {_mine(table)} AND row = NEW.{rowid} AND gone = {_THERE} AND EXISTS (SELECT 1 {found})"
    )


def say_unsaid(number: int | None = None) -> str:
    """The statement that writes down which rows are gone, where that was left unsaid: of a table, or of all."""
    return f"UPDATE {STASH} SET gone = {_SAID} WHERE {f'tbl = {number} AND ' if number else ''}gone = {UNSAID}"


def forget_said() -> str:
    """The statement that empties the stash: between transactions only what is unsaid has a meaning."""
    return f"DELETE FROM {STASH} WHERE gone <> {UNSAID}"


REFUSAL = "liteshift_refusal"
REFUSED = "has moved to PostgreSQL, and writes are refused here"
"""How the message ends that a refused writer gets."""


def refusal_trigger(text: str, until: float) -> str:
    """The one trigger that lets every write into a captured table fail: what can't be written down is not done.

    Args:
        text: what to say, as an SQL constant.
        until: when it ends by itself, in seconds since 1970.
    """
    # SQLite's clock has milliseconds, and cuts off what is less.
    ended = f"(julianday('now') - 2440587.5) * 86400 < {until - 0.002:.3f}"
    return _trigger(REFUSAL, "BEFORE", "INSERT", LOG, [f"SELECT RAISE(ABORT, {text})"], ended)


def _mine(table: Witnessed) -> str:
    """What this statement has laid aside of a table's rows."""
    return f"tbl = {table.number} AND gone IN ({_THERE}, {_SAID}, {UNSAID}) AND at = {_NOW}"  # as the key has it


def _moved(table: Witnessed) -> str:
    """Whether an UPDATE changes what may be in the way of another row."""
    rowid = table.rules.rowid
    moved = [f"NEW.{quote(name)} IS NOT OLD.{quote(name)} COLLATE BINARY" for name in table.rules.looked_at]
    return " OR ".join([f"NEW.{rowid} <> OLD.{rowid}", *moved])


def _write(table: Witnessed, op: str, row: str) -> str:
    values = "".join(f", {row}.{quote(name)}" for name in table.columns)
    rowid = f"{row}.{table.rules.rowid}"
    return f"INSERT INTO {LOG} (tbl, op, row{_slots(table)}) SELECT {table.number}, '{op}', {rowid}{values}"


def _slots(table: Witnessed) -> str:
    return "".join(f", c{at}" for at in range(len(table.columns)))


def _trigger(name: str, when: str, event: str, table: str, statements: Sequence[str], condition: str = "") -> str:
    only = f" WHEN {condition}" if condition else ""
    body = "".join(f"  {statement};\n" for statement in statements)
    return f"CREATE TRIGGER {name} {when} {event} ON {table} FOR EACH ROW{only}\nBEGIN\n{body}END"
