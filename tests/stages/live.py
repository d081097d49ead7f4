"""A live move in small, for the tests of following: from an empty folder to a file that follows its source."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from liteshift.plan import Choices, Plan
from liteshift.position import Lsn
from liteshift.postgres.slot import PostgresOrigin
from liteshift.progress import silent
from liteshift.reports import Reject, Verdict
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.copy import check_file, copy_rows, make_indexes
from liteshift.stages.follow import Follower
from liteshift.stages.prepare import prepare, refuse_unfit
from liteshift.stages.verify import verify

NAME = "liteshift_test"


@dataclass(frozen=True)
class Live:
    """A source, and a file that was copied from it and may follow it."""

    url: str
    origin: PostgresOrigin
    target: SqliteTarget
    plan: Plan

    def execute(self, *statements: str) -> None:
        """Run statements on the source, each a transaction of its own; `;` inside makes one of several."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def save(self, path: Path) -> None:
        """Write it down for another process."""
        path.write_bytes(pickle.dumps((self.url, self.target.path, self.plan)))

    @contextmanager
    def following(self) -> Iterator[Follower]:
        """Follow from where the file is."""
        with self.target.applier() as applier:
            shapes = self.origin.shapes(NAME, self.plan)
            with self.origin.stream(NAME, applier.position) as stream:
                yield Follower(self.plan, shapes, stream, applier)

    def catch_up(self) -> Verdict:
        """Follow up to this moment, and compare both sides at it."""
        with self.following() as follower:
            return self.verified(follower)

    def verified(self, follower: Follower) -> Verdict:
        """The same with a follower that is there."""
        with self.origin.moment() as (position, snapshot):
            assert follower.until(position, seconds=120)
            with self.target.reading() as rows:
                return verify(snapshot, rows, self.plan, silent)


def copied(url: str, path: Path, schema: str, choices: Choices | None = None) -> Live:
    """Run a schema on a database, and copy it from a new slot's snapshot."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema.encode())
    origin, target = PostgresOrigin(url), SqliteTarget(path)
    with origin.moment() as (_, snapshot):
        plan = prepare(snapshot, choices or Choices())
    refuse_unfit(plan)
    origin.establish(NAME, plan)
    with origin.slot(NAME) as snapshot, target.staging(overwrite=False) as staging:
        rejects: list[Reject] = []
        copy_rows(snapshot, plan, staging, silent, rejects.append)
        make_indexes(plan, staging, silent)
        check_file(staging, len(rejects))
        staging.mark(NAME, Lsn.parse(snapshot.position), rejects, plan.tables)
        staging.seal()
        staging.publish()
    return Live(url, origin, target, plan)


def follow_for_ever(saved: Path) -> None:
    """Follow as another process, which is killed."""
    url, path, plan = pickle.loads(saved.read_bytes())  # noqa: S301 - our own
    with Live(url, PostgresOrigin(url), SqliteTarget(path), plan).following() as follower:
        while True:
            follower.step(1)
