"""Maintenance of a database that may be in use: each act says what it did, in numbers.

All of them wait `patience` seconds for a lock.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from liteshift.errors import Locked, NoSpace
from liteshift.sqlite.connect import connect
from liteshift.sqlite.faults import explained, require_database
from liteshift.sqlite.library import TEMP_IN_MEMORY, dbapi

_TRUNCATE_WAIT = 250


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint did.

    Attributes:
        frames: pages that were in the log.
        moved: how many of them are in the file now; fewer than `frames` while somebody reads an older state.
        log_bytes: the log's size afterwards; 0 when it could be cut.
        log_bytes_before: and before.
    """

    frames: int
    moved: int
    log_bytes: int
    log_bytes_before: int


@dataclass(frozen=True, slots=True)
class Vacuum:
    """What a vacuum did.

    Attributes:
        bytes: the file's size afterwards; it shrinks only when nobody reads an older state any more.
        bytes_before: and before.
        log_bytes: the log's size afterwards.
        seconds: how long it took.
    """

    bytes: int
    bytes_before: int
    log_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an analysis did.

    Attributes:
        indexes: tables and indexes that have statistics now.
        renewed: how many of them are new or have changed.
        seconds: how long it took.
    """

    indexes: int
    renewed: int
    seconds: float


def checkpoint(database: Path, *, patience: float = 30) -> Checkpoint:
    """Bring the log back into the file; nobody has to wait for it.

    The log is cut to nothing only when all of it is back and nobody is reading it: else every writer would wait for
    the slowest reader.

    Raises:
        NotInitialised: there is no such database.
        Locked: another connection is at the same work.
    """
    with _working(database, patience) as connection:
        return _checkpoint(connection, database, patience)


def vacuum(database: Path, *, patience: float = 30) -> Vacuum:
    """Rebuild the file without its free pages; readers go on, writers wait until it is done.

    Raises:
        NotInitialised: there is no such database.
        NoSpace: the rebuilt file and its log may not fit on the disk, or not into memory where this SQLite rebuilds
            it there.
        Locked: another connection holds the database.
    """
    with _working(database, patience) as connection:
        before = database.stat().st_size
        _need_room(database, before)
        connection.execute("PRAGMA temp_store=1").close()  # the preset's would be memory
        started = time.monotonic()
        connection.execute("VACUUM").close()
        done = _checkpoint(connection, database, patience)
        return Vacuum(database.stat().st_size, before, done.log_bytes, time.monotonic() - started)


def analyze(database: Path, *, patience: float = 30) -> Analysis:
    """Measure every table and index for the query planner.

    Raises:
        NotInitialised: there is no such database.
        Locked: another connection holds the database.
    """
    return _analyze(database, "ANALYZE", patience)


def optimize(database: Path, *, patience: float = 30) -> Analysis:
    """Measure only those tables and indexes that need it, quickly.

    Raises:
        NotInitialised: there is no such database.
        Locked: another connection holds the database.
    """
    return _analyze(database, "PRAGMA optimize=0x10002", patience)


def log_bytes(database: Path) -> int:
    """The size of a database's log; 0 where there is none."""
    try:
        return database.with_name(f"{database.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _working(database: Path, patience: float) -> Iterator[dbapi.Connection]:
    require_database(database)
    with explained(database), closing(connect(database, create=False, busy_timeout=int(patience * 1000))) as connection:
        yield connection


def _checkpoint(connection: dbapi.Connection, database: Path, patience: float) -> Checkpoint:
    before = log_bytes(database)
    # SQLite calls no busy handler for the checkpoint's lock, which writers hold for a moment now and then.
    deadline = time.monotonic() + patience
    while True:
        busy, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if not busy:
            break
        if time.monotonic() > deadline:
            hint = "It does the same work; look again later."
            raise Locked(f"another connection is checkpointing {database}", hint=hint)
        time.sleep(0.005)
    if frames == moved:
        connection.execute(f"PRAGMA busy_timeout={_TRUNCATE_WAIT}").close()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    return Checkpoint(max(frames, 0), max(moved, 0), log_bytes(database), before)


def _analyze(database: Path, statement: str, patience: float) -> Analysis:
    with _working(database, patience) as connection:
        before = _statistics(connection)
        started = time.monotonic()
        connection.execute(statement).fetchall()
        seconds = time.monotonic() - started
        after = _statistics(connection)
        return Analysis(len(after), len(after - before), seconds)


def _statistics(connection: dbapi.Connection) -> set[tuple[str, str | None, str]]:
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone():
        return set()
    return set(connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall())


def _need_room(database: Path, size: int) -> None:
    # The rebuilt file goes through the log, beside the file, and is first built in SQLite's temporary storage.
    free = shutil.disk_usage(database.absolute().parent).free
    if free < 2 * size:
        raise NoSpace(
            f"a vacuum of {database} may take {2 * size:,} bytes beside it, and the disk has {free:,} left",
            hint="Make room there, and try again.",
        )
    memory = _available_memory()
    if TEMP_IN_MEMORY and memory is not None and memory < 2 * size:
        raise NoSpace(
            f"this SQLite would rebuild the {size:,} bytes of {database} in memory, of which {memory:,} bytes are free",
            hint="Python's own SQLite does it on disk: stop the application, then LITESHIFT_SQLITE=stdlib liteshift "
            f"maintain {database} vacuum",
        )


def _available_memory() -> int | None:
    try:
        found = re.search(r"^MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
