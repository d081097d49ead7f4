"""Settings come from the environment and `.env`, and say clearly when they contradict each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.config import BACKEND, Settings
from liteshift.app.engines import PoolSettings


@pytest.fixture(autouse=True)
def _no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Settings.model_config, "env_file", None)


def test_defaults() -> None:
    settings = Settings()
    assert (settings.DATABASE_URL, settings.DATABASE_TYPE, settings.DEBUG) == ("sqlite:///./app.db", "sqlite", False)
    assert settings.pool == PoolSettings(size=20, max_overflow=0, timeout=30, recycle=3600, pre_ping=True)
    assert settings.busy_timeout_seconds == 30


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_type_follows_from_url(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://user:password@localhost/dbname")
    assert Settings().DATABASE_TYPE == "postgresql"
    monkeypatch.setenv("DATABASE_TYPE", "postgresql")
    assert Settings().DATABASE_TYPE == "postgresql"


def test_type_contradicts_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@localhost/dbname")
    monkeypatch.setenv("DATABASE_TYPE", "sqlite")
    with pytest.raises(
        ValidationError, match="DATABASE_TYPE is 'sqlite', but DATABASE_URL names a postgresql"
    ) as error:
        Settings()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://user:secret@localhost/dbname", "not on mysql"),
        ("postgresql+psycopg2://user:secret@localhost/dbname", r"not on postgresql\+psycopg2"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("secret", "not a database URL"),
        ("", "not a database URL"),
    ],
)
def test_url_of_something_else(monkeypatch: pytest.MonkeyPatch, url: str, message: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ValidationError, match=message) as error:
        Settings()
    assert "secret" not in str(error.value)


def test_file_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DATABASE_URL=sqlite:///./other.db\nPOOL_SIZE=50\nDEBUG=true\nSOMEBODY_ELSES=1\n")
    monkeypatch.setitem(Settings.model_config, "env_file", file)
    monkeypatch.setenv("POOL_SIZE", "5")  # the environment goes first
    settings = Settings()
    assert (settings.DATABASE_URL, settings.pool_size, settings.DEBUG) == ("sqlite:///./other.db", 5, True)


@pytest.mark.parametrize(
    ("moving", "message"),
    [
        ({"ROUTE_FILE": "app.db.route"}, "belong together"),
        ({"MOVED_DATABASE_URL": "sqlite:///app.db"}, "belong together"),
        ({"ROUTE_FILE": "app.db.route", "MOVED_DATABASE_URL": "postgresql://u:secret@h/d"}, "both name a postgresql"),
        ({"ROUTE_FILE": "app.db.route", "MOVED_DATABASE_URL": "mysql://u:secret@h/d"}, "not on mysql"),
    ],
)
def test_a_move_has_two_ends_and_a_route(monkeypatch: pytest.MonkeyPatch, moving: dict[str, str], message: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@localhost/dbname")
    for name, value in moving.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=message) as error:
        Settings()
    assert "secret" not in str(error.value)


def test_the_two_databases_of_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    postgresql, sqlite = "postgresql://user@localhost/dbname", "sqlite:///./app.db"
    assert Settings().urls == {"sqlite": sqlite}
    monkeypatch.setenv("ROUTE_FILE", "app.db.route")
    for one, moved in ((postgresql, sqlite), (sqlite, postgresql)):  # before the move, and once it is over
        monkeypatch.setenv("DATABASE_URL", one)
        monkeypatch.setenv("MOVED_DATABASE_URL", moved)
        assert Settings().urls == {"postgresql": postgresql, "sqlite": sqlite}


def test_password_is_not_shown() -> None:
    settings = Settings(
        DATABASE_URL="postgresql://user:secret@localhost/dbname",
        MOVED_DATABASE_URL="sqlite:///secret.db",
        ROUTE_FILE=Path("app.db.route"),
    )
    assert "secret" not in repr(settings)
    assert "secret" not in str(settings)


@pytest.mark.parametrize(
    "arguments", [["-m", "alembic", "current"], ["-m", "uvicorn", "app.main:app"], ["scripts/seed_parties.py"]]
)
def test_a_mistake_ends_every_command_with_a_sentence(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=BACKEND,
        env={"DATABASE_URL": "postgresql://user:secret@localhost/dbname", "DATABASE_TYPE": "sqlite"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the settings in the environment and .env can't be used: ")
    assert "DATABASE_TYPE is 'sqlite', but DATABASE_URL names a postgresql database" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
