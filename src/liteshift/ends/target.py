"""What the stages ask of the file in its place; `liteshift.sqlite` answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from liteshift.ends.rows import Reading, Repairing
from liteshift.ends.staging import Kept, Staging


class Target(Protocol):
    """The SQLite file to move to.

    Attributes:
        label: its path.
    """

    label: str

    def staging(self, *, overwrite: bool, restart: bool = False) -> AbstractContextManager[Staging]:
        """Begin a file beside the target, or go on with one.

        What is not published is removed at the end; where the block raises, rows that are in it stay for a later run.

        Args:
            restart: throw away what an interrupted move has left.

        Raises:
            LiteshiftError: the target exists and `overwrite` is not set, or its folder can't be written.
            Locked: another process makes it.
            NoSpace: the disk is full.
        """
        ...

    def left(self) -> Mapping[str, Kept]:
        """What an interrupted move has left, by table; empty for nothing."""
        ...

    def reading(self) -> AbstractContextManager[Reading]:
        """Look at the file in its place, at one moment.

        Raises:
            NotInitialised: there is no file.
        """
        ...

    def repairing(self, undo: Path) -> AbstractContextManager[Repairing]:
        """Change the file in one transaction; what takes it back is written down first.

        Args:
            undo: the SQL script to write; there is none where nothing is changed.

        Raises:
            NotInitialised: there is no file.
            Locked: another connection is writing.
        """
        ...

    def size(self) -> int:
        """The file's size in bytes; 0 where there is none."""
        ...
