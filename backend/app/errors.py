"""From what was raised to what is answered, and to a line in the log."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app import problems
from app.faults import error_name, kind_of
from app.problems import Kind, RequestFailed, answer
from app.schemas import PATTERNS_IN_WORDS, FieldError
from liteshift.app.gate import GateTimeout
from liteshift.errors import LiteshiftError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

log = logging.getLogger("app.errors")


def install(app: FastAPI) -> None:
    """Make every failure of an application a problem that says so in the same form."""
    app.exception_handler(RequestFailed)(_request_failed)
    app.exception_handler(RequestValidationError)(_request_invalid)
    app.exception_handler(HTTPException)(_http_failed)
    app.exception_handler(SQLAlchemyError)(_database_failed)
    app.exception_handler(LiteshiftError)(_gate_failed)
    app.exception_handler(Exception)(_service_failed)


def _request_failed(request: Request, error: RequestFailed) -> JSONResponse:
    return answer(request, error.kind, detail=error.detail, errors=error.errors)


def _request_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return answer(request, problems.INVALID_REQUEST, errors=[_field_error(each) for each in error.errors()])


def _http_failed(request: Request, error: HTTPException) -> JSONResponse:
    if error.status_code == HTTPStatus.BAD_REQUEST:  # what FastAPI says to a body that is not even text
        return answer(request, problems.INVALID_REQUEST, errors=[FieldError(pointer="/body", detail=error.detail)])
    kinds = {kind.status: kind for kind in (problems.NOT_FOUND, problems.METHOD_NOT_ALLOWED)}
    status = HTTPStatus(error.status_code)
    kind = kinds.get(status) or Kind(status, f"http_{status:d}", str(error.detail))
    headers = dict(error.headers or {})
    if kind is problems.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_of(request))  # Starlette names the methods of one route only
    return answer(request, kind, headers=headers)


def _methods_of(request: Request) -> list[str]:
    """Every method that the request's path knows."""
    app: FastAPI = request.app
    as_if = {"type": "http", "path": request.scope["path"], "headers": []}
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if any(route.matches({**as_if, "method": method})[0] is Match.FULL for route in app.routes)
    ]


def _database_failed(request: Request, error: SQLAlchemyError) -> JSONResponse:
    kind = kind_of(error)
    cause = error.orig if isinstance(error, DBAPIError) else error  # SQLAlchemy's own text would show the values
    line = "%s %s answered %d %s: %s: %s"
    values = (
        request.method,
        request.url.path,
        kind.status,
        kind.code,
        error_name(error) or type(cause).__name__,
        cause,
    )
    if kind is problems.INTERNAL_ERROR:
        log.error(line, *values, exc_info=cause)
    elif kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.log(logging.WARNING if kind is problems.DATABASE_BUSY else logging.ERROR, line, *values)
    return answer(request, kind)


def _gate_failed(request: Request, error: LiteshiftError) -> JSONResponse:
    moving = isinstance(error, GateTimeout)
    kind = problems.DATABASE_MOVING if moving else problems.DATABASE_UNAVAILABLE
    line = "%s %s answered %d %s: %s"
    values = (request.method, request.url.path, kind.status, kind.code, error)
    log.log(logging.WARNING if moving else logging.ERROR, line, *values)
    return answer(request, kind)


def _service_failed(request: Request, _: Exception) -> JSONResponse:
    # The server logs the exception itself: it is raised again once this answer is sent.
    return answer(request, problems.INTERNAL_ERROR)


def _field_error(error: dict[str, Any]) -> FieldError:
    location = ["body"] if error["type"] == "json_invalid" else error["loc"]  # not a place: an offset in the text
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
    detail = PATTERNS_IN_WORDS.get(error.get("ctx", {}).get("pattern"), error["msg"])
    return FieldError(pointer=pointer, detail=detail)
