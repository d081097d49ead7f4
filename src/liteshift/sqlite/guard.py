"""Refuses every write into a file that follows its source, but those of the one who follows.

What somebody else wrote there would be overwritten, or stop the following, or be lost at the next cutover. Triggers
refuse it to whoever it is; the connection that follows has triggers switched off, so it pays nothing for them per row.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from liteshift.quoting import literal, quote
from liteshift.sqlite.library import MODULES, dbapi
from liteshift.sqlite.triggers import Trigger

PREFIX = "liteshift_guard_"
FOLLOWS = "this file follows PostgreSQL in a live move and takes no writes: write on PostgreSQL; see liteshift status"
"""What a refused writer is told."""
_EVENTS = ("INSERT", "UPDATE", "DELETE")
_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_ENABLE_TRIGGER = 1003  # SQLITE_DBCONFIG_ENABLE_TRIGGER


def guards(tables: Iterable[str]) -> list[Trigger]:
    """The triggers that refuse writes into these tables."""
    made = []
    for number, table in enumerate(tables, start=1):
        for event in _EVENTS:
            name = f"{PREFIX}{number}_{event.lower()}"
            text = (
                f"CREATE TRIGGER {name} BEFORE {event} ON {quote(table)}"
                f" BEGIN SELECT RAISE(ABORT, {literal(FOLLOWS)}); END"
            )
            made.append(Trigger(name, table, text))
    return made


def standing(connection: dbapi.Connection) -> list[str]:
    """The names of the guards that the file has."""
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, ?) = ?", (len(PREFIX), PREFIX)
    )
    return [str(name) for (name,) in rows.fetchall()]


def guarded_tables(connection: dbapi.Connection) -> list[str]:
    """The tables that follow: all but ours and SQLite's."""
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND name NOT LIKE 'liteshift\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [str(name) for (name,) in rows.fetchall()]


def passing_guards(make: Callable[[], dbapi.Connection]) -> dbapi.Connection:
    """A connection that no guard refuses: its triggers are switched off; where they can't be, the guards are empty."""
    connection, switched = without_triggers(make)
    if not switched:
        connection.set_authorizer(_leave_out)
    return connection


def without_triggers(make: Callable[[], dbapi.Connection]) -> tuple[dbapi.Connection, bool]:
    """A connection that fires no triggers, and whether that is so.

    SQLite's own switch for that is not in Python's module, so it is thrown from outside as the connection opens. It
    can't be where the library can't be reached from outside, as in a Python that SQLite is built into.
    """
    with _switching_off() as switched:
        connection = make()
    return connection, any(switched)


@contextmanager
def _switching_off() -> Iterator[list[bool]]:
    """Switch triggers off on connections that this thread opens; whether that was done, for each."""
    done: list[bool] = []
    try:
        library = ctypes.CDLL(importlib.import_module(MODULES[dbapi.__name__]).__file__)  # it is loaded already
        library.sqlite3_libversion.restype = ctypes.c_char_p
        known = library.sqlite3_libversion().decode() == dbapi.sqlite_version
        configure, offer, withdraw = (
            library[name] for name in ("sqlite3_db_config", "sqlite3_auto_extension", "sqlite3_cancel_auto_extension")
        )
    except (KeyError, ImportError, OSError, AttributeError, TypeError):
        known = False
    if not known:
        yield done
        return
    configure.argtypes = [ctypes.c_void_p, ctypes.c_int]
    mine = threading.get_ident()

    def opened(connection: int, _: int, __: int) -> int:
        if threading.get_ident() == mine:
            now = ctypes.c_int(1)
            failed = configure(connection, _ENABLE_TRIGGER, ctypes.c_int(0), ctypes.byref(now))
            done.append(not failed and now.value == 0)
        return 0

    entry = _ENTRY(opened)
    offer(entry)
    try:
        yield done
    finally:
        withdraw(entry)


def _leave_out(action: int, _: str | None, __: str | None, ___: str | None, trigger: str | None) -> int:
    """Compile a guard to nothing."""
    guard = trigger is not None and trigger.startswith(PREFIX) and action == dbapi.SQLITE_SELECT
    return int(dbapi.SQLITE_IGNORE if guard else dbapi.SQLITE_OK)
