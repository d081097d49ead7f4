"""Floats as PostgreSQL prints them. PostgreSQL 16 printed the expected texts."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.codec.floats import double_to_pg, single_from_pg, single_to_pg

DOUBLES = [
    (0x0000000000000001, "5e-324"),
    (0x000FFFFFFFFFFFFF, "2.225073858507201e-308"),
    (0x0010000000000000, "2.2250738585072014e-308"),
    (0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"),
    (0x44B52D02C7E14AF6, "9.999999999999999e+22"),
    (0x44B52D02C7E14AF7, "1.0000000000000001e+23"),
    (0x4350000000000000, "1.8014398509481984e+16"),
    (0x430C6BF526340000, "1e+15"),
    (0x3EB0C6F7A0B5ED8D, "1e-06"),
    (0x3F1A36E2EB1C432D, "0.0001"),
    (0xBFF8000000000000, "-1.5"),
    (0x4341C37937E08000, "1e+16"),
    (0x4341C37937E08001, "1.0000000000000002e+16"),
]
SINGLES = [
    (0x00000001, "1e-45"),
    (0x007FFFFF, "1.1754942e-38"),
    (0x00800000, "1.1754944e-38"),
    (0x7F7FFFFF, "3.4028235e+38"),
    (0x4B800000, "1.6777216e+07"),
    (0x49742400, "1e+06"),
    (0x497423F0, "999999"),
    (0x15AE43FD, "7.038531e-26"),
    (0x4C000004, "3.3554448e+07"),
    (0x50061C46, "8.999999e+09"),
    (0xBFC00000, "-1.5"),
    (0x38D1B717, "0.0001"),
    (0x3727C5AC, "1e-05"),
    (0x4C000001, "3.3554436e+07"),
    (0x5F000000, "9.223372e+18"),
]


@pytest.mark.parametrize(("bits", "text"), DOUBLES)
def test_doubles(bits: int, text: str) -> None:
    (value,) = struct.unpack(">d", bits.to_bytes(8, "big"))
    assert double_to_pg(value) == text


@pytest.mark.parametrize(("bits", "text"), SINGLES)
def test_singles(bits: int, text: str) -> None:
    (value,) = struct.unpack(">f", bits.to_bytes(4, "big"))
    assert single_to_pg(value) == text
    assert single_from_pg(text) == value


@given(st.floats(allow_nan=False))
def test_any_double_comes_back(value: float) -> None:
    assert math.copysign(1, float(double_to_pg(value))) == math.copysign(1, value)
    assert float(double_to_pg(value)) == value


@given(st.floats(allow_nan=False, width=32))
def test_any_single_comes_back(value: float) -> None:
    text = single_to_pg(value)
    assert single_from_pg(text) == value
    assert len(text.lstrip("-").replace(".", "").split("e")[0].strip("0")) <= 9


@pytest.mark.parametrize("value", [0.1, 1e300, 2.0**128, 1e-50])
def test_what_is_no_single_is_said(value: float) -> None:
    with pytest.raises(ValueError, match="single-precision"):
        single_to_pg(value)
