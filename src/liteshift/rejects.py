"""The reject file: one JSON line for each row that can't be carried, with its key and the reason, never its values."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from liteshift.errors import LiteshiftError, NoSpace
from liteshift.jsonline import json_line
from liteshift.reports import Reject

SUFFIX = ".rejects.jsonl"


class RejectFile:
    """Writes rejects beside the target; there is no file where there are none.

    What is written takes its name at the end, if all went well: then it replaces the file of an earlier run, which goes
    as well where nothing is rejected any more.

    Args:
        path: where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._staged = path.with_name(f".{path.name.removesuffix(SUFFIX)}.staging-rejects")
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        with self._told():
            self._staged.unlink(missing_ok=True)  # a killed run's; nobody else makes this target now
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            with self._told():
                if self._file is not None:
                    self._file.close()
                if kind is None and self._file is not None:
                    self._staged.replace(self.path)
                elif kind is None:
                    self.path.unlink(missing_ok=True)
        finally:
            if self._file is not None:
                self._staged.unlink(missing_ok=True)

    def __call__(self, reject: Reject) -> None:
        """Write one down.

        Raises:
            NoSpace: the disk is full.
            LiteshiftError: the file can't be written.
        """
        with self._told():
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                self._file = os.fdopen(os.open(self._staged, flags, 0o600), "w", encoding="utf-8")
            self.count += 1
            self._file.write(json_line(asdict(reject)) + "\n")

    def strike(self, table: str) -> None:
        """Take back what was written down of a source's table."""
        kept = [reject for reject in self.written() if reject.table != table]
        if len(kept) < self.count and self._file is not None:
            with self._told():
                self._file.truncate(0)
                self._file.seek(0)
            self.count = 0
            for reject in kept:
                self(reject)

    def written(self) -> Iterator[Reject]:
        """Those that were written down so far."""
        if self._file is not None:
            self._file.flush()
            with self._staged.open(encoding="utf-8") as file:
                yield from (Reject(**json.loads(line)) for line in file)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"{self.path} can't be written: {(error.strerror or str(error)).lower()}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace(what, hint="Make room on that disk and try again.") from error
            raise LiteshiftError(what) from error
