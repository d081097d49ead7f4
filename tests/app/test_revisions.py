"""What liteshift keeps in a database during a move is invisible to Alembic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Column, Integer, MetaData, Table, text

from liteshift.app.engines import make_tool_engine
from liteshift.app.revisions import include_name

if TYPE_CHECKING:
    from pathlib import Path

METADATA = MetaData()
Table("orders", METADATA, Column("id", Integer, primary_key=True))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("include_schemas", [False, True])
def test_ours_are_no_difference(database: str, tmp_path: Path, kind: str, include_schemas: bool) -> None:
    ours = ["CREATE TABLE liteshift_captured(number INTEGER PRIMARY KEY, name TEXT UNIQUE)"]
    ours.append("CREATE INDEX liteshift_index ON liteshift_captured(name)")
    url: str | URL = f"sqlite:///{tmp_path / 'app.db'}"
    if kind == "postgresql":
        parts = {name: str(value) for name, value in conninfo_to_dict(database).items()}
        made = URL.create("postgresql", parts["user"], parts.get("password"), parts["host"], int(parts["port"]))
        url = made.set(database=parts["dbname"])
        with psycopg.connect(database) as server:
            server.execute("CREATE SCHEMA liteshift")
            server.execute("CREATE TABLE liteshift.fence(token text PRIMARY KEY)")
    engine = make_tool_engine(url if isinstance(url, str) else url.render_as_string(hide_password=False))
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for statement in ours:
            connection.execute(text(statement))

    def differences(**options: object) -> list[object]:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_schemas": include_schemas, **options})
            return list(compare_metadata(context, METADATA))

    assert differences(include_name=include_name) == []
    assert differences() != []
