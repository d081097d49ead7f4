"""Random changes to tables of every kind, followed and compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import Json
from tests.stages.live import Live, copied
from tests.stages.roads import ROADS, taking

from liteshift.stages.follow import Follower

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE kinds (
  id int PRIMARY KEY, i bigint, s smallint, f float8, r real, n numeric(10,2), e numeric, t text, v varchar(20),
  c char(5), b bytea, u uuid, d date, tm time, ts timestamp, tz timestamptz, iv interval, j json, jb jsonb, a int[],
  ta text[], ok bool, m mood, p positive, ip inet, rg int4range, dbl int GENERATED ALWAYS AS (id * 2) STORED
);
ALTER TABLE kinds ALTER t SET STORAGE EXTERNAL, ALTER jb SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
CREATE TABLE texts (a text, b int, body text, PRIMARY KEY (a, b));
ALTER TABLE texts ALTER body SET STORAGE EXTERNAL;
CREATE TABLE keyless (a text, f float8, j jsonb, n numeric, big text);
ALTER TABLE keyless ALTER big SET STORAGE EXTERNAL;
CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL, at date NOT NULL, note text, UNIQUE (code, at));
ALTER TABLE by_index ALTER note SET STORAGE EXTERNAL;
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_at_key;
CREATE TABLE whole (id bigint PRIMARY KEY, t text, b bytea);
ALTER TABLE whole ALTER t SET STORAGE EXTERNAL;
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE parts (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_n PARTITION OF parts FOR VALUES IN ('n');
CREATE TABLE parts_o (v text, junk int, region text NOT NULL, id int NOT NULL);
ALTER TABLE parts_o DROP junk;
ALTER TABLE parts ATTACH PARTITION parts_o DEFAULT;
CREATE TABLE keyless_parts (id int, v text) PARTITION BY HASH (id);
CREATE TABLE keyless_parts_0 PARTITION OF keyless_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE keyless_parts_1 PARTITION OF keyless_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE "Odd ""Name" (" id" serial PRIMARY KEY, "select" text, rowid int);
CREATE TABLE ranked (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, big text);
ALTER TABLE ranked ALTER big SET STORAGE EXTERNAL;
CREATE TABLE renumbered (id int PRIMARY KEY DEFERRABLE, big text);
CREATE TABLE child (id int PRIMARY KEY, texts_a text, texts_b int,
  FOREIGN KEY (texts_a, texts_b) REFERENCES texts ON DELETE CASCADE ON UPDATE CASCADE);
"""
SEED = """
INSERT INTO kinds (id, i, t, b, jb, n, ts)
  SELECT g, g, repeat(g::text, 3000 * (g % 3)), decode(repeat('0' || g, 5000), 'hex'),
         jsonb_build_object('a', repeat('x', 5000)), g / 10.0, '2024-01-01' FROM generate_series(1, 6) g;
INSERT INTO texts SELECT 'a', g, repeat('b', 4000 * (g % 2))
  FROM generate_series(0, 5) g;
INSERT INTO keyless SELECT 'x', 1, '1', 1.0, repeat('x', 5000) FROM generate_series(1, 3);
INSERT INTO keyless VALUES ('X', 0.1, '1.0', 1.00, NULL), (NULL, NULL, NULL, NULL, NULL);
INSERT INTO keyless DEFAULT VALUES;
INSERT INTO by_index SELECT g, 'a', date '2024-01-01' + g, repeat('n', 5000) FROM generate_series(1, 5) g;
INSERT INTO whole SELECT g, repeat('t', 5000), '\\x00' FROM generate_series(1, 5) g;
INSERT INTO parts SELECT g, substr('nsw', g % 3 + 1, 1), 'x' FROM generate_series(1, 6) g;
INSERT INTO keyless_parts SELECT g % 4, 'x' FROM generate_series(1, 8) g;
INSERT INTO "Odd ""Name" SELECT g, 'a', 1 FROM generate_series(1, 4) g;
INSERT INTO ranked SELECT g, g, repeat('r', 5000) FROM generate_series(1, 5) g;
INSERT INTO renumbered SELECT g, repeat('r', 5000) FROM generate_series(1, 5) g;
INSERT INTO child SELECT g, 'a', g FROM generate_series(0, 5) g;
"""
ALL = [
    "kinds",
    "texts",
    "keyless",
    "by_index",
    "whole",
    "parts",
    "keyless_parts",
    'Odd "Name',
    "ranked",
    "renumbered",
    "child",
]

_texts = st.one_of(
    st.sampled_from(["", "a", "A", "a ", "\\", "'", '"', "\t\n", "\\N", "ß", "日本", "🜚", "é", "0", "1.0", "null"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    st.integers(0, 5).map(lambda n: str(n) * 5000),  # stored out of line
)
_small = st.integers(-3, 12)
_json = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text('aé"\\ ')
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab"), inner, max_size=3)),
    max_leaves=5,
).map(Json)
_timestamps = st.datetimes().map(lambda at: at.isoformat(" "))
_blobs = st.one_of(st.binary(max_size=20), st.integers(0, 255).map(lambda n: bytes([n]) * 6000))


def maybe(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), values)


COLUMNS: dict[str, dict[str, st.SearchStrategy[object]]] = {
    "kinds": {
        "id": _small, "i": maybe(st.integers(-(2**63), 2**63 - 1)), "s": maybe(st.integers(-(2**15), 2**15 - 1)),
        "f": maybe(st.floats(allow_nan=False).filter(lambda f: f != 0 or str(f) == "0.0")),
        "r": maybe(st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda f: str(f) != "-0.0")),
        "n": maybe(st.decimals(-99999999, 99999999, places=2)),
        "e": maybe(st.decimals(allow_nan=False, allow_infinity=False)),
        "t": maybe(_texts), "v": maybe(_texts.map(lambda t: t[:20])), "c": maybe(st.text("ab ", max_size=5)),
        "b": maybe(_blobs), "u": maybe(st.uuids().map(str)), "d": maybe(st.dates().map(str)),
        "tm": maybe(st.times().map(str)), "ts": maybe(_timestamps), "tz": maybe(_timestamps.map(lambda t: t + "+00")),
        "iv": maybe(st.timedeltas()), "j": maybe(_json), "jb": maybe(_json),
        "a": maybe(st.lists(maybe(st.integers(-5, 5)), max_size=3)), "ta": maybe(st.lists(maybe(_texts), max_size=3)),
        "ok": maybe(st.booleans()), "m": maybe(st.sampled_from(["sad", "ok", "happy"])), "p": maybe(st.integers(1, 9)),
        "ip": maybe(st.ip_addresses().map(str)), "rg": maybe(st.sampled_from(["[1,5)", "empty", "(,3)"])),
    },
    "texts": {"a": _texts, "b": _small, "body": maybe(_texts)},
    "keyless": {
        "a": maybe(st.sampled_from(["", "x", "X", "x "])), "f": maybe(st.sampled_from([0.1, 1.0, 1e300])),
        "j": maybe(st.sampled_from(["1", "1.0", '{"a": 1}', '"1"'])),
        "n": maybe(st.sampled_from(["1", "1.0", "1.00"])), "big": maybe(st.sampled_from(["x" * 5000, "y" * 5000])),
    },
    "by_index": {
        "id": _small, "code": st.sampled_from(["a", "A", "b"]), "at": st.sampled_from(["2024-01-01", "2024-01-02"]),
        "note": maybe(_texts),
    },
    "whole": {"id": _small, "t": maybe(_texts), "b": maybe(_blobs)},
    "parts": {"id": _small, "region": st.sampled_from(["n", "s", "w"]), "v": maybe(_texts)},
    "keyless_parts": {"id": _small, "v": maybe(st.sampled_from(["x", "y"]))},
    'Odd "Name': {" id": _small, "select": maybe(_texts), "rowid": maybe(_small)},
    "ranked": {"id": _small, "place": maybe(_small), "big": maybe(_texts)},
    "renumbered": {"id": _small, "big": maybe(_texts)},
    "child": {"id": _small, "texts_a": maybe(_texts), "texts_b": maybe(_small)},
}  # fmt: skip


@st.composite
def statements(draw: st.DrawFn) -> sql.Composed:
    table = draw(st.sampled_from(ALL))
    columns, name = COLUMNS[table], sql.Identifier(table)
    kind = draw(st.sampled_from("IIIUUUDT"))
    if kind == "T":
        return sql.SQL("TRUNCATE {} {} CASCADE").format(
            name, sql.SQL(draw(st.sampled_from(["RESTART IDENTITY", "CONTINUE IDENTITY"])))
        )
    if kind == "I":
        rows = [{column: draw(values) for column, values in columns.items()} for _ in range(draw(st.integers(1, 3)))]
        return sql.SQL("INSERT INTO {} ({}) VALUES {} ON CONFLICT DO NOTHING").format(
            name,
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(
                sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row.values()))) for row in rows
            ),
        )
    by = draw(st.sampled_from(list(columns)))
    where = sql.SQL("{}::text {} {}").format(
        sql.Identifier(by),
        sql.SQL(draw(st.sampled_from(["<", ">=", "="]))),
        sql.Literal(draw(st.sampled_from("0135ax"))),
    )
    if kind == "D":
        return sql.SQL("DELETE FROM {} WHERE {}").format(name, where)
    chosen = draw(st.lists(st.sampled_from(list(columns)), min_size=1, max_size=3, unique=True))
    sets = [sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(draw(columns[column]))) for column in chosen]
    if (table, by) in (("ranked", "place"), ("renumbered", "id")):  # by turns each has the number of another
        sets = [sql.SQL("{0} = {1} - {0}").format(sql.Identifier(by), sql.Literal(draw(st.integers(3, 8))))]
    return sql.SQL("UPDATE {} SET {} WHERE {}").format(name, sql.SQL(", ").join(sets), where)


_numbers = count(1)


@pytest.fixture(
    scope="module", params=[(server, road) for server in ("16", "18", "debian") for road in ROADS], ids="-".join
)
def followed(
    request: pytest.FixtureRequest, _servers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Live, Follower]]:
    name, road = request.param
    server = _servers[name]
    name = f"liteshift_random_{os.getpid()}_{next(_numbers)}"
    live = copied(server.create_database(name), Path(tmp_path_factory.mktemp("random")) / "app.db", SCHEMA)
    with taking(road), live.following() as follower:
        yield live, follower
    live.origin.remove("liteshift_test")
    server.drop_database(name)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(work=st.lists(st.lists(statements(), min_size=1, max_size=5), min_size=1, max_size=8))
def test_random_work(followed: tuple[Live, Follower], work: list[list[sql.Composed]]) -> None:
    follow(*followed, work)


@pytest.mark.soak
@settings(
    max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(work=st.lists(st.lists(statements(), min_size=1, max_size=5), min_size=1, max_size=8))
def test_much_random_work(followed: tuple[Live, Follower], work: list[list[sql.Composed]]) -> None:
    follow(*followed, work)


def follow(live: Live, follower: Follower, work: list[list[sql.Composed]]) -> None:
    with psycopg.connect(live.url) as connection:
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, ALL))))
        connection.execute(SEED.encode())
        connection.commit()
        for transaction in work:
            for statement in transaction:
                try:
                    with connection.transaction():  # some are refused, and leave a rolled back part in the log
                        connection.execute(statement)
                except psycopg.Error:
                    continue
            connection.commit()
    verdict = live.verified(follower)
    assert verdict.equal, verdict
