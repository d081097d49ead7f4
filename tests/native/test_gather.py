"""The native core reads the log as the definition does, or leaves it to the definition."""

from __future__ import annotations

import struct
from datetime import UTC
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.codec.test_pgoutput import encoded, relations

from liteshift import native
from liteshift.changes import Update
from liteshift.codec.values import Unrepresentable, codec

if native.CORE is None:
    pytest.skip("the native core is not built", allow_module_level=True)

_any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
_near = st.text("0123456789-+:. eETtfNaIinyBC\\x", max_size=30)
_digits = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.decimals(-(10**15), 10**15, places=3).map(lambda d: f"{d:f}"),
    st.floats().map(repr),
)
_moment = st.datetimes().map(lambda at: at.isoformat(" "))
_times = st.times().map(lambda at: at.isoformat().rstrip("0") if at.microsecond else at.isoformat())
_days = st.one_of(st.dates().map(str), st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "10000-01-01"]))
_moments = st.one_of(
    _moment,
    _moment.map(lambda text: text + "+00"),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat(" ").replace("+00:00", "+00")),
    _moment.map(lambda text: text + " BC"),
    _moment.map(lambda text: "1" + text),
    _moment.map(lambda text: text + "+05:30"),
    st.sampled_from(["infinity", "-infinity", "24:00:00"]),
)
_json = st.one_of(
    _digits,
    st.sampled_from(['{"a": "é\x7f"}', " 1 ", '"1"', "null", "[1, 2]", "1.0", "1e5", "-0"]),
    _any_text.map(lambda t: f'"{t}"'),
)
_texts = st.one_of(
    _any_text,
    _near,
    _digits,
    _times,
    _days,
    _moments,
    _json,
    st.uuids().map(str),
    st.binary(max_size=9).map(lambda b: "\\x" + b.hex()),
)
FORMS = [
    "integer", "boolean", "double", "real", "text", "decimal", "decimal(2)", "bytea", "uuid", "date", "time",
    "time_short", "timestamp", "timestamptz", "timestamp_short", "timestamptz_short", "numeric(2)",
    "numeric(0)", "json", "jsonb",
    "jsonb_text",
]  # fmt: skip
# What the server never prints for the form, and a definition therefore need not refuse.
FITTING: dict[str, st.SearchStrategy[str]] = {
    "boolean": st.sampled_from("tf"),
    "real": st.one_of(
        st.floats(width=32).map(repr), st.decimals(-(10**30), 10**30).map(str), st.sampled_from(["-0", "1e-45", "NaN"])
    ),
    "decimal": _digits,
    "decimal(2)": st.decimals(-(10**15), 10**15, places=2).map(lambda d: f"{d:f}"),
    "uuid": st.uuids().map(str),
    "date": _days,
    "time": st.one_of(_times, st.just("24:00:00")),
    "time_short": st.one_of(_times, st.just("24:00:00")),
    "timestamp": _moments.filter(lambda text: "+" not in text),
    "timestamp_short": _moments.filter(lambda text: "+" not in text),
    "timestamptz": _moments.filter(lambda text: "+" in text or "inf" in text),
    "timestamptz_short": _moments.filter(lambda text: "+" in text or "inf" in text),
}


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_a_text_is_read_as_the_definition_reads_it_or_not_at_all(form: str, data: st.DataObject) -> None:
    text = data.draw(FITTING.get(form, _texts))
    try:
        found = native.CORE.read(form, text.encode())
    except ValueError:
        return  # the definition is asked
    expected = codec(form).from_pg(text)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("integer", "-9223372036854775808"), ("boolean", "f"), ("double", "1e+300"), ("real", "0.1"), ("text", ""),
        ("decimal(2)", "0.10"), ("bytea", "\\x00ff"), ("uuid", "11111111-2222-3333-4444-555555555555"),
        ("date", "2024-02-29"), ("time", "23:59:59.5"), ("time_short", "23:59:59"),
        ("timestamp", "2024-01-01 00:00:00"),
        ("timestamptz", "2024-01-01 00:00:00.25+00"), ("timestamptz_short", "2024-01-01 00:00:00+00"),
        ("numeric(2)", "1.10"), ("numeric(2)", "-3.00"), ("json", '{"a":1}'), ("json", "1.0"), ("jsonb", '"é"'),
        ("jsonb_text", "7"),
    ],
)  # fmt: skip
def test_what_the_server_prints_is_read_without_the_definition(form: str, text: str) -> None:
    assert native.CORE.read(form, text.encode()) == codec(form).from_pg(text)


@pytest.mark.parametrize(
    ("form", "text"),
    [("double", "NaN"), ("double", "-0"), ("numeric(2)", "NaN"), ("numeric(2)", "1234567890123456"),
     ("time", "24:00:00"), ("date", "infinity"), ("timestamp", "0044-03-15 00:00:00 BC"),
     ("timestamptz", "2024-01-01 00:00:00+05:30")],
)  # fmt: skip
def test_what_cannot_be_carried_is_left_to_the_definition(form: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        native.CORE.read(form, text.encode())
    with pytest.raises(Unrepresentable):
        codec(form).from_pg(text)


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack("!I", len(message)) + message for message in messages)


@given(relations, st.data())
def test_an_unknown_table_is_left_to_python(relation: Any, data: st.DataObject) -> None:
    new = tuple(data.draw(_any_text) for _ in relation.columns)
    message = encoded(Update(relation, None, new, False))
    gatherer = native.CORE.Gatherer()
    items, at, rows, transactions, end, micros, held = gatherer.take(framed(message), 0)
    assert (items, rows, transactions, end, micros, held) == ([message], 0, 0, None, None, False)
    assert at == len(message) + 4


@given(st.binary(max_size=100))
@example(b"")
@example(b"\0\0\0\0")
@example(b"\xff\xff\xff\xff")
def test_bytes_of_any_kind_are_answered(piece: bytes) -> None:
    gatherer = native.CORE.Gatherer()
    gatherer.route(0, ["integer", None, codec("text").from_pg], [0], [0])
    at = 0
    try:
        while at < len(piece):
            at = gatherer.take(piece, at)[1]
    except ValueError as error:
        assert str(error)


def test_a_definition_that_refuses_makes_an_event() -> None:
    def refuse(_: str) -> None:
        raise Unrepresentable("never")

    gatherer = native.CORE.Gatherer()
    gatherer.route(1, [refuse], [], [])
    message = b"I" + struct.pack("!I", 1) + b"N" + struct.pack("!H", 1) + b"t" + struct.pack("!I", 1) + b"x"
    items, at, *_ = gatherer.take(framed(message, message), 0)
    assert items == [message]  # and it stops, as the next row may be the same
    assert at == len(message) + 4


def test_a_key_of_columns_that_are_not_stored_is_no_key() -> None:
    for identity, touched in (([1], []), ([], [0]), ([5], [])):
        with pytest.raises(ValueError, match="key"):
            native.CORE.Gatherer().route(1, [None], identity, touched)
