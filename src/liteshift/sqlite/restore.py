"""Puts a backup in the place of a database, or makes a new database of it: whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from liteshift.durable import sync
from liteshift.errors import LiteshiftError, Locked, UsageError
from liteshift.progress import Progress, silent
from liteshift.sqlite import files
from liteshift.sqlite.backup import create
from liteshift.sqlite.check import tables
from liteshift.sqlite.connect import connect
from liteshift.sqlite.faults import explain, explained, os_error
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.maintain import checkpoint
from liteshift.sqlite.pages import copy_pages
from liteshift.sqlite.part import Part, part, set_free
from liteshift.sqlite.shelf import FOLDER, Backup, inside, opened, outside


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        database: what holds the backup's content now.
        backup: the backup as it was checked.
        safety: a backup of what the database held before; None where there was no database.
        part: the part that the backup's file had in a live move, and the database has not; None where it had none.
    """

    database: Path
    backup: Backup
    safety: Backup | None
    part: Part | None


def restore(
    path: Path, database: Path, folder: Path = FOLDER, *, progress: Progress = silent, patience: float = 30
) -> Restored:
    """Give a database the content of a backup, in one transaction; applications that have it open go on, and see it.

    Nothing is touched before the whole backup has been checked, and the database as it was has been backed up. A backup
    of a file that is part of a live move is restored as a file like any other: it takes writes, and nobody follows it.

    Args:
        path: the backup, or any sound database file; it is taken for nobody's friend.
        database: what to restore; made where it isn't there.
        folder: where the safety backup goes.
        progress: told about pages.
        patience: seconds to wait for a lock.

    Raises:
        UsageError: there is no such backup, or it is one of another application's database.
        Locked: somebody held the database for too long, or has it open with another page size; or it is part of a
            live move.
        NoSpace, NoConnection: as the disk says.
        LiteshiftError: the backup is not good, or the database is too damaged to be written.
    """
    backup = outside(path)
    _refuse_bad(backup, database)
    try:
        with opened(path) as source:
            backup = inside(source, backup)
            _refuse_bad(backup, database)
            had = part(source)
            if os.path.lexists(database):
                safety = _into(database, source, backup, folder, progress, patience)
            else:
                safety = None
                _make(database, source, progress, patience)
    except dbapi.Error as error:
        raise explain(error, path) from error
    except OSError as error:
        raise os_error(error, f"{path} could not be restored to {database}") from error
    _reassert(database, safety)
    return Restored(database, backup, safety, had)


def _refuse_bad(backup: Backup, database: Path) -> None:
    if not backup.good:
        raise LiteshiftError(
            f"{backup.path} was not restored, and {database} is as it was: {backup.problems[0]}",
            hint="See which backups are good: liteshift backup list",
        )


def _into(
    database: Path, source: dbapi.Connection, backup: Backup, folder: Path, progress: Progress, patience: float
) -> Backup:
    if database.samefile(backup.path):
        raise UsageError(f"{database} is that backup itself", hint="Name the database to restore it to.")
    if not database.is_file():
        raise UsageError(f"{database} is no file", hint="Name the database to restore it to.")
    with explained(database):
        _refuse_anothers(database, source)
        safety = create(database, folder, patience=patience, keep_damaged=True)
        if part(source) is None:
            _overwrite(database, source, progress, patience)
        else:  # whoever has the database open sees it free from the first moment on
            with _built(database, source, progress, patience) as building, opened(building) as free:
                _overwrite(database, free, progress, patience)
    return safety


def _overwrite(database: Path, source: dbapi.Connection, progress: Progress, patience: float) -> None:
    wait = int(patience * 1000)
    with closing(connect(database, preset="durable", create=False, busy_timeout=wait)) as live:
        if _shape(live) != _shape(source):
            _leave_wal(live, database)
        copy_pages(source, live, subject=str(database), stage="restore", progress=progress, patience=patience)


def _refuse_moving(database: Path, live: dbapi.Connection) -> None:
    """While one side of a live move follows the other, another content would break that."""
    found = part(live)
    if found is None:
        return
    if found.lived_on:
        raise Locked(
            f"PostgreSQL follows {database} in a live move, and would no longer match it",
            hint="End the move first, with liteshift finalize, or restore to another file.",
        )
    raise Locked(
        f"{database} follows PostgreSQL in a live move, and would no longer match it",
        hint="Give the move up first, with liteshift abort, or restore to another file.",
    )


def _refuse_anothers(database: Path, source: dbapi.Connection) -> None:
    """A backup that has no table in common with the database is not one of it."""
    try:
        with closing(connect(database, preset="durable", read_only=True)) as live:
            here = set(tables(live))
            _refuse_moving(database, live)
    except dbapi.OperationalError:
        raise
    except dbapi.DatabaseError as error:
        raise LiteshiftError(
            f"{database} is too damaged to be written: {error}",
            hint=f"Stop the application, move {database}* to another folder, and restore again.",
        ) from error
    if here and here.isdisjoint(tables(source)):
        raise UsageError(
            f"the backup is one of another database: it has none of the tables of {database}",
            hint="Restore it to a new file instead.",
        )


def _shape(connection: dbapi.Connection) -> tuple[object, object]:
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    return page_size, encoding


def _leave_wal(live: dbapi.Connection, database: Path) -> None:
    """In WAL mode neither page size nor encoding can change; nobody else can have the file open outside of it."""
    try:
        live.execute("PRAGMA journal_mode=delete").close()
    except dbapi.OperationalError as error:
        raise Locked(
            f"{database} is in use, and the backup's page size or text encoding is another, which can't change in use",
            hint="Stop the application and restore again.",
        ) from error


def _make(database: Path, source: dbapi.Connection, progress: Progress, patience: float) -> None:
    """A new database: built beside its place, and put there whole."""
    if not database.parent.is_dir():
        raise UsageError(f"there is no folder {database.parent}", hint=f"Make it first: mkdir -p {database.parent}")
    with _built(database, source, progress, patience) as building:
        sync(building)
        for orphan in files.sidecars(database):  # of a file that is gone; SQLite would take them for the new one's
            orphan.rename(orphan.with_name(f"{orphan.name}.orphan"))
        os.link(building, database)  # unlike a rename, it fails where something has come to stand
        building.unlink()
        sync(database.parent)


@contextmanager
def _built(database: Path, source: dbapi.Connection, progress: Progress, patience: float) -> Iterator[Path]:
    """A file beside a database's place with a backup's content, which has no part in a live move; gone at the end."""
    building = database.with_name(f".{database.name}.restoring")
    try:
        files.make_private(building)
    except FileExistsError as error:
        raise Locked(
            f"another restore to {database} is at work, or was killed",
            hint=f"If none is running, rm {building}, and try again.",
        ) from error
    try:
        with explained(database):
            with closing(connect(building, private=True)) as copy:
                copy_pages(source, copy, subject=str(database), stage="restore", progress=progress, patience=patience)
            with closing(connect(building, preset="durable")) as copy:
                if part(copy) is not None:
                    copy.execute("BEGIN IMMEDIATE").close()
                    set_free(copy)
                    copy.execute("COMMIT").close()
        yield building
    finally:
        files.remove(building)


def _reassert(database: Path, safety: Backup | None) -> None:
    """See that the database is sound, in WAL mode, and its log is back in the file."""
    with explained(database), closing(connect(database, preset="durable", create=False)) as connection:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise LiteshiftError(
            f"{database} is not sound after the restore: {verdict}",
            hint=f"What it held before is in {safety.path}." if safety else None,
        )
    with suppress(Locked):
        checkpoint(database)
