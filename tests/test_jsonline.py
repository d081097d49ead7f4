"""What programs read does not control the terminal of who looks at it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.jsonline import json_line


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda some: st.lists(some) | st.dictionaries(st.text(), some))
)
def test_any_value_comes_back_from_one_line_that_prints(value: object) -> None:
    line = json_line(value)
    assert json.loads(line) == value
    assert line.isprintable()


@pytest.mark.parametrize("letter", ["\x1b", "\x9b", "\x7f", "\u202e", "\u2028", "\n", "\U000e0001", "\ud800"])
def test_what_moves_a_terminal_is_escaped(letter: str) -> None:
    assert letter not in json_line({letter: letter})
    assert json.loads(json_line([letter])) == [letter]


def test_letters_stay_letters() -> None:
    assert json_line({"é": "日本 😀"}) == '{"é": "日本 😀"}'
