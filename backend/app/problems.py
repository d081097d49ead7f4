"""Every way in which a request can fail: its status, its `code`, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

from app.schemas import FieldError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to fail.

    Attributes:
        status: the HTTP status.
        code: for programs; never changes.
        meaning: for people.
    """

    status: int
    code: str
    meaning: str


NOT_FOUND = Kind(404, "not_found", "There is nothing at this path.")
PARTY_NOT_FOUND = Kind(404, "party_not_found", "There is no party with this id.")
METHOD_NOT_ALLOWED = Kind(405, "method_not_allowed", "This path does not know this method; Allow says which it knows.")
NAME_TAKEN = Kind(409, "name_taken", "An active party of this type has this name already, in whatever case.")
INVALID_REQUEST = Kind(422, "invalid_request", "The request is not as it should be; `errors` says where.")
INTERNAL_ERROR = Kind(500, "internal_error", "Something failed that should not; the log says what.")
DATABASE_CORRUPT = Kind(500, "database_corrupt", "The database file is damaged: restore a backup.")
DATABASE_FULL = Kind(500, "database_full", "The database's disk is full: make room.")
DATABASE_IO_ERROR = Kind(500, "database_io_error", "The database can't read or write its file: check disk and rights.")
DATABASE_BUSY = Kind(503, "database_busy", "The database is busy with other work: try again.")
DATABASE_MOVING = Kind(503, "database_moving", "The database is being moved: try again.")
DATABASE_UNAVAILABLE = Kind(503, "database_unavailable", "The database can't be reached: try again later.")
SCHEMA_NOT_AT_HEAD = Kind(503, "schema_not_at_head", "The database's schema is not the one the service was made for.")

KINDS: tuple[Kind, ...] = tuple(kind for kind in list(globals().values()) if isinstance(kind, Kind))


class RequestFailed(Exception):
    """Raise it anywhere below an endpoint: it becomes the answer.

    Args:
        kind: which problem.
        detail: what went wrong in this case; the kind's meaning when None.
        errors: with INVALID_REQUEST: everything that is wrong.
    """

    def __init__(self, kind: Kind, detail: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail or kind.meaning)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)


def problem(kind: Kind, path: str, *, detail: str | None = None, errors: Sequence[FieldError] = ()) -> Problem:
    """A problem in full. A 500 says no more than its code: the details are for the log."""
    return Problem(
        title=HTTPStatus(kind.status).phrase,
        status=kind.status,
        detail=None if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR else detail or kind.meaning,
        instance=path,
        code=kind.code,
        errors=list(errors) or None,
    )


def answer(
    request: Request,
    kind: Kind,
    *,
    detail: str | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer to a request that failed."""
    content = problem(kind, request.url.path, detail=detail, errors=errors).model_dump(exclude_none=True)
    headers = dict(headers or {})
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse(content, kind.status, headers, MEDIA_TYPE)
