"""What SQLite's errors mean to a person: told by error name, never by message text."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING

from liteshift.errors import LiteshiftError, Locked, NoConnection, NoSpace, NotInitialised
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


_ROOM = "Make room on that disk and try again."
_INDEX_BYTES = 32 << 10  # what the index of a log takes at once


def explain(error: dbapi.Error, path: str | os.PathLike[str]) -> LiteshiftError:
    """The LiteshiftError that says what happened to this file."""
    name = getattr(error, "sqlite_errorname", None) or ""
    what = f"{path}: {error}" + (f" ({name})" if name else "")
    match name.split("_")[1:2]:
        case ["BUSY"] | ["LOCKED"]:
            return Locked(what, hint="Another connection holds it. Try again when it has finished.")
        case ["FULL"]:
            return NoSpace(what, hint=_ROOM)
        case ["IOERR"] if _is_full(path):  # so it says where there is no room for the index of the log
            return NoSpace(f"{what}, and its disk is full", hint=_ROOM)
        case ["CANTOPEN"] | ["PERM"] | ["READONLY"] | ["AUTH"]:
            return NoConnection(
                what, hint="Check that the file is there, and that you may read and write it and its folder."
            )
        case ["NOTADB"] | ["CORRUPT"]:
            return LiteshiftError(
                what,
                hint="The file is damaged. Bring back a good one: liteshift backup list, liteshift backup restore.",
            )
    return LiteshiftError(what)


def _is_full(path: str | os.PathLike[str]) -> bool:
    try:
        return Path(path).exists() and disk_usage(Path(path).absolute().parent).free < _INDEX_BYTES
    except OSError:
        return False


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn SQLite's errors inside the block into ours.

    Raises:
        Locked, NoSpace, NoConnection, LiteshiftError: as `explain` decides.
    """
    try:
        yield
    except dbapi.Error as error:
        raise explain(error, path) from error


def os_error(error: OSError, what: str) -> LiteshiftError:
    """The LiteshiftError for what the operating system said; `what` names the failed act and its file."""
    reason = f"{what}: {(error.strerror or str(error)).lower()}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(reason, hint=_ROOM)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NoConnection(reason, hint="Name a folder that you may write to.")
    return LiteshiftError(reason)


def require_database(database: Path) -> None:
    """Raise where there is no such file, before SQLite makes one.

    Raises:
        NotInitialised: there is none.
    """
    if not database.is_file():
        raise NotInitialised(
            f"there is no database {database}", hint="Name a file that is there, such as one that liteshift has made."
        )
