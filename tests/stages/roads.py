"""Runs a test with the native core and without it, which have to do the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from liteshift import native

ROADS = ("native", "python")


@contextmanager
def taking(road: str) -> Iterator[None]:
    """Have the native core, or have none."""
    if road == "native" and native.CORE is None:
        pytest.skip("the native core is not built")
    with pytest.MonkeyPatch.context() as patch:
        if road == "python":
            patch.setattr(native, "CORE", None)
        yield
