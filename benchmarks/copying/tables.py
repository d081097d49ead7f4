"""The tables that are copied; nothing but the standard library, since other virtual environments read this too."""

from __future__ import annotations

from dataclasses import dataclass

NARROW = """
    CREATE TABLE {name} (id int PRIMARY KEY, n int, t text, at timestamptz);
    INSERT INTO {name}
    SELECT g, (g * 7919::bigint) % 1000003, 'name ' || g, timestamptz '2024-01-01' + g * interval '1.000001 s'
      FROM generate_series(1, {rows}) g"""

INDEXED = """
    CREATE TABLE {name} (id int PRIMARY KEY, n int, t text, at timestamptz);
    INSERT INTO {name}
    SELECT g, (g * 7919::bigint) % 1000003, 'name ' || g, timestamptz '2024-01-01' + g * interval '1.000001 s'
      FROM generate_series(1, {rows}) g;
    CREATE INDEX {name}_n ON {name} (n);
    CREATE INDEX {name}_t ON {name} (t);
    CREATE INDEX {name}_at ON {name} (at)"""

MIXED = """
    CREATE TABLE {name} (id bigint PRIMARY KEY, a int, b smallint, ok boolean, price numeric(12,2),
      f double precision, name varchar(60), note text, u uuid, d date, at timestamptz, j jsonb);
    INSERT INTO {name}
    SELECT g, g % 1000, g % 100, g % 3 = 0, (g * 37::bigint % 1000000) / 100.0, g / 7.0::float8,
           'name ' || md5(g::text), CASE WHEN g % 5 = 0 THEN NULL ELSE repeat('x', g % 50) END, md5(g::text)::uuid,
           date '2000-01-01' + g % 9000, timestamptz '2024-01-01' + g * interval '1 s', jsonb_build_object('k', g)
      FROM generate_series(1, {rows}) g"""

WIDE = """
    CREATE TABLE {name} (id int PRIMARY KEY, n int, body text);
    INSERT INTO {name}
    SELECT g, g % 1000, (SELECT string_agg(md5((g * 128::bigint + i)::text), '') FROM generate_series(1, 128) i)
      FROM generate_series(1, {rows}) g"""


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: its name in PostgreSQL, and in every file that is made of it.
        what: its shape, for people.
        rows: how many, at full scale.
        statements: what makes and fills it, with `{name}` and `{rows}`.
        columns: SQLite's column definitions, for who has to write them by hand.
        select: the columns as Python's sqlite3 can store them, in PostgreSQL's SQL.
        sums: what a right copy has in common with its source, in SQL that both understand; `count(*)` comes first.
        group: `rows` for the race, `migrate` for the whole move, `growth` for one shape in several sizes.
    """

    name: str
    what: str
    rows: int
    statements: str = NARROW
    columns: str = "id INTEGER PRIMARY KEY, n INTEGER, t TEXT, at TEXT"
    select: str = "id, n, t, at::text"
    sums: str = "count(*), sum(id), sum(n), sum(length(t))"
    group: str = "rows"


GROWTH = (10_000, 100_000, 1_000_000, 10_000_000)

TABLES = {
    table.name: table
    for table in (
        Table("narrow", "4 columns: two integers, a short text, a time", 3_000_000),
        Table(
            "mixed",
            "12 columns: integers, boolean, numeric, double, texts, uuid, date, time, jsonb",
            1_000_000,
            MIXED,
            "id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, ok INTEGER, price TEXT, f REAL, name TEXT, note TEXT,"
            " u TEXT, d TEXT, at TEXT, j TEXT",
            "id, a, b, ok::int, price::text, f, name, note, u::text, d::text, at::text, j::text",
            "count(*), sum(id), sum(a), sum(length(name)), sum(length(note))",
        ),
        Table(
            "wide",
            "3 columns: two integers, a text of 4 KB",
            200_000,
            WIDE,
            "id INTEGER PRIMARY KEY, n INTEGER, body TEXT",
            "id, n, body",
            "count(*), sum(id), sum(n), sum(length(body))",
        ),
        Table("indexed", "the narrow table's columns, and three indexes", 5_000_000, INDEXED, group="migrate"),
        *(Table(f"growth_{rows}", "the narrow table's columns", rows, group="growth") for rows in GROWTH),
    )
}
