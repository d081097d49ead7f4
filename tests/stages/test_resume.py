"""A move that is interrupted anywhere is gone on with, and the file shows the source as the second move saw it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from liteshift import migration, native
from liteshift.errors import Interrupted, LiteshiftError, NoSpace
from liteshift.plan import Choices
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import Progress, Step, silent
from liteshift.reports import MigrateReport
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget
from tests.conftest import Server, make_room

ROADS = [
    pytest.param(True, id="native", marks=pytest.mark.skipif(native.CORE is None, reason="there is no native core")),
    pytest.param(False, id="python"),
]
SCHEMA = """
CREATE TABLE first (id int PRIMARY KEY, a text UNIQUE, updated_at timestamptz);
INSERT INTO first SELECT g, 'a' || g, now() FROM generate_series(1, 1000) g;
CREATE INDEX ON first (updated_at, id DESC);
CREATE TABLE keyless AS SELECT g % 5 AS n, repeat('x', 50) || g AS t FROM generate_series(1, 2000) g;
CREATE TABLE large (id bigint PRIMARY KEY, v text, n int);
INSERT INTO large SELECT g, repeat('v', 100) || g, g % 7 FROM generate_series(1, 8000) g;
UPDATE large SET n = 8 WHERE id % 500 = 3;
CREATE INDEX ON large (n);
CREATE INDEX ON large (lower(v));
CREATE TABLE uuids (id uuid PRIMARY KEY, n int);
INSERT INTO uuids SELECT md5(g::text)::uuid, g FROM generate_series(1, 8000) g;
CREATE TABLE made (id serial PRIMARY KEY, twice int GENERATED ALWAYS AS (n * 2) STORED, n int);
INSERT INTO made (n) SELECT g FROM generate_series(1, 2000) g;
CREATE TABLE last (id int PRIMARY KEY, first int REFERENCES first);
INSERT INTO last SELECT g, g FROM generate_series(1, 500) g;
CREATE VIEW shown AS SELECT id, a FROM first WHERE id < 10;
"""


def run(database: str, statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statements.encode())


def move(database: str, path: Path, progress: Progress = silent, **more: Any) -> MigrateReport:
    return migration.migrate(
        PostgresSource(database), SqliteTarget(path), Choices(), rejects=path.with_suffix(".rejects"),
        overwrite=False, progress=progress, **more,
    )  # fmt: skip


def contents(path: Path) -> dict[str, object]:
    """Every table's rows, and the schema; what SQLite numbers itself left out."""
    with closing(connect(path, read_only=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%stat%'")
        found: dict[str, object] = {
            name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"').fetchall())) for (name,) in names
        }
        found["schema"] = sorted(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall())
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return found


def stopped_at(stage: str, subject: str, at: int = 0, error: type[BaseException] = KeyboardInterrupt) -> Progress:
    def progress(step: Step) -> None:
        if step.stage == stage and step.subject in (subject, f"public.{subject}") and step.done >= at:
            raise error

    return progress


@pytest.fixture(params=ROADS)
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("liteshift.postgres.ranges.BYTES", 1 << 18)
    monkeypatch.setattr("liteshift.stages.stream.KEEP_EVERY", 1 << 18)
    if not request.param:
        monkeypatch.setattr(native, "CORE", None)
    return "native" if request.param else "python"


STOPS = [
    ("copy", "keyless", 0), ("copy", "large", 4000), ("copy", "uuids", 4000), ("copy", "made", 1),
    ("index", "first", 1), ("index", "large", 1), ("views", "shown", 0), ("verify", "last", 0),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "subject", "at"), STOPS)
@pytest.mark.usefixtures("road")
def test_a_move_goes_on_where_it_was_interrupted(
    database: str, tmp_path: Path, stage: str, subject: str, at: int
) -> None:
    run(database, SCHEMA)
    with pytest.raises(Interrupted, match="rows are kept"):
        move(database, tmp_path / "a.db", stopped_at(stage, subject, at))
    left = SqliteTarget(tmp_path / "a.db").left()
    assert left["first"].whole
    report = move(database, tmp_path / "a.db")
    assert {item.target: item.kept for item in report.copied if item.kept} == {
        name: kept.rows for name, kept in left.items() if kept.rows
    }
    assert report.verdict.equal and not any(item.mended for item in report.copied)
    move(database, tmp_path / "whole.db")
    assert contents(tmp_path / "a.db") == contents(tmp_path / "whole.db")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.db", "whole.db"]


CHANGES = """
UPDATE first SET a = 'changed' WHERE id = 7;
DELETE FROM keyless WHERE t LIKE '%8';
INSERT INTO keyless VALUES (99, 'new');
UPDATE large SET v = 'moved' WHERE id BETWEEN 10 AND 40;
DELETE FROM large WHERE id % 1000 = 0;
INSERT INTO large SELECT g, 'late', 1 FROM generate_series(100001, 100050) g;
UPDATE uuids SET n = -n WHERE n % 4000 = 1;
UPDATE made SET n = -1 WHERE id = 1;
"""


@pytest.mark.parametrize(("stage", "subject", "at"), [STOPS[1], STOPS[2], STOPS[5], STOPS[-1]])
@pytest.mark.usefixtures("road")
def test_rows_that_changed_meanwhile_are_mended(
    database: str, tmp_path: Path, stage: str, subject: str, at: int
) -> None:
    run(database, SCHEMA)
    with pytest.raises(Interrupted):
        move(database, tmp_path / "a.db", stopped_at(stage, subject, at))
    run(database, CHANGES)
    report = move(database, tmp_path / "a.db")
    assert report.verdict.equal
    assert {item.target for item in report.copied if item.mended} >= {"first"}
    move(database, tmp_path / "whole.db")
    assert contents(tmp_path / "a.db") == contents(tmp_path / "whole.db")


@pytest.mark.usefixtures("road")
def test_a_table_that_changed_too_much_is_copied_anew(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liteshift.stages.verify._HOLD", 4000)
    run(database, SCHEMA)
    with pytest.raises(Interrupted):
        move(database, tmp_path / "a.db", stopped_at("verify", "last"))
    run(database, "UPDATE large SET n = n + 100")
    report = move(database, tmp_path / "a.db")
    kept = {item.target: item.kept for item in report.copied}
    assert report.verdict.equal and kept["large"] == 0 and kept["uuids"] == 8000
    move(database, tmp_path / "whole.db")
    assert contents(tmp_path / "a.db") == contents(tmp_path / "whole.db")


@pytest.mark.usefixtures("road")
def test_a_row_that_cannot_be_carried_any_more_is_named(database: str, tmp_path: Path) -> None:
    run(
        database,
        "CREATE TABLE a (id int PRIMARY KEY, f float8); INSERT INTO a SELECT g, g FROM generate_series(1, 50) g;"
        "CREATE TABLE b (id int PRIMARY KEY, f float8); INSERT INTO b VALUES (1, 'NaN'), (2, 2);"
        "CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c VALUES (1)",
    )
    with pytest.raises(Interrupted):
        move(database, tmp_path / "a.db", stopped_at("verify", "c"))
    assert not (tmp_path / "a.rejects").exists()
    run(database, "UPDATE a SET f = 'NaN' WHERE id = 9")
    report = move(database, tmp_path / "a.db")
    assert report.verdict.equal and report.rejected == 2
    assert {item.target: item.kept for item in report.copied} == {"a": 0, "b": 0, "c": 1}
    named = (tmp_path / "a.rejects").read_text().splitlines()
    assert len(named) == 2 and '"9"' in named[0] and "public.b" in named[1]


def begun(database: str, path: Path) -> None:
    run(
        database, "CREATE TABLE a (id int); INSERT INTO a VALUES (1); CREATE TABLE b (id int); INSERT INTO b VALUES (1)"
    )
    with pytest.raises(Interrupted, match="1 tables whole") as stopped:
        move(database, path, stopped_at("copy", "b"))
    assert stopped.value.exit_code == 16 and "--restart" in (stopped.value.hint or "")


def resumed(database: str, path: Path, **more: Any) -> tuple[list[str], int]:
    """What is said, and how many rows are kept."""
    said: list[str] = []
    report = move(database, path, notice=said.append, **more)
    assert report.verdict.equal and report.rows == 2
    return said, sum(item.kept for item in report.copied)


def test_what_was_left_is_kept_and_nothing_is_said(database: str, tmp_path: Path) -> None:
    begun(database, tmp_path / "a.db")
    assert resumed(database, tmp_path / "a.db") == ([], 1)


def test_restart_throws_it_away(database: str, tmp_path: Path) -> None:
    begun(database, tmp_path / "a.db")
    assert resumed(database, tmp_path / "a.db", restart=True) == ([], 0)


def test_after_a_change_of_the_schema_it_begins_anew_and_says_so(database: str, tmp_path: Path) -> None:
    begun(database, tmp_path / "a.db")
    run(database, "ALTER TABLE a ADD COLUMN more text")
    said, kept = resumed(database, tmp_path / "a.db")
    assert kept == 0 and "schema has changed" in said[0]


@pytest.mark.parametrize(
    ("what", "reason"), [("this_boot", "started anew"), ("this_version", "another liteshift (0"), ("", "damaged")]
)
def test_what_can_not_be_trusted_is_thrown_away(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, reason: str
) -> None:
    begun(database, tmp_path / "a.db")
    if what:
        monkeypatch.setattr(f"liteshift.sqlite.resume.{what}", lambda: "another")
    else:
        (tmp_path / ".a.db.staging" / "file.db").write_bytes(b"nonsense" * 999)
    said, kept = resumed(database, tmp_path / "a.db")
    assert kept == 0 and reason in said[0]


def test_a_record_that_is_none_is_no_record(database: str, tmp_path: Path) -> None:
    begun(database, tmp_path / "a.db")
    (tmp_path / ".a.db.staging" / "record.json").write_text('{"task": 1}')
    assert resumed(database, tmp_path / "a.db") == ([], 0)


def test_a_move_about_something_else_is_refused(database: str, tmp_path: Path) -> None:
    begun(database, tmp_path / "a.db")
    with pytest.raises(LiteshiftError, match=r"about something else: database .* profile sqlalchemy$") as refused:
        migration.migrate(
            PostgresSource(database), SqliteTarget(tmp_path / "a.db"), Choices(exclude=("*.b",)),
            rejects=tmp_path / "rejects", overwrite=False, progress=silent,
        )  # fmt: skip
    assert "--restart" in (refused.value.hint or "")
    assert resumed(database, tmp_path / "a.db") == ([], 1)


def test_a_move_from_another_database_is_refused(server: Server, database: str, tmp_path: Path) -> None:
    begun(database, tmp_path / "a.db")
    name = f"liteshift_twin_{os.getpid()}"
    twin = server.create_database(name)
    try:
        run(twin, "CREATE TABLE a (id int); INSERT INTO a VALUES (2); CREATE TABLE b (id int)")
        with pytest.raises(LiteshiftError, match="about something else: database liteshift_test") as refused:
            move(twin, tmp_path / "a.db")
    finally:
        server.drop_database(name)
    assert "same source" in (refused.value.hint or "") and "--restart" in (refused.value.hint or "")
    assert resumed(database, tmp_path / "a.db") == ([], 1)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.usefixtures("road")
def test_a_move_goes_on_when_a_full_disk_has_room_again(
    database: str, tmp_path: Path, small_disk: Path, jobs: int
) -> None:
    run(database, SCHEMA)
    run(database, "INSERT INTO large SELECT g, repeat('v', 1000) || g, 1 FROM generate_series(8001, 16000) g")
    with pytest.raises(NoSpace) as full:
        move(database, small_disk / "a.db", jobs=jobs)
    assert full.value.exit_code == 15 and "Make room on that disk" in (full.value.hint or "")
    assert not (small_disk / "a.db").exists()
    make_room(small_disk)
    assert move(database, small_disk / "a.db", jobs=jobs).verdict.equal
    move(database, tmp_path / "whole.db")
    assert contents(small_disk / "a.db") == contents(tmp_path / "whole.db")


def test_a_move_in_which_nothing_was_copied_leaves_nothing(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE a (id int); INSERT INTO a VALUES (1)")
    with pytest.raises(KeyboardInterrupt):
        move(database, tmp_path / "a.db", stopped_at("copy", "a"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_sound_is_not_kept(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(database, "CREATE TABLE a (id int); INSERT INTO a VALUES (1)")
    monkeypatch.setattr("liteshift.sqlite.load.fill.audit", lambda *_: ["all is wrong"])
    with pytest.raises(LiteshiftError, match="all is wrong"):
        move(database, tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []
