"""SQLite judges tables whose parts were made apart, as several connections bring them, and then joined."""

from __future__ import annotations

import random
import shutil
import struct
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.native.test_builder import (
    END,
    HEAD,
    KEYED,
    KEYLESS,
    PAGE_SIZES,
    SHAPES,
    Shape,
    begin,
    contents,
    feed,
    field,
    indexed,
    inserted,
    judge,
    payloads,
    place,
    stream,
    tables,
)

from liteshift import native
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.resume import SCHEMA, roots
from liteshift.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")

Row = tuple[Value, ...]
ROOM = 1 << 24


def cut(rows: Sequence[Row], places: Sequence[int]) -> list[Sequence[Row]]:
    ends = sorted(min(place, len(rows)) for place in places)
    return [rows[start:end] for start, end in zip([0, *ends], [*ends, len(rows)], strict=True)]


class Parts:
    """A table that is built in parts, all of them begun at once."""

    def __init__(self, path: Path, shape: Shape, mark: bytes | None = None) -> None:
        self._shape = shape
        self._site = place(path, shape)
        self.pages = native.CORE.Pages(path)
        self.trunk = self.pages.table(self._site.root, list(shape.forms), self._site.key, mark)
        highest = native.CORE.marked(mark)[2] or 0 if mark else 0
        self._first = (highest // ROOM + 1) * ROOM if mark else 0

    def made(self, parts: Sequence[Sequence[Row]]) -> list[Any]:
        forms = self._shape.forms
        builders = [
            self.pages.part(list(forms), self._site.key, self._first + number * ROOM) for number in range(len(parts))
        ]
        whole = [stream(forms, rows) for rows in parts]
        for at in range(0, max(map(len, whole)), 1 << 18):  # a little of each, so that their pages lie mixed
            for builder, data in zip(builders, whole, strict=True):
                if at < len(data):
                    builder.feed(data[at : at + (1 << 18)])
        for builder, rows in reversed(list(zip(builders, parts, strict=True))):
            assert builder.end() == len(rows)
        return builders

    def join(self, parts: Sequence[Sequence[Row]]) -> None:
        for builder in self.made(parts):
            self.trunk.join(builder)

    def finish(self) -> tuple[int, list[Sequence[Value]]]:
        """How many rows came, and those that are still to be inserted."""
        rows, packed = self.trunk.finish()
        self.pages.close()
        return rows, [row for part in packed for row in native.CORE.unpack(part, self._site.key)]


@settings(max_examples=25, deadline=None)
@given(tables(), st.sampled_from(PAGE_SIZES), st.lists(st.integers(0, 1300), min_size=1, max_size=4))
def test_a_table_in_parts_is_the_same_as_one_inserted(
    table: tuple[str, list[Row]], page_size: int, places: list[int]
) -> None:
    shape, rows = SHAPES[table[0]], table[1]
    with TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.db", Path(folder) / "theirs.db"
        begin(ours, page_size, shape.create)
        shutil.copy(ours, theirs)
        parts = Parts(ours, shape)
        parts.join(cut(rows, places))
        assert parts.finish() == (len(rows), [])
        indexed(ours)
        inserted(theirs, shape, rows)
        found, expected = payloads(ours, "t"), payloads(theirs, "t")
        if "id" not in shape.columns:  # numbered, with room between the parts
            found, expected = [(0, record) for _, record in found], [(0, record) for _, record in expected]
        assert found == expected
        judge(ours, len(rows))


def keyed(keys: Sequence[int], text: str = "s" * 900) -> list[Row]:
    return [(n, n % 7, n % 2, n / 2, text, b"b", "{}") for n in keys]


def rows_of(path: Path) -> list[Row]:
    with closing(dbapi.connect(path)) as connection:
        return connection.execute("SELECT * FROM t").fetchall()


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.parametrize("places", [[9000], [6000, 12_000, 12_000, 15_000]])
def test_parts_larger_than_what_is_held_back(tmp_path: Path, page_size: int, places: list[int]) -> None:
    rows = keyed([n ^ 255 for n in range(20_480)])
    begin(tmp_path / "t.db", page_size, KEYED.create)
    parts = Parts(tmp_path / "t.db", KEYED)
    parts.join(cut(rows, places))
    assert parts.finish() == (len(rows), [])
    assert rows_of(tmp_path / "t.db") == sorted(rows)
    judge(tmp_path / "t.db", len(rows))


def test_rows_without_a_key_stay_in_their_order(tmp_path: Path) -> None:
    rows: list[Row] = [("x" * (n % 3000), float(n)) for n in range(15_000)]
    begin(tmp_path / "t.db", 4096, KEYLESS.create)
    parts = Parts(tmp_path / "t.db", KEYLESS)
    parts.join(cut(rows, [4000, 8000]))
    assert parts.finish() == (len(rows), [])
    assert rows_of(tmp_path / "t.db") == rows
    judge(tmp_path / "t.db", len(rows))


def test_rows_out_of_their_parts_are_given_back_or_get_into_order(tmp_path: Path) -> None:
    keys = list(range(30_000))
    chosen = random.Random(1)
    for _ in range(200):
        one, other = chosen.randrange(30_000), chosen.randrange(30_000)
        keys[one], keys[other] = keys[other], keys[one]
    rows = keyed(keys)
    begin(tmp_path / "t.db", 4096, KEYED.create)
    parts = Parts(tmp_path / "t.db", KEYED)
    parts.join(cut(rows, [10_000, 20_000]))
    count, aside = parts.finish()
    assert count == len(rows) and 0 < len(aside) < 400
    inserted(tmp_path / "t.db", KEYED, aside)
    assert rows_of(tmp_path / "t.db") == sorted(rows)
    judge(tmp_path / "t.db", len(rows))


@pytest.mark.parametrize("table", [KEYED, KEYLESS], ids=["keyed", "keyless"])
def test_parts_that_overlap_leave_the_file_as_it_was(tmp_path: Path, table: Shape) -> None:
    begin(tmp_path / "t.db", 4096, table.create)
    before = contents(tmp_path / "t.db")
    parts = Parts(tmp_path / "t.db", table)
    rows = keyed(range(20_000)) if table is KEYED else [("x" * 900, 1.0)] * 20_000
    last, first = parts.made([rows[:10_000], rows[10_000:]])
    parts.trunk.join(first)
    parts.trunk.mark()
    with pytest.raises(native.CORE.Disordered):
        parts.trunk.join(last)
        parts.trunk.mark()
    parts.trunk.abandon()
    parts.pages.close()
    assert contents(tmp_path / "t.db") == before


def test_parts_that_nobody_joins_leave_the_file_as_it_was(tmp_path: Path) -> None:
    begin(tmp_path / "t.db", 1024, KEYED.create)
    before = contents(tmp_path / "t.db")
    parts = Parts(tmp_path / "t.db", KEYED)
    made = parts.made(cut(keyed(range(30_000)), [10_000, 20_000]))
    parts.trunk.join(made[0])
    under_way = parts.pages.part(list(KEYED.forms), 0, 0)
    feed(under_way, stream(KEYED.forms, keyed(range(9000)))[:-100])
    with pytest.raises(ValueError, match="ended in the middle"):
        under_way.end()
    for builder in (*made, under_way, parts.trunk):
        builder.abandon()
    parts.pages.close()
    assert contents(tmp_path / "t.db") == before


@pytest.mark.parametrize("table", [KEYED, KEYLESS], ids=["keyed", "keyless"])
@pytest.mark.parametrize("again", ["in parts", "as a whole"])
def test_what_was_joined_is_gone_on_with_after_a_kill(tmp_path: Path, table: Shape, again: str) -> None:
    """The process dies with parts on the disk that no mark names: their pages are free again."""
    path = tmp_path / "t.db"
    begin(path, 4096, table.create)
    rows: list[Row] = keyed(range(30_000)) if table is KEYED else [("x" * 900, float(n)) for n in range(30_000)]
    slices = cut(rows, [8000, 16_000, 24_000])
    parts = Parts(path, table)
    made = parts.made(slices)
    for builder in made[:2]:
        parts.trunk.join(builder)
    mark = parts.trunk.mark()
    parts.trunk.join(made[2])  # after the mark, and so forgotten
    parts.trunk.mark()  # is lost with the process; from here on its threads do nothing, as if killed
    _dead = parts, made
    subtrees, count, _ = native.CORE.marked(mark)
    assert count == 16_000
    with closing(dbapi.connect(path)) as connection:
        kept = [root for root in roots(connection) if root != place(path, table).root]
    assert SCHEMA in kept
    native.CORE.Pages.recover(path, kept, [place(path, table).root], subtrees).close()
    parts = Parts(path, table, mark)
    if again == "in parts":
        parts.join(slices[2:])
    else:
        feed(parts.trunk, stream(table.forms, [row for part in slices[2:] for row in part]))
    assert parts.finish() == (len(rows), [])
    assert rows_of(path) == rows
    judge(path, len(rows))


@pytest.mark.soak
def test_the_lock_byte_page_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    shape = Shape("CREATE TABLE t (b BLOB)", ("b",), ("bytea",))
    begin(path, 65536, shape.create)
    row = struct.pack(">h", 1) + field("bytea", bytes(5_000_000))
    parts = Parts(path, shape)
    builders = [parts.pages.part(list(shape.forms), None, number * ROOM) for number in range(2)]
    feed(builders[0], HEAD)
    feed(builders[1], HEAD)
    for _ in range(110):
        feed(builders[0], row)
        feed(builders[1], row)
    for builder in builders:
        feed(builder, END)
        assert builder.end() == 110
        parts.trunk.join(builder)
    assert parts.finish() == (220, [])
    assert path.stat().st_size > 2**30
    with path.open("rb") as file:
        file.seek(2**30)
        assert not any(file.read(65536))
    with closing(dbapi.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*), sum(length(b)) FROM t").fetchone() == (220, 220 * 5_000_000)
