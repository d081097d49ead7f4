"""What the native core compares, and what it leaves to the definition."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.stages.test_copy_roads import SCHEMA, move, run

from liteshift import migration, native
from liteshift.pace import Pace
from liteshift.plan import Choices, Profile
from liteshift.postgres.snapshot import PostgresSnapshot, PostgresSource
from liteshift.progress import Step, silent
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.digest import equal_rows
from liteshift.stages.prepare import prepare
from liteshift.stages.verify import verify as verify_stage

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from liteshift.catalog import Name
    from liteshift.reports import Verdict

pytestmark = pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")


def verify(database: str, path: Path, profile: Profile = Profile.SQLALCHEMY) -> Verdict:
    return migration.compare(
        PostgresSource(database), SqliteTarget(path), Choices(profile), progress=silent, limit=20
    )  # fmt: skip


def roads(verdict: Verdict) -> dict[str, str]:
    return {table.target: table.road for table in verdict.tables}


@pytest.mark.parametrize("profile", list(Profile))
def test_every_type_takes_the_native_road(any_database: str, tmp_path: Path, profile: Profile) -> None:
    run(any_database, SCHEMA)
    report = move(any_database, tmp_path / "t.db", profile)
    for verdict in (report.verdict, verify(any_database, tmp_path / "t.db", profile)):
        assert verdict.equal
        found = roads(verdict)
        if profile is Profile.DJANGO:
            assert found.pop("every") == "python"  # its long numbers are refused there
        assert set(found.values()) == {"native"}


@pytest.mark.parametrize("library", ["stdlib", "pysqlite3"])
def test_both_sqlite_libraries_hand_their_rows_over(database: str, tmp_path: Path, library: str) -> None:
    if library == "pysqlite3":
        pytest.importorskip("pysqlite3")
    run(database, "CREATE TABLE t (id int PRIMARY KEY, a int[]); INSERT INTO t VALUES (1, '{1,2}'), (2, NULL)")
    script = (
        "import sys; from pathlib import Path; from tests.stages.test_verify_roads import move, roads, verify\n"
        "path = Path(sys.argv[2]); move(sys.argv[1], path); print(roads(verify(sys.argv[1], path)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, database, tmp_path / "t.db"],
        env=os.environ | {"LITESHIFT_SQLITE": library}, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str({"t": "native"})


def test_rows_that_cant_be_carried_are_for_the_definition(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t (f float8); INSERT INTO t VALUES (1), ('NaN'), ('-0')")
    (table,) = move(database, tmp_path / "t.db").verdict.tables
    assert (table.equal, table.rejected, table.road) == (True, 2, "python")


def test_a_number_that_floating_point_worked_out_is_for_the_definition(database: str, tmp_path: Path) -> None:
    """A double beside 0.3 is another value, unless an application may have written it: then it is 0.3 to PostgreSQL."""
    run(database, "CREATE TABLE t (id int PRIMARY KEY, n numeric(5,2)); INSERT INTO t VALUES (1, 0.3)")
    move(database, tmp_path / "t.db")
    assert roads(verify(database, tmp_path / "t.db")) == {"t": "native"}
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.execute("UPDATE t SET n = 0.1 + 0.2")
    verdict = verify(database, tmp_path / "t.db")
    assert not verdict.equal and roads(verdict) == {"t": "python"}
    with PostgresSource(database).snapshot() as snapshot, SqliteTarget(tmp_path / "t.db").reading() as rows:
        plan = prepare(snapshot, Choices())
        verdict = verify_stage(snapshot, rows, plan, silent, lived_in=True)
    assert verdict.equal and roads(verdict) == {"t": "python"}


def test_a_table_of_more_columns_than_a_function_takes(database: str, tmp_path: Path) -> None:
    run(database, f"CREATE TABLE t ({', '.join(f'c{at} int' for at in range(1100))}); INSERT INTO t (c7) VALUES (7)")
    verdict = move(database, tmp_path / "t.db").verdict
    assert verdict.equal and roads(verdict) == {"t": "python"}


def test_a_file_in_another_encoding_is_read_by_python(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t (id int PRIMARY KEY, t text); INSERT INTO t VALUES (1, 'é')")
    with closing(dbapi.connect(tmp_path / "t.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA encoding='UTF-16'")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, t TEXT)")
        connection.execute("INSERT INTO t VALUES (1, 'é')")
    verdict = verify(database, tmp_path / "t.db")
    assert verdict.equal and roads(verdict) == {"t": "python"}


def test_rows_in_the_log_are_seen_and_generated_columns_compared(database: str, tmp_path: Path) -> None:
    run(
        database,
        "CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);"
        "INSERT INTO t VALUES (1), (2)",
    )
    move(database, tmp_path / "t.db")
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.execute("INSERT INTO t (id) VALUES (3)")
        run(database, "INSERT INTO t VALUES (3)")
        verdict = verify(database, tmp_path / "t.db")
        assert verdict.equal and roads(verdict) == {"t": "native"}


def test_the_rows_come_from_the_table_not_from_an_index(database: str, tmp_path: Path) -> None:
    """An index with all columns that still has a row's old values hides nothing."""
    run(database, "CREATE TABLE t (a text, b int); CREATE INDEX i ON t (a, b); INSERT INTO t VALUES ('x', 1)")
    path = tmp_path / "t.db"
    move(database, path)
    with closing(connect(path)) as connection:
        index = connection.execute("SELECT * FROM sqlite_schema WHERE name = 'i'").fetchone()
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'i'")
    with closing(connect(path)) as connection:
        connection.execute("UPDATE t SET b = 2")
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
    (table,) = verify(database, path).tables
    assert [item.kind for item in table.differences] == ["missing", "extra"]


def test_nothing_of_the_file_may_call_the_function(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    move(database, tmp_path / "t.db")
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.execute("CREATE VIEW v AS SELECT liteshift_digest(0, a) FROM t")
    with SqliteTarget(tmp_path / "t.db").reading() as rows, pytest.raises(Exception, match="unsafe use"):
        list(rows.rows("v", ["*"]))


def test_a_stop_in_the_middle_leaves_no_thread_behind(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t AS SELECT g AS a, repeat('x', 500) AS t FROM generate_series(1, 50000) g")
    move(database, tmp_path / "t.db")

    def stop(step: Step) -> None:
        if step.done:
            raise KeyboardInterrupt

    source, target = PostgresSource(database), SqliteTarget(tmp_path / "t.db")
    with pytest.raises(KeyboardInterrupt):
        migration.compare(source, target, Choices(), progress=stop, limit=20)
    assert [one.name for one in threading.enumerate() if one.name.startswith("liteshift-verify")] == []
    assert verify(database, tmp_path / "t.db").equal


class _Forgetful(PostgresSnapshot):
    """Loses a row on the way here, as a fault in our reading would."""

    def binary(
        self, table: Name, columns: Sequence[tuple[str, str]], *, with_children: bool, **more: Any
    ) -> Generator[bytes, None, int]:
        """Every row but the one with the key 2."""
        pieces = super().binary(table, columns, with_children=with_children, **more)
        kept = bytearray()
        try:
            while True:
                kept += next(pieces)
        except StopIteration as end:
            row = b"\0\x01\0\0\0\x04\0\0\0\x02"
            assert row in kept
            yield bytes(kept.replace(row, b"", 1))
            return int(end.value)


def test_the_server_says_how_many_rows_it_sent(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)")
    move(database, tmp_path / "t.db")
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.execute("DELETE FROM t WHERE id = 2")  # so that both sides have the same rows, as far as we are told
    with PostgresSource(database).snapshot() as snapshot, SqliteTarget(tmp_path / "t.db").reading() as rows:
        (table,) = prepare(snapshot, Choices()).tables
        forgetful = _Forgetful(snapshot._connection, snapshot.position, database, Pace())
        assert equal_rows(forgetful, rows, table, lambda _: None) is None


def test_a_damaged_page_is_an_error_and_no_verdict(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t AS SELECT g AS a, repeat('x', 900) AS t FROM generate_series(1, 2000) g")
    path = tmp_path / "t.db"
    move(database, path)
    data = bytearray(path.read_bytes())
    data[4096 * 20 : 4096 * 21] = bytes(range(256)) * 16
    path.write_bytes(data)
    with pytest.raises(Exception, match="malformed"):
        verify(database, path)
