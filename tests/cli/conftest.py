"""A live move for the tests of its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.interrupt.walk import SCHEMA, Mover, Operator

from liteshift.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def moved(database: str, tmp_path: Path) -> Iterator[tuple[str, Mover, Operator]]:
    """A live move that follows, without a gate."""
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover = Mover(database, tmp_path, gate=False)
    mover.start()
    try:
        mover.until(Phase.FOLLOWING)
        yield database, mover, Operator(database, tmp_path)
    finally:
        mover.close()
