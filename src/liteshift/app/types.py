"""How SQLAlchemy's types read and write a migrated file: the value contract, on the application's side.

The dialects (`app.dialects`) put these in the place of SQLAlchemy's own, so that an application's models work unchanged
and give on SQLite the objects they give on PostgreSQL. What they store is what the migration stored (`codec`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import types
from sqlalchemy.dialects import postgresql, sqlite

from liteshift.codec import decimals, floats, intervals, jsonb
from liteshift.codec.values import codec

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

Processor = Callable[[Any], Any]


def _unless_null(process: Processor) -> Processor:
    return lambda value: None if value is None else process(value)


def _process(processor: Processor | None) -> Processor:
    return processor or (lambda value: value)


def is_exact(kind: TypeEngine[Any]) -> bool:
    """Whether a column of this type holds decimals as exact text, since no double holds them all."""
    return isinstance(kind, types.Numeric) and not decimals.fits_double(kind.precision, kind.scale)


class LiteDateTime(sqlite.DATETIME):
    """In UTC. A column with a time zone gives times with one, and takes one without for UTC."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """The moment in UTC, without saying so."""
        stored = _process(super().bind_processor(dialect))

        def process(value: Any) -> Any:
            aware = isinstance(value, datetime) and value.tzinfo is not None
            return stored(value.astimezone(UTC) if aware else value)

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """With the zone UTC where the column has a zone."""
        read = _process(super().result_processor(dialect, coltype))
        return _unless_null(lambda value: read(value).replace(tzinfo=UTC)) if self.timezone else read


class LiteTime(sqlite.TIME):
    """With a time zone: the text that PostgreSQL prints, as `12:34:56.5+02`."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """A time without a zone, in a column with one, is UTC's."""
        return _unless_null(_timetz) if self.timezone else _process(super().bind_processor(dialect))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """The time, with its zone where the column has one."""
        return (
            _unless_null(time.fromisoformat) if self.timezone else _process(super().result_processor(dialect, coltype))
        )


def _timetz(value: time) -> str:
    zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
    clock = zoned.replace(tzinfo=None).isoformat()
    zone = zoned.isoformat()[len(clock) :].removesuffix(":00")
    return (clock.rstrip("0") if "." in clock else clock) + zone


class LiteInterval(types.Interval):
    """A `timedelta`, stored as SQLAlchemy does; of PostgreSQL's others a month is 30 days, as psycopg reads it."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Processor:
        """The stored text."""
        return _unless_null(lambda value: intervals.epoch_from_pg(intervals.text(value)))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """The length of time."""
        return _unless_null(lambda value: intervals.length(intervals.epoch_to_pg(value)))


class LiteNumeric(types.Numeric[Any]):
    """Numbers of up to 15 digits are doubles; the others are exact text, padded to the scale."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """The stored value, not rounded: a comparison is with the number given."""
        if not is_exact(self):
            return _unless_null(float)
        scale = self.scale or 0
        return _unless_null(lambda value: decimals.text(decimals.padded(_decimal(value), scale)))

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        """The stored value as SQL."""
        store = self.bind_processor(dialect)
        return lambda value: f"'{store(value)}'" if is_exact(self) else decimals.text(_decimal(value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """A Decimal with the column's scale, or with more digits where an expression has them."""
        scale = self.scale or 0

        def process(value: Any) -> Any:
            if not self.asdecimal:
                return float(value)
            shortest = Decimal(repr(value)) if isinstance(value, float) else decimals.number(value)
            within = shortest.is_finite() and int(shortest.as_tuple().exponent) >= -scale
            return decimals.padded(shortest if within else decimals.number(value), scale)

        return _unless_null(process)


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


class LiteFloat(types.Float[Any]):
    """A double, or a single where the precision says so. NaN, which SQLite would take for NULL, is refused."""

    single = False

    def bind_processor(self, dialect: Dialect) -> Processor:
        """The same number."""

        def process(value: Any) -> float:
            number = float(value)
            if math.isnan(number):
                raise ValueError("NaN is NULL to SQLite")
            return number

        return _unless_null(process)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        """The number; of a single the shortest that stands for it, which is what PostgreSQL prints."""
        read: Processor | None = super().result_processor(dialect, coltype)
        return _unless_null(lambda value: _process(read)(_shortest(value))) if self.is_single() else read

    def is_single(self) -> bool:
        """Whether PostgreSQL's type is `real`."""
        return self.single or (self.precision is not None and self.precision <= 24)


def _shortest(value: float) -> float:
    try:
        return float(floats.single_to_pg(value))
    except ValueError:
        return value  # worked out, not stored


class LiteReal(LiteFloat):
    """A single."""

    single = True


class LiteJSON(sqlite.JSON[Any]):
    """JSON text; what of it SQLite would rewrite as a number is written as a blob (see `written`)."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """The text; of what PostgreSQL keeps as jsonb, the same for equal values, so that a filter finds them."""
        dump = _process(super().bind_processor(dialect))
        if not isinstance(self._variant_mapping.get("postgresql", self), LiteJSONB | postgresql.JSONB):
            return dump

        def process(value: Any) -> Any:
            text = dump(value)
            return jsonb.canonical(json.loads(text)) if isinstance(text, str) else text

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """The JSON value."""
        load = _process(super().result_processor(dialect, coltype))
        to_pg = codec("json").to_pg
        return _unless_null(lambda value: load(repr(value) if isinstance(value, float) else to_pg(value)))


class LiteJSONB(LiteJSON):
    """PostgreSQL's jsonb."""


class LiteARRAY(types.ARRAY[Any]):
    """A JSON list, element by element under the same contract."""

    def bind_processor(self, dialect: Dialect) -> Processor:
        """The JSON text."""
        store = _element(self.item_type, dialect)[0]
        return _unless_null(lambda value: json.dumps(_each(value, store), ensure_ascii=False))

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        """The list; lower bounds other than 1 are not shown, as psycopg does not."""
        read = _element(self.item_type, dialect)[1]

        def process(value: Any) -> Any:
            found = json.loads(value)
            items = _each(found["elements"] if isinstance(found, dict) else found, read)
            return tuple(items) if self.as_tuple else items

        return _unless_null(process)


def _each(items: Any, convert: Processor) -> list[Any]:
    return [
        None if item is None else _each(item, convert) if isinstance(item, list | tuple) else convert(item)
        for item in items
    ]


def _element(kind: TypeEngine[Any], dialect: Dialect) -> tuple[Processor, Processor]:
    """How an array's element is written to JSON and read from it."""
    if isinstance(kind, types.Float):
        return floats.double_to_pg, float
    if isinstance(kind, types.Numeric):
        scale = kind.scale or 0
        return lambda value: decimals.text(decimals.padded(_decimal(value), scale)), Decimal
    if isinstance(kind, types.LargeBinary):
        return lambda value: "\\x" + bytes(value).hex(), lambda text: bytes.fromhex(text[2:])
    own = kind.dialect_impl(dialect)
    store, read = _process(own.bind_processor(dialect)), _process(own.result_processor(dialect, None))
    if isinstance(kind, types.Boolean):
        return bool, bool
    return lambda value: _as_text(store(value)), read


def _as_text(stored: Any) -> Any:
    return stored.decode() if isinstance(stored, bytes) else stored


def written(kind: TypeEngine[Any]) -> Processor | None:
    """What becomes of a stored value when it is written into a column; None for nothing.

    As PostgreSQL does it: a number is rounded to the column's scale or to a single, and refused where it is too large;
    a text in CHAR(n) is padded.
    """
    if isinstance(kind, types.JSON):
        from_pg = codec("json").from_pg
        return lambda text: from_pg(text) if isinstance(text, str) else text
    if isinstance(kind, types.CHAR):
        return _unless_null(lambda text: text.ljust(kind.length or 0))
    if isinstance(kind, LiteFloat) and kind.is_single():
        return _unless_null(lambda number: floats.single_from_pg(repr(number)) if math.isfinite(number) else number)
    if not isinstance(kind, types.Numeric) or kind.precision is None:
        return None
    scale, whole, exact = kind.scale or 0, kind.precision - (kind.scale or 0), is_exact(kind)

    def fit(stored: Any) -> Any:
        number = decimals.rounded(decimals.number(stored), scale)
        if number.is_infinite() or (number.is_finite() and number and number.adjusted() >= whole):
            raise ValueError(f"{stored} does not fit into NUMERIC({kind.precision}, {scale})")
        return decimals.text(number) if exact else float(number)

    return _unless_null(fit)


COLSPECS: dict[type[TypeEngine[Any]], type[TypeEngine[Any]]] = {
    types.DateTime: LiteDateTime,
    types.TIMESTAMP: LiteDateTime,
    types.Time: LiteTime,
    types.Interval: LiteInterval,
    postgresql.INTERVAL: LiteInterval,
    types.Numeric: LiteNumeric,
    types.Float: LiteFloat,
    types.REAL: LiteReal,
    types.JSON: LiteJSON,
    postgresql.JSONB: LiteJSONB,
    types.ARRAY: LiteARRAY,
}
"""What stands for which type."""
