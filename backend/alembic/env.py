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
from sqlalchemy import Connection, text

from app.config import read_settings
from app.db import live_url
from app.models import Base
from liteshift.app.engines import make_tool_engine
from liteshift.app.revisions import include_name, keep_last_ids
from liteshift.errors import LiteshiftError


def check_foreign_keys(connection: Connection) -> None:
    """Refuse a revision that left a row pointing nowhere."""
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    if broken:
        raise CommandError(f"the revision was not applied: {len(broken)} rows would point nowhere, first {broken[0]}")


def run() -> None:
    """Run the command's revisions."""
    # Whoever calls Alembic from a program may name the database in `attributes`, and has set up logging.
    config = context.config
    if context.is_offline_mode():
        raise CommandError("--sql can't be used: a revision computes values from the rows that are there")
    if url := config.attributes.get("url"):
        run_on(url)
        return
    if config.config_file_name:
        fileConfig(config.config_file_name, disable_existing_loggers=False)
    try:
        with live_url(read_settings()) as url:  # a write like any other: it holds the gate where there is one
            run_on(url)
    except LiteshiftError as error:
        raise CommandError(f"{error}. {error.hint or ''}".strip()) from error


def run_on(url: str) -> None:
    """Run the command's revisions on a database."""
    engine = make_tool_engine(url, foreign_keys=False)
    keep = keep_last_ids(engine)

    def before_commit(ctx: MigrationContext, step: Any, heads: Any, run_args: Any) -> None:
        if ctx.connection is not None and ctx.dialect.name == "sqlite":
            keep(ctx=ctx)
            check_foreign_keys(ctx.connection)

    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            transactional_ddl=True,
            transaction_per_migration=True,
            compare_server_default=True,
            include_name=include_name,
            on_version_apply=before_commit,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
