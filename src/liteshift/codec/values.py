"""The value contract: PostgreSQL's text to the value SQLite stores, and back, one pair of functions per stored form.

The law: `to_pg(from_pg(t)) == t` for every text `t` that PostgreSQL prints in our session (ISO dates, UTC, shortest
floats, hex bytea). What can't keep it raises `Unrepresentable` and is never stored. `from_pg` returns just what SQLite
reads back from the declared column, so that affinity has nothing left to change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from liteshift.codec import arrays, decimals, floats, intervals, jsonb

SqliteValue = int | float | str | bytes | None  # as in `ends`, which knows nothing of codecs

_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 20  # with the sign; Python reads no integer of thousands of digits


class Unrepresentable(ValueError):
    """A value that SQLite can't hold under this contract; the message says why."""


@dataclass(frozen=True, slots=True)
class Codec:
    """The two directions of one stored form; neither is ever given NULL.

    Attributes:
        bare: whether no text of it ever needs COPY's escapes, whatever stands in the file.
    """

    form: str
    from_pg: Callable[[str], SqliteValue]
    to_pg: Callable[[SqliteValue], str]
    bare: bool = False


@cache
def codec(form: str) -> Codec:
    """The codec of a stored form, as a plan names it: `integer`, `numeric(2)`, `array(,timestamp)` …

    Raises:
        KeyError: there is no such form.
    """
    name, _, argument = form.partition("(")
    argument = argument.removesuffix(")")
    if name == "array":
        delimiter, element = argument[0], codec(argument[1:])
        return Codec(form, partial(_array_from_pg, element, delimiter), partial(_array_to_pg, element, delimiter))
    if name == "numeric":
        return Codec(form, _numeric_from_pg, partial(_numeric_to_pg, int(argument)), bare=True)
    if name == "decimal" and argument:
        return Codec(form, partial(_decimal_from_pg, int(argument)), _text)
    from_pg, to_pg = _FORMS[name]
    return Codec(form, from_pg, to_pg, bare=name in ("integer", "boolean", "double", "real"))


def _text(value: SqliteValue) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text expected, found {value!r}")
    return value


def _integer_to_pg(value: SqliteValue) -> str:
    if not isinstance(value, int):
        raise ValueError(f"an integer expected, found {value!r}")
    return str(value)


def _boolean_from_pg(text: str) -> int:
    return 1 if text == "t" else 0


def _boolean_to_pg(value: SqliteValue) -> str:
    if value == 1:
        return "t"
    if value == 0:
        return "f"
    raise ValueError(f"0 or 1 expected, found {value!r}")


def _double_from_pg(text: str) -> float:
    value = float(text)
    if value != value:
        raise Unrepresentable("NaN is NULL to SQLite")
    if value == 0.0 and text[0] == "-":
        raise Unrepresentable("SQLite drops the sign of -0 in a REAL column")
    return value


def _real_from_pg(text: str) -> float:
    _double_from_pg(text)  # for its refusals
    return floats.single_from_pg(text)


def _double_to_pg(value: SqliteValue) -> str:
    return floats.double_to_pg(_float(value))


def _real_to_pg(value: SqliteValue) -> str:
    return floats.single_to_pg(_float(value))


def _float(value: SqliteValue) -> float:
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(f"a number expected, found {value!r}")


def _numeric_from_pg(text: str) -> int | float:
    if text in ("NaN", "Infinity", "-Infinity"):
        raise Unrepresentable(f"{text} is no number to SQLite's NUMERIC")
    if len(text) > decimals.EXACT_DIGITS and len(text.lstrip("-").replace(".", "").lstrip("0")) > decimals.EXACT_DIGITS:
        raise Unrepresentable(f"{text} has more than {decimals.EXACT_DIGITS} digits, which a double does not hold")
    if "." not in text:
        return int(text)
    value = float(text)
    return int(value) if value.is_integer() else value


def _numeric_to_pg(scale: int, value: SqliteValue) -> str:
    if not isinstance(value, int | float):
        raise ValueError(f"a number expected, found {value!r}")
    exact = decimals.number(value)
    if decimals.rounded(exact, scale) != exact:
        raise ValueError(f"no more than {scale} digits after the point expected, found {value!r}")
    return decimals.text(decimals.rounded(exact, scale))


def _decimal_from_pg(scale: int, text: str) -> str:
    """PostgreSQL prints every digit of the scale; constants of an expression may lack some."""
    return decimals.text(decimals.padded(decimals.number(text), scale))


def _money_from_pg(text: str) -> str:
    """The amount as a plain number: `-$1,234.50`, as the C locale prints it, is `-1234.50`."""
    return text.replace("$", "").replace(",", "")


def _money_to_pg(value: SqliteValue) -> str:
    text = _text(value)
    whole, _, cents = text.removeprefix("-").partition(".")
    return f"{'-' if text.startswith('-') else ''}${int(whole):,}.{cents}"


def _bytea_from_pg(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _bytea_to_pg(value: SqliteValue) -> str:
    if not isinstance(value, bytes):
        raise ValueError(f"a blob expected, found {value!r}")
    return "\\x" + value.hex()


def _uuid_from_pg(text: str) -> str:
    return text.replace("-", "")


def _uuid_to_pg(value: SqliteValue) -> str:
    text = _text(value)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _date_from_pg(text: str) -> str:
    if len(text) != 10:
        raise Unrepresentable(f"{_odd_time(text)} has no place in YYYY-MM-DD")
    return text


def _time_from_pg(text: str) -> str:
    if text.startswith("24"):
        raise Unrepresentable("24:00:00 is no time of day to other readers")
    return text + ".000000" if len(text) == 8 else text.ljust(15, "0")


def _time_to_pg(value: SqliteValue) -> str:
    text = _text(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _timestamp_from_pg(text: str) -> str:
    if text[4:5] != "-" or text[-1] == "C":
        raise Unrepresentable(f"{_odd_time(text)} has no place in YYYY-MM-DD HH:MM:SS.ffffff")
    return text + ".000000" if len(text) == 19 else text.ljust(26, "0")


def _timestamptz_from_pg(text: str) -> str:
    if text.endswith("+00"):
        return _timestamp_from_pg(text[:-3])
    if "infinity" in text or text.endswith("BC"):
        raise Unrepresentable(f"{_odd_time(text)} has no place in YYYY-MM-DD HH:MM:SS.ffffff")
    raise Unrepresentable("the server did not print it in UTC")


def _timestamptz_to_pg(value: SqliteValue) -> str:
    return _time_to_pg(value) + "+00"


def _time_short_from_pg(text: str) -> str:
    return _django(_time_from_pg(text))


def _timestamp_short_from_pg(text: str) -> str:
    return _django(_timestamp_from_pg(text))


def _timestamptz_short_from_pg(text: str) -> str:
    return _django(_timestamptz_from_pg(text))


def _django(text: str) -> str:
    """Django writes `str(datetime)`: six digits of a second, or none."""
    return text.removesuffix(".000000")


def _odd_time(text: str) -> str:
    if "infinity" in text:
        return text
    return "a year before Christ" if text.endswith("BC") else "a year past 9999"


_NUMBER = re.compile(r"\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*", re.ASCII)


def _json_from_pg(text: str) -> SqliteValue:
    """A JSON column has NUMERIC affinity: a bare number would be rewritten, so one that would not survive is a blob."""
    if not _NUMBER.fullmatch(text):
        return text
    if len(text) <= _INT64_DIGITS and text.removeprefix("-").isdigit():
        number = int(text)
        if str(number) == text and number in _INT64:
            return number
    return text.encode()


def _json_to_pg(value: SqliteValue) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return str(value) if isinstance(value, int) else _text(value)


def _jsonb_from_pg(text: str) -> SqliteValue:
    return _json_from_pg(jsonb.escaped(text))


def _jsonb_to_pg(value: SqliteValue) -> str:
    return jsonb.unescaped(_json_to_pg(value))


def _jsonb_text_to_pg(value: SqliteValue) -> str:
    return jsonb.unescaped(_text(value))


def _array_from_pg(element: Codec, delimiter: str, text: str) -> str:
    bounds, items = arrays.split(text, delimiter)
    stored = json.dumps(arrays.convert(items, partial(_to_json, element)), ensure_ascii=False)
    return f'{{"bounds": "{bounds}", "elements": {stored}}}' if bounds else stored


def _to_json(element: Codec, text: str) -> object:
    """An element as JSON: a boolean or a number where that is exact, else a string."""
    if element.form == "boolean":
        return text == "t"
    if element.form in ("double", "real", "bytea") or element.form.startswith("numeric"):
        return text  # a string keeps NaN, -0, every digit, and JSON has no bytes
    value = element.from_pg(text)
    return value.decode() if isinstance(value, bytes) else value


def _array_to_pg(element: Codec, delimiter: str, value: SqliteValue) -> str:
    stored = json.loads(_text(value))
    bounds, items = (stored["bounds"], stored["elements"]) if isinstance(stored, dict) else ("", stored)
    return arrays.join(bounds, _array_texts(element, items), delimiter)


def _array_texts(element: Codec, items: list[object]) -> arrays.Nested:
    texts: arrays.Nested = []
    for item in items:
        if item is None:
            texts.append(None)
        elif isinstance(item, list):
            texts.append(_array_texts(element, item))
        elif isinstance(item, bool):
            texts.append("t" if item else "f")
        elif isinstance(item, str) and (
            element.form in ("double", "real", "bytea") or element.form.startswith("numeric")
        ):
            texts.append(item)
        elif isinstance(item, int | float | str):
            texts.append(element.to_pg(item))
        else:
            raise ValueError(f"no array element: {item!r}")
    return texts


_FORMS: dict[str, tuple[Callable[[str], SqliteValue], Callable[[SqliteValue], str]]] = {
    "integer": (int, _integer_to_pg),
    "boolean": (_boolean_from_pg, _boolean_to_pg),
    "double": (_double_from_pg, _double_to_pg),
    "real": (_real_from_pg, _real_to_pg),
    "text": (str, _text),
    "decimal": (str, _text),
    "money": (_money_from_pg, _money_to_pg),
    "bytea": (_bytea_from_pg, _bytea_to_pg),
    "uuid": (_uuid_from_pg, _uuid_to_pg),
    "date": (_date_from_pg, _text),
    "time": (_time_from_pg, _time_to_pg),
    "timestamp": (_timestamp_from_pg, _time_to_pg),
    "timestamptz": (_timestamptz_from_pg, _timestamptz_to_pg),
    "time_short": (_time_short_from_pg, _time_to_pg),
    "timestamp_short": (_timestamp_short_from_pg, _time_to_pg),
    "timestamptz_short": (_timestamptz_short_from_pg, _timestamptz_to_pg),
    "interval_epoch": (intervals.epoch_from_pg, intervals.epoch_to_pg),
    "interval_micros": (intervals.micros_from_pg, intervals.micros_to_pg),
    "json": (_json_from_pg, _json_to_pg),
    "jsonb": (_jsonb_from_pg, _jsonb_to_pg),
    "jsonb_text": (jsonb.escaped, _jsonb_text_to_pg),
}
