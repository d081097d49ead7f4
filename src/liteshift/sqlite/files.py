"""Plain files around a database. Never for a live database itself: closing it would drop SQLite's locks on it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

SIDECARS = ("-wal", "-shm", "-journal")


def sidecars(database: Path) -> list[Path]:
    """The log, its index and the journal of a database, as far as they are there."""
    paths = [database.with_name(database.name + suffix) for suffix in SIDECARS]
    return [path for path in paths if os.path.lexists(path)]


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read.

    Raises:
        FileExistsError: something is there, if only a symbolic link.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600))


def sha256(path: Path) -> str:
    """A file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(database: Path) -> None:
    """Delete a database file with all that belongs to it."""
    for path in (*sidecars(database), database):
        path.unlink(missing_ok=True)
