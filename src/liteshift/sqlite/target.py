"""The SQLite file to move to: begun, read, measured."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from liteshift.ends import Kept
from liteshift.errors import LiteshiftError, NotFit, NotInitialised
from liteshift.plan import Plan
from liteshift.sqlite.apply import SqliteApplier, applying
from liteshift.sqlite.backup import create
from liteshift.sqlite.capture import SqliteCapture, capture
from liteshift.sqlite.connect import connect
from liteshift.sqlite.digest import offer
from liteshift.sqlite.faults import explained
from liteshift.sqlite.halfway import halfway, left
from liteshift.sqlite.library import VERSION, wal_reset_bug
from liteshift.sqlite.load import SIDECARS, SqliteStaging, refuse_in_use
from liteshift.sqlite.part import part, release, waiting
from liteshift.sqlite.repair import SqliteRepairing, repairing
from liteshift.sqlite.scan import SCAN_CACHE, SqliteReading
from liteshift.sqlite.shelf import FOLDER, verify


class SqliteTarget:
    """The SQLite file to move to; see `liteshift.ends.Target`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.label = str(path)

    @contextmanager
    def staging(self, *, overwrite: bool, restart: bool = False) -> Iterator[SqliteStaging]:
        """Begin a file beside the target, or go on with one; see `sqlite.halfway`.

        Raises:
            LiteshiftError: the target exists and `overwrite` is not set, or is no file.
            Locked: another process makes it.
            NoConnection: its folder can't be written.
            NoSpace: the disk is full.
        """
        self.require_free(overwrite=overwrite)
        with explained(self.label), halfway(self.path, self.label) as half:
            if restart:
                half.empty()
            with closing(SqliteStaging(half, self.path, overwrite=overwrite)) as staging:
                yield staging

    def left(self) -> Mapping[str, Kept]:
        """What an interrupted move has left, by table."""
        return left(self.path)

    @contextmanager
    def reading(self) -> Iterator[SqliteReading]:
        """Look at the file in its place as it is now, in one read transaction.

        Raises:
            NotInitialised: there is no file.
        """
        if not self.path.exists():
            raise NotInitialised(f"there is no file {self.label}", hint="Make it with: liteshift migrate SOURCE TARGET")
        offer()
        with explained(self.label), closing(connect(self.path, preset="durable", read_only=True)) as connection:
            connection.execute(SCAN_CACHE).close()
            connection.execute("BEGIN").close()
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # a snapshot begins with the first read
            yield SqliteReading(connection, self.label)

    def applier(self) -> AbstractContextManager[SqliteApplier]:
        """Become the file's writer while it follows the source; see `sqlite.apply`."""
        return applying(self.path, self.label)

    def capture(self, _: Plan) -> AbstractContextManager[SqliteCapture]:
        """What keeps the file's changes while the application lives there; see `sqlite.capture`."""
        return capture(self.path, self.label)

    def move(self) -> str | None:
        """The name of the live move that this file belongs to; None where it is none of a live move's, or not there."""
        if not self.path.exists():
            return None
        with explained(self.label), closing(connect(self.path, preset="durable", read_only=True)) as connection:
            found = part(connection)
            return found.move if found else None

    def waiting(self) -> int | None:
        """How many changes are kept that the source may not have yet; None where the application does not live here."""
        if not self.path.exists():
            return None
        with explained(self.label), closing(connect(self.path, preset="durable", read_only=True)) as connection:
            found = part(connection)
            return waiting(connection) if found and found.lived_on else None

    def release(self, move: str) -> None:
        """Make it a file like any other, after this move was given up; none of the move's, or not there, is fine.

        Raises:
            Locked: another connection is writing.
            NoSpace, NoConnection: it can't be written just now.
        """
        if self.path.is_file():
            release(self.path, self.label, move)

    def require_fit(self) -> None:
        """See that an application can live on this SQLite.

        Raises:
            NotFit: its library can damage a database that several processes write.
        """
        if wal_reset_bug():
            version = ".".join(map(str, VERSION))
            raise NotFit(
                f"SQLite {version} can damage a database that two processes write at once, and an application would",
                hint="Install a mended one: pip install pysqlite3; unset LITESHIFT_SQLITE if it is set.",
            )

    def back_up(self) -> str:
        """Make a backup beside the file and check that it can be restored; its name."""
        made = create(self.path, self.path.with_name(FOLDER.name))
        return str(verify(made.path).path)

    def repairing(self, undo: Path) -> AbstractContextManager[SqliteRepairing]:
        """Change the file in one transaction; see `sqlite.repair`."""
        return repairing(self.path, self.label, undo)

    def size(self) -> int:
        """The file's size in bytes; 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def require_free(self, *, overwrite: bool) -> None:
        """See that a new file can be put there.

        Raises:
            LiteshiftError: something is there, and `overwrite` is not set or somebody has it open; or there is no such
                folder.
        """
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_file()):
            raise LiteshiftError(f"{self.label} is not an ordinary file", hint="Name a new file.")
        if not self.path.parent.is_dir():
            raise LiteshiftError(
                f"{self.label} can't be made: there is no folder {self.path.parent}",
                hint=f"Make it first: mkdir -p {self.path.parent}",
            )
        beside = [f"{self.path}{suffix}" for suffix in ("", *SIDECARS) if os.path.lexists(f"{self.path}{suffix}")]
        if beside and not overwrite:
            raise LiteshiftError(
                f"{beside[0]} exists already, and liteshift overwrites nothing unasked",
                hint="Name another target, or say --overwrite to replace it once the new file is whole.",
            )
        refuse_in_use(self.path)  # so that it is known before the copy; it is asked once more after it
