"""PostgreSQL is the oracle of the value contract: what it prints, SQLite keeps, and PostgreSQL reads back the same.

Each example is a batch of values of one type. They go into a real table, are printed by the server under our session
settings, decoded, stored in the real SQLite column of each profile, read back from there, encoded, and given to the
server again, whose binary form of both must be equal to the last bit.
"""

from __future__ import annotations

import json
import os
import string
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from itertools import count
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from liteshift import native
from liteshift.codec.arrays import split
from liteshift.codec.copy_binary import decoder, wire
from liteshift.codec.copy_text import decode, encode, fields
from liteshift.codec.values import Unrepresentable, codec
from liteshift.plan import Choices, Plan, Profile, TablePlan
from liteshift.postgres.connect import connect
from liteshift.postgres.schema import read_catalog
from liteshift.sqlite.digest import digest, offer
from liteshift.sqlite.functions import register
from liteshift.sqlite.library import dbapi
from liteshift.translate.planner import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from liteshift.codec.values import SqliteValue

_numbers = count(1)

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"', 'NULL', ' ', '\\', '日本', 'a,b');
CREATE TYPE pair AS (number integer, note text);
CREATE TYPE odd AS ("a ""b\\ , (:)" boolean, "ä'" numeric(38,10), short numeric(6,2), f float8, b bytea, u uuid, d date,
                    tz timestamptz, iv interval, j jsonb, c char(4));
CREATE TYPE nest AS (one pair, many pair[], words text[], box box[], mood mood);
CREATE TYPE lone AS (word text);
CREATE TYPE hollow AS ();
CREATE DOMAIN known AS pair CHECK ((VALUE).number IS NOT NULL);
CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE >= 0);
CREATE DOMAIN code AS character varying(4) NOT NULL;
CREATE DOMAIN short_code AS code CHECK (VALUE <> 'x');
CREATE DOMAIN tags AS text[];
"""


class Server(Protocol):
    """What the fixtures give."""

    name: str
    contrib: bool

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Sample:
    """A type, what its values look like to the server, and which of the printed values SQLite can't hold."""

    type: str
    values: st.SearchStrategy[str]
    nasty: tuple[str, ...] = ()
    refused: Callable[[str], bool] = field(default=_never)
    refused_by_django: Callable[[str], bool] = field(default=_never)
    contrib: str = ""


# ---- what the server is given -------------------------------------------------------------------------------------

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
EPOCH = datetime(1970, 1, 1)


def _floats(width: int) -> st.SearchStrategy[str]:
    numbers = st.floats(width=32) if width == 32 else st.floats()
    powers = st.integers(-149, 127) if width == 32 else st.integers(-1074, 1023)
    tens = st.integers(-43, 37) if width == 32 else st.integers(-322, 307)  # below, PostgreSQL refuses the text
    round_ones = tens.flatmap(lambda ten: st.integers(1, 99).map(lambda digits: f"{digits}e{ten - 1}"))
    integers = st.integers(-(2**24), 2**24) if width == 32 else st.integers(-(2**60), 2**60)
    return st.one_of(
        numbers.map(repr), powers.map(lambda power: repr(2.0**power)), round_ones, integers.map(lambda n: f"{n}.0")
    )


def _float_refused(text: str) -> bool:
    return text in ("NaN", "-0")


def _numerics(precision: int, scale: int) -> st.SearchStrategy[str]:
    top = 10**precision - 1
    exact = Context(prec=100)
    return st.integers(-top, top).map(lambda digits: f"{Decimal(digits).scaleb(-scale, exact):f}") | st.just("NaN")


def _wide(text: str) -> bool:
    return text == "NaN" or len(text.lstrip("-").replace(".", "").lstrip("0")) > 15


def _dates() -> st.SearchStrategy[str]:
    ordinary = st.dates().map(date.isoformat)
    return ordinary | st.integers(0, 2147483493).map(lambda day: f"J{day}") | st.sampled_from(["infinity", "-infinity"])


def _timestamps(zones: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    ordinary = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 30)).map(datetime.isoformat)
    far = st.tuples(st.integers(10000, 294276), st.times()).map(lambda t: f"{t[0]}-01-01 {t[1].isoformat()}")
    moment = st.tuples(ordinary | far, zones).map("".join)
    ancient = st.tuples(st.integers(1, 4713), zones).map(lambda t: f"{t[0]:04d}-12-31 23:59:59.5{t[1]} BC")
    return moment | ancient | st.sampled_from(["infinity", "-infinity"])


ZONES = st.integers(-15 * 60, 15 * 60).map(lambda m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}")
TIMES = st.times().map(time.isoformat) | st.just("24:00:00")


def _year_refused(text: str) -> bool:
    return "infinity" in text or text.endswith("BC") or text.index("-") > 4


JSON_NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.tuples(st.integers(-99, 99), st.integers(-400, 400)).map(lambda t: f"{t[0]}.0e{t[1]}"),
    st.sampled_from(["0", "-0", "1.0", "1.10", "-0.0", "1e400", "12345678901234567890", "9223372036854775808", "1E5"]),
)
JSON_WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def _json(ascii_only: bool) -> st.SearchStrategy[str]:
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


def _intervals() -> st.SearchStrategy[str]:
    parts = st.tuples(st.integers(-9999, 9999), st.integers(-99999, 99999), st.integers(-(10**15), 10**15))
    mixed = parts.map(lambda t: f"{t[0]} mons {t[1]} days {t[2]} microseconds")
    lengths = st.timedeltas(timedelta(-(10**5)), timedelta(10**6)).map(
        lambda length: f"{length.days} days {length.seconds}.{length.microseconds:06d} seconds"
    )
    return mixed | lengths


def _bits(low: int, high: int) -> st.SearchStrategy[str]:
    return st.text("01", min_size=low, max_size=high)


def _ranges(ends: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def make(found: tuple[str, str, str]) -> str:
        low, high = sorted(found[:2], key=lambda text: Decimal(text) if text else Decimal(0))
        return f"{found[2][0]}{low},{high}{found[2][1]}" if found[2] else "empty"

    return st.tuples(ends, ends, st.sampled_from(["[]", "[)", "(]", "()", ""])).map(make)


POINT = st.tuples(*[st.floats(-1e300, 1e300, allow_nan=False) | st.integers(-9, 9)] * 2).map(
    lambda p: f"({p[0]},{p[1]})"
)
NODE = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=6)

SCALARS = [
    Sample("smallint", st.integers(-(2**15), 2**15 - 1).map(str), ("-32768", "32767", "0")),
    Sample("integer", st.integers(-(2**31), 2**31 - 1).map(str), ("-2147483648", "2147483647")),
    Sample("bigint", st.integers(-(2**63), 2**63 - 1).map(str), (str(2**63 - 1), str(-(2**63)), str(2**53 + 1))),
    Sample("oid", st.integers(0, 2**32 - 1).map(str), ("0", str(2**32 - 1))),
    Sample("boolean", st.sampled_from(["t", "f"]), ("t", "f")),
    Sample(
        "real",
        _floats(32),
        (
            "Infinity",
            "-Infinity",
            "NaN",
            "-0",
            "0",
            "0.1",
            "0.3",
            "1e-45",
            "1.1754944e-38",
            "3.4028235e+38",
            "7.038531e-26",
            "1000000",
            "999999",
            "100000",
            "0.0001",
            "0.00001",
            "16777216",
            "16777217",
            "33554432",
            "33554434",
            "8.5e9",
            "9007199.5",
            "1e-40",
            "2147483648",
            "5.368709e8",
            "4.7683716e-07",
        ),
        _float_refused,
    ),
    Sample(
        "double precision",
        _floats(64),
        (
            "Infinity",
            "-Infinity",
            "NaN",
            "-0",
            "0",
            "0.1",
            "5e-324",
            "2.2250738585072014e-308",
            "1.7976931348623157e+308",
            "1e15",
            "999999999999999",
            "123456789012345680",
            "1e-4",
            "1e-5",
            "1e22",
            "1e23",
            "9007199254740993",
            "5.684341886080802e-14",
            "9.5367431640625e-07",
            "4503599627370497.5",
            "9223372036854775808",
            "2e16",
            "1e16",
            "1.8014398509481984e16",
            "-1.5",
        ),
        _float_refused,
    ),
    Sample(
        "numeric(10,2)", _numerics(10, 2), ("0.10", "-0.01", "99999999.99", "NaN", "-0.00", "1"), lambda t: t == "NaN"
    ),
    Sample("numeric(15,0)", _numerics(15, 0), ("999999999999999", "-999999999999999", "0", "10"), lambda t: t == "NaN"),
    Sample(
        "numeric(15,15)", _numerics(15, 15), ("0.999999999999999", "0.000000000000001", "0.1"), lambda t: t == "NaN"
    ),
    Sample("numeric(15,4)", _numerics(15, 4), ("99999999999.9999", "0.0001", "90071992547.4099"), lambda t: t == "NaN"),
    Sample("numeric(16,2)", _numerics(16, 2), ("90071992547409.93", "NaN", "0.10"), refused_by_django=_wide),
    Sample("numeric(38,10)", _numerics(38, 10), ("0", "NaN", "1.0"), refused_by_django=_wide),
    Sample("numeric(3,-2)", st.integers(-999, 999).map(lambda n: f"{n}00"), ("99900", "0", "149", "150")),
    Sample("numeric(2,5)", st.integers(-99, 99).map(lambda n: f"{n}e-5"), ("0.00099", "0")),
    Sample(
        "numeric",
        st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**60), max_value=10**60).map(str),
        (
            "0.10",
            "0.1",
            "1.0",
            "1",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e1000",
            "1e-1000",
            "-0.000",
            "123456789.123456789123456789",
        ),
    ),
    Sample("text", TEXT, NASTY_TEXTS),
    Sample("character varying(10)", TEXT.map(lambda t: t[:10]), tuple(t[:10] for t in NASTY_TEXTS)),
    Sample("character varying", TEXT, NASTY_TEXTS[:20]),
    Sample("character(10)", TEXT.map(lambda t: t[:10]), tuple(t[:10] for t in NASTY_TEXTS)),
    Sample("bpchar", TEXT, ("", " ", "a ", "a  ")),
    Sample("name", TEXT.map(lambda t: t.encode()[:60].decode(errors="ignore")), ("", "a b", "日本", '"')),
    Sample('"char"', st.sampled_from([*string.ascii_letters, "", " ", "\\001"]), ("", "\\", "\\377", "'")),
    Sample(
        "bytea",
        st.binary(max_size=40).map(lambda b: "\\x" + b.hex()),
        ("\\x", "\\x00", "\\x5c78", "\\x" + "ff" * 500_000),
    ),
    Sample(
        "uuid",
        st.uuids().map(str),
        ("00000000-0000-0000-0000-000000000000", "12340000-e567-0000-0000-000000000000", "1" * 32),
    ),
    Sample(
        "date",
        _dates(),
        ("0001-01-01", "9999-12-31", "10000-01-01", "0001-01-01 BC", "5874897-12-31", "2024-02-29"),
        _year_refused,
    ),
    Sample(
        "time",
        TIMES,
        ("00:00:00", "23:59:59.999999", "24:00:00", "00:00:00.1", "12:00:10", "10:20:30.000001"),
        lambda t: t == "24:00:00",
    ),
    Sample("time(2)", TIMES, ("23:59:59.99", "00:00:00.5"), lambda t: t == "24:00:00"),
    Sample("timetz", st.tuples(TIMES, ZONES).map("".join), ("00:00:00+00", "24:00:00-15:59:59", "12:00:00.5+05:30")),
    Sample(
        "timestamp",
        _timestamps(st.just("")),
        (
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
            "10000-01-01",
            "0044-03-15 BC",
            "2024-01-01 00:00:10",
            "294276-12-31",
        ),
        _year_refused,
    ),
    Sample("timestamp(0)", st.datetimes(datetime(2, 1, 1)).map(str), ("2024-06-30 23:59:60", "2024-01-01 10:00:00")),
    Sample(
        "timestamptz",
        _timestamps(ZONES),
        (
            "0001-01-01 00:00:00+00",
            "9999-12-31 23:59:59.999999+00",
            "9999-12-31 23:59:59-01",
            "1900-01-01 00:00:00 Europe/Amsterdam",
            "2024-03-31 01:00:00 Europe/Berlin",
            "2024-01-01 00:00:00.100000+00",
        ),
        _year_refused,
    ),
    Sample(
        "interval",
        _intervals(),
        (
            "0",
            "1 day",
            "-1 day",
            "1 mon",
            "1 year",
            "-1 second",
            "1 day -1 second",
            "-1 day 23:59:59.999999",
            "0.1 seconds",
            "100 years",
            "1000000 days",
            "-0.5 seconds",
            "1 day 24:00:00",
            "2562047788 hours",
            "178000000 years",
            "59 minutes 60.5 seconds",
        ),
    ),
    Sample("json", _json(ascii_only=True) | _json(ascii_only=False), NASTY_JSON),
    Sample("jsonb", _json(ascii_only=True) | _json(ascii_only=False), NASTY_JSON),
    Sample("mood", st.sampled_from(MOODS)),
    Sample("percent", st.integers(0, 99999).map(lambda n: f"{Decimal(n).scaleb(-2)}"), ("0", "0.10", "999.99")),
    Sample("short_code", TEXT.map(lambda t: t[:4]).filter(lambda t: t != "x"), ("", " ", "NULL", "a\\")),
    Sample("tags", st.just("{}"), ("{}", '{a,NULL,"NULL","a,b","\\"","\\\\",""," ","{}"}', "[0:1]={a,b}", "{{a},{b}}")),
]

AS_TEXT = [
    Sample("inet", st.ip_addresses().map(str), ("10.0.0.1/8", "::1", "::ffff:1.2.3.4", "0.0.0.0/0")),
    Sample("cidr", st.ip_addresses().map(str), ("10.0.0.0/8", "::/0")),
    Sample("macaddr", st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":")), ("00:00:00:00:00:00",)),
    Sample("macaddr8", st.binary(min_size=8, max_size=8).map(lambda b: b.hex(":"))),
    Sample("bit(8)", _bits(8, 8), ("00000000",)),
    Sample("bit varying", _bits(0, 70), ("", "1")),
    Sample(
        "money", st.integers(-(10**12), 10**12).map(lambda n: f"{n / 100:.2f}"), ("0", "-0.01", "92233720368547758.07")
    ),
    Sample("int4range", _ranges(st.integers(-99, 99).map(str) | st.just("")), ("empty", "(,)", "[1,1]")),
    Sample("numrange", _ranges(st.decimals(-9, 9, places=2).map(str) | st.just("")), ("[1.0,1.00]", "empty")),
    Sample(
        "tstzrange", st.datetimes(datetime(2, 1, 1)).map(lambda t: f'["{t}",)'), ('("-infinity",infinity]', "empty")
    ),
    Sample(
        "int4multirange",
        _ranges(st.integers(-99, 99).map(str)).map(lambda text: f"{{{text.replace('empty', '')}}}"),
        ("{}",),
    ),
    Sample("point", POINT, ("(-0,NaN)", "(Infinity,-Infinity)")),
    Sample("box", st.tuples(POINT, POINT).map(",".join), ("(1,1),(0,0)",)),
    Sample("path", st.lists(POINT, min_size=1, max_size=3).map(lambda p: "[" + ",".join(p) + "]"), ("((0,0),(1,1))",)),
    Sample("circle", st.tuples(POINT, st.integers(0, 9)).map(lambda t: f"<{t[0]},{t[1]}>")),
    Sample("pg_lsn", st.integers(0, 2**64 - 1).map(lambda n: f"{n >> 32:X}/{n & 0xFFFFFFFF:X}")),
    Sample("tsvector", st.lists(NODE, max_size=5).map(" ".join), ("'it''s':1A,2 '\\\\':3",)),
    Sample("tsquery", st.lists(NODE, min_size=1, max_size=4).map(" & ".join), ("!a | (b <-> c:*AB)",)),
    Sample("jsonpath", st.sampled_from(['$."a"[*]', "strict $", "$.b ? (@ > 1.50)"])),
    Sample("regclass", st.sampled_from(["pg_catalog.pg_class", "-", "pg_catalog.pg_type"])),
    Sample("citext", TEXT, NASTY_TEXTS[:10], contrib="citext"),
    Sample(
        "hstore",
        st.tuples(TEXT, TEXT).map(lambda t: f"{_quoted(t[0])}=>{_quoted(t[1])}"),
        ('a=>NULL,"NULL"=>"NULL"', ""),
        contrib="hstore",
    ),
    Sample("ltree", st.lists(NODE, min_size=0, max_size=4).map(".".join), ("", "a.b"), contrib="ltree"),
]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _record(*fields: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Record texts; fields quoted, or NULL."""
    texts = [field.map(_quoted) | st.just("") for field in fields]
    return st.tuples(*texts).map(lambda found: "(" + ",".join(found) + ")")


def _arrays(elements: st.SearchStrategy[str], delimiter: str = ",") -> st.SearchStrategy[str]:
    """Array texts of up to three dimensions; elements quoted or, where that reads the same, not."""
    texts = (elements.map(_quoted) | st.just("NULL")) if delimiter == "," else elements.map(_quoted)

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


def _listed(items: list[str]) -> str:
    return "{" + ",".join(items) + "}"


def _any_element(refused: Callable[[str], bool]) -> Callable[[str], bool]:
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


_ARRAY_ANY = ("real", "double precision", "numeric")
ARRAYS = [
    Sample(
        f"{item.type}[]",
        _arrays(item.values, ";" if item.type == "box" else ","),
        ("{}", "[0:1]={NULL,NULL}", "{{NULL},{NULL}}") if item.type not in ("short_code", "box") else ("{}",),
        _never if item.type.startswith(_ARRAY_ANY) or item.refused is _never else _any_element(item.refused),
    )
    for item in SCALARS
    if item.type not in ("tags", "json", "jsonb", '"char"', "time(2)", "short_code")
] + [
    Sample("jsonb[]", _arrays(_json(ascii_only=False))),
    Sample("json[]", _arrays(_json(ascii_only=False)), ('{1,1.0,"\\"1\\"",null,"null"," 2"}',)),
    Sample("box[]", _arrays(st.tuples(POINT, POINT).map(",".join), ";"), ("{(1,1),(0,0);(2,2),(1,1)}",)),
    Sample("int4range[]", _arrays(_ranges(st.integers(-99, 99).map(str))), ('{"[1,2)",empty}',)),
    Sample("inet[]", _arrays(st.ip_addresses().map(str))),
    Sample("tags[]", _arrays(_arrays(TEXT)), ('{"{a,b}"}',)),
    Sample("bytea[]", _arrays(st.binary(max_size=4).map(lambda b: "\\x" + b.hex())), ('{"\\\\x00"}',)),
    Sample("short_code[]", st.lists(st.sampled_from(["ab", "NULL", "{", ","]).map(_quoted)).map(_listed)),
]

PAIR = _record(st.integers(-(2**31), 2**31 - 1).map(str), TEXT)
KNOWN = st.tuples(st.integers(0, 9), TEXT).map(lambda found: f"({found[0]},{_quoted(found[1])})")
ODD = _record(
    st.sampled_from(["t", "f"]),
    _numerics(38, 10),
    _numerics(6, 2),
    _floats(64) | st.sampled_from(["NaN", "-0", "Infinity"]),
    st.binary(max_size=9).map(lambda b: "\\x" + b.hex()),
    st.uuids().map(str),
    st.dates().map(date.isoformat),
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 30)).map(datetime.isoformat),
    _intervals(),
    _json(ascii_only=False),
    TEXT.map(lambda text: text[:4]),
)
NEST = _record(
    PAIR, _arrays(PAIR), _arrays(TEXT), _arrays(st.tuples(POINT, POINT).map(",".join), ";"), st.sampled_from(MOODS)
)
NASTY_PAIRS = (
    *("(,)", '(,"")', "(0, )", "(1,NULL)", '(1,"a ""b"" \\\\ (c),d")', "(2,{a})", '(3,"\n\t")', "(4,é😀)", "(5,a b)"),
    f"(6,{'x' * 1_000_000})",
)
NASTY_ODD = ("(,,,,,,,,,,)", "(t,NaN,0.10,NaN,\\\\x00,,2024-02-29,,1 mon,null,)", "(f,0,-0.00,-0,,,,,-1 day,1e400,a)")
COMPOSITES = [
    Sample("pair", PAIR, NASTY_PAIRS),
    Sample("odd", ODD, (*NASTY_ODD, "(,,,,,,infinity,,,,)"), lambda text: "infinity" in text),
    Sample("nest", NEST, ("(,,,,)", '("(,)","{}","{}","{}",ok)', '(,"{NULL,""(1,)""}","[0:1]={a,NULL}",,)')),
    Sample("lone", _record(TEXT), ("()", '("")', "(NULL)")),
    Sample("hollow", st.just("()"), ("()",)),
    Sample("known", KNOWN, ("(1,)",)),
    Sample("pair[]", _arrays(PAIR), ('{"(1,\\"a b\\")"}', "{NULL}", '[0:0]={"(,)"}')),
    Sample("nest[]", _arrays(NEST)),
    Sample("known[]", st.lists(KNOWN.map(_quoted)).map(_listed), ("{}",)),
]

# A batch that fails names its value, so there is nothing to shrink.
BATCHES = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

SAMPLES = {item.type: item for item in SCALARS + AS_TEXT + ARRAYS + COMPOSITES if not item.contrib}
CONTRIB = {item.type: item for item in SCALARS + AS_TEXT if item.contrib}
# ---- the round trip -----------------------------------------------------------------------------------------------


class Oracle:
    """A database with a table per type, and a second one to read the values back into."""

    def __init__(self, info: str, samples: dict[str, Sample]) -> None:
        self._writer = psycopg.connect(info, autocommit=True)
        extensions = {item.contrib for item in samples.values() if item.contrib}
        for extension in sorted(extensions):
            self._writer.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
        self._writer.execute(TYPES)
        self._names = {kind: f"t{number}" for number, kind in enumerate(samples)}
        for kind, name in self._names.items():
            for table in (name, f"{name}_back"):
                self._writer.execute(f"CREATE UNLOGGED TABLE {table} (id integer PRIMARY KEY, v {kind})".encode())
        self._reader = connect(info)
        catalog = read_catalog(self._reader)
        self.plans = {profile: _tables(make_plan(catalog, Choices(profile))) for profile in Profile}

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def table(self, kind: str, profile: Profile) -> TablePlan:
        return self.plans[profile][self._names[kind]]

    def printed(self, kind: str, values: list[str]) -> list[bytes]:
        """The lines that COPY sends for some values, each with its number."""
        name = self._names[kind]
        self._fill(name, [f"{number}\t{_escaped(value)}\n" for number, value in enumerate(values)])
        return self._copied(f"COPY (SELECT id, v FROM public.{name} ORDER BY id) TO STDOUT")

    def binary(self, kind: str, table: TablePlan) -> list[bytes]:
        """The same values in COPY's binary format as the native core asks for them: a stream for each."""
        asked = [
            sql.SQL(wire(column.form, column.source_type)).format(sql.Identifier(column.source))
            for column in table.columns
        ]
        query = sql.SQL("COPY (SELECT {} FROM public.{} ORDER BY id) TO STDOUT (FORMAT binary)").format(
            sql.SQL(", ").join(asked), sql.Identifier(self._names[kind])
        )
        stream = self._copied(query.as_string(self._reader))
        head, end = stream[0][:19], stream[-1]
        return [head + row + end for row in (stream[0][19:], *stream[1:-1])]

    def given_back(self, kind: str, lines: list[bytes]) -> None:
        """The lines, read by the server again, are the very same values, to the bit."""
        name = self._names[kind]
        numbers = {int(line.split(b"\t")[0]) for line in lines}
        self._fill(f"{name}_back", [line.decode() for line in lines])
        there = self._binary(name, numbers)
        assert there == self._binary(f"{name}_back", numbers)

    def _binary(self, name: str, numbers: set[int]) -> bytes:
        chosen = ",".join(map(str, numbers)) or "-1"
        query = f"COPY (SELECT id, v FROM public.{name} WHERE id IN ({chosen}) ORDER BY id) TO STDOUT (FORMAT binary)"
        return b"".join(self._copied(query))

    def _copied(self, query: str) -> list[bytes]:
        with self._reader.cursor() as cursor, cursor.copy(query.encode()) as copy:
            return [bytes(line) for line in copy]

    def _fill(self, name: str, lines: list[str]) -> None:
        with self._writer.transaction(), self._writer.cursor() as cursor:
            cursor.execute(f"TRUNCATE {name}".encode())
            with cursor.copy(f"COPY {name} FROM STDIN".encode()) as copy:
                copy.write("".join(lines).encode())


def _tables(plan: Plan) -> dict[str, TablePlan]:
    return {table.source.name: table for table in plan.tables}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def check(oracle: Oracle, sample: Sample, values: list[str]) -> None:
    """The law, for a batch of values, in every profile."""
    lines = oracle.printed(sample.type, values)
    assert len(lines) == len(values)
    for profile in Profile:
        table = oracle.table(sample.type, profile)
        codecs = [codec(column.form) for column in table.columns]
        rows: list[tuple[SqliteValue, ...]] = []
        carried: list[bytes] = []
        by_django = profile is Profile.DJANGO and sample.refused_by_django is not _never
        refused = sample.refused_by_django if by_django else sample.refused
        for line in lines:
            text = fields(line)[1]
            assert text is not None
            try:
                row = decode(codecs, line)
            except Unrepresentable as reason:
                assert refused(text), f"{text[:80]!r} was refused: {reason}"
                assert str(reason)
                continue
            assert not refused(text), f"{text[:80]!r} was not refused, but became {row[1]!r}"
            rows.append(row)
            carried.append(line)
        if native.CORE is not None:
            streams = oracle.binary(sample.type, table)
            check_native(streams, table, lines)
            kept = set(carried)
            check_digest([stream for stream, line in zip(streams, lines, strict=True) if line in kept], table, rows)
        stored = _through_sqlite(table, rows)
        for row, there, line in zip(rows, stored, carried, strict=True):
            assert repr(there[1]) == repr(row[1]), f"{profile}: SQLite changed what {line[:80]!r} became"
            assert type(there[1]) is type(row[1])
            assert encode(codecs, there) == line, f"{profile}: {line[:80]!r} comes back as another value"
    oracle.given_back(sample.type, lines)


def check_native(streams: list[bytes], table: TablePlan, lines: list[bytes]) -> None:
    """The native core gives the definition's values and refuses what the definition refuses."""
    columns = [decoder(column.form, native.CORE.knows) for column in table.columns]
    codecs = [codec(column.form) for column in table.columns]
    numeric = table.columns[1].form.startswith("numeric")  # the core does not print the number that it refuses
    for stream, line in zip(streams, lines, strict=True):
        try:
            expected: object = decode(codecs, line)
        except Unrepresentable as reason:
            expected = "more than 15 digits" if numeric and "15 digits" in str(reason) else str(reason)
        try:
            (found,) = native.CORE.decode(columns, stream)
        except (native.CORE.Refused, Unrepresentable) as reason:
            found = "more than 15 digits" if numeric and "15 digits" in str(reason) else str(reason)
        assert repr(found) == repr(expected), f"{line[:80]!r} as {table.columns[1].form}"


def check_digest(streams: list[bytes], table: TablePlan, rows: list[tuple[SqliteValue, ...]]) -> None:
    """What SQLite holds is encoded back into the very bytes that the server sent."""
    if not rows:
        return
    forms = [column.form for column in table.columns]
    made = native.CORE.Digest([form if native.CORE.encodes(form) else codec(form).to_pg for form in forms])
    head, end = streams[0][:19], streams[0][-2:]
    made.feed(b"".join([head, *(stream[19:-2] for stream in streams), end]))
    offer()
    with closing(_filled(table, rows)) as connection:
        equal = digest(connection, table.target, [column.target for column in table.columns], made) and made.finish()[2]
    if not equal:
        assert len(rows) > 1, f"{rows[0][1]!r} as {forms[1]} is not encoded back"
        half = len(rows) // 2
        check_digest(streams[:half], table, rows[:half])
        check_digest(streams[half:], table, rows[half:])
        raise AssertionError(f"rows as {forms[1]} are encoded back one by one, but not together")


def _through_sqlite(table: TablePlan, rows: list[tuple[SqliteValue, ...]]) -> list[tuple[SqliteValue, ...]]:
    """The rows as a real table made by the plan's statement holds them, its checks switched on."""
    with closing(_filled(table, rows)) as connection:
        return connection.execute(f'SELECT * FROM "{table.target}" ORDER BY id').fetchall()


def _filled(table: TablePlan, rows: list[tuple[SqliteValue, ...]]) -> dbapi.Connection:
    connection = dbapi.connect(":memory:", isolation_level=None)
    register(connection)
    connection.execute(table.create)
    connection.executemany(f'INSERT INTO "{table.target}" VALUES (?, ?)', rows)
    return connection


@pytest.fixture(scope="module")
def oracle(_servers: dict[str, Server]) -> Iterator[Oracle]:
    yield from _oracle(_servers["16"], SAMPLES)


def _oracle(server: Server, samples: dict[str, Sample]) -> Iterator[Oracle]:
    name = f"liteshift_values_{os.getpid()}_{next(_numbers)}"
    found = Oracle(server.create_database(name), samples)
    yield found
    found.close()
    server.drop_database(name)


def run_batches(oracle: Oracle, sample: Sample, least: int, batches: int = 15) -> None:
    @settings(BATCHES, max_examples=batches)
    @given(st.lists(sample.values, min_size=least, max_size=3 * least))
    def run(values: list[str]) -> None:
        check(oracle, sample, values)

    run()


@pytest.mark.parametrize("kind", [item.type for item in SCALARS + AS_TEXT if not item.contrib])
def test_generated_values(oracle: Oracle, kind: str) -> None:
    run_batches(oracle, SAMPLES[kind], 5 if "json" in kind else 20)


@pytest.mark.parametrize("kind", [item.type for item in ARRAYS + COMPOSITES])
def test_generated_arrays_and_composites(oracle: Oracle, kind: str) -> None:
    run_batches(oracle, SAMPLES[kind], 4)


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_many_generated_values(oracle: Oracle) -> None:
    for item in SAMPLES.values():
        run_batches(oracle, item, 10, 300)


def test_nasty_values_on_every_server(any_server: Server) -> None:
    samples = {kind: item for kind, item in SAMPLES.items() if item.nasty}
    if any_server.contrib:
        samples |= CONTRIB
    for found in _oracle(any_server, samples):
        for sample in samples.values():
            check(found, sample, list(sample.nasty))


def test_generated_values_of_extensions(debian_server: Server) -> None:
    if not debian_server.contrib:
        pytest.skip("the server has no contrib modules")
    for found in _oracle(debian_server, CONTRIB):
        for sample in CONTRIB.values():
            run_batches(found, sample, 10)
