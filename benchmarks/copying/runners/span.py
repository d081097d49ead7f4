"""The span that is timed: from asking for a connection to PostgreSQL until the SQLite file is closed.

Python has started and the libraries are loaded before it begins; nothing is synced to the disk or checked within it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def run(copy: Callable[[str, Path], dict[str, Any] | None]) -> None:
    """Time one copy, and tell.

    Args:
        copy: copies the table of this name to this path, which is new; may tell more.
    """
    table, target = sys.argv[-2:]
    started = time.monotonic()
    told = copy(table, Path(target)) or {}
    seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds, "peak_bytes": _peak(), **told}))


def _peak() -> int | None:
    """The most memory that this program held; unlike getrusage's, without what its parent held before it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
