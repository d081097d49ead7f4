"""The conductor's seams: what a caller may add to a move, and leave out of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from liteshift import migration
from liteshift.plan import Choices, Plan
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from liteshift.ends import Snapshot, Staging
    from liteshift.reports import Reject


def test_a_caller_writes_into_the_file_before_it_is_sealed_and_leaves_the_triggers_out(
    database: str, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as there:
        there.execute(
            "CREATE TABLE t (id int PRIMARY KEY, updated_at timestamptz);"
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;"
            "CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();"
            "INSERT INTO t VALUES (1, now())"
        )

    def state(_: Plan, snapshot: Snapshot, staging: Staging, rejects: Iterable[Reject]) -> None:
        staging.execute(["CREATE TABLE state (position TEXT)"])
        staging.load("state", ["position"], [(snapshot.position,)])
        assert not list(rejects)

    report = migration.migrate(
        PostgresSource(database), SqliteTarget(tmp_path / "a.db"), Choices(), rejects=tmp_path / "rejects",
        overwrite=False, progress=silent, triggers=False, before_seal=state,
    )  # fmt: skip
    assert report.verdict.equal and report.plan.tables[0].triggers
    with closing(connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT position FROM state").fetchall() == [(report.position,)]
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'").fetchone() == (0,)
