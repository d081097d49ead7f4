"""PostgreSQL's record text, taken apart and put together; what a real server prints is in tests/oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.codec.records import join, split
from liteshift.codec.values import codec, composite_form

FIELD = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
NAME = st.text(min_size=1, max_size=5)
FORM = st.sampled_from(["integer", "numeric(2)", "array(,text)", "array((array()text))", 'composite("a":text)'])


@given(st.lists(FIELD, min_size=1, max_size=4))
def test_any_record_comes_back(fields: list[str | None]) -> None:
    assert split(join(fields), len(fields)) == fields


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("()", [None]),
        ("(,)", [None, None]),
        ('("")', [""]),
        ("(NULL,t)", ["NULL", "t"]),
        ('("a""b","\\\\","(,)"," ")', ['a"b', "\\", "(,)", " "]),
        ("({1,2},x)", None),
        ('("{1,2}",x)', ["{1,2}", "x"]),
    ],
)
def test_texts_by_hand(text: str, expected: list[str | None] | None) -> None:
    if expected is not None:
        assert split(text, len(expected)) == expected
        return
    with pytest.raises(ValueError, match="no record"):
        split(text, 2)


@given(st.text(st.sampled_from('(),"\\ a'), max_size=12), st.integers(0, 4))
def test_any_text_is_a_record_or_refused(text: str, width: int) -> None:
    try:
        found = split(text, width)
    except ValueError:
        return
    assert len(found) == width


@given(st.lists(st.tuples(NAME, FORM), unique_by=lambda field: field[0], max_size=4))
def test_a_form_keeps_its_fields_names_and_forms(fields: list[tuple[str, str]]) -> None:
    within = codec(composite_form([("whole", composite_form(fields)), ("last", "boolean")]))
    stored = within.inner.from_pg(join([join([None] * len(fields)), "t"]))
    assert stored == {"whole": dict.fromkeys(name for name, _ in fields), "last": True}


@pytest.mark.parametrize(
    "stored",
    [
        '{"a": 1}',
        '{"a": 1, "b": "x", "c": 2}',
        '{"a": 1, "a": 1, "b": "x"}',
        '{"a": "1", "b": "x"}',
        '{"a": true, "b": "x"}',
        '[1, "x"]',
        "null",
        "",
    ],
)
def test_what_is_no_value_of_the_composite_is_refused(stored: str) -> None:
    one = codec('composite("a":integer,"b":text)')
    with pytest.raises(ValueError, match=r".+"):
        one.to_pg(stored)
