"""verify finds every kind of difference, with and without the native core; repair mends it, and can be taken back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from liteshift import migration, native
from liteshift.errors import DifferencesFound, Locked
from liteshift.plan import Choices
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import Difference, Verdict
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget

SCHEMA = """
CREATE TABLE kept (
  id int PRIMARY KEY, i bigint, f float8, r real, n numeric(10,2), e numeric, t text, b bytea, u uuid, d date, tm time,
  ts timestamp, tz timestamptz, j jsonb, a int[], ok bool, c char(4), iv interval
);
INSERT INTO kept VALUES
 (1, 9007199254740993, 0.1, 0.1, 1.10, 1.10, 'a ', '\\x00ff', '11111111-1111-1111-1111-111111111111', '2024-02-29',
  '23:59:59.999999', '2024-01-01 00:00:00', '2024-01-01 00:00:00+00', '{"a": 1.0}', '{1,NULL}', true, 'ab', '1 day'),
 (2, 1, 1e300, -1.5, 0, 0, '', '', '22222222-2222-2222-2222-222222222222', '0001-01-01', '00:00:00',
  '9999-12-31 23:59:59.999999', '2024-06-01 12:00:00+00', '1.0', '{}', false, '', '1 month'),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'null', NULL, NULL, NULL, NULL);
CREATE TABLE keyless (a text, b int);
INSERT INTO keyless VALUES ('x', 1), ('x', 1), ('y', 2), (NULL, NULL);
CREATE TABLE child (id int PRIMARY KEY, kept int REFERENCES kept ON DELETE CASCADE);
INSERT INTO child VALUES (1, 1), (2, 2);
"""

RUN_SCRIPT = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())"

# What is done to the file, and the table and the kinds of difference that verify must find.
FAULTS = [
    ("DELETE FROM kept WHERE id = 3", "kept", ["missing"]),
    ("INSERT INTO kept (id) VALUES (4)", "kept", ["extra"]),
    ("UPDATE kept SET i = i - 1 WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET f = 0.1 + 1.4e-17 WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET r = 0.1 WHERE id = 1", "kept", ["different"]),  # the double 0.1, not the single one
    ("UPDATE kept SET n = 1.11 WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET n = 1.1000001 WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET e = '1.1' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET t = 'a' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET t = CAST(x'e120' AS TEXT) WHERE id = 1", "kept", ["different"]),  # no UTF-8
    ("UPDATE kept SET t = CAST(x'612000' AS TEXT) WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET t = NULL WHERE id = 2", "kept", ["different"]),
    ("UPDATE kept SET b = x'00fe' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET b = CAST(b AS TEXT) WHERE id = 2", "kept", ["different"]),
    ("UPDATE kept SET u = replace(u, '1', '3') WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET d = '2024-02-28' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET tm = '23:59:59.999998' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET ts = '2024-01-01 00:00:00.000001' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET tz = '2024-01-01 01:00:00.000000' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET j = '{\"a\": 1}' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET j = '1' WHERE id = 2", "kept", ["different"]),
    ("UPDATE kept SET j = NULL WHERE id = 3", "kept", ["different"]),
    ("UPDATE kept SET j = CAST(j AS BLOB) WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET t = CAST(t AS BLOB) WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET i = 'x' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET i = i + 0.5 WHERE id = 2", "kept", ["different"]),
    ("UPDATE kept SET a = '[1]' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET ok = 0 WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET c = 'ab' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET iv = '1970-01-03 00:00:00.000000' WHERE id = 1", "kept", ["different"]),
    ("UPDATE kept SET t = CASE id WHEN 1 THEN '' ELSE 'a ' END WHERE id < 3", "kept", ["different", "different"]),
    ("UPDATE kept SET id = 5 WHERE id = 3", "kept", ["missing", "extra"]),
    ("DELETE FROM keyless WHERE rowid = 1", "keyless", ["missing"]),
    ("INSERT INTO keyless VALUES ('x', 1)", "keyless", ["extra"]),
    ("UPDATE keyless SET b = 3 WHERE a = 'y'", "keyless", ["missing", "extra"]),
    ("UPDATE keyless SET a = '' WHERE a IS NULL", "keyless", ["missing", "extra"]),
    ("UPDATE keyless SET a = 'y ' WHERE a = 'y'", "keyless", ["missing", "extra"]),
    ("UPDATE keyless SET b = 3 - b WHERE rowid > 1", "keyless", ["missing", "missing", "extra", "extra"]),  # swapped
]


@pytest.fixture(autouse=True, params=["native", "python"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who compares the rows first; the verdict is the same."""
    if request.param == "python":
        monkeypatch.setattr(native, "CORE", None)
    elif native.CORE is None:
        pytest.skip("the native core is not installed")
    return str(request.param)


@pytest.fixture(scope="module")
def moved(_servers: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The schema on a server, and the file it was moved to."""
    server = _servers["16"]
    database = str(server.create_database("liteshift_verify"))  # type: ignore[attr-defined]  # conftest's Server
    path = tmp_path_factory.mktemp("moved") / "moved.db"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    report = migration.migrate(
        PostgresSource(database), SqliteTarget(path), Choices(),
        rejects=path.with_suffix(".rejects"), overwrite=False, progress=silent,
    )  # fmt: skip
    assert report.verdict.equal and report.rejected == 0
    return database, path


def _verify(database: str, path: Path) -> Verdict:
    source, target = PostgresSource(database), SqliteTarget(path)
    return migration.compare(source, target, Choices(), progress=silent, limit=20)


def _differences(verdict: Verdict) -> dict[str, tuple[Difference, ...]]:
    return {table.target: table.differences for table in verdict.tables if table.differences}


def _spoil(path: Path, *statements: str) -> None:
    with closing(connect(path, foreign_keys=False)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        for statement in statements:
            connection.execute(statement)


def test_equal_rows_are_found_equal_by_the_road_that_was_chosen(moved: tuple[str, Path], road: str) -> None:
    database, path = moved
    verdict = _verify(database, path)
    assert verdict.equal
    assert {table.target: (table.source_rows, table.target_rows, table.road) for table in verdict.tables} == {
        "kept": (3, 3, road),
        "keyless": (4, 4, road),
        "child": (2, 2, road),
    }


@pytest.mark.parametrize(("fault", "table", "kinds"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_every_fault_is_found_and_mended(
    moved: tuple[str, Path], tmp_path: Path, fault: str, table: str, kinds: list[str]
) -> None:
    database, original = moved
    path, undo = tmp_path / "spoilt.db", tmp_path / "undo.sql"
    shutil.copy(original, path)
    _spoil(path, fault)
    spoilt = _differences(_verify(database, path))
    assert {name: [item.kind for item in found] for name, found in spoilt.items()} == {table: kinds}
    source, target = PostgresSource(database), SqliteTarget(path)
    migration.repair(source, target, Choices(), undo=undo, progress=silent)
    assert _verify(database, path).equal
    subprocess.run(
        [sys.executable, "-c", RUN_SCRIPT, path],
        input=undo.read_text(), text=True, check=True,
    )  # fmt: skip
    again = _differences(_verify(database, path))
    assert {name: sorted(map(str, found)) for name, found in again.items()} == {
        name: sorted(map(str, found)) for name, found in spoilt.items()
    }


def test_a_difference_shows_both_values(moved: tuple[str, Path], tmp_path: Path) -> None:
    database, original = moved
    path = tmp_path / "spoilt.db"
    shutil.copy(original, path)
    _spoil(path, "UPDATE kept SET t = NULL, tz = 'soon' WHERE id = 2")
    (difference,) = _differences(_verify(database, path))["kept"]
    assert difference.key == {"id": "2"}
    assert difference.columns["t"] == ("", None)
    assert difference.columns["tz"][0] == "2024-06-01 12:00:00+00"


def test_repair_does_not_cascade(moved: tuple[str, Path], tmp_path: Path) -> None:
    database, original = moved
    path = tmp_path / "spoilt.db"
    shutil.copy(original, path)
    _spoil(path, "UPDATE kept SET t = 'changed'")
    migration.repair(PostgresSource(database), SqliteTarget(path), Choices(), undo=tmp_path / "undo", progress=silent)
    assert _verify(database, path).equal


def test_repair_waits_for_no_writer(moved: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, original = moved
    path, undo = tmp_path / "spoilt.db", tmp_path / "undo.sql"
    shutil.copy(original, path)
    _spoil(path, "DELETE FROM keyless")
    monkeypatch.setattr("liteshift.sqlite.repair.BUSY_MILLISECONDS", 50)
    with closing(connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked):
            migration.repair(PostgresSource(database), SqliteTarget(path), Choices(), undo=undo, progress=silent)
        writer.execute("ROLLBACK")
    assert not undo.exists()


def test_repair_keeps_an_undo_script_that_is_there(moved: tuple[str, Path], tmp_path: Path) -> None:
    database, original = moved
    path, undo = tmp_path / "spoilt.db", tmp_path / "undo.sql"
    shutil.copy(original, path)
    undo.write_text("mine")
    _spoil(path, "DELETE FROM keyless")
    before = _differences(_verify(database, path))
    with pytest.raises(Exception, match="undo script"):
        migration.repair(PostgresSource(database), SqliteTarget(path), Choices(), undo=undo, progress=silent)
    assert undo.read_text() == "mine"
    assert _differences(_verify(database, path)) == before


def test_too_many_differences_are_not_repaired(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 25000) g")
    path = tmp_path / "t.db"
    migration.migrate(
        PostgresSource(database), SqliteTarget(path), Choices(),
        rejects=tmp_path / "r", overwrite=False, progress=silent,
    )  # fmt: skip
    _spoil(path, "UPDATE t SET a = -a")
    with pytest.raises(DifferencesFound, match="too many"):
        migration.repair(PostgresSource(database), SqliteTarget(path), Choices(), undo=tmp_path / "u", progress=silent)


def test_rejected_rows_are_no_differences_however_many(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT g AS id, CASE WHEN g % 2 = 0 THEN 'NaN' ELSE '1' END::float8 AS f"
            " FROM generate_series(1, 60000) g"
        )
        connection.execute("ALTER TABLE t ADD PRIMARY KEY (id)")
    path = tmp_path / "t.db"
    report = migration.migrate(
        PostgresSource(database), SqliteTarget(path), Choices(),
        rejects=tmp_path / "r", overwrite=False, progress=silent,
    )  # fmt: skip
    assert (report.verdict.equal, report.rejected, report.verdict.tables[0].rejected) == (True, 30000, 30000)
    _spoil(path, "UPDATE t SET f = 2 WHERE id = 7", "DELETE FROM t WHERE id = 9", "INSERT INTO t VALUES (0, 1)")
    found = _differences(_verify(database, path))["t"]
    assert sorted((item.kind, item.key["id"]) for item in found) == [
        ("different", "7"),
        ("extra", "0"),
        ("missing", "9"),
    ]


@pytest.mark.parametrize("keyed", [True, False])
def test_many_differences_are_named_for_what_they_are(database: str, tmp_path: Path, keyed: bool) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT g AS id, g AS a FROM generate_series(1, 60000) g")
        if keyed:
            connection.execute("ALTER TABLE t ADD PRIMARY KEY (id)")
    path = tmp_path / "t.db"
    migration.migrate(
        PostgresSource(database), SqliteTarget(path), Choices(),
        rejects=tmp_path / "r", overwrite=False, progress=silent,
    )  # fmt: skip
    _spoil(path, "UPDATE t SET a = a + 1 WHERE id > 100")
    (table,) = _verify(database, path).tables
    assert table.more and not table.equal
    kinds = {item.kind for item in table.differences}
    assert kinds == ({"different"} if keyed else {"missing"})
    assert all(int(str(item.key["id"])) > 100 for item in table.differences)


def test_a_limit_hides_no_difference(moved: tuple[str, Path], tmp_path: Path) -> None:
    database, original = moved
    path = tmp_path / "spoilt.db"
    shutil.copy(original, path)
    _spoil(path, "DELETE FROM kept WHERE id = 3")
    for limit in (0, 1, 2):
        verdict = migration.compare(
            PostgresSource(database), SqliteTarget(path), Choices(), progress=silent, limit=limit
        )
        assert not verdict.equal
        assert sum(len(table.differences) for table in verdict.tables) == min(limit, 1)
