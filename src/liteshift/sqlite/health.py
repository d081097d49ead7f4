"""How a database is: sound or not, how large, with which settings, and under which SQLite."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from liteshift.sqlite.check import Check, check, snapshot
from liteshift.sqlite.connect import PRAGMAS, Preset, connect
from liteshift.sqlite.faults import explain, require_database
from liteshift.sqlite.library import VERSION, dbapi, wal_reset_bug
from liteshift.sqlite.maintain import log_bytes

_STORED = ("journal_mode", "page_size", "encoding", "auto_vacuum", "user_version", "application_id")
_LARGE_LOG = 64 << 20


@dataclass(frozen=True, slots=True)
class Health:
    """What one look at a database shows; the look changes nothing.

    Attributes:
        verdict: `good`; `warning` when something should be seen to; `bad` when it is damaged or refers to rows that
            are not there.
        problems: why it is bad.
        warnings: what should be seen to.
        bytes: the file's size.
        log_bytes: the size of its write-ahead log.
        free_bytes: how much of the file is free pages, which a vacuum would give back.
        disk_free: bytes that the file's disk has left.
        rows: each table's number of rows.
        alembic_revision: what Alembic says the schema is at.
        stored: the settings that the file itself keeps.
        connection: the settings of a connection of ours; an application's own are as its engine makes them.
        sqlite_version: of the library used here.
        wal_reset_bug: whether that library can damage a WAL database when two connections write at once.
    """

    database: Path
    verdict: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    bytes: int
    log_bytes: int
    free_bytes: int
    disk_free: int
    rows: dict[str, int]
    alembic_revision: str | None
    stored: dict[str, int | str]
    connection: dict[str, int | str]
    sqlite_version: str
    wal_reset_bug: bool

    @property
    def good(self) -> bool:
        """Whether its content can be trusted."""
        return not self.problems


def health(database: Path, *, preset: Preset = "fast", patience: float = 30) -> Health:
    """Look at a database, in use or not; the whole file is read.

    Args:
        preset: the settings of our connection.
        patience: seconds to wait for a lock.

    Raises:
        NotInitialised: there is no such database.
        Locked, NoConnection: it can't be read.
    """
    require_database(database)
    found = Check((), {}, None)
    stored: dict[str, int | str] = {}
    settings: dict[str, int | str] = {}
    free = 0
    try:
        with closing(connect(database, preset=preset, read_only=True, busy_timeout=int(patience * 1000))) as connection:
            settings = {name: _answer(connection, name) for name in PRAGMAS[preset]}
            stored = {name: _answer(connection, name) for name in _STORED}
            free = int(_answer(connection, "freelist_count")) * int(stored["page_size"])
            connection.execute("PRAGMA mmap_size=0").close()  # a damaged disk should be an error, not the end of us
            connection.execute("PRAGMA cell_size_check=1").close()
            with snapshot(connection):
                found = check(connection)
    except dbapi.OperationalError as error:
        raise explain(error, database) from error
    except dbapi.DatabaseError as error:
        found = Check((*found.problems, str(error)), {}, None)
    size, log = database.stat().st_size, log_bytes(database)
    disk_free = shutil.disk_usage(database.absolute().parent).free
    warnings = tuple(_warnings(stored.get("journal_mode"), size, free, log, disk_free))
    return Health(
        database=database,
        verdict="bad" if found.problems else "warning" if warnings else "good",
        problems=found.problems,
        warnings=warnings,
        bytes=size,
        log_bytes=log,
        free_bytes=free,
        disk_free=disk_free,
        rows=found.rows,
        alembic_revision=found.alembic_revision,
        stored=stored,
        connection=settings,
        sqlite_version=dbapi.sqlite_version,
        wal_reset_bug=wal_reset_bug(),
    )


def _answer(connection: dbapi.Connection, name: str) -> int | str:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return value if isinstance(value, int) else str(value)


def _warnings(journal_mode: object, size: int, free: int, log: int, disk_free: int) -> list[str]:
    found = []
    if wal_reset_bug():
        found.append(
            f"SQLite {'.'.join(map(str, VERSION))} can damage a WAL database when two connections write and checkpoint"
            " at once (fixed in 3.51.3, 3.50.7, 3.44.6): install the wheel pysqlite3"
        )
    if journal_mode not in (None, "wal"):
        found.append(f"its journal mode is {journal_mode}, in which readers and writers wait for each other, not wal")
    if log > max(_LARGE_LOG, size):
        found.append(f"its log has {log:,} bytes: somebody may be reading an old state for a long time")
    if size and free > size // 2:
        found.append(f"{free:,} of its {size:,} bytes are free pages: a vacuum would give them back")
    if disk_free < 2 * size:
        found.append(f"the disk has {disk_free:,} bytes left, too few for a vacuum or a backup beside it")
    return found
