"""verify finds one changed bit in the stored value of any type, whatever the profile; and every other small fault.

A table per type holds many rows of one value; each row then gets another bit turned, and each must be found.
"""

from __future__ import annotations

import struct
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from liteshift import migration, native
from liteshift.plan import Choices, Profile
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import Difference
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget

BITS = 80  # turned per type at the most, spread over the value

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (number integer, note text, at timestamptz, worth numeric(20,4));
CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE >= 0);
"""

# Two values of each type.
VALUES: dict[str, tuple[str, str]] = {
    "smallint": ("-300", "7"),
    "integer": ("123456", "-1"),
    "bigint": ("9007199254740993", "0"),
    "oid": ("4294967295", "1"),
    "boolean": ("t", "f"),
    "real": ("0.1", "-1.5"),
    "double precision": ("0.1", "1e300"),
    "numeric(10,2)": ("1.10", "12345678.90"),
    "numeric(15,0)": ("999999999999999", "10"),
    "numeric(20,6)": ("123456789.000100", "-0.500000"),
    "numeric": ("1.10", "1e30"),
    "percent": ("0.10", "99.99"),
    "text": ("a b ", "é😀"),
    "character varying(10)": ("trailing  ", ""),
    "character(6)": ("ab", "abc"),
    "name": ("n ", "m"),
    '"char"': ("x", "y"),
    "bytea": ("\\x00ff10", "\\x"),
    "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"),
    "date": ("2024-02-29", "0001-01-01"),
    "time": ("23:59:59.5", "00:00:00"),
    "timetz": ("12:00:00.5+05:30", "00:00:00+00"),
    "timestamp": ("2024-01-31 10:20:30.5", "9999-12-31 23:59:59.999999"),
    "timestamptz": ("2024-01-31 10:20:30+00", "2024-01-31 10:20:30.000001+00"),
    "interval": ("1 day 02:03:04.5", "-00:00:01"),
    "interval month": ("3 mons", "1 mon"),
    "money": ("1234567.50", "-0.01"),
    "json": ('{"a": [1.0, "x"],  "a":null}', "12345678901234567890"),
    "jsonb": ('{"é": 1.10, "b": [true, null]}', "17"),
    "mood": ("sad", "ok"),
    "inet": ("10.0.0.1/8", "::1"),
    "cidr": ("10.0.0.0/8", "::/0"),
    "macaddr": ("08:00:2b:01:02:03", "00:00:00:00:00:00"),
    "macaddr8": ("08:00:2b:01:02:03:04:05", "00:00:00:00:00:00:00:00"),
    "bit(8)": ("10101010", "00000000"),
    "bit varying": ("101", ""),
    "xml": ("<a>b</a>", "<c/>"),
    "tsvector": ("a:1A b:2", ""),
    "tsquery": ("a & b", "!c"),
    "pg_lsn": ("16/B374D848", "0/0"),
    "point": ("(1.5,-2)", "(0,0)"),
    "line": ("{1,2,3}", "{0,1,0}"),
    "lseg": ("[(0,0),(1,1)]", "[(0,0),(0,1)]"),
    "box": ("(2,2),(1,1)", "(1,1),(0,0)"),
    "path": ("((0,0),(1,1))", "[(0,0),(1,1)]"),
    "polygon": ("((0,0),(1,1),(2,0))", "((0,0))"),
    "circle": ("<(0,0),2>", "<(1,1),0>"),
    "jsonpath": ('$."a"[*]', "$"),
    "int4range": ("[1,5)", "empty"),
    "tstzrange": ('["2024-01-01 00:00:00+00",)', "empty"),
    "int4multirange": ("{[1,2),[5,9)}", "{}"),
    "regclass": ("pg_class", "pg_type"),
    "pair": ('(5,"a ",2024-01-01 00:00:00+00,1.1000)', "(,,,)"),
    "integer[]": ("{1,NULL,-7}", "{}"),
    "text[]": ('{"a ",NULL,"NULL",""}', "{b}"),
    "timestamptz[]": ("{2024-01-01 00:00:00+00}", "{NULL}"),
    "double precision[]": ("{0.1,NaN,-0}", "{0}"),
    "numeric(10,2)[]": ("{1.10,2.00}", "{}"),
    "boolean[]": ("{t,f,NULL}", "{t}"),
    "bytea[]": ('{"\\\\x00ff"}', '{"\\\\x"}'),
    "jsonb[]": ('{"{\\"a\\": 1.0}"}', "{1}"),
    "uuid[]": ("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "{}"),
    "mood[]": ("{sad,ok}", "{ok}"),
    "pair[]": ('{"(1,x,,)"}', "{NULL}"),
    "box[]": ("{(2,2),(1,1);(1,1),(0,0)}", "{}"),
}
EVERYWHERE = {kind: values for kind, values in VALUES.items() if kind != "xml"}  # a server may be built without it
CONTRIB: dict[str, tuple[str, str]] = {
    "xml": VALUES["xml"],
    "citext": ("Ab ", "b"),
    "hstore": ('"a"=>"1", "b"=>NULL', ""),
    "ltree": ("a.b", "a"),
}
# Where an hour could be lost, and what is then there.
SHIFTED = {"timestamptz": "2024-01-31 11:20:30.000000", "timestamp": "2024-01-31 09:20:30.500000"}


class Server(Protocol):
    """What the fixture gives."""

    contrib: bool


def turned(value: Any, bit: int) -> Any:
    """A value as it is stored, with one of its bits turned; a text as its bytes."""
    if isinstance(value, int):
        number = value ^ (1 << bit)
        return number - 2**64 if number >= 2**63 else number
    if isinstance(value, float):
        (number,) = struct.unpack("<q", struct.pack("<d", value))
        return struct.unpack("<d", struct.pack("<Q", (number ^ (1 << bit)) & (2**64 - 1)))[0]
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[bit // 8] ^= 1 << bit % 8
    return bytes(raw)


def width(value: Any) -> int:
    """How many bits it has; of an integer those below the sign."""
    return 63 if isinstance(value, int) else 64 if isinstance(value, float) else 8 * len(_raw(value))


def _raw(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def fill(database: str, values: dict[str, tuple[str, str]]) -> dict[str, str]:
    """A table per type: rows 1 to BITS hold its first value; then come more of both, and NULLs."""
    names = {kind: f"t{number}" for number, kind in enumerate(values)}
    with psycopg.connect(database, autocommit=True) as connection:
        if values is CONTRIB:
            for extension in ("citext", "hstore", "ltree"):
                connection.execute(f"CREATE EXTENSION {extension}".encode())
        connection.execute(TYPES.encode())
        for kind, name in names.items():
            one, other = values[kind]
            connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v {kind})".encode())
            many = f"INSERT INTO {name} SELECT i, '{_sql(one)}'::{kind} FROM generate_series(1, {BITS}) i"
            connection.execute(many.encode())
            rest = [(1000, one), (1001, other), (1002, None), (1003, one), (1004, other), (1005, None), (1006, other)]
            for number, value in rest:
                text = "NULL" if value is None else f"'{_sql(value)}'::{kind}"
                connection.execute(f"INSERT INTO {name} VALUES ({number}, {text})".encode())
    return names


def _sql(text: str) -> str:
    return text.replace("'", "''")


def spoil(path: Path, names: dict[str, str], shifted: dict[str, str]) -> dict[str, dict[str, str]]:
    """Turn bits and do every other harm; what must be found: the kind of difference by table and key."""
    expected: dict[str, dict[str, str]] = {}
    with closing(connect(path, foreign_keys=False)) as file:
        file.execute("PRAGMA ignore_check_constraints=ON").close()
        for kind, name in names.items():
            found = expected[name] = {}
            (value,) = file.execute(f"SELECT v FROM {name} WHERE id = 1").fetchone()
            bits = width(value)
            for row in range(min(BITS, bits)):
                bit = row * bits // min(BITS, bits)
                cast = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
                file.execute(f"UPDATE {name} SET v = {cast} WHERE id = ?", (turned(value, bit), row + 1)).close()
                found[str(row + 1)] = "different"
            for statement in (
                f"UPDATE {name} SET id = 3001 - id WHERE id IN (1000, 1001)",
                f"UPDATE {name} SET id = id - 1000 WHERE id IN (2000, 2001)",
                f"UPDATE {name} SET v = CASE typeof((SELECT v FROM {name} WHERE id = 1003)) WHEN 'text' THEN ''"
                f" WHEN 'blob' THEN x'' ELSE 0 END WHERE id = 1002",  # a NULL that became empty
                f"UPDATE {name} SET v = NULL WHERE id = 1003",
                f"DELETE FROM {name} WHERE id IN (1004, 1005)",
                f"INSERT INTO {name} SELECT 1999, v FROM {name} WHERE id = 1006",
            ):
                file.execute(statement).close()
            found |= dict.fromkeys(("1000", "1001", "1002", "1003"), "different")
            found |= {"1004": "missing", "1005": "missing", "1999": "extra"}
            if kind in shifted:
                file.execute(f"UPDATE {name} SET v = ? WHERE id = 1006", (shifted[kind],)).close()
                found["1006"] = "different"
    return expected


def told(differences: tuple[Difference, ...]) -> dict[str, str]:
    """The kind of each difference, by key; what is shown of a changed row is its value."""
    for difference in differences:
        if difference.kind == "different":
            assert list(difference.columns) == ["v"], difference
            there, here = difference.columns["v"]
            assert there != here, difference
    return {str(difference.key["id"]): difference.kind for difference in differences}


def find(database: str, folder: Path, values: dict[str, tuple[str, str]], profile: Profile) -> None:
    names = fill(database, values)
    source, target, choices = PostgresSource(database), SqliteTarget(folder / "t.db"), Choices(profile)
    moved = migration.migrate(source, target, choices, rejects=folder / "r", overwrite=False, progress=silent)
    assert moved.verdict.equal and moved.rejected == 0
    expected = spoil(folder / "t.db", names, SHIFTED)
    verdict = migration.compare(source, target, choices, progress=silent, limit=10 * BITS)
    for table in verdict.tables:
        kind = next(kind for kind, name in names.items() if name == table.target)
        assert told(table.differences) == expected[table.target], kind


@pytest.mark.parametrize("core", [True, False], ids=["native", "python"])
@pytest.mark.parametrize("profile", list(Profile))
def test_one_changed_bit_is_found_in_any_type(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Profile, core: bool
) -> None:
    if core and native.CORE is None:
        pytest.skip("the native core is not installed")
    if not core:
        monkeypatch.setattr(native, "CORE", None)
    find(database, tmp_path, EVERYWHERE, profile)


@pytest.mark.parametrize("profile", list(Profile))
def test_one_changed_bit_is_found_in_the_types_of_extensions(
    contrib_database: str, tmp_path: Path, profile: Profile
) -> None:
    find(contrib_database, tmp_path, CONTRIB, profile)
