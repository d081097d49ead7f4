"""`/livez` and `/readyz`: does the process live, and can it do its work?"""

from __future__ import annotations

from fastapi import APIRouter

from app import schema_version
from app.db import MovingDatabase
from app.documentation import problem_responses
from app.problems import SCHEMA_NOT_AT_HEAD, RequestFailed
from app.routes.parties import ADatabase
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/livez", response_model_exclude_none=True)
async def livez() -> Health:
    """The process lives. It asks nobody, so that a database in trouble is no reason to restart the service."""
    return Health()


@router.get("/readyz", response_model_exclude_none=True, responses=problem_responses(SCHEMA_NOT_AT_HEAD))
def readyz(database: ADatabase) -> Health:
    """The service can work: the live database answers, and its schema is the one this code was made for."""
    with database.reading() as session:
        complaint = schema_version.complaint(session.connection())
    if complaint:
        raise RequestFailed(SCHEMA_NOT_AT_HEAD, complaint)
    return Health(database=database.live if isinstance(database, MovingDatabase) else None)
