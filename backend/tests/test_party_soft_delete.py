"""Deleting a party makes it inactive; lists show active parties unless asked for all."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def parties(client: TestClient) -> dict[str, int]:
    """Three customers and two vendors, one of each deleted; name to id."""
    ids = {}
    for name, kind in (
        ("Alpha Company", "customer"),
        ("Beta Ltd", "customer"),
        ("Gone Company", "customer"),
        ("Delta Supplies", "vendor"),
        ("Old Company Supplies", "vendor"),
    ):
        ids[name] = client.post("/api/parties", json={"name": name, "type": kind}).json()["id"]
    for name in ("Gone Company", "Old Company Supplies"):
        assert client.delete(f"/api/parties/{ids[name]}").status_code == 200
    return ids


def listed(client: TestClient, query: str = "") -> tuple[list[str], int, int, int]:
    """The names on a list, and its three counts."""
    answer = client.get(f"/api/parties{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return [party["name"] for party in body["parties"]], body["total"], body["active_count"], body["inactive_count"]


@pytest.mark.usefixtures("parties")
class TestLists:
    def test_active_parties_only_by_default(self, client: TestClient) -> None:
        assert listed(client) == (["Alpha Company", "Beta Ltd", "Delta Supplies"], 3, 3, 0)

    def test_all_with_include_inactive(self, client: TestClient) -> None:
        names = ["Alpha Company", "Beta Ltd", "Gone Company", "Delta Supplies", "Old Company Supplies"]
        assert listed(client, "?include_inactive=true") == (names, 5, 3, 2)

    def test_of_one_type(self, client: TestClient) -> None:
        assert listed(client, "?type=customer") == (["Alpha Company", "Beta Ltd"], 2, 2, 0)
        assert listed(client, "?type=vendor") == (["Delta Supplies"], 1, 1, 0)

    def test_search(self, client: TestClient) -> None:
        assert listed(client, "?search=company") == (["Alpha Company"], 1, 1, 0)
        assert listed(client, "?search=COMPANY&include_inactive=true")[1:] == (3, 1, 2)

    def test_filters_combine(self, client: TestClient) -> None:
        found = listed(client, "?type=customer&include_inactive=true&search=company")
        assert found == (["Alpha Company", "Gone Company"], 2, 1, 1)

    def test_counts_speak_of_all_pages(self, client: TestClient) -> None:
        assert listed(client, "?include_inactive=true&limit=1") == (["Alpha Company"], 5, 3, 2)


def test_answer_has_the_documented_form(client: TestClient) -> None:
    client.post("/api/parties", json={"name": "Customer Company", "type": "customer"})
    body = client.get("/api/parties").json()
    (party,) = body["parties"]
    times = {party.pop("created_at"), party.pop("updated_at")}
    assert party == {"id": 1, "name": "Customer Company", "type": "customer", "is_active": True}
    assert {name: body[name] for name in ("total", "active_count", "inactive_count")} == {
        "total": 1,
        "active_count": 1,
        "inactive_count": 0,
    }
    (moment,) = times
    assert len(moment) == len("2024-01-01T00:00:00Z")
    assert moment.endswith("Z")


def test_delete_keeps_the_party(client: TestClient, parties: dict[str, int]) -> None:
    path = f"/api/parties/{parties['Alpha Company']}"
    before = client.get(path).json()
    deleted = client.delete(path)
    assert deleted.json() == {**before, "is_active": False, "updated_at": deleted.json()["updated_at"]}
    assert client.get(path).json() == deleted.json()


def test_delete_twice_answers_the_same(client: TestClient, parties: dict[str, int]) -> None:
    path = f"/api/parties/{parties['Alpha Company']}"
    first, second = client.delete(path), client.delete(path)
    assert (first.status_code, first.content) == (second.status_code, second.content)


def test_restore(client: TestClient, parties: dict[str, int]) -> None:
    path = f"/api/parties/{parties['Gone Company']}"
    first, second = client.post(f"{path}/restore"), client.post(f"{path}/restore")
    assert first.json()["is_active"] is True
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert "Gone Company" in listed(client)[0]


def test_name_of_a_deleted_party_is_free(client: TestClient, parties: dict[str, int]) -> None:
    taken = client.post("/api/parties", json={"name": "GONE company", "type": "customer"})
    assert taken.status_code == 201
    restored = client.post(f"/api/parties/{parties['Gone Company']}/restore")
    assert restored.status_code == 409
    assert restored.json()["code"] == "name_taken"
    assert client.get(f"/api/parties/{parties['Gone Company']}").json()["is_active"] is False


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/restore")])
def test_nobody_to_delete_or_restore(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, f"/api/parties/99{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "party_not_found")
