"""`/api/parties`. The endpoints are `def`: they run in threads, and may wait for the database.

Each ends its writing session before it returns: what was answered was committed.
"""

from __future__ import annotations

from typing import Annotated, get_args
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field, WithJsonSchema

from app import cursor, parties
from app.db import Database
from app.documentation import LINK, LOCATION, problem_responses
from app.models import NAME_LENGTH, PartyType
from app.problems import INVALID_REQUEST, NAME_TAKEN, PARTY_NOT_FOUND, RequestFailed
from app.schemas import MAX_ID, SEARCH_PATTERN, FieldError, PartyChange, PartyList, PartyNew, PartyOut
from app.turns import TURN_TO_WRITE

reading = APIRouter(prefix="/api/parties", tags=["parties"])
writing = APIRouter(prefix="/api/parties", tags=["parties"], dependencies=[TURN_TO_WRITE])


async def database_of(request: Request) -> Database:
    """The application's database. It is `async` because it waits for nothing: a `def` would be given a thread."""
    database: Database = request.app.state.database
    return database


ADatabase = Annotated[Database, Depends(database_of)]
PartyId = Annotated[int, Path(ge=1, le=MAX_ID, description="The party's id.", examples=[1])]


class ListQuery(BaseModel):
    """What a list may be asked for."""

    include_inactive: bool = Field(default=False, description="Inactive parties as well as active ones.")
    type: Annotated[PartyType | None, WithJsonSchema({"enum": get_args(PartyType), "type": "string"})] = Field(
        default=None, description="Parties of this type only."
    )
    search: str = Field(
        default="",
        max_length=NAME_LENGTH,
        pattern=SEARCH_PATTERN,
        description="Parties with this text somewhere in the name, whatever its case; `%` and `_` are themselves.",
        examples=["company"],
    )
    limit: int = Field(default=100, ge=1, le=1000, description="Parties on a page.")
    cursor: str = Field(
        default="",
        description="Where to go on: from the `Link` header of the page before. It fits a list with the same filter.",
        json_schema_extra={"format": "cursor"},
    )

    @property
    def question(self) -> str:
        """The filter as a query string, the same for the same filter."""
        asked = {"include_inactive": "true" if self.include_inactive else "", "type": self.type, "search": self.search}
        return urlencode({name: value for name, value in asked.items() if value}, quote_via=quote)

    @property
    def after_id(self) -> int:
        """The id that the page begins after.

        Raises:
            RequestFailed: the cursor is none of ours.
        """
        if not self.cursor:
            return 0
        try:
            return cursor.decode(self.cursor, self.question)
        except ValueError as error:
            raise RequestFailed(
                INVALID_REQUEST, errors=[FieldError(pointer="/query/cursor", detail=str(error))]
            ) from None


@reading.get("", responses={200: {"headers": {"Link": LINK}}, **problem_responses(INVALID_REQUEST)})
def list_parties(
    query: Annotated[ListQuery, Query()], database: ADatabase, request: Request, response: Response
) -> PartyList:
    """List active parties, or all, in the order of their ids."""
    wanted = parties.Filter(query.include_inactive, query.type, query.search)
    with database.reading() as session:
        page = parties.list_page(session, wanted, after_id=query.after_id, limit=query.limit)
        answer = PartyList(
            parties=[PartyOut.model_validate(party) for party in page.parties],
            total=page.active_count + page.inactive_count,
            active_count=page.active_count,
            inactive_count=page.inactive_count,
        )
    if page.has_more:
        following = cursor.encode(answer.parties[-1].id, query.question)
        parts = [query.question, f"limit={query.limit}", f"cursor={following}"]
        response.headers["Link"] = f'<{request.url.path}?{"&".join(filter(None, parts))}>; rel="next"'
    return answer


@writing.post(
    "",
    status_code=201,
    responses={201: {"headers": {"Location": LOCATION}}, **problem_responses(NAME_TAKEN, INVALID_REQUEST)},
)
def create_party(new: PartyNew, database: ADatabase, request: Request, response: Response) -> PartyOut:
    """Add a party. No two active parties of one type may have the same name, whatever its case."""
    party = database.write(lambda session: PartyOut.model_validate(parties.create(session, new)))
    response.headers["Location"] = f"{request.url.path}/{party.id}"
    return party


@reading.get("/{party_id}", responses=problem_responses(PARTY_NOT_FOUND, INVALID_REQUEST))
def get_party(party_id: PartyId, database: ADatabase) -> PartyOut:
    """Show one party, active or not."""
    with database.reading() as session:
        return PartyOut.model_validate(parties.get(session, party_id))


@writing.patch(
    "/{party_id}",
    responses=problem_responses(PARTY_NOT_FOUND, NAME_TAKEN, INVALID_REQUEST),
)
def change_party(party_id: PartyId, changes: Annotated[PartyChange, Body()], database: ADatabase) -> PartyOut:
    """Change a party's name or type; what is left out stays."""
    return database.write(lambda session: PartyOut.model_validate(parties.change(session, party_id, changes)))


@writing.delete("/{party_id}", responses=problem_responses(PARTY_NOT_FOUND, INVALID_REQUEST))
def delete_party(party_id: PartyId, database: ADatabase) -> PartyOut:
    """Make a party inactive. Doing it again changes nothing and answers the same."""
    return database.write(lambda session: PartyOut.model_validate(parties.set_active(session, party_id, False)))


@writing.post(
    "/{party_id}/restore",
    responses=problem_responses(PARTY_NOT_FOUND, NAME_TAKEN, INVALID_REQUEST),
)
def restore_party(party_id: PartyId, database: ADatabase) -> PartyOut:
    """Make a party active again, unless another one has taken its name meanwhile."""
    return database.write(lambda session: PartyOut.model_validate(parties.set_active(session, party_id, True)))
