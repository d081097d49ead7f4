"""What goes over the wire: what is asked, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from app.models import NAME_LENGTH, PartyType

MAX_ID = 2**31 - 1  # PostgreSQL's integer

# White space and control characters are written out: every regular expression engine has its own idea of \s.
_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_BLANK = _CONTROL + r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NAME_PATTERN = f"^[^{_CONTROL}]*[^{_BLANK}][^{_CONTROL}]*$"
SEARCH_PATTERN = r"^[^\u0000]*$"

PATTERNS_IN_WORDS = {
    NAME_PATTERN: "A name has at least one visible character, and no control characters",
    SEARCH_PATTERN: "A search text has no NUL character",
}


def utc_text(moment: datetime) -> str:
    """A moment in UTC as `2024-01-01T00:00:00Z`: to the second, though the databases keep microseconds."""
    return moment.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


Name = Annotated[
    str,
    Field(min_length=1, max_length=NAME_LENGTH, pattern=NAME_PATTERN, strict=True, examples=["Customer Company"]),
]
Moment = Annotated[
    datetime,
    PlainSerializer(utc_text),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2024-01-01T00:00:00Z"]}),
]


PARTY: dict[str, JsonValue] = {
    "id": 1,
    "name": "Customer Company",
    "type": "customer",
    "is_active": True,
    "created_at": "2024-01-01T00:00:00Z",
    "updated_at": "2024-01-01T00:00:00Z",
}


class PartyNew(BaseModel):
    """A party to be."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Customer Company", "type": "customer"}]}
    )

    name: Name
    type: PartyType


class PartyChange(TypedDict, total=False):
    """What to change of a party; what is left out stays as it is."""

    __pydantic_config__ = ConfigDict(  # type: ignore[misc]
        extra="forbid", json_schema_extra={"examples": [{"name": "Customer Company Ltd"}]}
    )

    name: Name
    type: PartyType


class PartyOut(BaseModel):
    """A party."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [PARTY]})

    id: int
    name: str
    type: PartyType
    is_active: bool = Field(description="False once the party was deleted; restoring it makes it true again.")
    created_at: Moment
    updated_at: Moment


class PartyList(BaseModel):
    """A page of parties, and how many there are on all pages together."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"parties": [PARTY], "total": 1, "active_count": 1, "inactive_count": 0}]}
    )

    parties: list[PartyOut]
    total: int = Field(description="All that match, on whatever page: active and inactive.")
    active_count: int = Field(description="The active ones among them.")
    inactive_count: int = Field(description="The inactive ones; 0 unless asked for.")


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(
        description="Where, as a JSON pointer into the request: /body/..., /query/... or /path/...",
        examples=["/body/name"],
    )
    detail: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """Why a request failed: problem details (RFC 9457) and a `code` that a program can rely on."""

    type: str = Field(default="about:blank", description="Always about:blank: the status says which kind of problem.")
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str | SkipJsonSchema[None] = Field(default=None, description="What went wrong, for a person.")
    instance: str = Field(description="The path that was asked for.", examples=["/api/parties/7"])
    code: str = Field(description="What went wrong, for a program; never changes.", examples=["party_not_found"])
    errors: list[FieldError] | SkipJsonSchema[None] = Field(
        default=None, description="With 422: everything wrong with the request."
    )


class Health(BaseModel):
    """The service is fine; anything else is a problem."""

    status: str = Field(default="ok", examples=["ok"])
    database: str | SkipJsonSchema[None] = Field(
        default=None,
        description="While the service is moved: which database is live, `postgresql` or `sqlite`.",
        examples=["sqlite"],
    )
