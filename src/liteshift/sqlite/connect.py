"""The one function that makes SQLite connections, and the settings that each of them has."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote as percent

from liteshift.errors import LiteshiftError
from liteshift.sqlite.functions import register
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Preset = Literal["fast", "durable"]

FAST: Mapping[str, int | str] = {
    "busy_timeout": 30000,
    "page_size": 4096,
    "journal_mode": "wal",
    "foreign_keys": 1,
    "synchronous": 1,
    "cache_size": -64000,
    "temp_store": 2,
    "mmap_size": 268435456,
    "recursive_triggers": 1,
    "trusted_schema": 0,
}
PRAGMAS: Mapping[Preset, Mapping[str, int | str]] = {
    "fast": FAST,
    "durable": {**FAST, "synchronous": 2, "mmap_size": 0},
}
"""What `PRAGMA name` answers on our connections. `fast` survives a killed process, `durable` also a power cut."""

REGISTER: tuple[Callable[[dbapi.Connection], None], ...] = (register,)
"""Called with every new connection: the SQL functions and collations that a migrated schema may name."""


class _Connection(dbapi.Connection):
    def close(self) -> None:
        """Close, and end the transaction even under a live cursor, where the standard library would keep its lock."""
        with suppress(dbapi.Error):
            self.rollback()
        super().close()


def connect(
    path: str | os.PathLike[str],
    *,
    preset: Preset = "fast",
    read_only: bool = False,
    private: bool = False,
    create: bool = True,
    foreign_keys: bool = True,
    busy_timeout: int = 30000,
) -> dbapi.Connection:
    """Open a database file with the settings of a preset; transactions are the caller's (no implicit BEGIN).

    The connection may be used from any thread, by one at a time.

    Args:
        path: a file; never `:memory:`.
        preset: see PRAGMAS.
        read_only: refuse writes, and leave the file, its journal mode and its sidecar files as they are, as far as
            SQLite allows. Implies `create=False`.
        private: the file is in the making and nobody else has it open: no journal and no syncs, for speed.
        create: make the file when it isn't there.
        foreign_keys: False where a schema change has to rebuild tables that others refer to.
        busy_timeout: milliseconds to wait for another connection's lock.

    Raises:
        dbapi.Error: SQLite's own, such as OperationalError for a file that can't be opened (`faults.explained` turns
            them into ours).
        LiteshiftError: the file can't be put into WAL mode, or this SQLite has no foreign keys.
    """
    settings = {**PRAGMAS[preset], "busy_timeout": busy_timeout, "foreign_keys": int(foreign_keys)}
    if read_only:
        del settings["journal_mode"], settings["page_size"]
        settings["query_only"] = 1
    if private:
        settings |= {"journal_mode": "off", "synchronous": 0}
    connection = dbapi.connect(
        _uri(path, read_only, create),
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )
    try:
        for name, value in settings.items():  # busy_timeout comes first: the others may need a lock
            if value == "wal":
                _enter_wal(connection, path, busy_timeout)
            else:
                connection.execute(f"PRAGMA {name}={value}").close()
        if connection.execute("PRAGMA foreign_keys").fetchone() != (int(foreign_keys),):
            raise LiteshiftError("this SQLite library was built without foreign keys")
        for provide in REGISTER:
            provide(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: str | os.PathLike[str], read_only: bool, create: bool) -> str:
    mode = "rwc" if create else "rw"
    if read_only:
        # With a log beside the file, mode=ro leaves both alone. Without one, mode=ro would leave an empty log behind
        # for good, while the last mode=rw connection takes away what it made.
        mode = "ro" if Path(f"{os.fspath(path)}-wal").exists() else "rw"
    return f"file:{percent(os.fsencode(Path(path).absolute()))}?mode={mode}"


def _enter_wal(connection: dbapi.Connection, path: str | os.PathLike[str], busy_timeout: int) -> None:
    # SQLite calls no busy handler while another connection is changing the mode, so the waiting is ours.
    deadline = time.monotonic() + busy_timeout / 1000
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=wal").fetchone()
            break
        except dbapi.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
    if mode != "wal":
        raise LiteshiftError(
            f"{path} can't be put into WAL mode: SQLite keeps it in journal mode {mode}",
            hint="A database in WAL mode has to be on a local disk, not on a network file system.",
        )
