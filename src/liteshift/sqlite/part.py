"""Which part a file has in a live move, and how it becomes a file like any other, which takes everybody's writes.

While it follows, guards keep writers off; while the application lives on it, triggers keep every change for the way
back. Both are in the file itself, so a copy of it has them as well, though nobody will follow or read that one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from liteshift.errors import LiteshiftError
from liteshift.sqlite import rejected, shapes, state, triggers
from liteshift.sqlite.connect import connect
from liteshift.sqlite.faults import explained
from liteshift.sqlite.guard import standing
from liteshift.sqlite.witnesses import LOG, NOTHING, STASH, names

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi

_TABLES = (LOG, STASH, shapes.TABLE, state.TABLE, rejected.TABLE)
_OURS = re.compile("|".join(names(0)).replace("0", r"\d+"))  # what keeps a table's changes


@dataclass(frozen=True, slots=True)
class Part:
    """What a file is in a live move.

    Attributes:
        move: the move's name.
        lived_on: the application lives on it, and its changes are kept for the source; else it follows the source.
    """

    move: str
    lived_on: bool


def part(connection: dbapi.Connection) -> Part | None:
    """The part that a file has; None for a file like any other."""
    move, epoch = state.get(connection, state.MOVE), state.get(connection, state.ARMED)
    if move is None and epoch is None:
        return None
    return Part(str(move), epoch is not None)


def waiting(connection: dbapi.Connection) -> int:
    """How many changes are kept that the source may not have yet."""
    found = connection.execute(f"SELECT count(*) FROM {LOG} WHERE op <> '{NOTHING}'").fetchone()  # noqa: S608 - our own name
    return int(found[0])


def remember_triggers(connection: dbapi.Connection, later: Sequence[triggers.Trigger]) -> None:
    """Write down the plan's triggers, which a file has none of while it follows, in the transaction that is open."""
    rows = [[trigger.name, trigger.table, trigger.text] for trigger in later]
    state.put(connection, state.TRIGGERS, json.dumps(rows) if rows else None)


def set_free(connection: dbapi.Connection) -> None:
    """Take everything of ours out of a file, in the transaction that is open; the plan's triggers are there afterwards.

    Raises:
        LiteshiftError: what we wrote down there can't be read.
    """
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    doomed = [str(name) for (name,) in found if _OURS.fullmatch(str(name))]
    triggers.change(connection, drop=[*doomed, *standing(connection)], make=_remembered(connection))
    for table in _TABLES:  # what else there is of ours hangs on these
        connection.execute(f"DROP TABLE IF EXISTS {table}").close()


def release(path: Path, label: str, move: str) -> None:
    """Make it a file like any other, after its move was given up.

    Args:
        move: the move's name; the file of another is left alone, and so is one that the application lives on.

    Raises:
        Locked: another connection is writing.
    """
    with explained(label), closing(connect(path, preset="durable", create=False)) as connection:
        connection.execute("BEGIN IMMEDIATE").close()
        if part(connection) != Part(move, lived_on=False):
            return
        set_free(connection)
        connection.execute("COMMIT").close()


def _remembered(connection: dbapi.Connection) -> list[triggers.Trigger]:
    rows = state.get(connection, state.TRIGGERS)
    if rows is None:
        return []
    try:
        return [triggers.Trigger(*map(str, row)) for row in json.loads(str(rows))]
    except (ValueError, TypeError) as error:
        raise LiteshiftError("what the file remembers of its triggers can't be read") from error
