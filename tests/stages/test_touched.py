"""What is compared in the pause: the rows that were changed since all was compared."""

from __future__ import annotations

from pathlib import Path

from tests.stages.live import copied

from liteshift.catalog import Name
from liteshift.stages.touched import count_touched

SCHEMA = "CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE loose (t text)"


def test_how_many_keys_are_to_be_compared(database: str, tmp_path: Path) -> None:
    plan = copied(database, tmp_path / "app.db", SCHEMA).plan
    keyed, loose = Name("public", "keyed"), Name("public", "loose")
    assert count_touched(plan, {}, whole=1001) == 0
    assert count_touched(plan, {keyed: {("1",), ("2",)}, loose: None}, whole=1001) == 2
    assert count_touched(plan, {keyed: None, loose: None}, whole=1001) == 1001  # too many: all is compared anew
