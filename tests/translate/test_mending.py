"""What the changes of rows come to does not depend on the order in which they were logged."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from liteshift.translate.mending import Paths
from liteshift.value import Value

Row = tuple[Value, ...]
_rows: st.SearchStrategy[Row] = st.sampled_from([0, 1, 2, 3, 1.0, 0.0, -0.0]).map(lambda value: (value,))


def exactly(row: Row | None) -> str:
    return repr(row)


@given(rows=st.lists(_rows, max_size=4), data=st.data())
def test_paths(rows: list[Row], data: st.DataObject) -> None:
    live, changes = list(rows), list[tuple[Row | None, Row | None]]()
    for kind in data.draw(st.lists(st.sampled_from("IUD"), max_size=8)):
        old = live.pop(data.draw(st.integers(0, len(live) - 1))) if kind != "I" and live else None
        new = data.draw(_rows) if kind != "D" else None
        if new is not None:
            live.append(new)
        changes.append((old, new))
    paths = Paths()
    for change in data.draw(st.permutations(changes)):
        paths.add(*change)
    found = Counter(map(exactly, rows))
    for before, after in paths.ends():
        assert exactly(before) != exactly(after)
        found[exactly(before)] -= 1
        found[exactly(after)] += 1
    found.pop(exactly(None), None)
    assert +found == Counter(map(exactly, live)) and min(found.values(), default=0) >= 0


def test_a_path_is_one_row() -> None:
    paths = Paths()
    paths.add((11, 1), (11, 11))  # logged before the change that it came of
    paths.add((1, 1), (11, 1))
    paths.add((2, 1), (2, 11))
    assert sorted(paths.ends(), key=str) == [((1, 1), (11, 11)), ((2, 1), (2, 11))]
