"""The value contract: PostgreSQL's text to the value SQLite stores, and back, one pair of functions per stored form.

The law: `to_pg(from_pg(t)) == t` for every text `t` that PostgreSQL prints in our session (ISO dates, UTC, shortest
floats, hex bytea). What can't keep it raises `Unrepresentable` and is never stored. `from_pg` returns just what SQLite
reads back from the declared column, so that affinity has nothing left to change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from liteshift.codec import decimals, floats, intervals, jsonb, nested
from liteshift.value import Value

_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 20  # with the sign; Python reads no integer of thousands of digits


class Unrepresentable(ValueError):
    """A value that SQLite can't hold under this contract; the message says why."""


@dataclass(frozen=True, slots=True)
class Codec:
    """The two directions of one stored form; neither is ever given NULL.

    Attributes:
        inner: how such a value stands within an array or a composite.
        exactly: as `to_pg`, of a value that is just what `from_pg` gives: 0.1 + 0.2, worked out in floating point in a
            numeric column, is 0.3 to `to_pg`, and refused here.
        bare: whether no text of it ever needs COPY's escapes, whatever stands in the file.
    """

    form: str
    from_pg: Callable[[str], Value]
    to_pg: Callable[[Value], str]
    inner: nested.Inner
    exactly: Callable[[Value], str]
    bare: bool = False


@cache
def codec(form: str) -> Codec:
    """The codec of a stored form, as a plan names it: `integer`, `array(,timestamp)`, `composite("x":numeric(2))` …

    Raises:
        KeyError: there is no such form.
    """
    name, _, argument = form.partition("(")
    argument = argument.removesuffix(")")
    if name == "array":
        element = codec(argument[1:])
        # A list within a list is a dimension, so an array that is an element is a string.
        one = nested.as_stored(element.from_pg, element.to_pg) if argument[1:].startswith("array(") else element.inner
        return _json_codec(form, nested.array(one, argument[0]))
    if name == "composite":
        return _json_codec(form, nested.composite({field: codec(own).inner for field, own in _fields(argument)}))
    if name == "numeric":
        to_pg = partial(_numeric_to_pg, int(argument))
        exactly = partial(_numeric_exactly, to_pg)
        return Codec(form, _numeric_from_pg, to_pg, nested.as_string(to_pg), exactly, bare=True)
    if name == "decimal" and argument:
        from_pg = partial(_decimal_from_pg, int(argument))
        return Codec(form, from_pg, _text, nested.as_stored(from_pg, _text), _text)
    return _scalar(name)


def lenient(strict: Codec) -> Codec:
    """The same for values that an application may have worked out."""
    return replace(strict, exactly=strict.to_pg)


def _json_codec(form: str, inner: nested.Inner) -> Codec:
    from_pg, to_pg = nested.dumped(inner)
    return Codec(form, from_pg, to_pg, inner, to_pg)


def _scalar(name: str) -> Codec:
    from_pg, to_pg = _FORMS[name]
    inner = nested.as_stored(from_pg, to_pg)
    if name == "boolean":
        inner = nested.boolean()
    elif name in ("double", "real", "bytea"):
        inner = nested.as_string(to_pg)
    return Codec(name, from_pg, to_pg, inner, to_pg, bare=name in ("integer", "boolean", "double", "real"))


_STEP = re.compile(r'"(?:[^"\\]|\\.)*"|array\(.|[(),:]|[^"(),:]+', re.DOTALL)


def composite_form(fields: list[tuple[str, str]]) -> str:
    """The form of a composite whose fields have these names and forms."""
    return f"composite({','.join(f'{json.dumps(name)}:{form}' for name, form in fields)})"


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """The fields' names and forms, as `composite_form` wrote them."""
    depth, start = 0, 0
    for step in _STEP.finditer(f"{text},") if text else ():
        depth += step[0].endswith("(") or step[0].startswith("array(")
        depth -= step[0] == ")"
        if step[0] == "," and depth == 0:
            name, end = json.JSONDecoder().raw_decode(text, start)
            yield name, text[end + 1 : step.start()]
            start = step.end()


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text expected, found {value!r}")
    return value


def _integer_to_pg(value: Value) -> str:
    if not isinstance(value, int):
        raise ValueError(f"an integer expected, found {value!r}")
    return str(value)


def _boolean_from_pg(text: str) -> int:
    return 1 if text == "t" else 0


def _boolean_to_pg(value: Value) -> str:
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


def _double_to_pg(value: Value) -> str:
    return floats.double_to_pg(_float(value))


def _real_to_pg(value: Value) -> str:
    return floats.single_to_pg(_float(value))


def _float(value: Value) -> float:
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


def _numeric_to_pg(scale: int, value: Value) -> str:
    if not isinstance(value, int | float):
        raise ValueError(f"a number expected, found {value!r}")
    exact = decimals.number(value)
    if decimals.rounded(exact, scale) != exact:
        raise ValueError(f"no more than {scale} digits after the point expected, found {value!r}")
    return decimals.text(decimals.rounded(exact, scale))


def _numeric_exactly(to_pg: Callable[[Value], str], value: Value) -> str:
    text = to_pg(value)
    stored = _numeric_from_pg(text)
    if stored != value or type(stored) is not type(value):
        raise ValueError(f"{stored!r} expected, found {value!r}")
    return text


def _decimal_from_pg(scale: int, text: str) -> str:
    """PostgreSQL prints every digit of the scale; constants of an expression may lack some."""
    return decimals.text(decimals.padded(decimals.number(text), scale))


def _money_from_pg(text: str) -> str:
    """The amount as a plain number: `-$1,234.50`, as the C locale prints it, is `-1234.50`."""
    return text.replace("$", "").replace(",", "")


def _money_to_pg(value: Value) -> str:
    text = _text(value)
    whole, _, cents = text.removeprefix("-").partition(".")
    return f"{'-' if text.startswith('-') else ''}${int(whole):,}.{cents}"


def _bytea_from_pg(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _bytea_to_pg(value: Value) -> str:
    if not isinstance(value, bytes):
        raise ValueError(f"a blob expected, found {value!r}")
    return "\\x" + value.hex()


def _uuid_from_pg(text: str) -> str:
    return text.replace("-", "")


def _uuid_to_pg(value: Value) -> str:
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


def _time_to_pg(value: Value) -> str:
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


def _timestamptz_to_pg(value: Value) -> str:
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


def _json_from_pg(text: str) -> Value:
    """A JSON column has NUMERIC affinity: a bare number would be rewritten, so one that would not survive is a blob."""
    if not _NUMBER.fullmatch(text):
        return text
    if len(text) <= _INT64_DIGITS and text.removeprefix("-").isdigit():
        number = int(text)
        if str(number) == text and number in _INT64:
            return number
    return text.encode()


def _json_to_pg(value: Value) -> str:
    if isinstance(value, bytes):
        text = value.decode()
        if not isinstance(_json_from_pg(text), bytes):
            raise ValueError(f"no blob expected, found {value!r}")
        return text
    return str(value) if isinstance(value, int) else _text(value)


def _jsonb_from_pg(text: str) -> Value:
    return _json_from_pg(jsonb.escaped(text))


def _jsonb_to_pg(value: Value) -> str:
    return jsonb.unescaped(_json_to_pg(value))


def _jsonb_text_to_pg(value: Value) -> str:
    return jsonb.unescaped(_text(value))


_FORMS: dict[str, tuple[Callable[[str], Value], Callable[[Any], str]]] = {
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
