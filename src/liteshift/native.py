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


_WANTED = os.environ.get("LITESHIFT_NATIVE", "")


def _find() -> Any:
    if _WANTED == "0":
        return None
    try:
        return importlib.import_module("liteshift_native")
    except ImportError:
        return None


def _fits(core: Any) -> bool:
    return getattr(core, "BUILD", None) == BUILD


_FOUND: Any = _find()

CORE: Any = _FOUND if _fits(_FOUND) else None
"""The module `liteshift_native`, or None. Ask at the time of use: a test may do without it."""


def insist() -> None:
    """See that `LITESHIFT_NATIVE` is right, and has what it insists on; whoever would do without the core asks first.

    Raises:
        UsageError: it is not so.
    """
    if _WANTED not in ("", "0", "1"):
        raise UsageError(f"LITESHIFT_NATIVE is {_WANTED!r}", hint="Use 0 to do without the native core, 1 to insist.")
    if _WANTED != "1" or _fits(_FOUND):
        return
    if _FOUND is None:
        raise UsageError(
            "LITESHIFT_NATIVE is 1, and the native core is not installed", hint="Build it with: make native"
        )
    raise UsageError(
        "LITESHIFT_NATIVE is 1, and the native core that is installed belongs to another liteshift",
        hint="Build it anew with: make native",
    )


def described() -> str:
    """What to tell people about it."""
    if CORE is not None:
        return f"native core {CORE.__version__}"
    if _FOUND is not None:
        return "no native core, as the one that is installed belongs to another liteshift: make native"
    return "no native core"
