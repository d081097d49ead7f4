"""What SQLite's errors mean to a person: told by error name, never by message text."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from liteshift.errors import LiteshiftError, Locked, NoConnection, NoSpace
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


def explain(error: dbapi.Error, path: str | os.PathLike[str]) -> LiteshiftError:
    """The LiteshiftError that says what happened to this file."""
    name = getattr(error, "sqlite_errorname", None) or ""
    what = f"{path}: {error}" + (f" ({name})" if name else "")
    match name.split("_")[1:2]:
        case ["BUSY"] | ["LOCKED"]:
            return Locked(what, hint="another connection holds it; try again when it has finished")
        case ["FULL"]:
            return NoSpace(what, hint="make room on that disk and try again")
        case ["CANTOPEN"] | ["PERM"] | ["READONLY"] | ["AUTH"]:
            return NoConnection(what, hint="check that the file is there and that this user may read and write it")
        case ["NOTADB"] | ["CORRUPT"]:
            return LiteshiftError(what, hint="the file is damaged: liteshift backup restore brings back a good one")
    return LiteshiftError(what)


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
