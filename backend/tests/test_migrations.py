"""The revisions, forward and back, with rows, on both databases."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.util import CommandError
from fastapi.testclient import TestClient
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

from app import schema_version
from app.config import BACKEND
from app.db import Database
from app.main import create_app
from app.models import Base, Party
from liteshift.app.engines import make_tool_engine
from tests.conftest import Databases, Kind, alembic_config, settings_for

OLD_ROWS = [
    {"name": name, "type": type_, "at": datetime(2024, 1, number, 12, 30, 15, 123456, UTC)}
    for number, (name, type_) in enumerate(
        [("Äpfel & Birnen", "customer"), ("ΣΊΣΥΦΟΣ", "vendor"), ('O\'Brien "Ltd"', "customer"), ("株式会社", "vendor")],
        1,
    )
]


TABLE_AS_TYPED = "SELECT sql FROM sqlite_master WHERE name = 'parties'"


@pytest.fixture
def engine(empty_url: str) -> Engine:
    """An engine on a database without tables."""
    return make_tool_engine(empty_url)


def add_old_rows(engine: Engine, rows: list[dict[str, Any]] = OLD_ROWS) -> None:
    """Add parties to a database at the first revision."""
    insert = "INSERT INTO parties (name, type, created_at, updated_at) VALUES (:name, :type, :at, :at)"
    if engine.dialect.name == "sqlite":  # as SQLAlchemy stores a time
        rows = [{**row, "at": row["at"].strftime("%Y-%m-%d %H:%M:%S.%f")} for row in rows]
    with engine.begin() as connection:
        connection.execute(text(insert), rows)


def all_rows(engine: Engine) -> list[dict[str, Any]]:
    """Every party with every column there is."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text("SELECT * FROM parties ORDER BY id")).mappings()]


def shape(engine: Engine) -> dict[str, Any]:
    """The table as the database describes it, whatever the order of its parts."""
    look = inspect(engine)
    return {
        "columns": {
            column["name"]: (str(column["type"]), column["nullable"]) for column in look.get_columns("parties")
        },
        "key": look.get_pk_constraint("parties")["constrained_columns"],
        "checks": {check["name"]: check["sqltext"] for check in look.get_check_constraints("parties")},
        "indexes": {
            index["name"]: (
                index["column_names"],
                bool(index["unique"]),
                {option: str(value) for option, value in index["dialect_options"].items()},
            )
            for index in look.get_indexes("parties")
        },
    }


def test_up_down_up_loses_nothing(engine: Engine, empty_url: str) -> None:
    config = alembic_config(empty_url)
    command.upgrade(config, "0001")
    add_old_rows(engine)
    before = all_rows(engine)

    command.upgrade(config, "head")
    at_head = all_rows(engine)
    assert [{name: row[name] for name in before[0]} for row in at_head] == before
    assert all(row["is_active"] for row in at_head)
    assert at_head[0]["name_folded"] == "äpfel & birnen"
    with engine.begin() as connection:
        connection.execute(text("UPDATE parties SET is_active = false WHERE id = 2"))
    at_head = all_rows(engine)

    command.downgrade(config, "0001")
    assert all_rows(engine) == before

    command.upgrade(config, "head")
    assert all_rows(engine) == at_head
    assert inspect(engine).get_table_names() == ["alembic_version", "parties"]

    command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]


def test_one_step_at_a_time(engine: Engine, empty_url: str) -> None:
    config = alembic_config(empty_url)
    command.upgrade(config, "head")
    for _ in range(3):
        command.downgrade(config, "-1")
    for _ in range(3):
        command.upgrade(config, "+1")
    command.check(config)


def test_the_models_read_what_the_revisions_made(engine: Engine, empty_url: str) -> None:
    config = alembic_config(empty_url)
    command.upgrade(config, "0001")
    add_old_rows(engine)
    command.upgrade(config, "head")
    database = Database(settings_for(empty_url))
    with database.reading() as session:
        first = session.scalars(select(Party).order_by(Party.id)).first()
        assert first is not None
        assert (first.name, first.created_at) == ("Äpfel & Birnen", OLD_ROWS[0]["at"])
    database.close()


def test_the_models_would_make_the_same(engine: Engine, empty_url: str, kind: Kind, databases: Databases) -> None:
    command.upgrade(alembic_config(empty_url), "head")
    command.check(alembic_config(empty_url))  # "no new upgrade operations detected", or it raises
    other_url = databases.empty(kind)
    other = make_tool_engine(other_url)
    Base.metadata.create_all(other)
    assert shape(engine) == shape(other)
    databases.drop(other_url)


def test_a_revision_that_fails_changes_nothing(engine: Engine, empty_url: str) -> None:
    config = alembic_config(empty_url)
    command.upgrade(config, "0001")
    same = [{**OLD_ROWS[0], "name": name} for name in ("Same", "SAME", "other", "Other")]
    add_old_rows(engine, same)
    command.upgrade(config, "0002")
    before, shape_before = all_rows(engine), shape(engine)
    with pytest.raises(CommandError, match="2 active customers named 'Other', 2 active customers named 'SAME'"):
        command.upgrade(config, "head")
    assert (all_rows(engine), shape(engine)) == (before, shape_before)
    with engine.begin() as connection:
        assert schema_version.current(connection) == "0002"
        connection.execute(text("UPDATE parties SET is_active = false WHERE id IN (1, 3)"))
    command.upgrade(config, "head")


def test_an_id_is_never_given_twice(engine: Engine, empty_url: str) -> None:
    config = alembic_config(empty_url)
    command.upgrade(config, "0001")
    add_old_rows(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM parties WHERE id > 2"))
    for way, revisions in ((command.upgrade, "23"), (command.downgrade, "21"), (command.upgrade, "23")):
        for revision in revisions:
            way(config, f"000{revision}")
            if engine.dialect.name == "sqlite":
                with engine.connect() as connection:
                    assert connection.execute(text("SELECT * FROM sqlite_sequence")).all() == [("parties", 4)]
                    assert "AUTOINCREMENT" in connection.execute(text(TABLE_AS_TYPED)).scalar_one()
    with TestClient(create_app(settings_for(empty_url))) as client:
        assert client.post("/api/parties", json={"name": "Next", "type": "vendor"}).json()["id"] == 5


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_rows_that_would_point_nowhere_stop_a_revision(engine: Engine, empty_url: str) -> None:
    config = alembic_config(empty_url)
    command.upgrade(config, "0001")
    add_old_rows(engine)
    with make_tool_engine(empty_url, foreign_keys=False).begin() as connection:
        connection.execute(text("CREATE TABLE notes (party_id INTEGER REFERENCES parties (id))"))
        connection.execute(text("INSERT INTO notes VALUES (1), (99)"))
    before = shape(engine)
    with pytest.raises(CommandError, match="1 rows would point nowhere"):
        command.upgrade(config, "head")
    assert shape(engine) == before
    with make_tool_engine(empty_url, foreign_keys=False).begin() as connection:
        connection.execute(text("DELETE FROM notes WHERE party_id = 99"))
    command.upgrade(config, "head")
    assert len(all_rows(engine)) == len(OLD_ROWS)
    with pytest.raises(DBAPIError, match="FOREIGN KEY"), engine.begin() as connection:
        connection.execute(text("DELETE FROM parties WHERE id = 1"))


def test_the_database_itself_knows_the_rules(database_url: str) -> None:
    engine = make_tool_engine(database_url)
    insert = (
        "INSERT INTO parties (name, name_folded, type, is_active, created_at, updated_at)"
        " VALUES ({}, 'x', {}, true, '2024-01-01 00:00:00.000000', '2024-01-01 00:00:00.000000')"
    )
    for values in (("'x'", "'friend'"), ("'" + "x" * 201 + "'", "'vendor'"), ("NULL", "'vendor'")):
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.execute(text(insert.format(*values)))
    with engine.begin() as connection:
        connection.execute(text(insert.format("'x'", "'vendor'")))
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(insert.format("'X'", "'vendor'")))


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_commands_as_they_are_typed(tmp_path: Path, kind: Kind) -> None:
    def alembic(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=BACKEND,
            env={"DATABASE_URL": f"sqlite:///{tmp_path}/app.db"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    alembic("upgrade", "head")
    assert alembic("current") == "0003 (head)\n"
    assert "0001 -> 0002, Add is_active to the parties" in alembic("history")
    alembic("downgrade", "0001")
    assert alembic("current") == "0001\n"
    alembic("upgrade", "head")
    assert "No new upgrade operations detected." in alembic("check")


class TestReadiness:
    def test_ready(self, client: TestClient) -> None:
        assert client.get("/readyz").json() == {"status": "ok"}

    def test_before_the_first_revision(self, empty_url: str, caplog: pytest.LogCaptureFixture) -> None:
        with TestClient(create_app(settings_for(empty_url)), raise_server_exceptions=False) as client:
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()["code"]) == (503, "schema_not_at_head")
            assert answer.json()["detail"].endswith("type `alembic upgrade head`.")
            assert client.get("/livez").status_code == 200
            command.upgrade(alembic_config(empty_url), "head")
            assert client.get("/readyz").status_code == 200
        assert ("app", logging.WARNING, answer.json()["detail"]) in caplog.record_tuples

    def test_at_an_older_revision(self, client: TestClient, database_url: str) -> None:
        command.downgrade(alembic_config(database_url), "0002")
        assert "is at revision 0002, the service needs 0003" in client.get("/readyz").json()["detail"]
