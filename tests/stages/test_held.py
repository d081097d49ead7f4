"""What is held of the rows that differ stays within its bound, and is told for what it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from liteshift.stages.held import BUCKETS, Held, Key, Line, bucket


def key(line: Line) -> Key:
    return (line.split(b"\t")[0].decode(),)


ROWS = st.dictionaries(st.integers(0, 300), st.integers(0, 3), max_size=120)


def lines(rows: dict[int, int]) -> list[Line]:
    return [b"%d\t%d%s" % (number, value, b"x" * (value * 50)) for number, value in rows.items()]


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(0, 60_000))
def test_within_the_bound_whole_rows_are_told(old: dict[int, int], new: dict[int, int], most: int) -> None:
    source, target = lines(old), lines(new)
    different = set(source) ^ set(target)
    suspect = {bucket(line) for line in different}
    held = Held(suspect, most, key)
    for line in source:
        if bucket(line) in held.buckets:
            held.of_source(line)
    for line in target:
        if bucket(line) in held.buckets:
            held.of_target(line)
    wanted = held.wanted_of_source()
    for line in source:
        if key(line) in wanted and not held.add_of_source(line):
            wanted = held.wanted_of_source()
    wanted = held.wanted_of_target()
    for line in target:
        if key(line) in wanted and not held.add_of_target(line):
            wanted = held.wanted_of_target()
    missing, extra = held.missing, held.extra
    assert len(missing) == len(set(missing)) and len(extra) == len(set(extra))
    assert set(missing) <= set(source) - set(target) and set(extra) <= set(target) - set(source)
    assert {line for line in different if bucket(line) in held.buckets} <= {*missing, *extra}
    both = {key(line) for line in source} & {key(line) for line in target}
    assert {key(line) for line in missing} & both == {key(line) for line in extra} & both, "no half of a changed row"
    assert bool(held.buckets) == bool(different) and (len(held.buckets) == 1 or len(missing) + len(extra) <= most / 200)


def test_rows_alike_count_as_many() -> None:
    held = Held(range(BUCKETS), 10_000, None)
    for line in (b"a", b"a", b"a", b"b"):
        held.of_source(line)
    for line in (b"a", b"c", b"c"):
        held.of_target(line)
    assert sorted(held.missing) == [b"a", b"a", b"b"] and held.extra == [b"c", b"c"]
