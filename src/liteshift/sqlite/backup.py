"""Makes backups while the application runs, and checks each before it gets its name."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from liteshift.durable import sync
from liteshift.errors import LiteshiftError, NoSpace, UsageError
from liteshift.progress import Progress, silent
from liteshift.sqlite import files
from liteshift.sqlite.check import Check, check, snapshot
from liteshift.sqlite.connect import connect
from liteshift.sqlite.faults import explained, os_error, require_database
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.manifest import Manifest, manifest_path, write_manifest
from liteshift.sqlite.pages import copy_pages
from liteshift.sqlite.shelf import FOLDER, Backup, backup_name

_ABANDONED_SECONDS = 24 * 3600


def create(
    database: Path,
    folder: Path = FOLDER,
    *,
    progress: Progress = silent,
    patience: float = 30,
    keep_damaged: bool = False,
) -> Backup:
    """Copy a database as it is at one moment into a folder, while others go on reading and writing it.

    The file is checked, and only then gets its name, `backup_YYYYMMDD_HHMMSS_<database>.db`, in UTC. Whatever stops
    this half way, nothing of that name is there.

    Args:
        database: the file to copy.
        folder: made, for its owner only, where it isn't there.
        progress: told about pages.
        patience: seconds to wait for a lock.
        keep_damaged: keep the copy of a damaged database too, marked as such, for want of a better one.

    Raises:
        NotInitialised: there is no such database.
        Locked: somebody held it for too long.
        NoSpace: the folder's disk is too full.
        NoConnection: the database can't be read, or the folder can't be written.
        UsageError: others may write into the folder.
        LiteshiftError: the database is damaged, and `keep_damaged` is not set.
    """
    require_database(database)
    try:
        _prepare(folder)
        with _claimed(folder, database.stem) as (created_at, partial, final):
            _copy(database, partial, progress, patience)
            found, page_size = _seal(partial)
            if found.problems and not keep_damaged:
                raise LiteshiftError(
                    f"{database} is damaged, and no backup was made: {found.problems[0]}",
                    hint=f"See how bad it is: liteshift health {database}",
                )
            manifest = Manifest(
                created_at=created_at.isoformat().replace("+00:00", "Z"),
                source=str(database.absolute()),
                sha256=files.sha256(partial),
                bytes=partial.stat().st_size,
                sqlite_version=dbapi.sqlite_version,
                page_size=page_size,
                rows=found.rows,
                problems=list(found.problems),
                alembic_revision=found.alembic_revision,
            )
            write_manifest(final, manifest)
            partial.rename(final)
            sync(folder)
    except OSError as error:
        raise os_error(error, f"no backup of {database} could be made in {folder}") from error
    rows = sum(found.rows.values())
    return Backup(final, created_at, database.stem, manifest.bytes, rows, found.problems, manifest)


def _prepare(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise UsageError(
            f"others may write into {folder}, and so change a backup", hint=f"Take that away: chmod go-w {folder}"
        )
    for path in folder.glob(".backup_*.partial*"):
        with suppress(FileNotFoundError):  # another backup has just been finished
            if time.time() - path.lstat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()


@contextmanager
def _claimed(folder: Path, database: str) -> Iterator[tuple[datetime, Path, Path]]:
    """The moment, the file to write, and the name that it gets: nobody else's, for the file to write stands for it."""
    while True:
        created_at = datetime.now(UTC).replace(microsecond=0)
        final = folder / backup_name(created_at, database)
        partial = folder / f".{final.name}.partial"
        try:
            files.make_private(partial)
        except FileExistsError:
            pass
        else:
            if not os.path.lexists(final):
                break
            partial.unlink(missing_ok=True)
        time.sleep(0.05)  # another backup of this second: take the next one
    try:
        yield created_at, partial, final
    except BaseException:
        if not final.exists():
            manifest_path(final).unlink(missing_ok=True)
        raise
    finally:
        files.remove(partial)


def _copy(database: Path, partial: Path, progress: Progress, patience: float) -> None:
    with (
        explained(database),
        closing(connect(database, preset="durable", read_only=True, busy_timeout=int(patience * 1000))) as source,
        snapshot(source),
    ):
        (size,) = source.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
        free = shutil.disk_usage(partial.parent).free
        if free < size:
            raise NoSpace(
                f"{partial.parent} has room for {free:,} bytes, and a backup of {database} takes {size:,}",
                hint="Make room, or name another folder: --to FOLDER",
            )
        with closing(connect(partial, private=True)) as copy:
            copy_pages(source, copy, subject=str(database), stage="backup", progress=progress, patience=patience)


def _seal(partial: Path) -> tuple[Check, int]:
    """Check a copy, and bring it to rest as one file that can be read without leaving a trace."""
    with explained(partial), closing(connect(partial, preset="durable")) as connection:
        with snapshot(connection):
            found = check(connection)
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA journal_mode=delete").close()
    sync(partial)
    return found, page_size
