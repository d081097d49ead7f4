"""What the demonstration asks the service, on each database in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from liteshift.demo.client import Answer, Client

PARTIES = "/api/parties"
SEARCHES = ("STRASSE", "ΕΛΛΆΣ", "москва", "النور", "株式会社", "100 %", "snake_", "\\")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and the status that it is answered with when all is well."""

    method: str
    path: str
    body: object = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, what both services answered, and whether that is right and the same."""

    request: Request
    there: Answer
    here: Answer
    equal: bool


def talk(there: Client, here: Client) -> Iterator[Exchange]:
    """Send everything to both services, and compare the answers as they come."""
    begin = datetime.now(UTC)
    questions = conversation()
    request = next(questions)
    while True:
        first, second = (client.send(request.method, request.path, request.body) for client in (there, here))
        equal = first.same_as(second, since=begin) and first.status == request.status
        yield Exchange(request, first, second, equal)
        try:
            request = questions.send(first)
        except StopIteration:
            return


def conversation() -> Generator[Request, Answer, None]:
    """The requests; some follow from the answer to the one before."""
    yield from _lists()
    yield from _pages()
    yield from _mistakes()
    yield from _changes()
    yield Request("GET", "/readyz")


def _lists() -> Generator[Request, Answer, None]:
    for search in ("", "company"):
        for kind in ("", "customer", "vendor"):
            for inactive in ("", "true"):
                yield _list(type=kind, include_inactive=inactive, search=search)
    for search in SEARCHES:
        yield _list(search=search, limit="1000")


def _pages() -> Generator[Request, Answer, None]:
    answer = yield _list(type="vendor", limit="250")
    for _ in range(3):
        if answer.next_page:
            answer = yield Request("GET", answer.next_page)
    yield _list(search="nobody has this name")


def _mistakes() -> Generator[Request, Answer, None]:
    yield Request("GET", f"{PARTIES}/2000000000", status=404)
    yield Request("GET", f"{PARTIES}/first", status=422)
    yield Request("GET", f"{PARTIES}?limit=0", status=422)
    yield Request("GET", f"{PARTIES}?type=friend&cursor=guessed", status=422)
    yield Request("POST", PARTIES, {"name": "", "type": "customer", "colour": "red"}, status=422)


def _changes() -> Generator[Request, Answer, None]:
    made = yield Request("POST", PARTIES, {"name": "Überführung Łódź 移行 & Søn", "type": "vendor"}, status=201)
    one = made.header("location")
    yield Request("GET", one)
    yield Request("POST", PARTIES, {"name": "ÜBERFÜHRUNG ŁÓDŹ 移行 & SØN", "type": "vendor"}, status=409)
    yield Request("PATCH", one, {"name": "Überführung Łódź 移行 & Töchter"})
    yield Request("PATCH", one, {"type": "friend"}, status=422)
    yield Request("DELETE", one)
    yield Request("DELETE", one)
    yield _list(search="移行 & TÖCHTER")
    yield _list(search="移行 & TÖCHTER", include_inactive="true")
    yield Request("POST", f"{one}/restore")
    yield Request("DELETE", f"{PARTIES}/1")
    yield Request("POST", f"{PARTIES}/1/restore")
    yield Request("GET", f"{PARTIES}/1")


def _list(**filters: str) -> Request:
    query = urlencode({name: value for name, value in filters.items() if value})
    return Request("GET", f"{PARTIES}?{query}" if query else PARTIES)
