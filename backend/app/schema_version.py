"""Which revision the database's schema is at, and which one the code was made for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.config import BACKEND

if TYPE_CHECKING:
    from sqlalchemy import Connection


@cache
def head() -> str | None:
    """The newest revision in `alembic/versions`."""
    return ScriptDirectory(str(BACKEND / "alembic")).get_current_head()


def current(connection: Connection) -> str | None:
    """The revision of a database; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def complaint(connection: Connection) -> str | None:
    """What is wrong with the database's revision, and what to do about it; None when it is at head."""
    found = current(connection)
    if found == head():
        return None
    return f"The schema is at revision {found}, the service needs {head()}: type `alembic upgrade head`."
