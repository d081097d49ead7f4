"""Where the functions of psycopg's own libpq are, for the native core, which pulls rows by them."""

from __future__ import annotations

import ctypes
import re
from functools import cache
from pathlib import Path


@cache
def addresses() -> tuple[int, int, int] | None:
    """Where PQgetCopyData, PQconsumeInput and PQfreemem are in psycopg's libpq; None where that can't be told."""
    try:
        maps = Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        return None
    paths = set(re.findall(r"^\S+ \S+ \S+ \S+ \S+ +(/.*/libpq[-.][^/\n]*)$", maps, re.MULTILINE))
    if len(paths) != 1:  # another client's libpq would not know psycopg's connections
        return None
    try:
        library = ctypes.CDLL(paths.pop())  # it is loaded already: this only looks it up
        names = (library.PQgetCopyData, library.PQconsumeInput, library.PQfreemem)
    except (OSError, AttributeError):
        return None
    get, consume, free = (ctypes.cast(name, ctypes.c_void_p).value or 0 for name in names)
    return (get, consume, free) if get and consume and free else None
