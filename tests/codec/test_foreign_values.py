"""Whatever stands in the file, verify can look at it: a foreign value shows as itself, and as no other row."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liteshift.codec.copy_text import fields
from liteshift.codec.values import codec
from liteshift.stages.verify import line_of
from liteshift.value import Value

RECORD = 'composite("a":integer,"b, (\\"":array(,text),"c":composite("d":boolean))'
FORMS = [
    "integer",
    "boolean",
    "double",
    "real",
    "numeric(0)",
    "numeric(2)",
    "decimal",
    "decimal(4)",
    "money",
    "text",
    "bytea",
    "uuid",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "time_short",
    "timestamp_short",
    "timestamptz_short",
    "interval_epoch",
    "interval_micros",
    "json",
    "jsonb",
    "jsonb_text",
    "array(,integer)",
    "array(,text)",
    "array(;text)",
    "array(,numeric(2))",
    "array(,timestamp)",
    "array(,boolean)",
    "array(,jsonb)",
    "array(,array(,text))",
    "array(,bytea)",
    RECORD,
    'array(,composite("a":real))',
    "composite()",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.binary(), TEXT
)


@pytest.mark.parametrize("form", FORMS)
def test_every_value_shows_as_one_field(form: str) -> None:
    @given(VALUES)
    @example("\\N")
    @example("2024-01-01\t00:00")
    @example("line\nbreak")
    @example("\\.")
    @example("[" * 100_000)
    @example('{"bounds": 1}')
    @example('{"bounds": "", "elements": 5}')
    @example("[[1, null, [true]], {}, 1.5]")
    @example(b"\xff")
    @example("1970-13-99 00:00:00.000000")
    @example(2**63 - 1)
    @example(float("inf"))
    def run(value: Value) -> None:
        line = line_of([codec("text"), codec(form), codec("text")], ["before", value, "after"])
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        before, shown, after = fields(line)
        assert (before, after) == ("before", "after")
        assert shown is not None  # no value is taken for NULL

    run()


@pytest.mark.parametrize("form", FORMS)
def test_a_value_of_another_type_equals_nothing_postgresql_prints(form: str) -> None:
    """A text in a number's column, a blob in a text's, and so on."""
    own = type(codec(form).from_pg(PRINTED.get(form) or PRINTED[form.partition("(")[0]]))
    for value in (7, 0.5, "strange", b"strange"):
        if not isinstance(value, own) and (isinstance(value, str | bytes) or own not in (int, float)):
            assert b"\\?" in line_of([codec(form)], [value]) or form in (
                "json",
                "jsonb",
                "interval_micros",
                "interval_epoch",
            )


PRINTED = {
    "integer": "1",
    "boolean": "t",
    "double": "0.5",
    "real": "0.5",
    "numeric": "1",
    "decimal": "1.0",
    "money": "$1.00",
    "text": "a",
    "bytea": "\\x00",
    "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "date": "2024-01-01",
    "time": "12:00:00",
    "timestamp": "2024-01-01 00:00:00",
    "timestamptz": "2024-01-01 00:00:00+00",
    "time_short": "12:00:00",
    "timestamp_short": "2024-01-01 00:00:00",
    "timestamptz_short": "2024-01-01 00:00:00+00",
    "interval_epoch": "P1D",
    "interval_micros": "P1D",
    "json": "{}",
    "jsonb": "{}",
    "jsonb_text": "{}",
    "array": "{}",
    "composite()": "()",
    RECORD: '(1,{},"(t)")',
}
