"""How Alembic reaches the database: with the service's settings, in one transaction for each revision.

On SQLite a table is changed by building it anew ("batch mode"). While that goes on foreign keys are not enforced, so
they are checked before each revision is committed. A revision that fails leaves nothing behind, on either database.
"""

from __future__ import annotations

from logging.config import fileConfig
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from app.config import read_settings
from app.models import Base
from liteshift.app.engines import make_tool_engine


def last_ids(connection: Connection) -> dict[str, int]:
    """The last id given in each table of a SQLite file that never gives one twice (AUTOINCREMENT)."""
    if connection.dialect.name != "sqlite" or not inspect(connection).has_table("sqlite_sequence"):
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}


def keep_last_ids(connection: Connection, before: dict[str, int]) -> None:
    """A table built anew knows its largest id only; an id that was given and is gone must not come back."""
    after = last_ids(connection)
    for table, last_id in before.items():
        if inspect(connection).has_table(table) and after.get(table, -1) < last_id:
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table})
            connection.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last_id)"),
                {"table": table, "last_id": last_id},
            )


def check_foreign_keys(connection: Connection) -> None:
    """Refuse a revision that left a row pointing nowhere."""
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        raise CommandError(f"the revision was not applied: {len(broken)} rows would point nowhere, first {broken[0]}")


def run() -> None:
    """Run the command's revisions."""
    # Whoever calls Alembic from a program may name the database in `attributes`, and has set up logging.
    config = context.config
    url = config.attributes.get("url")
    if url is None:
        if config.config_file_name:
            fileConfig(config.config_file_name, disable_existing_loggers=False)
        url = read_settings().DATABASE_URL
    if context.is_offline_mode():
        raise CommandError("--sql can't be used: a revision computes values from the rows that are there")

    engine = make_tool_engine(url, foreign_keys=False)
    with engine.connect() as connection:
        before = last_ids(connection)

    def before_commit(ctx: MigrationContext, step: Any, heads: Any, run_args: Any) -> None:
        if ctx.connection is not None and ctx.dialect.name == "sqlite":
            keep_last_ids(ctx.connection, before)
            check_foreign_keys(ctx.connection)

    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            transactional_ddl=True,
            transaction_per_migration=True,
            compare_server_default=True,
            on_version_apply=before_commit,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
