"""What the OpenAPI document says beyond what FastAPI reads from the code: problems and headers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from app import problems
from app.schemas import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.problems import Kind

DESCRIPTION = """
Customers and vendors. Deleting a party makes it inactive; lists show active parties unless asked for all.

Every failure is answered in one form, `application/problem+json`, with a `code` that never changes.
"""

REFERENCE = "#/components/schemas/{model}"

LINK = {
    "description": 'The next page, when there is one: `</api/parties?cursor=...>; rel="next"`.',
    "schema": {"type": "string"},
}
LOCATION = {"description": "The path of the new party.", "required": True, "schema": {"type": "string"}}
RETRY_AFTER = {"description": "Seconds to wait before trying again.", "required": True, "schema": {"type": "integer"}}


def problem_responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that asks the database and can fail in these ways too."""
    anywhere = [kind for kind in problems.KINDS if kind.status == 500 or kind.code.startswith("database_")]
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in (*kinds, *anywhere):
        response = responses.setdefault(kind.status, _response(kind.status))
        response["content"][problems.MEDIA_TYPE]["examples"][kind.code] = {
            "summary": kind.meaning,
            "value": _example(kind),
        }
    return responses


def describe(app: FastAPI) -> None:
    """Let the application's OpenAPI document know the schema of problems."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            _, definitions = models_json_schema([(Problem, "serialization")], ref_template=REFERENCE)
            document["components"]["schemas"].update(definitions["$defs"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _response(status: int) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}, "examples": {}}},
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"] = {"Retry-After": RETRY_AFTER}
    return response


def _example(kind: Kind) -> dict[str, Any]:
    return problems.problem(kind, "/api/parties").model_dump(exclude_none=True)
