"""PostgreSQL is the oracle of translated expressions: the same rows, the same answers, TRUE, FALSE or NULL.

Each expression becomes a CHECK on a real table, is read back as PostgreSQL prints it, translated, and computed by both
engines for every row. An expression that is not translated is right as well where nothing says that it must be; rows
for which PostgreSQL raises an error (an overflow, say) are passed over.
"""

from __future__ import annotations

import os
import random
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from liteshift.codec.copy_text import decode
from liteshift.codec.values import codec
from liteshift.plan import Choices, Profile
from liteshift.postgres.connect import connect
from liteshift.postgres.schema import read_catalog
from liteshift.sqlite.connect import connect as open_file
from liteshift.sqlite.library import dbapi
from liteshift.translate.columns import plan_columns
from liteshift.translate.expressions import Operand, Untranslatable, translate
from liteshift.translate.planner import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_numbers = count(1)


class Server(Protocol):
    """What the fixtures give."""

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


@dataclass(frozen=True)
class Kind:
    """A column: its type, the values its rows take, and how a constant of it is written."""

    type: str
    values: tuple[str, ...]
    cast: str = ""


MOMENTS = ("0001-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2000-01-01 00:00:00", "2024-02-29 12:30:00.5")
WORDS = ("", " ", "a", "A", "b", "ab", "ab ", " ab", "aé", "É", "%a_", "a''b", "a\\b", '"q"', "1", "01", "null", "日本")
COLUMNS = {
    "i2": Kind("smallint", ("0", "1", "-1", "7", "32767", "-32768")),
    "i4": Kind("integer", ("0", "1", "-1", "7", "2147483647", "-2147483648")),
    "i8": Kind("bigint", ("0", "1", "-5", "7", "9007199254740993", "9223372036854775807", "-9223372036854775808")),
    "o": Kind("oid", ("0", "1", "4294967295")),
    "f4": Kind("real", ("0", "0.1", "1", "-1.5", "16777216", "Infinity", "1e-40")),
    "f8": Kind("double precision", ("0", "0.1", "1", "-1.5", "9007199254740992", "-Infinity", "0.30000000000000004")),
    "n": Kind("numeric(10,2)", ("0", "0.10", "1", "-1.50", "7.00", "99999999.99")),
    "n0": Kind("numeric(15,0)", ("0", "1", "7", "-999999999999999", "999999999999999")),
    "nb": Kind("numeric(20,4)", ("0", "1", "0.1000", "-1.5", "12345678901.0001")),
    "nn": Kind("numeric", ("0", "1.0", "1.00", "0.1", "1e20")),
    "b": Kind("boolean", ("t", "f")),
    "t": Kind("text", WORDS),
    "v": Kind("character varying(10)", WORDS),
    "c": Kind("character(4)", tuple(word[:4] for word in WORDS)),
    "bp": Kind("bpchar", WORDS),
    "nm": Kind("name", WORDS),
    "d": Kind("date", ("0001-01-01", "2000-01-01", "2024-02-29", "9999-12-31")),
    "tm": Kind("time", ("00:00:00", "12:30:00.5", "23:59:59.999999")),
    "ts": Kind("timestamp", MOMENTS, "timestamp without time zone"),
    "ts0": Kind("timestamp(0)", MOMENTS),
    "tz": Kind("timestamptz", tuple(f"{moment}+00" for moment in MOMENTS)),
    "u": Kind("uuid", ("00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    "by": Kind("bytea", ("\\x", "\\x00", "\\x61", "\\xff")),
    "e": Kind("mood", ("sad", "ok", "a''b")),
    "di": Kind("positive", ("1", "7", "2147483647")),
    "dt": Kind("word", ("a", "ab", "A")),
    "dn": Kind("percent", ("0", "0.10", "100.00")),
    "db": Kind("flag", ("t", "f")),
    "j": Kind("jsonb", ("1", '"a"', "null", '{"a": 1}')),
    "a": Kind("integer[]", ("{}", "{1,2}", "{NULL}")),
    "iv": Kind("interval", ("1 day", "24:00:00")),
    "m": Kind("money", ("1", "2.50")),
    "ip": Kind("inet", ("10.0.0.1",)),
}
SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'a''b');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN word AS text;
CREATE DOMAIN percent AS numeric(5,2);
CREATE DOMAIN flag AS boolean;
"""

# Must be translated, and must mean the same.
KEPT = (
    """
i4 > 0
i4 >= -5
i4 <> 7
i2 = 7
i8 = 9007199254740993
i8 > 9223372036854775806
i8 < -9223372036854775807
i4 > 2147483648
o > 5
i4 + i2 > 0
i4 - 1 < 5
i4 * 2 = 14
i4 + i8 = 8
-i4 = 1
-(-i4) = 1
i4 > -(-1)
abs(i4) = 1
abs(i2 - 3) < 5
i4 > 0.5
i8 = 7.0
i8 > 999999.5
i8 > 0.00000000000001
i8::integer = 1
i4::smallint = 7
(i4, i2) = (1, 1)
(i4, i2) IN ((1, 1), (7, 7))
ROW(i4, t) IS DISTINCT FROM ROW(1, 'a')
i4 IN (1, NULL)
i4 NOT IN (1, NULL)
i4 IS NOT DISTINCT FROM NULL
f8 = '-0'
i8 < 0.000000001
f8 > 0.1
f8 = 0.1
f8 >= 0.3
f8 <> 1
f8 < 'Infinity'
f8 > '-Infinity'::double precision
f8 = 9007199254740993
f8 = i4
f8 < i8
f4 > 0.1
f4 = 0.1
f4 > 0
f4 = '0.1'::real
f4 = f8
f4 < 1e10
n > 0
n = 0.1
n = 0.10
n >= -1.5
n < 99999999.99
n > i4
n = i8
n = n0
n0 > 5
n0 = 999999999999999
-n < 0
abs(n) = 1.5
b
NOT b
b = true
b = false
b IS TRUE
b IS NOT TRUE
b IS FALSE
b IS NOT FALSE
b IS UNKNOWN
b IS NOT UNKNOWN
b IS NULL
(i4 > 0) IS TRUE
(i4 > 0) = b
(i4 > 0) <> (f8 > 0)
b AND i4 > 0
b OR i4 IS NULL
NOT (b AND i4 > 0)
b AND NOT (t = 'a' OR t IS NULL)
t = 'a'
t <> ''
t = 'a''b'
t = 'a\\b'
t = '"q"'
t = '%a_'
t = '日本'
t IN ('a', 'b', 'A')
t NOT IN ('a', '1')
t = ANY (ARRAY['a', 'ab'])
t <> ALL (ARRAY['a', 'ab'])
v = 'a'
v IN ('a', 'ab ')
v = t
nm = 'a'
c = 'ab'
c = 'ab '
c = 'ab  '
c <> ''
c IN ('a', 'ab')
c = t
c = v
c::text = 'ab'
bp = 'ab'
bp = c
t = c
length(t) > 2
length(t) = length(v)
char_length(t) <= 2
character_length(v) = 1
length(c::text) = 2
btrim(t) = ''
trim(t) <> ''
ltrim(t) = 'ab'
rtrim(t, 'b ') = 'a'
trim(leading from t) = 'ab'
trim(trailing 'b' from t) = 'a'
trim(both 'ab' from t) = ''
btrim(t, '') = t
length(trim(t)) > 0
t || 'x' = 'ax'
t || v <> ''
'x' || t = 'xa'
length(t || v) > 2
coalesce(t, 'a') = 'a'
coalesce(t, v, '') <> ''
coalesce(i4, 0) = 0
coalesce(i4, i8, 7) > 0
coalesce(0, i4) = 0
coalesce(b, false)
coalesce(b, false) = true
coalesce(ts, '2000-01-01') > '1999-12-31 23:59:59.999999'
coalesce(ts, '2000-01-01') >= '2000-01-01'
coalesce(u, '00000000-0000-0000-0000-000000000000') = '00000000-0000-0000-0000-000000000000'
coalesce(d, '2000-01-01') = '2000-01-01'
coalesce('2000-01-01 00:00:00'::timestamp, ts) = '2000-01-01'
coalesce(n, 0) >= 0.1
coalesce(n, 0.1) = 0.1
coalesce('-5'::integer, i4) > 0
d > '2000-01-01'
d >= '0001-01-01'
d BETWEEN '2000-01-01' AND '2024-12-31'
d IN ('2000-01-01', '2024-02-29')
tm < '12:30:00.5'
tm = '12:30:00.5'
tm > '12:30'
ts > '2000-01-01'
ts = '2000-01-01 00:00:00'
ts <= '2024-02-29 12:30:00.5'
ts > '1999-12-31T23:59:59'
ts <> ts0
tz > '2000-01-01+00'
tz = '2000-01-01 02:00:00+02'
tz <= '2024-02-29 12:30:00.5+00'
u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
u <> 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'
u > '00000000-0000-0000-0000-000000000001'
u IN ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000')
by = '\\x61'
by > '\\x00'
by <> ''
e = 'sad'
e <> 'a''b'
e IN ('sad', 'ok')
e::text = 'ok'
i4 IS NULL
i4 IS NOT NULL
NOT (i4 IS NULL)
j IS NOT NULL
a IS NULL
iv IS NULL
i4 IS DISTINCT FROM 7
i4 IS NOT DISTINCT FROM 7
i4 IS DISTINCT FROM i2
t IS DISTINCT FROM 'a'
t IS NOT DISTINCT FROM v
c IS DISTINCT FROM 'ab'
b IS DISTINCT FROM true
ts IS DISTINCT FROM '2000-01-01'
i4 BETWEEN 0 AND 7
i4 NOT BETWEEN 0 AND 7
i4 BETWEEN SYMMETRIC 7 AND 0
n BETWEEN 0 AND 7.5
f8 BETWEEN 0 AND 1
i4 IN (1, 7, -1)
i4 NOT IN (1, 7)
i8 IN (1, 9007199254740993)
n IN (0.1, 1)
i4 IN (0, i2)
i4 = ANY (ARRAY[i2, 7])
di > 5
di + 1 = 8
dt = 'a'
dt <> 'ab'
length(dt) = 1
dn > 0
dn = 0.1
db
NOT db
db = true
(i4 IS NULL) = (t IS NULL)
(i4 IS NULL) <> (t IS NULL)
i4 > 0 AND (t = 'a' OR t = 'b') AND NOT b
(i4 > 0 OR f8 > 0) AND (n > 0 OR b)
true
i4 > 0 OR true
NULL::boolean
i4 > 0 OR NULL
""".strip()
    .replace("\\\\", "\\")
    .split("\n")
)

# Kept in the profiles whose files hold such numbers as numbers, or with a collation that sorts them.
SOMETIMES = """
nb > 0
nb = 0.1
nb = 0.10000000000000000001
nb <> 12345678901.0001
nb IN (0.1, 1)
nb BETWEEN 0 AND 1
nn = 1
nn = 1.000
nn > 0
nn >= 0.1
nn IN (1, 2)
nn = nb
nb = n
nn = i4
nn IS DISTINCT FROM 1
nb > 100000000000000000000
abs(nb) = 1
i4 > nn
""".strip().split("\n")

# Must be refused: SQLite gives another answer for some row, or may.
REFUSED = """
t > 'a'
t <= v
v < 'b'
c < 'b'
t BETWEEN 'a' AND 'b'
e > 'sad'
e < 'ok'
e BETWEEN 'sad' AND 'ok'
t LIKE 'a%'
t NOT LIKE 'a%'
t ILIKE 'a%'
t ~ '^a'
t ~* '^a'
t !~ '^a'
t SIMILAR TO 'a%'
t LIKE 'a!%' ESCAPE '!'
starts_with(t, 'a')
t ^@ 'a'
lower(t) = 'a'
upper(t) = t
initcap(t) = t
t COLLATE "C" > 'a'
t COLLATE "C" = 'a'
position('a' in t) > 0
strpos(t, 'a') > 0
substring(t from 1 for 1) = 'a'
substr(t, 1, 1) = 'a'
left(t, 1) = 'a'
right(t, 1) = 'a'
replace(t, 'a', 'b') = 'b'
lpad(t, 3) = 'a'
md5(t) = ''
octet_length(t) = 1
ascii(t) = 97
concat(t, v) = 'a'
t || i4 = 'a1'
i4 || t = '1a'
i4 / 2 = 3
i4 % 2 = 1
mod(i4, 2) = 1
i4 ^ 2 = 49
i4 & 1 = 1
i4 | 1 = 1
i4 # 1 = 1
~i4 = 1
i4 << 1 = 2
i4 >> 1 = 2
@ i4 = 1
|/ f8 = 1
n + 1 > 0
n * 2 = 2
n / 2 = 0.5
f8 + 0.1 = 0.2
f8 * 2 > 1
i4 + n > 0
round(n) = 1
floor(f8) = 1
ceil(n) = 1
trunc(n) = 1
sign(i4) = 1
power(f8, 2) = 1
sqrt(f8) = 1
greatest(i4, i2) = 1
least(i4, 0) = 0
nullif(i4, 0) > 0
CASE WHEN b THEN i4 > 0 ELSE t = 'a' END
i4::text = '7'
t::integer = 7
i4::boolean
b::integer = 1
n::integer = 1
f8::integer = 1
f8::numeric = 0.1
f8 = n
n::double precision = 0.1
n::numeric(5,1) = 0.1
t::varchar(1) = 'a'
t::character(2) = 'a'
v::character(3) = 'a'
ts::date = '2000-01-01'
d::timestamp = '2000-01-01'
d > '2000-01-01 12:00'::timestamp
tz = ts
tz::date = '2000-01-01'
d + 1 > '2000-01-01'
d - d = 0
ts + interval '1 day' > '2000-01-01'
ts > now()
tz < current_timestamp
d <= current_date
extract(year from d) = 2000
date_part('year', d) = 2000
date_trunc('day', ts) = ts
age(ts, ts) = interval '0'
ts AT TIME ZONE 'UTC' = tz
(ts, ts) OVERLAPS (ts, ts)
iv > interval '1 hour'
iv = '1 day'
m > 1::money
m = '1'
ip = '10.0.0.1'
ip << '10.0.0.0/8'
nb + 1 > 0
coalesce(nn, 0) = 0
-nn > 0
j = '1'
j @> '{"a": 1}'
j -> 'a' = '1'
j ->> 'a' = '1'
j ? 'a'
jsonb_typeof(j) = 'object'
j IS JSON
a = '{1,2}'
a[1] = 1
1 = ANY (a)
7 <> ALL (a)
i4 = ANY (a)
i4 > ANY (ARRAY[1, 2])
i4 < ALL (ARRAY[1, 2])
t = ANY ('{a,b}'::text[])
i4 = ANY ('{1,2}'::integer[])
t LIKE ANY (ARRAY['a%'])
i4 = ANY ((ARRAY[1.6, 7.4])::integer[])
array_length(a, 1) = 1
cardinality(a) = 0
a && ARRAY[1]
a @> ARRAY[1]
(i4, t) IS NULL
length(by) = 1
length(c) = 2
by || by = by
u::text = 'a'
e::text > 'a'
random() > 0.5
gen_random_uuid() = u
current_user = 'postgres'
pg_backend_pid() = i4
nextval('s') > 0
num_nulls(i4, t) = 1
num_nonnulls(i4, t) > 0
i8 > 9007199254740992.5
i4 < 10000000000000000000
i8 > -9223372036854775809
i8 = 123456789012345678.0
f4 = 'NaN'
n = 'NaN'
n = 0.105
n > 0.105
cmp(i4)
""".strip().split("\n")


# ---- generated expressions: any sense or none, as long as the types fit ----------------------------------------


def _constants(*columns: str) -> st.SearchStrategy[str]:
    found = [(value, COLUMNS[name]) for name in columns for value in COLUMNS[name].values]
    return st.sampled_from([f"'{value}'::{kind.cast or kind.type}" for value, kind in found])


def _call(*templates: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """One of some templates, its placeholders filled; a letter and a digit make each a draw of its own."""
    names = {
        name: parts[name[0]] for name in ("i1", "i2", "t1", "t2", "x1", "x2", "x3", "b1", "b2") if name[0] in parts
    }
    return st.tuples(st.sampled_from(templates), st.fixed_dictionaries(names)).map(lambda p: p[0].format(**p[1]))


_SMALL = st.sampled_from(["0", "1", "7", "-1", "-5", "2", "9007199254740993", "'-5'::integer", "(- 5)"])
_FRACTIONS = st.sampled_from(["0", "1", "0.1", "0.10", "-1.5", "7.00", "99999999.99", "1.0", "0.5"])
INTEGERS = st.recursive(
    st.sampled_from(["i2", "i4", "i8", "di"]) | _SMALL,
    lambda i: _call(
        "({i1} + {i2})", "({i1} - {i2})", "({i1} * {i2})", "(- {i1})", "abs({i1})", "coalesce({i1}, {i2})", i=i
    ),
    max_leaves=3,
)
NUMERICS = (
    st.sampled_from(["n", "n0", "dn", "nb", "nn", "i4::numeric", "i8::numeric", "coalesce(n, 0)", "abs(n)", "(- n0)"])
    | _FRACTIONS
)
FLOATS = st.one_of(
    st.sampled_from(
        ["f4", "f8", "i4::double precision", "i8::double precision", "(- f8)", "abs(f4)", "coalesce(f8, 0)"]
    ),
    _constants("f8", "f4"),
    _FRACTIONS,
)
TEXTS = st.recursive(
    st.sampled_from(["t", "v", "nm::text", "c::text", "dt", "e::text"]) | _constants("t"),
    lambda t: _call("({t1} || {t2})", "btrim({t1})", "rtrim({t1}, {t2})", "ltrim({t1})", "coalesce({t1}, {t2})", t=t),
    max_leaves=3,
)
OTHERS = [
    st.sampled_from(["c", "bp", "t::bpchar"]) | _constants("c"),
    st.sampled_from(["d", "coalesce(d, '2000-01-01')"]) | _constants("d"),
    st.sampled_from(["tm"]) | _constants("tm"),
    st.sampled_from(["ts", "ts0", "coalesce(ts, ts0)", "coalesce('2000-01-01'::timestamp, ts)"]) | _constants("ts"),
    st.sampled_from(["tz", "coalesce(tz, '2000-01-01+00')"]) | _constants("tz"),
    st.sampled_from(["u", "coalesce(u, u)"]) | _constants("u"),
    st.sampled_from(["by"]) | _constants("by"),
    st.sampled_from(["e", "coalesce(e, 'ok')"]) | _constants("e"),
    st.sampled_from(["b", "db", "(i4 > 0)", "true", "coalesce(b, false)", "NULL::boolean"]),
]
_COMPARED = (
    "({x1} = {x2})", "({x1} <> {x2})", "({x1} < {x2})", "({x1} >= {x2})", "({x1} IS DISTINCT FROM {x2})",
    "({x1} IS NOT DISTINCT FROM {x2})", "({x1} IN ({x2}, {x3}))", "({x1} NOT IN ({x2}, {x3}))", "({x1} IS NULL)",
    "({x1} BETWEEN {x2} AND {x3})", "({x1} IS NOT NULL)", "(coalesce({x1}, {x2}) = {x3})",
    "({x1} = ANY (ARRAY[{x2}, {x3}]))",
    "({x1} <> ALL (ARRAY[{x2}, {x3}]))",
)  # fmt: skip
CONDITIONS = st.recursive(
    st.one_of(
        *[
            _call(*_COMPARED, x=kind)
            for kind in (INTEGERS, INTEGERS | NUMERICS, INTEGERS | FLOATS, NUMERICS, TEXTS, *OTHERS)
        ],
        _call("(length({t1}) > {i1})", t=TEXTS, i=INTEGERS),
        st.sampled_from(["b", "db", "(j IS NULL)"]),
    ),
    lambda b: _call(
        "({b1} AND {b2})",
        "({b1} OR {b2})",
        "(NOT {b1})",
        "({b1} IS TRUE)",
        "({b1} IS NOT FALSE)",
        "({b1} = {b2})",
        "({b1} IS UNKNOWN)",
        b=b,
    ),
    max_leaves=3,
)


class World:
    """A table with every column on PostgreSQL, and the same rows in a file of each profile."""

    def __init__(self, info: str, folder: Path) -> None:
        self.server = psycopg.connect(info, autocommit=True)
        self.server.execute(SCHEMA.encode())
        self.server.execute("CREATE SEQUENCE s")
        self.server.execute("CREATE FUNCTION cmp(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0'")
        self.server.execute("SET timezone = 'UTC'")
        columns = ", ".join(f"{name} {kind.type}" for name, kind in COLUMNS.items())
        self.server.execute(f"CREATE TABLE t (id integer PRIMARY KEY, {columns})".encode())
        with self.server.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
            for row in _rows():
                copy.write_row(row)
        self.reader = connect(info)
        catalog = read_catalog(self.reader)
        (table,) = [found for found in catalog.tables if found.name.name == "t"]
        with self.reader.cursor() as cursor, cursor.copy("COPY (SELECT * FROM public.t ORDER BY id) TO STDOUT") as copy:
            lines = [bytes(line) for line in copy]
        self.files: dict[Profile, dbapi.Connection] = {}
        self.operands: dict[Profile, Mapping[str, Operand]] = {}
        for profile in Profile:
            (planned,) = [found for found in make_plan(catalog, Choices(profile)).tables if found.target == "t"]
            codecs = [codec(column.form) for column in planned.columns]
            self.files[profile] = file = open_file(folder / f"{profile}.db", private=True)
            file.execute(planned.create)
            file.executemany(
                f"INSERT INTO t VALUES ({', '.join('?' * len(codecs))})", [decode(codecs, line) for line in lines]
            )
            found = plan_columns(table, Choices(profile), frozenset(), lambda _: None)
            self.operands[profile] = {column.source.name: column.operand for column in found}

    def close(self) -> None:
        for file in self.files.values():
            file.close()
        self.reader.close()
        self.server.close()

    def printed(self, expression: str) -> str:
        """The expression as PostgreSQL keeps it in a CHECK."""
        self.server.execute(f"ALTER TABLE t ADD CONSTRAINT probe CHECK ({expression}) NOT VALID".encode())
        try:
            row = self.reader.execute(
                "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'probe'"
            ).fetchone()
        finally:
            self.server.execute("ALTER TABLE t DROP CONSTRAINT probe")
        assert row is not None
        return str(row[0])

    def answers(self, expression: str) -> dict[int, bool | None]:
        """PostgreSQL's answer per row, without the rows for which it has none."""
        try:
            return dict(self.server.execute(f"SELECT id, ({expression}) FROM t".encode()).fetchall())
        except psycopg.DataError:
            found: dict[int, bool | None] = {}
            for (number,) in self.server.execute("SELECT id FROM t").fetchall():
                try:
                    row = self.server.execute(f"SELECT ({expression}) FROM t WHERE id = {number}".encode()).fetchone()
                except psycopg.DataError:
                    continue
                assert row is not None
                found[number] = row[0]
            return found

    def compare(self, expression: str) -> bool:
        """Whether all profiles translate it; fails where an answer differs."""
        printed = self.printed(expression)
        answers: dict[int, bool | None] | None = None
        kept = True
        for profile, file in self.files.items():
            try:
                translated = translate(printed, self.operands[profile])
            except Untranslatable:
                kept = False
                continue
            answers = self.answers(expression) if answers is None else answers
            for number, expected in answers.items():
                try:
                    (found,) = file.execute(f"SELECT {translated} FROM t WHERE id = ?", (number,)).fetchone()
                except dbapi.OperationalError as error:
                    assert "integer overflow" in str(error), (
                        f"{translated}: {error}"
                    )  # neither engine computes in order
                    continue
                got = found if found is None else found == 1
                assert got is expected, (
                    f"{profile}, row {number}: {printed} is {expected} in PostgreSQL, {translated} is {got} in SQLite;"
                    f" {self._row(file, number)}"
                )
        return kept

    def _row(self, file: dbapi.Connection, number: int) -> dict[str, Any]:
        cursor = file.execute("SELECT * FROM t WHERE id = ?", (number,))
        return dict(zip([name for name, *_ in cursor.description], cursor.fetchone(), strict=True))


def _rows() -> Iterator[list[str | None]]:
    """Each value of each column at least once, then a mixture; with NULLs."""
    chance = random.Random(20240229)
    yield ["0", *[None] * len(COLUMNS)]
    for number in range(1, 90):
        row: list[str | None] = [str(number)]
        for kind in COLUMNS.values():
            values = [value.replace("''", "'") for value in kind.values]
            value = values[number - 1] if number <= len(values) else chance.choice(values)
            row.append(None if number > len(WORDS) and chance.random() < 0.1 else value)
        yield row


@pytest.fixture(scope="module", params=["16", "18", "debian"])
def world(
    request: pytest.FixtureRequest, _servers: dict[str, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    server, name = _servers[request.param], f"liteshift_expressions_{os.getpid()}_{next(_numbers)}"
    with closing(World(server.create_database(name), tmp_path_factory.mktemp("world"))) as found:
        yield found
    server.drop_database(name)


@pytest.mark.parametrize("expression", KEPT)
def test_kept(world: World, expression: str) -> None:
    assert world.compare(expression), f"{world.printed(expression)} is not translated"


@pytest.mark.parametrize("expression", SOMETIMES)
def test_kept_in_some_profiles(world: World, expression: str) -> None:
    world.compare(expression)


@pytest.mark.parametrize("expression", REFUSED)
def test_refused(world: World, expression: str) -> None:
    try:
        printed = world.printed(expression)
    except (psycopg.errors.SyntaxError, psycopg.errors.UndefinedFunction):
        pytest.skip("this version of PostgreSQL has no such thing")
    for operands in world.operands.values():
        with pytest.raises(Untranslatable):
            translate(printed, operands)


def _generate(world: World, examples: int) -> int:
    """Compare so many generated expressions; how many were kept."""
    kept = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(CONDITIONS)
    def run(expression: str) -> None:
        nonlocal kept
        try:
            kept += world.compare(expression)
        except (psycopg.errors.UndefinedFunction, psycopg.errors.DatatypeMismatch, psycopg.errors.DataError):
            return  # types that do not meet, or a constant beyond its type

    run()
    return kept


def test_generated(world: World) -> None:
    assert _generate(world, 200) > 40


@pytest.mark.soak
def test_many_generated(world: World) -> None:
    assert _generate(world, 10_000) > 2000
