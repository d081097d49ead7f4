"""The folder that a demonstration fills: one run at a time, and a new run replaces what an old one left."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from liteshift.errors import LiteshiftError, Locked, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = ".liteshift-demo"
SERVER = "postgres"
DATABASE = "app.db"
OURS = (SERVER, f"{DATABASE}*", f".{DATABASE}.*", "*.log", "app.route", "app.gate", "migration_backups")
PATIENCE = 15.0


@contextmanager
def claim(folder: Path) -> Iterator[Path]:
    """Make the folder, or empty it of an earlier demonstration, and keep others out until the block ends.

    Raises:
        UsageError: there is something else in it.
        Locked: another demonstration is using it.
        LiteshiftError: it can't be made or emptied.
    """
    folder = folder.absolute()
    try:
        if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
            raise UsageError(
                f"{folder} holds something that is not a demonstration's", hint="Name another folder with --folder."
            )
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / MARK).open("a")
    except OSError as error:
        raise LiteshiftError(f"the demonstration's folder can't be made: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"another demonstration is running in {folder}", hint="Wait, or use --folder.") from None
        _stop_server(folder / SERVER / "data")
        for pattern in OURS:
            for path in folder.glob(pattern):
                _remove(path)
        yield folder


def _stop_server(data: Path) -> None:
    """Wait for the server of a run that was killed: it goes by itself, or is asked to where it was not told."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    asked = False
    deadline = time.monotonic() + PATIENCE
    while _works_in(pid, data) and time.monotonic() < deadline:
        if not asked:
            os.kill(pid, signal.SIGINT)
            asked = True
        time.sleep(0.05)


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False


def _remove(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except PermissionError as error:
            raise LiteshiftError(
                f"{error.filename} of an earlier run can't be removed: it belongs to another user",
                hint="Remove the folder as that user, or name another one with --folder.",
            ) from error
        except OSError as error:  # a process of a killed run may be writing its last
            if time.monotonic() > deadline:
                raise LiteshiftError(f"{path} can't be removed: {error}") from error
            time.sleep(0.05)
        else:
            return
