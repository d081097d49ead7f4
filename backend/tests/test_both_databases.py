"""PostgreSQL and SQLite under the same service: they answer the same, and what a few lines of Python say is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.folding import fold
from app.main import create_app
from app.models import Party
from tests.conftest import KINDS, Databases, settings_for

# Letters that case is difficult for, and characters that mean something to LIKE.
ALPHABET = "aAbBsS ßẞſéÉe\u0301\u0308ïİıiΣσςжЖǅKkK株😀%_\\'\"-1"
NAMES = st.text(ALPHABET, min_size=1, max_size=6).filter(lambda name: not name.isspace())
TYPES = st.sampled_from(["customer", "vendor"])


@dataclass(frozen=True)
class Row:
    """A party as the model in plain Python has it."""

    name: str
    type: str
    is_active: bool


@dataclass(frozen=True)
class Question:
    """What a list is asked for."""

    include_inactive: bool
    type: str | None
    search: str
    limit: int

    def query(self) -> dict[str, str]:
        """As a query string's parts."""
        query = {
            "include_inactive": str(self.include_inactive).lower(),
            "search": self.search,
            "limit": str(self.limit),
        }
        return query if self.type is None else {**query, "type": self.type}

    def matches(self, row: Row) -> bool:
        """Whether the party belongs on the list."""
        return (
            (row.is_active or self.include_inactive)
            and self.type in (None, row.type)
            and fold(self.search) in fold(row.name)
        )


ROWS = st.lists(st.builds(Row, NAMES, TYPES, st.booleans()), max_size=12).map(
    # No two active ones of a type have the same name.
    lambda rows: list({(fold(row.name), row.type) if row.is_active else object(): row for row in rows}.values())
)
QUESTIONS = st.builds(
    Question, st.booleans(), st.none() | TYPES, st.text(ALPHABET, max_size=2), st.integers(min_value=1, max_value=5)
)


@pytest.fixture(scope="module")
def services(databases: Databases) -> Iterator[list[TestClient]]:
    """The service on PostgreSQL, and the service on SQLite."""
    with ExitStack() as stack:
        clients = []
        for kind in KINDS:
            url = databases.at_head(kind)
            stack.callback(databases.drop, url)
            app = create_app(settings_for(url))
            clients.append(stack.enter_context(TestClient(app, raise_server_exceptions=False)))
        yield clients


def empty(client: TestClient, rows: list[Row] | None = None) -> None:
    """Make the database as new, with these parties."""
    assert isinstance(client.app, FastAPI)
    with client.app.state.database.writing() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("DELETE FROM parties"))
            session.execute(text("DELETE FROM sqlite_sequence"))
        else:
            session.execute(text("TRUNCATE parties RESTART IDENTITY"))
        session.add_all(Party(name=row.name, type=row.type, is_active=row.is_active) for row in rows or [])


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, questions=st.lists(QUESTIONS, min_size=1, max_size=6))
def test_lists_are_what_they_should_be(services: list[TestClient], rows: list[Row], questions: list[Question]) -> None:
    for client in services:
        empty(client, rows)
        for question in questions:
            matching = [row for row in rows if question.matches(row)]
            path: str = str(httpx2.URL("/api/parties", params=question.query()))
            found: list[str] = []
            while path:
                answer = client.get(path)
                body = answer.json()
                assert (body["total"], body["active_count"], body["inactive_count"]) == (
                    len(matching),
                    sum(row.is_active for row in matching),
                    sum(not row.is_active for row in matching),
                )
                found += [party["name"] for party in body["parties"]]
                assert len(body["parties"]) <= question.limit
                path = answer.links.get("next", {}).get("url", "")
            assert found == [row.name for row in matching]


@dataclass(frozen=True)
class Call:
    """A request."""

    method: str
    path: str
    body: Any = None

    def __call__(self, client: TestClient) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of the answer, without the times."""
        content = None if self.body is None else json.dumps(self.body)
        headers = {"content-type": "application/json"}
        answer = client.request(self.method, self.path, content=content, headers=headers)
        return (
            answer.status_code,
            dict(answer.headers),
            re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', '"TIME"', answer.text),
        )


IDS = st.integers(min_value=1, max_value=5)
CALLS = st.one_of(
    st.builds(lambda name, kind: Call("POST", "/api/parties", {"name": name, "type": kind}), NAMES, TYPES),
    st.builds(lambda i, name: Call("PATCH", f"/api/parties/{i}", {"name": name}), IDS, NAMES),
    st.builds(lambda i, kind: Call("PATCH", f"/api/parties/{i}", {"type": kind}), IDS, TYPES),
    st.builds(lambda i: Call("DELETE", f"/api/parties/{i}"), IDS),
    st.builds(lambda i: Call("POST", f"/api/parties/{i}/restore"), IDS),
    st.builds(lambda i: Call("GET", f"/api/parties/{i}"), IDS),
    st.builds(lambda question: Call("GET", str(httpx2.URL("/api/parties", params=question.query()))), QUESTIONS),
)


@settings(deadline=None, max_examples=60)
@given(calls=st.lists(CALLS, min_size=1, max_size=20))
def test_same_requests_same_answers(services: list[TestClient], calls: list[Call]) -> None:
    for client in services:
        empty(client)
    for call in calls:
        first, second = (call(client) for client in services)
        assert first == second
        assert first[0] < 500


def test_same_answers_to_mistakes(services: list[TestClient]) -> None:
    for client in services:
        empty(client, [Row("One", "customer", True), Row("Two", "customer", True)])
    for call in (
        Call("GET", "/"),
        Call("PUT", "/api/parties"),
        Call("GET", "/api/parties/99"),
        Call("GET", "/api/parties/99999999999"),
        Call("GET", "/api/parties?limit=0&type=x&search=%00&include_inactive=2&cursor=x"),
        Call("GET", "/api/parties?cursor=x"),
        Call("GET", "/api/parties?limit=1"),
        Call("POST", "/api/parties", {"name": "\0", "type": 1}),
        Call("POST", "/api/parties", {"name": "ONE", "type": "customer"}),
        Call("POST", "/api/parties", {"name": "three", "type": "customer"}),
        Call("PATCH", "/api/parties/1", {"name": "TWO"}),
        Call("PATCH", "/api/parties/1", {"name": None}),
        Call("GET", "/livez"),
        Call("GET", "/readyz"),
        Call("GET", "/openapi.json"),
    ):
        first, second = (call(client) for client in services)
        assert first == second
