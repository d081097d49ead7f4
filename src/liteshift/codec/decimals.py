"""Decimals that no double holds: their text, and their order and arithmetic by value, as `numeric` has them."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

EXACT_DIGITS = 15
"""Significant digits that survive a double both ways (C11, DBL_DIG)."""

# A numeric has at most 131,072 digits before the point and 16,383 after it; a product twice as many.
_EXACT = Context(prec=300_000, Emax=999_999, Emin=-999_999, rounding=ROUND_HALF_UP)


def fits_double(precision: int | None, scale: int | None) -> bool:
    """Whether a double holds every number of a `numeric(precision, scale)`; None where there is no such limit."""
    return precision is not None and precision <= EXACT_DIGITS and 0 <= (scale or 0) <= precision


_DECLARED = re.compile(r"DECIMAL_TEXT(?:_(\d+)_(\d+))?", re.ASCII)


def declared(precision: int | None, scale: int | None) -> str:
    """The declared type of a column of such texts: SQLite finds TEXT in it, and changes nothing."""
    limited = precision is not None and (scale or 0) >= 0
    return f"DECIMAL_TEXT_{precision}_{scale or 0}" if limited else "DECIMAL_TEXT"


def limits(declaration: str) -> tuple[int | None, int | None] | None:
    """Precision and scale of such a declared type; None where it is another type's."""
    match = _DECLARED.fullmatch(declaration)
    if match is None:
        return None
    return (int(match[1]), int(match[2])) if match[1] else (None, None)


def rounded(value: Decimal, scale: int) -> Decimal:
    """With just so many digits after the point, a half going away from zero as in PostgreSQL."""
    return value.quantize(Decimal(1).scaleb(-scale), context=_EXACT) if value.is_finite() else value


def padded(value: Decimal, scale: int) -> Decimal:
    """With at least so many digits after the point; nothing is rounded."""
    return rounded(value, scale) if value.is_finite() and int(value.as_tuple().exponent) > -scale else value


def text(value: Decimal) -> str:
    """As PostgreSQL prints it."""
    if value.is_finite():
        return f"{abs(value) if value == 0 else value:f}"
    return "NaN" if value.is_nan() else "Infinity" if value > 0 else "-Infinity"


def number(stored: object) -> Decimal:
    """The number that a stored value is; of a double, its fifteen digits that count.

    Raises:
        ValueError: it is none.
    """
    try:
        if isinstance(stored, float):
            return Decimal(f"{stored:.{EXACT_DIGITS}g}")
        if isinstance(stored, int | str):
            return Decimal(stored)
    except InvalidOperation:
        pass
    raise ValueError(f"a number expected, found {stored!r}")


def compare(left: str, right: str) -> int:
    """The order of two stored texts by value: NaN after every number, and what is no number after that."""
    if left == right:
        return 0
    one, other = _place(left), _place(right)
    return (one > other) - (one < other)


def _place(stored: str) -> tuple[int, Decimal, str]:
    try:
        value = Decimal(stored)
    except InvalidOperation:
        return 2, Decimal(0), stored
    return (1, Decimal(0), "") if value.is_nan() else (0, value, "")


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum."""
    return _EXACT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference."""
    return _EXACT.subtract(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The exact product."""
    return _EXACT.multiply(left, right)
