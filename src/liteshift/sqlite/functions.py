"""What a migrated file may need beyond SQLite's own: the collation DECIMAL, and exact arithmetic for its columns.

The names are those of SQLite's own extension for decimals (ext/misc/decimal.c), which has no decimal_round.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from liteshift.codec import decimals

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi

Number = int | float | str | None


def register(connection: dbapi.Connection) -> None:
    """Give a connection the collation and the functions; SQLAlchemy's engines of ours have them already.

    - `COLLATE DECIMAL` orders texts by the numbers they are;
    - `decimal_add(a, b)`, `decimal_sub(a, b)`, `decimal_mul(a, b)`, `decimal_round(a, scale)` and the aggregate
      `decimal_sum(a)` give texts of exact numbers.
    """
    connection.create_collation("DECIMAL", decimals.compare)
    for name, operation in (("add", decimals.add), ("sub", decimals.subtract), ("mul", decimals.multiply)):
        connection.create_function(f"decimal_{name}", 2, _of_two(operation), deterministic=True)
    connection.create_function("decimal_round", 2, _round, deterministic=True)
    connection.create_window_function("decimal_sum", 1, _Sum)


def _of_two(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Number, Number], str | None]:
    def run(left: Number, right: Number) -> str | None:
        if left is None or right is None:
            return None
        return decimals.text(operation(decimals.number(left), decimals.number(right)))

    return run


def _round(value: Number, scale: int) -> str | None:
    return None if value is None else decimals.text(decimals.rounded(decimals.number(value), scale))


class _Sum:
    """SUM: NULL over no values at all."""

    def __init__(self) -> None:
        self._count = 0
        self._total = Decimal(0)

    def step(self, value: Number) -> None:
        if value is not None:
            self._count += 1
            self._total = decimals.add(self._total, decimals.number(value))

    def inverse(self, value: Number) -> None:
        if value is not None:
            self._count -= 1
            self._total = decimals.subtract(self._total, decimals.number(value))

    def value(self) -> str | None:
        return decimals.text(self._total) if self._count else None

    finalize = value
