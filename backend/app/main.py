"""The application: `uvicorn app.main:app`."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import TYPE_CHECKING

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from app import documentation, errors, schema_version
from app.config import read_settings
from app.db import open_database
from app.routes import health, parties
from app.turns import Turns
from liteshift.errors import LiteshiftError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.config import Settings
    from app.db import Database

log = logging.getLogger("app")


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service; it opens its database when it starts and closes it when it ends.

    Args:
        settings: what the environment and `.env` say, when None.
    """
    settings = settings or read_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            app.state.database = open_database(settings)
        except LiteshiftError as error:
            log.error("the service can't start: %s. %s", error, error.hint or "")
            raise
        app.state.turns = Turns(settings, app.state.database)
        _warn_about_schema(app.state.database)
        yield
        app.state.database.close()

    if settings.DEBUG:
        logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
    app = FastAPI(
        title="Parties",
        version="1.0.0",
        description=documentation.DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=attrgetter("name"),
        redirect_slashes=False,
    )
    for router in (parties.reading, parties.writing, health.router):
        app.include_router(router)
    errors.install(app)
    documentation.describe(app)
    return app


def _warn_about_schema(database: Database) -> None:
    try:
        with database.reading() as session:
            complaint = schema_version.complaint(session.connection())
    except SQLAlchemyError as error:
        complaint = f"The database does not answer: {error}"
    if complaint:
        log.warning(complaint)  # no reason to stop: /readyz says it too, and both may be put right while we run


if not logging.getLogger().handlers:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
app = create_app()
