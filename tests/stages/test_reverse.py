"""The way back, on real servers: what is written on SQLite arrives in PostgreSQL, once, and both sides are equal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from liteshift import migration
from liteshift.errors import DifferencesFound
from liteshift.plan import Choices, Plan, Profile
from liteshift.postgres.snapshot import PostgresSource
from liteshift.postgres.takeback import PostgresTakeback
from liteshift.progress import silent
from liteshift.quoting import quote
from liteshift.reports import Verdict
from liteshift.sqlite.capture import SqliteCapture, capture
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.reverse import Reverser
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

    def back(self) -> int:
        """Take back what was written; how many changes."""
        with self.reverser() as (reverser, _):
            step = reverser.step()
            reverser.set_sequences()
            return step.changes

    def compare(self) -> Verdict:
        """Both sides."""
        source, target = PostgresSource(self.conninfo), SqliteTarget(self.path)
        return migration.compare(source, target, self.choices, progress=silent, limit=20)

    def query(self, text: str) -> list[tuple[object, ...]]:
        """Ask PostgreSQL."""
        with psycopg.connect(self.conninfo) as connection:
            return connection.execute(text.encode()).fetchall()


def move(conninfo: str, path: Path, schema: str, profile: Profile = Profile.SQLALCHEMY) -> Moved:
    """Make a schema on the source, move it, and arm the capture."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(schema.encode())
    choices = Choices(profile)
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


SCHEMA = """
CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, j jsonb);
CREATE TABLE child (id serial PRIMARY KEY, parent int NOT NULL REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE keyless (a text, b int);
INSERT INTO parent (name, j) VALUES ('a', '{"a": 1}'), ('b', NULL);
INSERT INTO child (parent) VALUES (1), (1), (2);
INSERT INTO keyless VALUES ('x', 1), ('x', 1), (NULL, NULL), ('y', NULL);
"""


def test_what_is_written_arrives(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", SCHEMA)
    moved.write(
        "INSERT INTO parent (name) VALUES ('c'), ('d')",
        "UPDATE parent SET j = '{\"b\": 2}' WHERE id = 1",
        "INSERT INTO child (parent) VALUES (3)",
        "UPDATE parent SET id = 40 WHERE id = 4",
        "UPDATE parent SET id = 10 WHERE id = 1",
        "INSERT OR REPLACE INTO parent (id, name) VALUES (2, 'again')",
        "DELETE FROM parent WHERE id = 3",
        "DELETE FROM keyless WHERE rowid = 1",
        "UPDATE keyless SET b = 5 WHERE a IS NULL",
        "INSERT INTO keyless VALUES ('z', 1)",
    )
    assert moved.back() > 0
    assert moved.compare().equal
    assert moved.back() == 0
    assert moved.query("SELECT nextval('child_id_seq')") == [(5,)]


def test_a_row_that_is_not_as_it_was_stops_it(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", SCHEMA)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE parent SET name = 'past the fence' WHERE id = 2")
    moved.write("UPDATE parent SET j = '1' WHERE id = 2")
    with pytest.raises(DifferencesFound, match="name was expected to be 'b' and is 'past the fence'"):
        moved.back()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE parent SET name = 'b' WHERE id = 2")
    assert moved.back() == 1
    assert moved.compare().equal
