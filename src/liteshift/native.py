"""Whether the native core serves this process; decided here, once.

The distribution `liteshift-native` decodes PostgreSQL's binary COPY and builds SQLite's table pages. All works without
it, slower. `LITESHIFT_NATIVE=0` leaves it alone, `=1` insists on it.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from liteshift.errors import UsageError

BUILD = 3
"""What the core must say that it is: raised, on both sides, with every change to what Python calls."""


def _choose(wanted: str) -> Any:
    if wanted == "0":
        return None
    if wanted not in ("", "1"):
        raise UsageError(f"LITESHIFT_NATIVE is {wanted!r}", hint="Use 0 to do without the native core, 1 to insist.")
    try:
        core = importlib.import_module("liteshift_native")
    except ImportError as error:
        if wanted:
            raise UsageError(
                "LITESHIFT_NATIVE is 1, and the native core is not installed", hint="Build it with: make native"
            ) from error
        return None
    if wanted and not _fits(core):
        raise UsageError(
            "LITESHIFT_NATIVE is 1, and the native core that is installed belongs to another liteshift",
            hint="Build it anew with: make native",
        )
    return core


def _fits(core: Any) -> bool:
    return getattr(core, "BUILD", None) == BUILD


_FOUND: Any = _choose(os.environ.get("LITESHIFT_NATIVE", ""))

CORE: Any = _FOUND if _fits(_FOUND) else None
"""The module `liteshift_native`, or None. Ask at the time of use: a test may do without it."""


def described() -> str:
    """What to tell people about it."""
    if CORE is not None:
        return f"native core {CORE.__version__}"
    if _FOUND is not None:
        return "no native core, as the one that is installed belongs to another liteshift: make native"
    return "no native core"
