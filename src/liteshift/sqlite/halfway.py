"""What a move that is interrupted leaves beside its target, so that the next one goes on: a hidden folder.

The folder holds the file in the making, and `record.json`, which says what the move is about and how far each table
has come. Nothing here is made durable against a machine that goes down: the record names the boot that it is good for.
A killed process is another matter. What it wrote is there, and whatever the record does not name is emptied.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from liteshift import __version__, native
from liteshift.ends import Kept, Task
from liteshift.errors import Locked
from liteshift.sqlite.faults import os_error
from liteshift.sqlite.files import make_private

_RECORD = "record.json"
_SECONDS = 0.2
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Entry:
    """A table's line in the record.

    Attributes:
        mark: the file that its builder goes on from; empty for none.
        aside: the files of rows that are still to be inserted.
        indexed: whether its indexes are filled.
    """

    kept: Kept
    mark: str = ""
    aside: tuple[str, ...] = ()
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What the folder's file is, and how far it has come.

    Attributes:
        version: of what made it.
        boot: the machine's boot.
        tables: by the target's name.
        coming: a table and its line once the transaction of this number (PRAGMA user_version) is in the file.
    """

    task: Task
    version: str
    boot: str
    tables: dict[str, Entry] = field(default_factory=dict)
    coming: tuple[str, Entry, int] | None = None


def this_version() -> str:
    """What made a record: only the very same goes on with it."""
    return f"{__version__}, {native.described()}"


def this_boot() -> str:
    """The machine's boot; empty where nobody can tell."""
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


class Halfway:
    """The folder of one target, held by this process; several threads may note what they did.

    Attributes:
        file: the file in the making.
        record: None where the folder is new.
        taken: whether the record is of this run, or of one that this run goes on with.
        older: tables of which an earlier run, at another moment, has brought a part.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "file.db"
        self.record: Record | None = None
        self.taken = False
        self.older = set[str]()
        self._written = 0.0
        self._names = count(1)
        self._lock = threading.RLock()

    @classmethod
    def beside(cls, target: Path) -> Path:
        """The folder's name."""
        return target.with_name(f".{target.name}.staging")

    @property
    def tables(self) -> Mapping[str, Entry]:
        """The lines of the record."""
        return self.record.tables if self.record is not None else {}

    def read(self) -> None:
        """Read the record; one that makes no sense is none."""
        try:
            found = json.loads((self.folder / _RECORD).read_text())
            tables = {name: _entry(words) for name, words in found["tables"].items()}
            coming = found["coming"] and (found["coming"][0], _entry(found["coming"][1]), int(found["coming"][2]))
            self.record = Record(_task(found["task"]), found["version"], found["boot"], tables, coming or None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.record = None

    def begin(self, task: Task) -> None:
        """Make the folder empty, and its record new."""
        self.empty()
        make_private(self.file)
        self.taken = True
        self.older = set()
        self.record = Record(task, this_version(), this_boot())
        self._write(self.record)

    def empty(self) -> None:
        """Remove all that is in it, but for the lock."""
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()
        self.record = None

    def note(self, table: str, entry: Entry | None, *, at_once: bool = False) -> None:
        """Write a table's line; where it is not urgent, with the next ones. None strikes it out."""
        with self._lock:
            if self.record is None:
                return
            tables = {**self.record.tables}
            old = _files(tables.pop(table, None)) - _files(entry)
            if entry is not None:
                tables[table] = entry
            self.record = replace(self.record, tables=tables, coming=None)
            if at_once or old or time.monotonic() - self._written > _SECONDS:
                self.flush()
        for name in old:  # which the record on the disk no longer names
            (self.folder / name).unlink(missing_ok=True)

    def announce(self, table: str, entry: Entry, number: int) -> None:
        """Write the line that a table has once a transaction is in the file."""
        with self._lock:
            if self.record is not None:
                self.record = replace(self.record, coming=(table, entry, number))
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            if self.record is not None:
                self._write(self.record)

    def keep(self, content: bytes) -> str:
        """Keep bytes in a file of the folder; its name."""
        name = f"kept-{os.getpid()}-{next(self._names)}"
        (self.folder / name).write_bytes(content)
        return name

    def kept(self, name: str) -> bytes:
        """The bytes of such a file."""
        return (self.folder / name).read_bytes()

    def _write(self, record: Record) -> None:
        staged = self.folder / f".{_RECORD}"
        staged.write_text(json.dumps(asdict(record)))
        staged.replace(self.folder / _RECORD)
        self._written = time.monotonic()


@contextmanager
def halfway(target: Path, label: str) -> Iterator[Halfway]:
    """Hold a target's folder. Where a block ends well, or has brought nothing into it, it goes.

    Raises:
        Locked: another process makes this file.
        NoConnection: the target's folder can't be written.
    """
    folder = Halfway.beside(target)
    try:
        lock = _lock(folder)
    except BlockingIOError:
        raise Locked(f"another process makes {label}", hint="Wait until it has ended, or end it.") from None
    except OSError as error:
        raise os_error(error, f"{label} can't be written") from error
    try:
        half = Halfway(folder)
        half.read()
        try:
            yield half
        except BaseException:
            if half.record is not None and half.record.tables:
                with suppress(OSError):  # such as a full disk, for which what was written last is good
                    half.flush()
            else:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _lock(folder: Path) -> int:
    """The lock's descriptor; BlockingIOError where another process has it."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue  # its holder has just removed the folder
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), (folder / "lock").stat()):
                return lock
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def left(target: Path) -> Mapping[str, Kept]:
    """What an interrupted move has left, by table."""
    half = Halfway(Halfway.beside(target))
    half.read()
    return {name: entry.kept for name, entry in half.tables.items()}


def _files(entry: Entry | None) -> set[str]:
    return {entry.mark, *entry.aside} - {""} if entry else set()


def _task(words: dict[str, Any]) -> Task:
    return Task(words["asked"], words["plan"], tuple(words["tables"]))


def _entry(words: dict[str, Any]) -> Entry:
    return Entry(Kept(**words["kept"]), words["mark"], tuple(words["aside"]), words["indexed"])
