"""What Alembic's revisions need on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

OURS = "liteshift"


def include_name(name: str | None, kind: str, parents: Mapping[Any, str | None]) -> bool:
    """For `context.configure(include_name=…)`: what liteshift keeps in either database is no part of the schema.

    While a move is going on, the file has tables whose names begin with `liteshift_`, and PostgreSQL has a schema
    `liteshift`; autogenerate and `alembic check` would take them for tables that the models have lost.
    """
    if kind == "schema":
        return name != OURS
    table = name if kind == "table" else parents.get("table_name")
    return not (table or "").startswith(f"{OURS}_") and parents.get("schema_name") != OURS


def keep_last_ids(engine: Engine) -> Callable[..., None]:
    """For `context.configure(on_version_apply=…)`: an id that was given and is gone does not come back.

    On SQLite a revision changes a table by building it anew ("batch mode"), and a new table's AUTOINCREMENT knows no
    id but the largest that is there. On PostgreSQL there is nothing to do, and nothing is done.
    """
    with engine.connect() as connection:
        before = _last_ids(connection)

    def keep(*, ctx: Any, **_: Any) -> None:
        connection: Connection | None = ctx.connection
        if not before or connection is None:
            return
        after = _last_ids(connection)
        for table, last in before.items():
            there = connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name = :table"), {"table": table})
            if there and after.get(table, -1) < last:
                connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table})
                insert = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)")
                connection.execute(insert, {"table": table, "last": last})

    return keep


def _last_ids(connection: Connection) -> dict[str, int]:
    """The last id that each AUTOINCREMENT gave."""
    there = "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'"
    if connection.dialect.name != "sqlite" or not connection.scalar(text(there)):
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}
