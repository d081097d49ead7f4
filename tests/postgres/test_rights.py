"""What an ordinary role may not see is said, and what is left out is not asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from liteshift import migration
from liteshift.errors import NoConnection
from liteshift.plan import Choices, Severity
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import MigrateReport
from liteshift.sqlite.target import SqliteTarget

_numbers = count(1)
SCHEMA = """
CREATE TABLE seen (id serial PRIMARY KEY, a text);
INSERT INTO seen (a) VALUES ('x'), ('y');
DELETE FROM seen WHERE a = 'y';
CREATE TABLE hidden (id integer PRIMARY KEY, s integer, mail text);
INSERT INTO hidden VALUES (1, 99, 'É');
ALTER TABLE hidden ADD FOREIGN KEY (s) REFERENCES seen NOT VALID;
CREATE UNIQUE INDEX one ON hidden (lower(mail));
GRANT SELECT ON seen TO PUBLIC;
"""


@pytest.fixture
def ordinary(any_database: str) -> Iterator[str]:
    """The conninfo of a role that may read one table of two, and no sequence."""
    name = f"reader_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(any_database, autocommit=True) as admin:
        admin.execute(SCHEMA.encode())
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'reader'").format(sql.Identifier(name)))
        yield psycopg.conninfo.make_conninfo(any_database, user=name, password="reader")
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _migrate(source: str, path: Path, choices: Choices) -> MigrateReport:
    return migration.migrate(
        PostgresSource(source), SqliteTarget(path), choices,
        rejects=path.with_suffix(".rejects"), overwrite=False, progress=silent,
    )  # fmt: skip


def test_a_table_that_may_not_be_read_stops_the_move(ordinary: str, tmp_path: Path) -> None:
    with pytest.raises(NoConnection, match="permission denied for table hidden") as caught:
        _migrate(ordinary, tmp_path / "t.db", Choices())
    assert "Grant SELECT" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_out_is_not_asked_for(ordinary: str, tmp_path: Path) -> None:
    report = _migrate(ordinary, tmp_path / "t.db", Choices(exclude=("public.hidden",)))
    assert report.verdict.equal and report.rows == 1
    (loss,) = [item for item in report.plan.of(Severity.LOSS) if item.kind != "privileges"]
    assert (loss.kind, loss.subject) == ("sequence", "public.seen.id")
    assert "GRANT SELECT" in loss.why
