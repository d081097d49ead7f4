"""One big table over several connections: the file is as one connection makes it, whatever the heap looks like."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.stages.test_resume import contents, move, run

from liteshift import native
from liteshift.errors import Interrupted
from liteshift.postgres.ranges import BYTES
from liteshift.postgres.snapshot import PostgresSnapshot
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liteshift.catalog import Name
    from liteshift.ends import Range
    from liteshift.progress import Step

pytestmark = pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")

SCHEMA = """
CREATE TABLE keyed (id bigint PRIMARY KEY, v text, n int, UNIQUE (v));
INSERT INTO keyed SELECT g, repeat('v', 300) || g, g % 7 FROM generate_series(1, 6000) g;
CREATE INDEX ON keyed (n);
CREATE TABLE keyless AS SELECT g % 5 AS n, repeat('x', 300) || g AS t FROM generate_series(1, 5000) g;
CREATE TABLE uuids (id uuid PRIMARY KEY, n int, iv interval, t text);
INSERT INTO uuids SELECT md5(g::text)::uuid, g, g * interval '1 s', repeat('t', 300) FROM generate_series(1, 4000) g;
CREATE TABLE small (id int PRIMARY KEY, t text);
INSERT INTO small SELECT g, 's' || g FROM generate_series(1, 100) g;
CREATE TABLE empty (id int PRIMARY KEY);
"""
TOTAL = 6000 + 5000 + 4000 + 100
# Wide enough for parts larger than what is held back at their ends.
WIDE = """
CREATE TABLE keyed (id bigint PRIMARY KEY, v text, n int);
ALTER TABLE keyed ALTER v SET STORAGE PLAIN;
INSERT INTO keyed SELECT g, repeat('v', 2500) || g, g % 7 FROM generate_series(1, 12000) g ORDER BY {order};
"""

Asked = tuple[str, int, int]


@pytest.fixture(autouse=True)
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Cut tables small; who asked for ranges: of which table, for how many connections, and how many it got."""
    monkeypatch.setattr("liteshift.postgres.ranges.BYTES", 1 << 20)
    monkeypatch.setattr("liteshift.stages.stream.KEEP_EVERY", 1 << 19)
    told: list[Asked] = []
    asked = PostgresSnapshot.ranges

    def ranges(self: PostgresSnapshot, table: Name, **more: Any) -> Sequence[Range] | None:
        found = asked(self, table, **more)
        told.append((str(table), more.get("jobs", 1), len(found or ())))
        return found

    monkeypatch.setattr(PostgresSnapshot, "ranges", ranges)
    return told


def same(database: str, folder: Path) -> None:
    """Another move over one connection gives the same."""
    move(database, folder / "alone.db")
    assert contents(folder / "a.db") == contents(folder / "alone.db")


@pytest.mark.parametrize("jobs", [2, 4])
def test_big_tables_beside_small_ones(database: str, tmp_path: Path, jobs: int, cuts: list[Asked]) -> None:
    run(database, SCHEMA)
    steps: list[Step] = []
    report = move(database, tmp_path / "a.db", steps.append, jobs=jobs)
    assert report.verdict.equal and report.rows == TOTAL
    assert {item.road for item in report.copied} == {"native"}
    split = {table: parts for table, told, parts in cuts if told == jobs}
    assert all(split[f"public.{name}"] > jobs for name in ("keyed", "keyless", "uuids"))
    assert split["public.small"] == split["public.empty"] == 1
    assert len(cuts) == len(split) + 2, "nothing was copied twice"
    for name, rows in (("keyed", 6000), ("keyless", 5000), ("small", 100)):
        done = [step.done for step in steps if step.stage == "copy" and step.subject == f"public.{name}"]
        assert done == sorted(done) and done[-1] == rows
    same(database, tmp_path)


def test_a_big_table_alone(database: str, tmp_path: Path) -> None:
    run(database, "CREATE TABLE t AS SELECT g AS id, repeat('x', 300) AS v FROM generate_series(1, 5000) g")
    report = move(database, tmp_path / "a.db", jobs=3)
    assert report.verdict.equal and report.rows == 5000
    same(database, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE keyed SET n = 8 WHERE id % 300 = 3", id="some rows moved"),
        pytest.param("UPDATE keyed SET n = 8", id="all moved", marks=pytest.mark.soak),
        pytest.param(
            "DELETE FROM keyed WHERE id BETWEEN 500 AND 900; VACUUM keyed;"
            "INSERT INTO keyed SELECT g, 'late' || g, 1 FROM generate_series(6001, 6500) g",
            id="new rows in old places",
        ),
        pytest.param(
            "CREATE TABLE other AS SELECT * FROM keyed; TRUNCATE keyed;"
            "INSERT INTO keyed SELECT * FROM other ORDER BY md5(id::text); DROP TABLE other",
            id="in no order", marks=pytest.mark.soak,
        ),
    ],
)  # fmt: skip
def test_a_heap_that_changed_loses_nothing(database: str, tmp_path: Path, change: str) -> None:
    run(database, SCHEMA)
    for statement in change.split(";"):
        run(database, statement)
    report = move(database, tmp_path / "a.db", jobs=3)
    assert report.verdict.equal and {item.road for item in report.copied} == {"native"}
    same(database, tmp_path)


@pytest.mark.parametrize(
    ("order", "again"),
    [
        pytest.param("g", False, id="in order"),
        pytest.param("g / 1000, md5(g::text)", False, id="swapped nearby", marks=pytest.mark.soak),
        pytest.param("g % 1000 = 0, g", False, id="some far too late", marks=pytest.mark.soak),
        pytest.param("g % 1000 <> 0, g", False, id="some far too early"),
        pytest.param("g % 2, g", True, id="overlapping"),
        pytest.param("g DESC", True, id="backwards", marks=pytest.mark.soak),
    ],
)
def test_parts_whose_keys_overlap_are_left(
    database: str, tmp_path: Path, order: str, again: bool, cuts: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liteshift.postgres.ranges.BYTES", 28 << 20)
    run(database, WIDE.format(order=order))
    report = move(database, tmp_path / "a.db", jobs=3)
    assert report.verdict.equal and report.rows == 12_000 and report.copied[0].road == "native"
    assert cuts[0] == ("public.keyed", 3, 4)
    assert ("public.keyed", 1) in [asked[:2] for asked in cuts] or not again
    assert len(cuts) == (2 if again else 1)
    with closing(connect(tmp_path / "a.db", read_only=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA freelist_count").fetchone() < (200,)


def test_a_row_that_cannot_be_carried_is_named(database: str, tmp_path: Path) -> None:
    run(
        database,
        "CREATE TABLE t (id int PRIMARY KEY, f float8, v text);"
        "INSERT INTO t SELECT g, CASE WHEN g = 4900 THEN float8 'NaN' ELSE 1 END, repeat('x', 400)"
        " FROM generate_series(1, 5000) g",
    )
    report = move(database, tmp_path / "a.db", jobs=3)
    assert (report.rows, report.rejected, report.verdict.equal) == (4999, 1, True)
    assert '"4900"' in (tmp_path / "a.rejects").read_text()


SOAK = pytest.mark.soak


@pytest.mark.parametrize(
    ("subject", "jobs"),
    [
        ("keyed", (3, 1)), ("keyless", (1, 3)), ("uuids", (3, 2)),
        *(pytest.param(name, jobs, marks=SOAK) for name in ("keyed", "keyless") for jobs in ((2, 4), (3, 3))),
    ],
)  # fmt: skip
def test_it_goes_on_where_it_was_interrupted(
    database: str, tmp_path: Path, subject: str, jobs: tuple[int, int]
) -> None:
    run(database, SCHEMA)
    target = SqliteTarget(tmp_path / "a.db")

    def stop(_: Step) -> None:
        if subject in target.left():  # in part, as a rule
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="rows are kept"):
        move(database, tmp_path / "a.db", stop, jobs=jobs[0])
    run(
        database,
        "INSERT INTO keyed SELECT g, 'more' || g, 1 FROM generate_series(6001, 6100) g;"
        "UPDATE keyed SET n = -1 WHERE id % 500 = 1; DELETE FROM keyless WHERE t LIKE '%77'",
    )
    report = move(database, tmp_path / "a.db", jobs=jobs[1])
    assert report.verdict.equal and sum(item.kept for item in report.copied) > 0
    same(database, tmp_path)


def test_an_error_in_one_part_ends_all(database: str, tmp_path: Path) -> None:
    run(database, SCHEMA)

    def cut_off(step: Step) -> None:
        if step.stage == "copy" and step.done > 1000:
            run(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database() AND query LIKE 'COPY%'",
            )

    with pytest.raises(Exception, match=r"terminat|connection|closed"):
        move(database, tmp_path / "a.db", cut_off, jobs=3)
    assert move(database, tmp_path / "a.db", jobs=3).verdict.equal
    same(database, tmp_path)


def test_the_size_is_what_decides(
    database: str, tmp_path: Path, cuts: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert BYTES == 64 << 20
    monkeypatch.setattr("liteshift.postgres.ranges.BYTES", BYTES)
    run(database, "CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 60000) g")
    move(database, tmp_path / "a.db", jobs=4)
    assert [parts for _, _, parts in cuts] == [1, 1]
