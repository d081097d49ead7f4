"""The OpenAPI document is complete, and the service keeps to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import strategies as st
from schemathesis import engine
from schemathesis.engine import events

from app.main import create_app
from app.problems import KINDS
from tests.conftest import settings_for


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation with its name."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_every_operation_is_described(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (name, parameter["name"])
        problems = {status for status in operation["responses"] if status >= "400"}
        assert problems >= {"500", "503"} or name == "GET /livez", name
        for status in problems:
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], (name, status)
            assert content["application/problem+json"]["examples"], (name, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_code_is_said_once() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(codes) == len(set(codes)) >= 10


# A cursor fits one list only, so all that fits any list is none.
schemathesis.openapi.format("cursor", st.just(""))

CONFIG: dict[str, Any] = {
    "generation": {"max-examples": 100, "database": "none"},
    # A deleted party is still there, to be looked at and restored.
    "checks": {"use_after_free": {"enabled": False}},
}


def test_keeps_to_it(database_url: str) -> None:
    """All checks of schemathesis on some thousand requests, right and wrong, alone and in sequences."""
    app = create_app(settings_for(database_url))
    document = schemathesis.openapi.from_asgi("/openapi.json", app, config=schemathesis.Config.from_dict(CONFIG))
    failures, requests = [], 0
    for event in engine.from_schema(document).execute():
        if isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.interactions)
            for checks in event.recorder.checks.values():
                failures += [check.failure_info for check in checks if check.failure_info]
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
    assert failures == []
    assert requests > 500
