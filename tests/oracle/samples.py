"""The types of the value contract: what their values look like, and which of them SQLite can't hold."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

from hypothesis import strategies as st
from tests.oracle.strategies import (
    MOODS,
    NASTY_JSON,
    NASTY_TEXTS,
    NODE,
    POINT,
    TEXT,
    TIMES,
    ZONES,
    any_element,
    arrays,
    bits,
    dates,
    documents,
    float_refused,
    floats,
    intervals,
    listed,
    numerics,
    quoted,
    ranges,
    record,
    timestamps,
    too_wide,
    year_refused,
)

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

LIBXML = "libxml"


def never(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Sample:
    """A type, what its values look like to the server, and which of the printed values SQLite can't hold.

    Attributes:
        contrib: the extension that the type comes from, or `LIBXML`: not every server has it.
    """

    type: str
    values: st.SearchStrategy[str]
    nasty: tuple[str, ...] = ()
    refused: Callable[[str], bool] = field(default=never)
    refused_by_django: Callable[[str], bool] = field(default=never)
    contrib: str = ""


SCALARS = [
    Sample("smallint", st.integers(-(2**15), 2**15 - 1).map(str), ("-32768", "32767", "0")),
    Sample("integer", st.integers(-(2**31), 2**31 - 1).map(str), ("-2147483648", "2147483647")),
    Sample("bigint", st.integers(-(2**63), 2**63 - 1).map(str), (str(2**63 - 1), str(-(2**63)), str(2**53 + 1))),
    Sample("oid", st.integers(0, 2**32 - 1).map(str), ("0", str(2**32 - 1))),
    Sample("boolean", st.sampled_from(["t", "f"]), ("t", "f")),
    Sample(
        "real",
        floats(32),
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
        float_refused,
    ),
    Sample(
        "double precision",
        floats(64),
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
        float_refused,
    ),
    Sample(
        "numeric(10,2)", numerics(10, 2), ("0.10", "-0.01", "99999999.99", "NaN", "-0.00", "1"), lambda t: t == "NaN"
    ),
    Sample("numeric(15,0)", numerics(15, 0), ("999999999999999", "-999999999999999", "0", "10"), lambda t: t == "NaN"),
    Sample("numeric(15,15)", numerics(15, 15), ("0.999999999999999", "0.000000000000001", "0.1"), lambda t: t == "NaN"),
    Sample("numeric(15,4)", numerics(15, 4), ("99999999999.9999", "0.0001", "90071992547.4099"), lambda t: t == "NaN"),
    Sample("numeric(16,2)", numerics(16, 2), ("90071992547409.93", "NaN", "0.10"), refused_by_django=too_wide),
    Sample("numeric(38,10)", numerics(38, 10), ("0", "NaN", "1.0"), refused_by_django=too_wide),
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
        dates(),
        ("0001-01-01", "9999-12-31", "10000-01-01", "0001-01-01 BC", "5874897-12-31", "2024-02-29"),
        year_refused,
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
        timestamps(st.just("")),
        (
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
            "10000-01-01",
            "0044-03-15 BC",
            "2024-01-01 00:00:10",
            "294276-12-31",
        ),
        year_refused,
    ),
    Sample("timestamp(0)", st.datetimes(datetime(2, 1, 1)).map(str), ("2024-06-30 23:59:60", "2024-01-01 10:00:00")),
    Sample(
        "timestamptz",
        timestamps(ZONES),
        (
            "0001-01-01 00:00:00+00",
            "9999-12-31 23:59:59.999999+00",
            "9999-12-31 23:59:59-01",
            "1900-01-01 00:00:00 Europe/Amsterdam",
            "2024-03-31 01:00:00 Europe/Berlin",
            "2024-01-01 00:00:00.100000+00",
        ),
        year_refused,
    ),
    Sample(
        "interval",
        intervals(),
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
            "1 mon -1 day 00:00:00.000001",
            "-1 mons 1 day -00:00:00.000001",
            "-1 year -1 mon 1 day 1 second",
        ),
    ),
    Sample("json", documents(ascii_only=True) | documents(ascii_only=False), NASTY_JSON),
    Sample("jsonb", documents(ascii_only=True) | documents(ascii_only=False), NASTY_JSON),
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
    Sample("bit(8)", bits(8, 8), ("00000000",)),
    Sample("bit varying", bits(0, 70), ("", "1")),
    Sample(
        "money", st.integers(-(10**12), 10**12).map(lambda n: f"{n / 100:.2f}"), ("0", "-0.01", "92233720368547758.07")
    ),
    Sample("int4range", ranges(st.integers(-99, 99).map(str) | st.just("")), ("empty", "(,)", "[1,1]")),
    Sample("numrange", ranges(st.decimals(-9, 9, places=2).map(str) | st.just("")), ("[1.0,1.00]", "empty")),
    Sample(
        "tstzrange", st.datetimes(datetime(2, 1, 1)).map(lambda t: f'["{t}",)'), ('("-infinity",infinity]', "empty")
    ),
    Sample("line", st.tuples(st.integers(-9, 9), st.floats(-9, 9)).map(lambda t: f"{{{t[0]},1,{t[1]}}}"), ("{0,1,0}",)),
    Sample("lseg", st.tuples(POINT, POINT).map(lambda p: f"[{p[0]},{p[1]}]"), ("[(0,0),(0,0)]",)),
    Sample("polygon", st.lists(POINT, min_size=1, max_size=4).map(lambda p: f"({','.join(p)})"), ("((0,0))",)),
    Sample("int8range", ranges(st.integers(-(2**60), 2**60).map(str) | st.just("")), ("empty", "(,)")),
    Sample("daterange", st.dates().map(lambda day: f"[{day},)"), ("[-infinity,infinity]", "(,0044-03-15 BC)")),
    Sample("tsrange", st.datetimes(datetime(2, 1, 1)).map(lambda t: f'(,"{t}"]'), ("(-infinity,infinity)", "empty")),
    Sample(
        "int4multirange",
        ranges(st.integers(-99, 99).map(str)).map(lambda text: f"{{{text.replace('empty', '')}}}"),
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
    Sample("regtype", st.sampled_from(["integer", "text[]", "-", "pg_catalog.pg_class"])),
    Sample("regproc", st.sampled_from(["now", "-", "pg_catalog.version"])),
    Sample(
        "xml",
        TEXT.map(lambda text: f"<a b='1'>{escape(''.join(filter(str.isprintable, text)))}</a>"),
        ("", "text only", "<!-- c --><b/>", "&lt;", ' <a  x = "1" />\n', "<?xml version='1.0' standalone='yes'?><a/>"),
        contrib=LIBXML,
    ),
    Sample("citext", TEXT, NASTY_TEXTS[:10], contrib="citext"),
    Sample(
        "hstore",
        st.tuples(TEXT, TEXT).map(lambda t: f"{quoted(t[0])}=>{quoted(t[1])}"),
        ('a=>NULL,"NULL"=>"NULL"', ""),
        contrib="hstore",
    ),
    Sample("ltree", st.lists(NODE, min_size=0, max_size=4).map(".".join), ("", "a.b"), contrib="ltree"),
]

_ARRAY_ANY = ("real", "double precision", "numeric")
ARRAYS = [
    Sample(
        f"{item.type}[]",
        arrays(item.values, ";" if item.type == "box" else ","),
        ("{}", "[0:1]={NULL,NULL}", "{{NULL},{NULL}}") if item.type not in ("short_code", "box") else ("{}",),
        never if item.type.startswith(_ARRAY_ANY) or item.refused is never else any_element(item.refused),
    )
    for item in SCALARS
    if item.type not in ("tags", "json", "jsonb", '"char"', "time(2)", "short_code")
] + [
    Sample("jsonb[]", arrays(documents(ascii_only=False))),
    Sample("json[]", arrays(documents(ascii_only=False)), ('{1,1.0,"\\"1\\"",null,"null"," 2"}',)),
    Sample("box[]", arrays(st.tuples(POINT, POINT).map(",".join), ";"), ("{(1,1),(0,0);(2,2),(1,1)}",)),
    Sample("int4range[]", arrays(ranges(st.integers(-99, 99).map(str))), ('{"[1,2)",empty}',)),
    Sample("inet[]", arrays(st.ip_addresses().map(str))),
    Sample("tags[]", arrays(arrays(TEXT)), ('{"{a,b}"}',)),
    Sample("bytea[]", arrays(st.binary(max_size=4).map(lambda b: "\\x" + b.hex())), ('{"\\\\x00"}',)),
    Sample("short_code[]", st.lists(st.sampled_from(["ab", "NULL", "{", ","]).map(quoted)).map(listed)),
]

PAIR = record(st.integers(-(2**31), 2**31 - 1).map(str), TEXT)
KNOWN = st.tuples(st.integers(0, 9), TEXT).map(lambda found: f"({found[0]},{quoted(found[1])})")
ODD = record(
    st.sampled_from(["t", "f"]),
    numerics(38, 10),
    numerics(6, 2),
    floats(64) | st.sampled_from(["NaN", "-0", "Infinity"]),
    st.binary(max_size=9).map(lambda b: "\\x" + b.hex()),
    st.uuids().map(str),
    st.dates().map(date.isoformat),
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 30)).map(datetime.isoformat),
    intervals(),
    documents(ascii_only=False),
    TEXT.map(lambda text: text[:4]),
)
NEST = record(
    PAIR, arrays(PAIR), arrays(TEXT), arrays(st.tuples(POINT, POINT).map(",".join), ";"), st.sampled_from(MOODS)
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
    Sample("lone", record(TEXT), ("()", '("")', "(NULL)")),
    Sample("hollow", st.just("()"), ("()",)),
    Sample("known", KNOWN, ("(1,)",)),
    Sample("pair[]", arrays(PAIR), ('{"(1,\\"a b\\")"}', "{NULL}", '[0:0]={"(,)"}')),
    Sample("nest[]", arrays(NEST)),
    Sample("known[]", st.lists(KNOWN.map(quoted)).map(listed), ("{}",)),
]

SAMPLES = {item.type: item for item in SCALARS + AS_TEXT + ARRAYS + COMPOSITES if not item.contrib}
CONTRIB = {item.type: item for item in SCALARS + AS_TEXT if item.contrib}
