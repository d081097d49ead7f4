"""What is done on a real server arrives in the file, change by change."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.stages.live import NAME, copied
from tests.stages.roads import ROADS, taking

from liteshift.position import Lsn
from liteshift.sqlite.connect import connect

SCHEMA = """
CREATE TABLE kept (id int PRIMARY KEY, t text, n numeric(10,2), at timestamptz, b bytea, j jsonb, a int[]);
INSERT INTO kept SELECT i, 'text ' || i, i / 4.0, '2024-01-01', '\\x00ff', '{"a": 1}', '{1,2}'
  FROM generate_series(1, 10) i;
ALTER TABLE kept ALTER t SET STORAGE EXTERNAL;
CREATE TABLE keyless (a text, b float8, c json);
INSERT INTO keyless VALUES ('x', 1, '1'), ('x', 1, '1'), ('y', 2.5, '{}'), (NULL, NULL, NULL);
CREATE TABLE pair (a text, b int, c text, PRIMARY KEY (a, b));
CREATE TABLE parts (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_n PARTITION OF parts FOR VALUES IN ('n');
CREATE TABLE parts_s PARTITION OF parts DEFAULT;
"""

STEPS = [
    "INSERT INTO kept VALUES (11, 'eleven', 1.10, '2024-06-01 12:00:00.5', '', 'null', '{}')",
    "UPDATE kept SET t = NULL, n = 0.10 WHERE id = 3",
    "DELETE FROM kept WHERE id = 4",
    "UPDATE kept SET t = repeat('large ', 2000) WHERE id = 5",
    "UPDATE kept SET n = 7 WHERE id = 5",  # leaves the large value out
    "UPDATE kept SET id = 50 WHERE id = 5",  # changes the key, and leaves it out
    "UPDATE kept SET id = id + 100",
    "DELETE FROM keyless WHERE ctid = (SELECT min(ctid) FROM keyless WHERE a = 'x')",
    "UPDATE keyless SET b = 3 WHERE a = 'y'",
    "UPDATE keyless SET a = 'was null' WHERE a IS NULL",
    "UPDATE keyless SET a = a",
    "INSERT INTO pair VALUES ('p', 1, 'c'), ('p', 2, NULL); UPDATE pair SET b = b + 10; DELETE FROM pair WHERE b = 11",
    "INSERT INTO parts VALUES (1, 'n', 'a'), (2, 's', 'b'), (3, 'n', 'c')",
    "UPDATE parts SET region = 's' WHERE id = 1",
    "UPDATE parts SET v = 'd'; DELETE FROM parts WHERE id = 3",
    "BEGIN; INSERT INTO pair VALUES ('rolled', 1, 'back'); ROLLBACK",
    "TRUNCATE parts",
    "TRUNCATE keyless, pair",
    "INSERT INTO parts VALUES (4, 'n', 'e')",
    "INSERT INTO keyless VALUES ('again', 0, '[]')",
]


@pytest.fixture(params=ROADS, autouse=True)
def road(request: pytest.FixtureRequest) -> Iterator[str]:
    with taking(request.param):
        yield request.param


def test_each_kind_of_change_arrives(any_database: str, tmp_path: Path) -> None:
    live = copied(any_database, tmp_path / "app.db", SCHEMA)
    with live.following() as follower:
        assert live.verified(follower).equal
        for step in STEPS:
            live.execute(step)
            verdict = live.verified(follower)
            assert verdict.equal, (step, verdict)
    assert live.catch_up().equal


def test_rows_that_change_places(database: str, tmp_path: Path) -> None:
    live = copied(
        database,
        tmp_path / "app.db",
        """
        CREATE TABLE ranked (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, big text);
        ALTER TABLE ranked ALTER big SET STORAGE EXTERNAL;
        INSERT INTO ranked SELECT g, g, repeat('r', 5000) FROM generate_series(1, 5) g;
        CREATE TABLE renumbered (id int PRIMARY KEY DEFERRABLE, big text);
        INSERT INTO renumbered SELECT g, 'r' FROM generate_series(1, 5) g;
        """,
    )
    with live.following() as follower:
        for step in (
            "UPDATE ranked SET place = place + 1",
            "INSERT INTO ranked VALUES (6, 2, NULL); UPDATE ranked SET place = 1 WHERE id = 1",
            "UPDATE ranked SET place = 7 - place; DELETE FROM ranked WHERE id = 3; UPDATE ranked SET id = id + 10",
            "DELETE FROM ranked WHERE id = 11; INSERT INTO ranked VALUES (11, 6, ''); DELETE FROM ranked WHERE id = 11",
            "UPDATE renumbered SET id = id + 1; UPDATE renumbered SET id = 7 - id",
            "DELETE FROM renumbered WHERE id = 2; INSERT INTO renumbered VALUES (2, 'again')",
            "UPDATE ranked SET place = place + 1; SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE ranked;"
            " INSERT INTO ranked VALUES (1, 1, 'only')",  # the log describes the table anew after that
            "DELETE FROM ranked; INSERT INTO ranked SELECT g, g, 'new' FROM generate_series(1, 3) g",
            "UPDATE ranked SET place = 4 - place; TRUNCATE renumbered; INSERT INTO ranked VALUES (4, 4, 'more')",
        ):
            live.execute(step)
            verdict = live.verified(follower)
            assert verdict.equal, (step, verdict)


def test_what_happens_between_two_runs_arrives_with_the_next(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    live.execute(*STEPS)
    assert live.catch_up().equal


def test_a_token_arrives_with_what_was_committed_before_it(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    live.execute(*STEPS[:4], "SELECT pg_logical_emit_message(true, 'liteshift', 'first')")
    with live.following() as follower:
        assert follower.until_token("first", seconds=60)
        live.execute("INSERT INTO liteshift.fence (token) VALUES ('second')")
        assert follower.until_token("second", seconds=60)
        assert not follower.until_token("third", seconds=0.2)
        assert live.verified(follower).equal


@pytest.mark.parametrize("road", ROADS)
def test_up_to_one_position_after_the_other(database: str, tmp_path: Path, road: str) -> None:
    """What one piece of the log holds past the first position is not taken for what is past the second."""
    with taking(road), copied(database, tmp_path / "app.db", SCHEMA).following() as follower:
        with psycopg.connect(database, autocommit=True) as source:
            positions = []
            for number in range(20, 24):
                source.execute("INSERT INTO pair VALUES ('p', %s, NULL)", (number,))
                row = source.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
                assert row is not None
                positions.append(Lsn.parse(row[0]))
            source.execute("INSERT INTO pair VALUES ('p', 99, NULL)")
        time.sleep(0.5)  # until all of it has come
        for number, position in enumerate(positions, start=1):
            assert follower.until(position, seconds=60)
            with closing(connect(tmp_path / "app.db")) as file:
                assert file.execute("SELECT count(*) FROM pair").fetchone() == (number,)


def test_nothing_is_left_on_the_source(any_database: str, tmp_path: Path) -> None:
    live = copied(any_database, tmp_path / "app.db", SCHEMA)
    with psycopg.connect(live.url) as connection:
        identity = (
            "SELECT relname, relreplident FROM pg_class WHERE relname IN ('keyless', 'kept', 'parts_n') ORDER BY 1"
        )
        assert connection.execute(identity).fetchall() == [("kept", "d"), ("keyless", "f"), ("parts_n", "d")]
    assert live.origin.held_bytes(NAME) is not None
    assert len(live.origin.remove(NAME)) == 4
    assert live.origin.remove(NAME) == []
    with psycopg.connect(live.url) as connection:
        assert connection.execute(identity).fetchall() == [("kept", "d"), ("keyless", "d"), ("parts_n", "d")]
        for what in ("pg_replication_slots WHERE slot_name = 'liteshift_test'", "pg_publication"):
            assert connection.execute(f"SELECT count(*) FROM {what}".encode()).fetchone() == (0,)
        assert connection.execute("SELECT to_regnamespace('liteshift')").fetchone() == (None,)


def test_large_rows_do_not_pile_up(database: str, tmp_path: Path) -> None:
    live = copied(
        database,
        tmp_path / "app.db",
        "CREATE TABLE large (id int PRIMARY KEY, t text); ALTER TABLE large ALTER t SET STORAGE EXTERNAL",
    )
    live.execute("INSERT INTO large SELECT g, repeat('x', 1000000) FROM generate_series(1, 80) g")
    tracemalloc.start()
    try:
        with live.following() as follower:
            assert live.verified(follower).equal
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 << 20


def test_many_rows_change_places_soon(database: str, tmp_path: Path) -> None:
    live = copied(
        database,
        tmp_path / "app.db",
        """
        CREATE TABLE ranked (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE renumbered (id int PRIMARY KEY DEFERRABLE, t text);
        INSERT INTO ranked SELECT g, g FROM generate_series(1, 8000) g;
        INSERT INTO renumbered SELECT g, 'r' FROM generate_series(1, 8000) g;
        """,
    )
    with live.following() as follower:
        live.execute("UPDATE ranked SET place = place + 1; UPDATE renumbered SET id = id + 1")
        assert live.verified(follower).equal
