"""COPY's text format, both ways; what a real server sends is in tests/oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.codec.copy_text import decode, encode, fields
from liteshift.codec.values import Unrepresentable, codec

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(TEXT | st.none(), min_size=1, max_size=5))
def test_any_row_of_texts_comes_back(row: list[str | None]) -> None:
    codecs = [codec("text")] * len(row)
    line = encode(codecs, row)
    assert line.count(b"\n") == 1 and line.count(b"\t") == len(row) - 1
    assert list(decode(codecs, line)) == row
    assert fields(line) == row


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"\n", [""]),
        (b"\\N\n", [None]),
        (b"\\\\N\n", ["\\N"]),
        (b"\\\\\\N\n", ["\\N"]),
        (b"a\\tb\t\\N\t\n", ["a\tb", None, ""]),
        (b"\\b\\f\\n\\r\\t\\v\\\\\n", ["\b\f\n\r\t\v\\"]),
        (b"\\.\n", ["."]),
        (b"\xf0\x9f\x98\x80\n", ["😀"]),
        (b"a\r\n", ["a\r"]),
    ],
)
def test_lines_by_hand(line: bytes, expected: list[str | None]) -> None:
    assert fields(line) == expected


def test_what_is_no_utf8_is_said() -> None:
    with pytest.raises(UnicodeDecodeError):
        decode([codec("text")], b"\xff\n")


def test_a_value_without_a_form_is_said() -> None:
    with pytest.raises(Unrepresentable, match="NaN"):
        decode([codec("integer"), codec("double")], b"1\tNaN\n")
    with pytest.raises(KeyError):
        codec("nothing")
    with pytest.raises(ValueError, match="zip"):
        decode([codec("text")], b"a\tb\n")
