"""The reject file: one JSON line for each row that can't be carried, with its key and the reason, never its values."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from liteshift.reports import Reject


class RejectFile:
    """Writes rejects beside the target; there is no file where there are none.

    Args:
        path: where; a file of an earlier run is replaced when the first reject comes, or removed at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        if kind is not None and self._file is not None:
            self.path.unlink(missing_ok=True)

    def __call__(self, reject: Reject) -> None:
        """Write one down."""
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(self.path, flags, 0o600), "w", encoding="utf-8")
        self.count += 1
        self._file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")
