"""Django's contract: one application, on PostgreSQL and on the migrated file, sees the same objects and rows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Migrate = Callable[..., dict[str, Any]]


def django(database: str | Path, command: str) -> Any:
    """What the application answers, in a process of its own."""
    if isinstance(database, Path):
        described: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}
    else:
        parts = psycopg.conninfo.conninfo_to_dict(database)
        described = {"ENGINE": "django.db.backends.postgresql", "NAME": parts.pop("dbname")}
        described |= {name.upper(): value for name, value in parts.items()}
    environment = {**os.environ, "DATABASE": json.dumps(described), "PYTHONPATH": str(Path(__file__).parent)}
    run = [sys.executable, "-m", "django_app.run", command]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def moved(source: str, tmp_path_factory: pytest.TempPathFactory, migrate: Migrate) -> tuple[Path, dict[str, Any]]:
    """The application's file, and the plan."""
    django(source, "fill")
    file = tmp_path_factory.mktemp("django") / "app.db"
    return file, migrate(source, file, "django")


def test_the_same_objects_and_rows(source: str, moved: tuple[Path, dict[str, Any]]) -> None:
    here, there = django(moved[0], "look"), django(source, "look")
    assert {name: here[name] for name in here if here[name] != there[name]} == {}
    assert here.keys() == there.keys()


def test_writing_goes_on(moved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    file = shutil.copy(moved[0], tmp_path / "app.db")
    here = django(file, "write")
    assert here == {"id": 32, "tag": 3, "doubled": 42, "price": [32], "age": True, "moment": [32], "accepted": []}
    assert django(file, "go_on") == {"same": True, "next": True}


def test_the_plan_names_what_is_lost(moved: tuple[Path, dict[str, Any]]) -> None:
    lost = {finding["subject"] for finding in moved[1]["findings"] if finding["severity"] != "note"}
    things = {f"public.django_app_thing.{name}" for name in ("span", "exact", "address", "made")}
    assert lost == things


def test_a_number_that_django_would_round_is_rejected(
    source: str, moved: tuple[Path, dict[str, Any]], tmp_path: Path, migrate: Migrate
) -> None:
    django(source, "too_long")
    try:
        migrate(source, tmp_path / "app.db", "django", code=3)
    finally:
        with psycopg.connect(source, autocommit=True) as connection:
            connection.execute("DELETE FROM django_app_thing WHERE id = 1000")
    reject = json.loads((tmp_path / "app.db.rejects.jsonl").read_text())
    assert "12345678901234.567890" in json.dumps(reject)
    assert "more than 15 digits" in json.dumps(reject)
