"""Texts that PostgreSQL reads as values of its types: what hypothesis makes them from."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from math import prod
from typing import Any

from hypothesis import strategies as st

from liteshift.codec.arrays import split

MOODS = ["sad", "ok", 'it\'s "fine"', "NULL", " ", "\\", "日本", "a,b"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NASTY_TEXTS = (
    "",
    " ",
    "  trailing  ",
    "\\N",
    "\\\\N",
    "N",
    "NULL",
    "null",
    "\\.",
    "\t",
    "\n",
    "\r\n",
    "\x01\x7f\x1b[31m",
    "'",
    '"',
    "''",
    '"a""b; drop"',
    "a\\b\\",
    "%s %% ?",
    "{}",
    "{a,b}",
    "𝕏😀é",
    "é",
    "\u202eright to left",
    "\ufeffbom",
    "\u2028",
    "1.0",
    "0x10",
    "1e5",
    " 12 ",
    "x" * 1_000_000,
)


def floats(width: int) -> st.SearchStrategy[str]:
    numbers = st.floats(width=32) if width == 32 else st.floats()
    powers = st.integers(-149, 127) if width == 32 else st.integers(-1074, 1023)
    tens = st.integers(-43, 37) if width == 32 else st.integers(-322, 307)  # below, PostgreSQL refuses the text
    round_ones = tens.flatmap(lambda ten: st.integers(1, 99).map(lambda digits: f"{digits}e{ten - 1}"))
    integers = st.integers(-(2**24), 2**24) if width == 32 else st.integers(-(2**60), 2**60)
    return st.one_of(
        numbers.map(repr), powers.map(lambda power: repr(2.0**power)), round_ones, integers.map(lambda n: f"{n}.0")
    )


def float_refused(text: str) -> bool:
    return text in ("NaN", "-0")


def numerics(precision: int, scale: int) -> st.SearchStrategy[str]:
    top = 10**precision - 1
    exact = Context(prec=100)
    return st.integers(-top, top).map(lambda digits: f"{Decimal(digits).scaleb(-scale, exact):f}") | st.just("NaN")


def too_wide(text: str) -> bool:
    return text == "NaN" or len(text.lstrip("-").replace(".", "").lstrip("0")) > 15


def dates() -> st.SearchStrategy[str]:
    ordinary = st.dates().map(date.isoformat)
    return ordinary | st.integers(0, 2147483493).map(lambda day: f"J{day}") | st.sampled_from(["infinity", "-infinity"])


def timestamps(zones: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    ordinary = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 30)).map(datetime.isoformat)
    far = st.tuples(st.integers(10000, 294276), st.times()).map(lambda t: f"{t[0]}-01-01 {t[1].isoformat()}")
    moment = st.tuples(ordinary | far, zones).map("".join)
    ancient = st.tuples(st.integers(1, 4713), zones).map(lambda t: f"{t[0]:04d}-12-31 23:59:59.5{t[1]} BC")
    return moment | ancient | st.sampled_from(["infinity", "-infinity"])


ZONES = st.integers(-15 * 60, 15 * 60).map(lambda m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}")
TIMES = st.times().map(time.isoformat) | st.just("24:00:00")


def year_refused(text: str) -> bool:
    return "infinity" in text or text.endswith("BC") or text.index("-") > 4


JSON_NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.tuples(st.integers(-99, 99), st.integers(-400, 400)).map(lambda t: f"{t[0]}.0e{t[1]}"),
    st.sampled_from(["0", "-0", "1.0", "1.10", "-0.0", "1e400", "12345678901234567890", "9223372036854775808", "1E5"]),
)
JSON_WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def documents(ascii_only: bool) -> st.SearchStrategy[str]:
    leaf = st.one_of(
        JSON_NUMBERS,
        JSON_WORDS.map(lambda word: json.dumps(word, ensure_ascii=ascii_only)),
        st.sampled_from(["null", "true", "false", "[]", "{}", '""']),
    )
    blank = st.sampled_from(["", " ", "\n", "\t  "])

    def lists(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(st.lists(items, max_size=3), blank).map(lambda t: "[" + f",{t[1]}".join(t[0]) + "]")

    def objects(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(JSON_WORDS, items).map(lambda t: f"{json.dumps(t[0])}:{t[1]}")
        return st.lists(pair, max_size=3).map(lambda pairs: "{" + ", ".join(pairs) + "}")

    whole = st.recursive(leaf, lambda items: lists(items) | objects(items), max_leaves=6)
    return st.tuples(blank, whole, blank).map("".join)


NASTY_JSON = (
    "1",
    "1.0",
    "1e400",
    "12345678901234567890",
    "-0",
    "0",
    " 1",
    "1 ",
    "\n1.5e3\t",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    '"1"',
    '"NaN"',
    "null",
    "true",
    " null",
    '{"a":1,"a":2}',
    '{ "b" : [ ] }',
    '"\\u00e9\\ud83d\\ude00"',
    '"é😀"',
    "[1.10, 1e1]",
    "1" * 5000,
    "-" + "9" * 300 + ".5",
    '""',
    '"\\\\N\\t\\"\'"',
)


def intervals() -> st.SearchStrategy[str]:
    parts = st.tuples(st.integers(-9999, 9999), st.integers(-99999, 99999), st.integers(-(10**15), 10**15))
    mixed = parts.map(lambda t: f"{t[0]} mons {t[1]} days {t[2]} microseconds")
    lengths = st.timedeltas(timedelta(-(10**5)), timedelta(10**6)).map(
        lambda length: f"{length.days} days {length.seconds}.{length.microseconds:06d} seconds"
    )
    return mixed | lengths


def bits(low: int, high: int) -> st.SearchStrategy[str]:
    return st.text("01", min_size=low, max_size=high)


def ranges(ends: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def make(found: tuple[str, str, str]) -> str:
        low, high = sorted(found[:2], key=lambda text: Decimal(text) if text else Decimal(0))
        return f"{found[2][0]}{low},{high}{found[2][1]}" if found[2] else "empty"

    return st.tuples(ends, ends, st.sampled_from(["[]", "[)", "(]", "()", ""])).map(make)


POINT = st.tuples(*[st.floats(-1e300, 1e300, allow_nan=False) | st.integers(-9, 9)] * 2).map(
    lambda p: f"({p[0]},{p[1]})"
)
NODE = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=6)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def record(*fields: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Record texts; fields quoted, or NULL."""
    texts = [field.map(quoted) | st.just("") for field in fields]
    return st.tuples(*texts).map(lambda found: "(" + ",".join(found) + ")")


def arrays(elements: st.SearchStrategy[str], delimiter: str = ",") -> st.SearchStrategy[str]:
    """Array texts of up to three dimensions; elements quoted or, where that reads the same, not."""
    texts = (elements.map(quoted) | st.just("NULL")) if delimiter == "," else elements.map(quoted)

    def make(found: tuple[list[int], list[str], int | None]) -> str:
        sizes, items, bound = found
        if 0 in sizes:
            return "{}"
        supply = iter(items)

        def level(depth: int) -> str:
            if depth == len(sizes):
                return next(supply)
            return "{" + delimiter.join(level(depth + 1) for _ in range(sizes[depth])) + "}"

        bounds = "".join(f"[{bound}:{bound + size - 1}]" for size in sizes) + "=" if bound is not None else ""
        return bounds + level(0)

    shapes = st.sampled_from([[0], [1], [1], [2], [3], [1, 1], [2, 2], [1, 3], [1, 2, 2], [2, 1, 2]])
    return shapes.flatmap(
        lambda sizes: st.tuples(
            st.just(sizes),
            st.lists(texts, min_size=prod(sizes), max_size=prod(sizes)),
            st.none() | st.integers(-3, 5),
        )
    ).map(make)


def listed(items: list[str]) -> str:
    return "{" + ",".join(items) + "}"


def any_element(refused: Callable[[str], bool]) -> Callable[[str], bool]:
    """Whether an array holds an element that SQLite can't hold; arrays of floats and numerics hold any."""

    def judge(text: str) -> bool:
        stack: list[Any] = [split(text, ",")[1]]
        while stack:
            item = stack.pop()
            if isinstance(item, list):
                stack += item
            elif item is not None and refused(item):
                return True
        return False

    return judge
