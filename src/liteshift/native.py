"""Whether the native core serves this process; decided here, once.

The distribution `liteshift-native` decodes PostgreSQL's binary COPY and builds SQLite's table pages. All works without
it, slower. `LITESHIFT_NATIVE=0` leaves it alone, `=1` insists on it.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from liteshift.errors import UsageError


def _choose(wanted: str) -> Any:
    if wanted == "0":
        return None
    if wanted not in ("", "1"):
        raise UsageError(f"LITESHIFT_NATIVE is {wanted!r}", hint="Use 0 to do without the native core, 1 to insist.")
    try:
        return importlib.import_module("liteshift_native")
    except ImportError as error:
        if wanted:
            raise UsageError(
                "LITESHIFT_NATIVE is 1, and the native core is not installed", hint="Build it with: make native"
            ) from error
        return None


CORE: Any = _choose(os.environ.get("LITESHIFT_NATIVE", ""))
"""The module `liteshift_native`, or None. Ask at the time of use: a test may do without it."""


def described() -> str:
    """What to tell people about it."""
    return f"native core {CORE.__version__}" if CORE else "no native core"
