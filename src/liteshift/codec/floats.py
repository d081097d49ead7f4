"""Floats as PostgreSQL prints them with `extra_float_digits` 1 (src/common/d2s.c and f2s.c there, after Ryu).

That is the fewest digits that lie strictly between the midpoints to the value's neighbours, and among those the nearest
to it. Python's `repr` gives the fewest digits too, but also takes a decimal that is a midpoint itself, as 1e23 is.
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal

_LARGEST_SINGLE = 0x7F7FFFFF
_SMALLEST_NORMAL_SINGLE = 0x00800000


def single_from_pg(text: str) -> float:
    """The value of a `real`, rounded once: by way of a double it is rounded twice."""
    near = float(text)
    found: float = struct.unpack("<f", struct.pack("<f", near))[0]
    (bits,) = struct.unpack("<Q", struct.pack("<d", near))
    if bits & 0xFFFFFFF or found == near:  # only then can it be a midpoint of two singles
        return found
    other = math.copysign(_single(_single_bits(abs(found)) + (1 if abs(near) > abs(found) else -1)), near)
    exact = Decimal(text)
    if (found + other) / 2 != near or exact == Decimal(near):
        return found
    return max(found, other) if exact > Decimal(near) else min(found, other)


def double_to_pg(value: float) -> str:
    """The text of a `double precision`."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return _print(value, _shortest_double(abs(value)), 15)


def single_to_pg(value: float) -> str:
    """The text of a `real`.

    Raises:
        ValueError: the value is none that a `real` has.
    """
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    size = abs(value)
    if size >= 2.0**128 or _single(_single_bits(size)) != size:
        raise ValueError(f"{value!r} is no single-precision number")
    return _print(value, _shortest_single(size), 6)


def _print(value: float, shortest: str, fixed: int) -> str:
    """With an exponent from 10^fixed up and below 10^-4, as C's %g does."""
    minus = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return minus + "0"
    _, digits, exponent = Decimal(shortest).normalize().as_tuple()
    figures = "".join(map(str, digits))
    point = len(figures) + int(exponent)  # where the decimal point stands, counted from the first digit
    if not -4 < point <= fixed:
        mantissa = figures[0] + ("." + figures[1:] if len(figures) > 1 else "")
        return f"{minus}{mantissa}e{point - 1:+03d}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{figures}"
    if point >= len(figures):
        return f"{minus}{figures}{'0' * (point - len(figures))}"
    return f"{minus}{figures[:point]}.{figures[point:]}"


def _shortest_double(value: float) -> str:
    text = repr(value)
    if 2.0**53 <= value < 1e41:  # elsewhere no midpoint has as few as 17 digits
        below = (Decimal(value) + Decimal(math.nextafter(value, 0.0))) / 2
        above = (Decimal(value) + Decimal(math.nextafter(value, math.inf))) / 2
        if Decimal(text) in (below, above):
            return _fewest(value, below, above, 1)
    return text


def _shortest_single(value: float) -> str:
    bits = _single_bits(value)
    if bits == 0:
        return "0"
    after = 2.0**128 if bits == _LARGEST_SINGLE else _single(bits + 1)
    below, above = (_single(bits - 1) + value) / 2, (value + after) / 2  # a double holds these exactly
    # A single of full precision has no room for two decimals of six digits, so fewer need no trial of their own.
    return _fewest(value, Decimal(below), Decimal(above), 6 if bits >= _SMALLEST_NORMAL_SINGLE else 1)


def _fewest(value: float, below: Decimal, above: Decimal, digits: int) -> str:
    """The nearest decimal of the fewest digits strictly between two bounds."""
    while True:
        nearest = Decimal(f"{value:.{digits - 1}e}")
        step = Decimal((0, (1,), int(nearest.as_tuple().exponent)))
        for candidate in (nearest, nearest + step):  # below a power of two there is less room than above it
            if below < candidate < above:
                return str(candidate)
        digits += 1


def _single_bits(value: float) -> int:
    bits: int = struct.unpack("<I", struct.pack("<f", value))[0]
    return bits


def _single(bits: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return value
