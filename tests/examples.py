"""How many examples are generated: few where the tests are to be quick, many by `make soak`."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("LITESHIFT_TIMES", "1"))


def examples(usual: int) -> int:
    """So many, times LITESHIFT_TIMES."""
    return usual * TIMES
