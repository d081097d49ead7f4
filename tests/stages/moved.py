"""A database that was moved to a file, where the application lives now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from liteshift import migration
from liteshift.plan import Choices, Plan, Profile
from liteshift.postgres.snapshot import PostgresSource
from liteshift.postgres.takeback import PostgresTakeback
from liteshift.progress import silent
from liteshift.quoting import quote
from liteshift.reports import Verdict
from liteshift.sqlite.capture import SqliteCapture, capture
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.reverse import Reverser, Step
from liteshift.translate.takeback import Takeback

if TYPE_CHECKING:
    from liteshift.sqlite.library import dbapi


@dataclass
class Moved:
    """A database that was moved to a file, where the application lives now."""

    conninfo: str
    path: Path
    choices: Choices
    plan: Plan

    def write(self, *statements: str) -> None:
        """Write as the application does."""
        with closing(self.connect()) as connection:
            for statement in statements:
                connection.execute(statement).close()

    def connect(self) -> dbapi.Connection:
        """A connection of the application's."""
        return connect(self.path, create=False)

    @contextmanager
    def reverser(self) -> Iterator[tuple[Reverser, SqliteCapture]]:
        """The way back."""
        with PostgresSource(self.conninfo).snapshot() as snapshot:
            takeback = Takeback(self.plan, snapshot.catalog())
        tables = [table.source for table in self.plan.tables]
        applier = PostgresTakeback(self.conninfo, "test", tables)
        with capture(self.path, "file") as kept, closing(applier):
            yield Reverser(kept, applier, takeback), kept

    def back(self) -> Step:
        """Take back what was written."""
        with self.reverser() as (reverser, _):
            step = reverser.step()
            reverser.set_sequences()
            return step

    def compare(self) -> Verdict:
        """Both sides."""
        source, target = PostgresSource(self.conninfo), SqliteTarget(self.path)
        return migration.compare(source, target, self.choices, progress=silent, limit=20)

    def query(self, text: str) -> list[tuple[object, ...]]:
        """Ask PostgreSQL."""
        with psycopg.connect(self.conninfo) as connection:
            return connection.execute(text.encode()).fetchall()


def move(
    conninfo: str, path: Path, schema: str, profile: Profile = Profile.SQLALCHEMY, *, exclude: tuple[str, ...] = ()
) -> Moved:
    """Make a schema on the source, move it, and arm the capture."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(schema.encode())
    choices = Choices(profile, exclude=exclude)
    report = migration.migrate(
        PostgresSource(conninfo),
        SqliteTarget(path),
        choices,
        rejects=path.with_suffix(".rejects"),
        overwrite=False,
        progress=silent,
    )
    with closing(connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {quote(name)}").close()
    moved = Moved(conninfo, path, choices, report.plan)
    with capture(path, "file") as kept:
        kept.arm(
            report.plan, epoch=1, last={t.target: t.sequence for t in report.plan.tables if t.sequence is not None}
        )
    return moved
