"""Adding, showing, listing and changing parties, and what is said to a request that is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.db import Database
from app.models import Party

PROBLEM = "application/problem+json"


def add(client: TestClient, name: str, type_: str = "customer") -> dict[str, Any]:
    """Add a party that nothing speaks against."""
    answer = client.post("/api/parties", json={"name": name, "type": type_})
    assert answer.status_code == 201, answer.text
    party: dict[str, Any] = answer.json()
    return party


def database_of(client: TestClient) -> Database:
    """The database under a client's application."""
    assert isinstance(client.app, FastAPI)
    database: Database = client.app.state.database
    return database


def names(client: TestClient, query: str) -> list[str]:
    """The names on a list."""
    return [party["name"] for party in client.get(f"/api/parties?{query}").json()["parties"]]


def test_create_says_where_the_party_is(client: TestClient) -> None:
    answer = client.post("/api/parties", json={"name": "Ünïcode & Söhne", "type": "vendor"})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/parties/1"
    assert client.get(answer.headers["location"]).content == answer.content
    assert answer.json()["created_at"] == answer.json()["updated_at"]


def test_change_only_what_is_given(client: TestClient) -> None:
    party = add(client, "Before")
    renamed = client.patch("/api/parties/1", json={"name": "After"}).json()
    assert renamed == {**party, "name": "After", "updated_at": renamed["updated_at"]}
    assert client.patch("/api/parties/1", json={"type": "vendor"}).json()["name"] == "After"
    assert names(client, "search=before") == []
    assert names(client, "search=AFTER&type=vendor") == ["After"]


def test_change_to_the_same_changes_nothing(client: TestClient) -> None:
    add(client, "Same")

    def stored() -> datetime:
        with database_of(client).reading() as session:
            return session.get_one(Party, 1).updated_at

    before = stored()
    for changes in ({}, {"name": "Same"}, {"name": "Same", "type": "customer"}):
        assert client.patch("/api/parties/1", json=changes).status_code == 200
    assert client.post("/api/parties/1/restore").status_code == 200
    assert stored() == before
    client.patch("/api/parties/1", json={"name": "Other"})
    assert stored() > before


def test_pages_follow_the_link(client: TestClient) -> None:
    for number in range(7):
        add(client, f"Party {number}")
    add(client, "Else")
    client.delete("/api/parties/3")
    path = "/api/parties?search=party%20&limit=2"
    pages = []
    while path:
        answer = client.get(path)
        pages.append([party["id"] for party in answer.json()["parties"]])
        assert (answer.json()["total"], answer.json()["active_count"]) == (6, 6)
        path = answer.links.get("next", {}).get("url", "")
    assert pages == [[1, 2], [4, 5], [6, 7]]


def test_a_full_last_page_has_no_next(client: TestClient) -> None:
    add(client, "One")
    add(client, "Two")
    assert "link" not in client.get("/api/parties?limit=2").headers
    assert "link" in client.get("/api/parties?limit=1").headers


def test_page_size(client: TestClient) -> None:
    with database_of(client).writing() as session:
        session.add_all(Party(name=f"n{number}", type="vendor") for number in range(1005))
    assert len(client.get("/api/parties").json()["parties"]) == 100
    assert len(client.get("/api/parties?limit=1000").json()["parties"]) == 1000
    assert client.get("/api/parties").json()["total"] == 1005


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("müller", "MÜLLER GmbH"),
        ("STRASSE", "Lange Straße 1"),
        ("σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("ЖУК", "жук и сын"),
        ("i\u0307stanbul", "İstanbul Ticaret"),
        ("cafe\u0301", "CAFÉ Central"),
        ("株式", "株式会社"),
        ("100%", "100% Juice"),
        ("a_b", "a_b"),
        ("c:\\d", "C:\\Data"),
    ],
)
def test_search_in_any_script(client: TestClient, search: str, found: str) -> None:
    for name in (found, "axb", "1000 Juice", "something else"):
        add(client, name)
    assert [p["name"] for p in client.get("/api/parties", params={"search": search}).json()["parties"]] == [found]


def test_name_is_taken(client: TestClient) -> None:
    add(client, "Müller")
    add(client, "Müller", "vendor")
    answer = client.post("/api/parties", json={"name": "MU\u0308LLER", "type": "customer"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "The active customer 1 has the name 'MU\u0308LLER' already.",
        "instance": "/api/parties",
        "code": "name_taken",
    }
    assert client.patch("/api/parties/2", json={"type": "customer"}).status_code == 409
    assert client.patch("/api/parties/1", json={"name": "mÜLLER"}).json()["name"] == "mÜLLER"
    assert add(client, "The next id")["id"] == 3


@pytest.mark.parametrize("path", ["/api/parties/99", "/api/parties/2147483647"])
def test_no_such_party(client: TestClient, path: str) -> None:
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = client.request(method, path, json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
        assert answer.json()["code"] == "party_not_found"
        assert answer.json()["instance"] == path


def test_no_such_path(client: TestClient) -> None:
    for path in ("/", "/api", "/api/parties/", "/api/party"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"], answer.headers["content-type"]) == (
            404,
            "not_found",
            PROBLEM,
        )


def test_no_such_method(client: TestClient) -> None:
    answer = client.put("/api/parties", json={})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    assert client.post("/api/parties/1").headers["allow"] == "GET, PATCH, DELETE"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/body/name", "/body/type"]),
        ({"name": "a", "type": "friend"}, ["/body/type"]),
        ({"name": "", "type": "vendor"}, ["/body/name"]),
        ({"name": " \t\u3000", "type": "vendor"}, ["/body/name"]),
        ({"name": "a\0b", "type": "vendor"}, ["/body/name"]),
        ({"name": "a\nb", "type": "vendor"}, ["/body/name"]),
        ({"name": "x" * 201, "type": "vendor"}, ["/body/name"]),
        ({"name": 7, "type": "vendor"}, ["/body/name"]),
        ({"name": None, "type": None}, ["/body/name", "/body/type"]),
        ({"name": "a", "type": "vendor", "is_active": False}, ["/body/is_active"]),
        ({"name": "a", "type": "vendor", "x/y~z": 1}, ["/body/x~1y~0z"]),
        (["name"], ["/body"]),
    ],
)
def test_wrong_party(client: TestClient, body: object, pointers: list[str]) -> None:
    answer = client.post("/api/parties", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    problem = answer.json()
    assert (problem["code"], problem["status"]) == ("invalid_request", 422)
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert client.get("/api/parties?include_inactive=true").json()["total"] == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"name": "\\ud800", "type": "vendor"}',
        b'{"name": "\xff", "type": "vendor"}',
        b"\x00",
        b"[" * 100_000,
        b'{"name": ' + b"1" * 10_000 + b', "type": "vendor"}',
    ],
    ids=range(8),
)
def test_body_that_is_no_json(client: TestClient, content: bytes) -> None:
    answer = client.post("/api/parties", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_lone_surrogate_in_an_unknown_field(client: TestClient) -> None:
    answer = client.post(
        "/api/parties",
        content=b'{"name": "a", "type": "vendor", "\\ud800": "\\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_longest_name(client: TestClient) -> None:
    for character in ("x", "ß", "\U0001f600", "ΐ"):
        name = character * 200
        assert add(client, name)["name"] == name


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/query/limit"),
        ("limit=1001", "/query/limit"),
        ("limit=many", "/query/limit"),
        ("type=friend", "/query/type"),
        ("include_inactive=perhaps", "/query/include_inactive"),
        ("search=a%00b", "/query/search"),
        (f"search={'x' * 201}", "/query/search"),
        ("cursor=nonsense", "/query/cursor"),
        ("cursor=%C3%A4", "/query/cursor"),
        ("cursor=AAAAAAAAAAEAAAAAAAAAAAAA", "/query/cursor"),
    ],
)
def test_wrong_question(client: TestClient, query: str, pointer: str) -> None:
    answer = client.get(f"/api/parties?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("party_id", ["0", "-1", "2147483648", "99999999999999999999", "one", "1.5", "%00"])
def test_wrong_id(client: TestClient, party_id: str) -> None:
    answer = client.get(f"/api/parties/{party_id}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "/path/party_id"


def test_cursor_of_another_list(client: TestClient) -> None:
    add(client, "One")
    add(client, "Two")
    cursor = client.get("/api/parties?limit=1").links["next"]["url"].split("cursor=")[1]
    assert client.get(f"/api/parties?limit=1&cursor={cursor}").json()["parties"][0]["name"] == "Two"
    for query in ("type=vendor", "include_inactive=true", "search=t"):
        assert client.get(f"/api/parties?{query}&cursor={cursor}").status_code == 422
    for forged in (cursor[:-1], cursor + "A", cursor.swapcase(), "B" + cursor[1:], cursor + "%0A"):
        assert client.get(f"/api/parties?cursor={forged}").status_code == 422, forged
