"""PostgreSQL's array text, taken apart and put together; what a real server prints is in tests/oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.codec.arrays import Nested, join, split

LEAVES = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
NESTED: st.SearchStrategy[Nested] = st.recursive(
    st.lists(LEAVES, max_size=4), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=8
)


@given(st.sampled_from(["", "[0:1]", "[-3:-1][5:5]"]), NESTED, st.sampled_from([",", ";"]))
def test_any_array_comes_back(bounds: str, items: Nested, delimiter: str) -> None:
    assert split(join(bounds, items, delimiter), delimiter) == (bounds, items)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ("{NULL}", [None]),
        ('{"NULL",null,Null}', ["NULL", "null", "Null"]),
        ('{"",a b}', ["", "a b"]),
        ('{"\\"","\\\\","{","}",","}', ['"', "\\", "{", "}", ","]),
        ("{{1,2},{3,4}}", [["1", "2"], ["3", "4"]]),
        ("{{{}}}", [[[]]]),
        ("[2:3]={1,2}", ["1", "2"]),
    ],
)
def test_texts_by_hand(text: str, expected: Nested) -> None:
    assert split(text, ",")[1] == expected


@given(st.text(st.sampled_from('{}",;\\[]=:1aN '), max_size=12))
def test_any_text_is_an_array_or_refused(text: str) -> None:
    try:
        bounds, items = split(text, ",")
    except ValueError:
        return
    assert isinstance(items, list) and text.startswith(bounds)


@pytest.mark.parametrize("text", ["", "{", "}", "{1", '{"', '{"\\', "{1}x", "1 2", "[0:1]=", "[0:1]", "{1;2"])
def test_what_is_no_array_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"array|end"):
        split(text, ",")
