"""The backups that are there: listed, judged, and thrown away with care."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from liteshift.errors import LiteshiftError, UsageError
from liteshift.sqlite import files
from liteshift.sqlite.check import check, snapshot
from liteshift.sqlite.connect import connect
from liteshift.sqlite.faults import explain
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.manifest import Manifest, manifest_path, read_manifest

FOLDER = Path("migration_backups")
"""Where backups go unless told otherwise."""

_NAME = re.compile(r"backup_(\d{8}_\d{6})_(.*)\.db", re.DOTALL)
_STAMP = "%Y%m%d_%H%M%S"


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup file.

    Attributes:
        created_at: when it was made, UTC.
        database: the name of the database it was made from, without folder and suffix.
        bytes: its size.
        rows: rows of all its tables; None where nobody can tell.
        problems: why it can't be trusted; empty for a good one.
        manifest: what was known when it was made; None for a file that liteshift did not make.
    """

    path: Path
    created_at: datetime
    database: str
    bytes: int
    rows: int | None
    problems: tuple[str, ...]
    manifest: Manifest | None

    @property
    def good(self) -> bool:
        """Whether it can be restored."""
        return not self.problems


def backup_name(created_at: datetime, database: str) -> str:
    """What a backup is called."""
    return f"backup_{created_at:{_STAMP}}_{database}.db"


def backups(folder: Path = FOLDER) -> list[Backup]:
    """All backups in a folder, the newest first.

    One with a manifest is judged by its checksum, for it was checked when it was made; one without is checked now.
    """
    found = [outside(path) for path in folder.iterdir() if _named(path)] if folder.is_dir() else []
    judged = [backup if backup.manifest or not backup.good else verify(backup.path) for backup in found]
    return sorted(judged, key=lambda backup: (backup.created_at, backup.path.name), reverse=True)


def verify(path: Path) -> Backup:
    """Check all that can be checked of a backup: checksum, integrity, foreign keys, the number of rows.

    Any database file will do; without a manifest there is no checksum and no number to compare with.

    Raises:
        UsageError: there is no such file.
        Locked, NoConnection: it can't be read.
    """
    backup = outside(path)
    if not backup.good:
        return backup
    try:
        with opened(path) as connection:
            return inside(connection, backup)
    except dbapi.OperationalError as error:
        raise explain(error, path) from error
    except dbapi.DatabaseError as error:
        return replace(backup, problems=(str(error),))


def outside(path: Path) -> Backup:
    """What can be said of a backup without opening it as a database.

    Raises:
        UsageError: there is no such file.
    """
    try:
        status = path.lstat()
    except OSError as error:
        raise UsageError(f"there is no backup {path}", hint="See what there is: liteshift backup list") from error
    named = _named(path)
    created_at, database = named or (datetime.fromtimestamp(int(status.st_mtime), UTC), path.stem)
    manifest = None
    problems = []
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        problems.append("it is a link, or no ordinary file")
    else:
        try:
            manifest = read_manifest(path)
        except LiteshiftError as error:
            problems.append(error.message)
        problems += _unlike(path, manifest)
    rows = sum(manifest.rows.values()) if manifest else None
    return Backup(path, created_at, database, status.st_size, rows, tuple(problems), manifest)


@contextmanager
def opened(path: Path) -> Iterator[dbapi.Connection]:
    """A snapshot of a backup, which may be anybody's file.

    Raises:
        dbapi.Error: it can't be opened.
    """
    with closing(connect(path, preset="durable", read_only=True)) as connection:
        connection.execute("PRAGMA cell_size_check=1")
        with snapshot(connection):
            yield connection


def inside(connection: dbapi.Connection, backup: Backup) -> Backup:
    """The backup with all that reading the whole of it has shown; the connection is one that `opened` gave."""
    found = check(connection)
    problems = [*backup.problems, *found.problems]
    if backup.manifest and found.rows != backup.manifest.rows:
        problems.append("its tables have not the rows that they were made with")
    if not backup.manifest and not found.rows:
        problems.append("it holds no table")
    return replace(backup, problems=tuple(problems), rows=sum(found.rows.values()))


def surplus(found: Sequence[Backup], keep: int) -> list[Backup]:
    """Which backups may go when the newest `keep` good ones of each database stay.

    Bad ones do not count, and go only with the good ones of their age. Where there are fewer good ones, nothing goes.

    Raises:
        UsageError: none would be kept.
    """
    if keep < 1:
        raise UsageError("at least one backup has to be kept", hint="Say --keep 1, or more.")
    old = []
    for database in {backup.database for backup in found}:
        mine = [backup for backup in found if backup.database == database]
        mine.sort(key=lambda backup: (backup.created_at, backup.path.name), reverse=True)
        good = [place for place, backup in enumerate(mine) if backup.good]
        old += mine[good[keep - 1] + 1 :] if len(good) >= keep else []
    return old


def remove(backup: Backup) -> None:
    """Delete a backup and its manifest."""
    manifest_path(backup.path).unlink(missing_ok=True)
    files.remove(backup.path)


def _named(path: Path) -> tuple[datetime, str] | None:
    match = _NAME.fullmatch(path.name)
    if not match:
        return None
    try:
        return datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC), match[2]
    except ValueError:
        return None


def _unlike(path: Path, manifest: Manifest | None) -> list[str]:
    """How a file differs from what its manifest says of it, and what lies beside it that must not."""
    beside = [file.name for file in files.sidecars(path) if file.stat(follow_symlinks=False).st_size]
    if any(name.endswith("-journal") or (manifest and name.endswith("-wal")) for name in beside):
        return [f"{', '.join(beside)} lies beside it: it is in use, or not whole"]
    if not manifest:
        return []
    if manifest.problems:
        return [f"it was made of a damaged database: {problem}" for problem in manifest.problems]
    if path.stat().st_size != manifest.bytes:
        return [f"it has {path.stat().st_size:,} bytes, and was made with {manifest.bytes:,}"]
    if files.sha256(path) != manifest.sha256:
        return ["its content is not what it was made with: the checksum differs"]
    return []
