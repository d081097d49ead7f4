"""Every type of the contract goes to SQLite, is written there, and comes back, also in forms that only SQLite takes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.oracle.samples import SAMPLES, TYPES
from tests.stages.moved import move

from liteshift.plan import Profile
from liteshift.postgres.connect import connect
from liteshift.quoting import quote

NEVER_NULL = ("code", "short_code", "known")


@pytest.mark.parametrize("profile", list(Profile))
def test_every_type(database: str, tmp_path: Path, profile: Profile) -> None:
    samples = [sample for sample in SAMPLES.values() if sample.nasty]
    tables = {f"t{number}": sample for number, sample in enumerate(samples)}
    with closing(connect(database, writes=True)) as connection:
        connection.execute("SET search_path = public")
        connection.execute(TYPES.encode())
        for name, sample in tables.items():
            connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v {sample.type}, w {sample.type})".encode())
            for number, value in enumerate(sample.nasty):
                printed = f"SELECT format('%%s', %s::text::{sample.type})".encode()
                text = str(connection.execute(printed, (value,)).fetchall()[0][0])
                refused = sample.refused(text) or (profile is Profile.DJANGO and sample.refused_by_django(text))
                if not refused:
                    connection.execute(f"INSERT INTO {name} VALUES (%s, %s, %s)".encode(), (number, value, value))
    moved = move(database, tmp_path / "file.db", "", profile)
    with closing(moved.connect()) as connection:
        for name in tables:
            own = quote(name)
            rows = f"SELECT id + 1000, v, v FROM {own}"
            for statement in (
                f"INSERT INTO {own} {rows}",
                f"UPDATE {own} SET w = NULL WHERE id < 1000 AND id % 3 = 0",
                f"UPDATE {own} SET w = (SELECT max(o.v) FROM {own} o) WHERE id % 3 = 1",
                f"DELETE FROM {own} WHERE id % 3 = 2",
            ):
                if "NULL" not in statement or tables[name].type not in NEVER_NULL:
                    connection.execute(statement).close()
    assert moved.back().changes > 500
    verdict = moved.compare()
    assert verdict.equal, [table for table in verdict.tables if table.differences]
    assert sum(table.source_rows for table in verdict.tables) > 500


WRITTEN = """
CREATE TABLE written (
  id int PRIMARY KEY, j jsonb, c char(4), ts timestamp(3), tz timestamptz(0), tm time(1), n numeric(6,2), r real,
  u uuid, net inet, a int[], ja jsonb[], iv interval, e numeric, d date, t text
);
CREATE TABLE unkeyed (j jsonb, c char(4));
INSERT INTO unkeyed VALUES ('{"a": 1}', 'x'), ('{"a": 1}', 'x');
"""


def test_what_postgresql_writes_otherwise(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", WRITTEN)
    moved.write(
        """INSERT INTO written (id, j, c, ts, tz, tm, n, r, u, net, a, ja, iv, e, d, t) VALUES
           (1, '{"bb": 1, "a": 2,  "a": 3}', 'ab', '2024-01-01 10:00:00.123678', '2024-01-01 10:00:00.500000',
            '10:00:00.36', 1.005, 0.1, 'ABCDEF00111122223333444455556666', '::FFFF:1.2.3.4', '[1,  2]',
            '["{\\"b\\": 1, \\"a\\": 1}"]',
            '1970-01-02 00:00:00.000000', '1e2', '2024-02-29', 'as it is')""",
        'INSERT INTO written (id, j) VALUES (2, \'{"z": 1, "y": 1e2}\')',
        "UPDATE written SET j = '{\"z\": 1, \"x\": [1,2]}', t = 'twice' WHERE id = 2",
        "INSERT INTO unkeyed VALUES ('{\"b\": 1, \"a\": 1}', 'y')",
        "UPDATE unkeyed SET j = '{\"c\":1}' WHERE rowid = 1",
    )
    step = moved.back()
    assert step.respelled == 4
    verdict = moved.compare()
    assert verdict.equal, [table for table in verdict.tables if table.differences]
    assert moved.query("SELECT j::text, n::text, ts::text, c || '|' FROM written WHERE id = 1") == [
        ('{"a": 3, "bb": 1}', "1.01", "2024-01-01 10:00:00.124", "ab|")
    ]
    assert moved.back().changes == 0, "what was written anew is not taken back"
    moved.write("UPDATE written SET t = 'again'", "DELETE FROM unkeyed WHERE c = 'y   '")
    assert moved.back().changes == 3
    assert moved.compare().equal


def test_values_that_were_changed_before_they_were_written_anew(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", WRITTEN)
    with moved.reverser() as (reverser, kept):
        for number in range(20):
            moved.write(f'INSERT INTO written (id, j) VALUES ({number}, \'{{"b": {number}, "a": 1}}\')')
            with kept.changes(0) as changes:
                last = list(changes)[-1].number
            moved.write(f"UPDATE written SET t = 'x', j = '{{\"d\": {number}, \"c\": 1}}' WHERE id = {number}")
            assert reverser.step(through=last).changes == 1
            assert reverser.step().changes == 1
    assert moved.compare().equal
