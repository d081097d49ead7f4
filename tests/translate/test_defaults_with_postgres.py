"""PostgreSQL is the oracle of defaults: a row of defaults only is the same row on both sides."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest

from liteshift.codec.copy_text import decode, encode
from liteshift.codec.values import codec
from liteshift.plan import Choices, Profile
from liteshift.postgres.connect import connect
from liteshift.postgres.schema import read_catalog
from liteshift.sqlite.connect import connect as open_file
from liteshift.translate.planner import make_plan

_numbers = count(1)

# What must be carried, by type.
CARRIED = {
    "integer": (
        "0",
        "-5",
        "'7'",
        "NULL",
    ),
    "smallint": ("7",),
    "bigint": (
        "9223372036854775807",
        "'-9223372036854775808'",
    ),
    "boolean": (
        "true",
        "false",
        "'yes'",
    ),
    "text": (
        "5",
        "-1.50",
        "'a''b'",
        "''",
        "E'a\\nb\\\\c'",
        "'%s {} \" ; --'",
        "'日本'::varchar",
    ),
    "varchar(3)": (
        "'abc'",
        "'a'::text",
        "'a  '",
    ),
    "char(5)": (
        "'ab'",
        "'ab'::text",
        "''",
    ),
    "bpchar": ("'a '",),
    "name": ("'n'",),
    '"char"': ("'x'",),
    "numeric(10,2)": (
        "0",
        "0.10",
        "-1.5",
    ),
    "numeric(15,0)": ("999999999999999",),
    "numeric(20,4)": (
        "0",
        "1.5",
    ),
    "numeric(38,0)": ("12345678901234567890",),
    "numeric": (
        "0",
        "1.50",
        "1e3",
    ),
    "real": (
        "0.1",
        "'0.1'::real",
        "0.1::double precision",
    ),
    "double precision": (
        "0.1",
        "0",
        "'Infinity'",
        "1e300",
    ),
    "bytea": (
        "'\\x00ff'",
        "''",
    ),
    "uuid": ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",),
    "date": ("'2024-02-29'",),
    "time": (
        "'12:30'",
        "'12:30:00.5'",
    ),
    "time(2)": ("'12:30:00.5'",),
    "timetz": ("'12:30+02'",),
    "timestamp": (
        "'2024-01-01'",
        "'2024-01-01 00:00:00.5'",
    ),
    "timestamp(0)": ("'2024-01-01'",),
    "timestamptz": ("'2024-01-01 00:00:00+02'",),
    "interval": (
        "'1 day'",
        "'1 mon 2 days'",
        "'0'",
    ),
    "json": (
        "'{}'",
        "'1.0'",
        "'[1, 2]'",
    ),
    "jsonb": (
        "'{}'",
        '\'{"b":1,"a":"é"}\'',
        "'1'",
        "'null'",
    ),
    "mood": (
        "'sad'",
        "'a''b'",
    ),
    "integer[]": (
        "'{}'",
        "ARRAY[]::integer[]",
        "'{1,2}'",
    ),
    "text[]": ("'{a,\"b c\",NULL}'",),
    "char(3)[]": ("'{}'",),
    "inet": ("'10.0.0.1'",),
    "bit(3)": ("B'101'",),
    "int4range": ("'[1,5)'",),
    "money": ("'1.50'",),
    "percent": (
        "5",
        "DEFAULT",
    ),
    "code": (
        "DEFAULT",
        "NULL",
    ),
    "flag": ("DEFAULT",),
    "nested": ("DEFAULT",),
}
# What may be lost, but never wrong.
LOST = {
    "integer": (
        "1.6",
        "'7'::text::integer",
        "1 + 1",
    ),
    "oid": ("5",),
    "boolean": (
        "'yes'::text::boolean",
        "1::boolean",
        "0::boolean",
    ),
    "text": (
        "true",
        "0.1::real",
        "'2020-01-01'::date",
        "'a' || 'b'",
        "'abcdef'::varchar(3)",
        "lower('A')",
        "current_user",
    ),
    "varchar(3)": ("'abc   '",),
    "numeric(10,2)": (
        "1.005",
        "'1.50'::text::numeric",
        "'NaN'",
    ),
    "numeric(20,4)": ("1.00005",),
    "numeric": ("0.5::double precision",),
    "numeric(3,-2)": ("149",),
    "double precision": (
        "'0.1'::real",
        "'NaN'",
        "0.1::real",
    ),
    "date": (
        "'infinity'",
        "'now'::text::date",
        "'2024-01-01'::timestamp",
    ),
    "time": ("'now'::text::time",),
    "time(0)": ("'12:30:00.6'",),
    "timestamp": (
        "'-infinity'",
        "'now'::text::timestamp",
    ),
    "timestamp(0)": ("'2024-01-01 00:00:00.6'",),
    "timestamptz": ("'2024-01-01'::date",),
    "interval(0)": ("'1.6 seconds'",),
    "jsonb": ("jsonb_build_object()",),
    "integer[]": ("ARRAY[1,2]",),
    "numeric(5,2)[]": ("'{1}'",),
    "char(3)[]": ("'{a}'",),
    "varbit": ("'1'",),
    "int4range": ("int4range(1, 5)",),
    "xid": ("'5'",),
}
TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'a''b');
CREATE DOMAIN percent AS numeric(5,2) DEFAULT 12.5;
CREATE DOMAIN code AS character(4) DEFAULT 'ab';
CREATE DOMAIN flag AS boolean DEFAULT true;
CREATE DOMAIN nested AS code;
"""


@pytest.mark.parametrize("profile", Profile)
def test_constants(any_database: str, tmp_path: Path, profile: Profile) -> None:
    """One table per default; the lost ones are named."""
    with psycopg.connect(any_database, autocommit=True) as writer:
        writer.execute(TYPES.encode())
        tables: dict[str, tuple[str, str, bool]] = {}
        cases = [
            (kind, default, found is CARRIED) for found in (CARRIED, LOST) for kind in found for default in found[kind]
        ]
        for number, (kind, default, carried) in enumerate(cases):
            clause = "" if default == "DEFAULT" else f"DEFAULT {default}"
            writer.execute(f"CREATE TABLE t{number} (id int, v {kind} {clause})".encode())
            writer.execute(f"INSERT INTO t{number} (id) VALUES (1)".encode())
            tables[f"t{number}"] = (kind, default, carried)
    with connect(any_database) as reader, closing(open_file(tmp_path / "t.db", private=True)) as file:
        plan = make_plan(read_catalog(reader), Choices(profile, unknown_as_text=True))
        lost = {finding.subject for finding in plan.findings if finding.kind == "default"}
        wrong = []
        for table in plan.tables:
            kind, default, carried = tables[table.target]
            name = f"{kind} DEFAULT {default}: {table.columns[1].rules}"
            if f"public.{table.target}.v" in lost:
                wrong += [f"{name} is lost"] if carried and profile is Profile.SQLALCHEMY else []
                continue
            file.execute(table.create)
            file.execute(f"INSERT INTO {table.target} (id) VALUES (1)")
            row = file.execute(f"SELECT * FROM {table.target}").fetchone()
            with reader.cursor() as cursor, cursor.copy(f"COPY public.{table.target} TO STDOUT".encode()) as copy:
                (line,) = [bytes(data) for data in copy]
            codecs = [codec(column.form) for column in table.columns]
            if row != decode(codecs, line) or encode(codecs, row) != line:
                wrong.append(f"{name} gives {row[1]!r}, not {line!r}")
    assert not wrong


TIMES = ["now()", "CURRENT_TIMESTAMP", "transaction_timestamp()"]
NOT_NOW = [
    "CURRENT_TIMESTAMP(0)", "statement_timestamp()", "now() + '1 day'", "app.now()", "app.transaction_timestamp()",
    "LOCALTIMESTAMP",
]  # fmt: skip


@pytest.mark.parametrize("profile", Profile)
def test_the_current_time(database: str, tmp_path: Path, profile: Profile) -> None:
    kinds = [("timestamptz", 3), ("timestamp", 3), ("timestamptz(0)", 0), ("timestamp(2)", 2), ("timestamp(6)", 3)]
    with psycopg.connect(database, autocommit=True) as writer:
        writer.execute("CREATE SCHEMA app")
        for name in ("now", "transaction_timestamp"):
            writer.execute(f"CREATE FUNCTION app.{name}() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'".encode())
        for number, (kind, _) in enumerate(kinds):
            columns = ", ".join(f"c{i} {kind} DEFAULT {text}" for i, text in enumerate(TIMES))
            others = ", ".join(f"n{i} {kind} DEFAULT {text}" for i, text in enumerate(NOT_NOW))
            writer.execute(f"CREATE TABLE t{number} (id int, {columns}, {others}, d date DEFAULT now())".encode())
    with connect(database) as reader:
        plan = make_plan(read_catalog(reader), Choices(profile))
    lost = {finding.subject for finding in plan.findings if finding.kind == "default"}
    with closing(open_file(tmp_path / "t.db", private=True)) as file:
        for table, (_, digits) in zip(plan.tables, kinds, strict=True):
            assert {f"public.{table.target}.n{i}" for i in range(len(NOT_NOW))} <= lost
            file.execute(table.create)
            file.execute(f"INSERT INTO {table.target} (id) VALUES (1)")
            (row,) = file.execute(f"SELECT c0, c1, c2, d FROM {table.target}").fetchall()
            assert row[3] == f"{datetime.now(UTC):%Y-%m-%d}"
            for text in row[:3]:
                moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
                assert abs(moment - datetime.now(UTC)) < timedelta(seconds=60)
                assert moment.microsecond % 10 ** (6 - digits) == 0
                assert profile is Profile.DJANGO or re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", text)


def test_a_random_uuid(any_database: str, tmp_path: Path) -> None:
    with psycopg.connect(any_database, autocommit=True) as writer:
        writer.execute("CREATE TABLE t (id int, u uuid DEFAULT gen_random_uuid(), t text DEFAULT gen_random_uuid())")
    for profile in Profile:
        with connect(any_database) as reader:
            (table,) = make_plan(read_catalog(reader), Choices(profile)).tables
        with closing(open_file(tmp_path / f"{profile}.db", private=True)) as file:
            file.execute(table.create)
            file.executemany("INSERT INTO t (id) VALUES (?)", [(number,) for number in range(200)])
            found = file.execute("SELECT u, t FROM t").fetchall()
        hyphens = "-" if profile is Profile.PLAIN else ""
        form = re.compile(
            hyphens.join((r"[0-9a-f]{8}", r"[0-9a-f]{4}", r"4[0-9a-f]{3}", r"[89ab][0-9a-f]{3}", r"[0-9a-f]{12}"))
        )
        assert all(form.fullmatch(u) for u, _ in found)
        assert len({u for u, _ in found}) == 200
