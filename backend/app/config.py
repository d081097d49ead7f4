"""The settings: what `.env` and the environment say, or what stands here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from liteshift.app.engines import PoolSettings

BACKEND = Path(__file__).resolve().parent.parent

DatabaseType = Literal["sqlite", "postgresql"]

DRIVERS: dict[str, DatabaseType] = {
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgresql": "postgresql",
    "postgresql+psycopg": "postgresql",
    "postgres": "postgresql",
}


def database_type(url: str) -> DatabaseType:
    """Which kind of database a URL names.

    Raises:
        ValueError: it is no database URL, or names something that this service does not run on.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("not a database URL, like sqlite:///./app.db or postgresql://user@host/name") from None
    kind = DRIVERS.get(parsed.drivername)
    if kind is None:
        raise ValueError(f"this service runs on sqlite:/// and postgresql://, not on {parsed.drivername}://")
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("an SQLite database in memory is lost with the process: name a file, sqlite:///./app.db")
    return kind


class Settings(BaseSettings):
    """One instance per application; a setting is an environment variable of the same name in any case."""

    model_config = SettingsConfigDict(
        env_file=BACKEND / ".env",
        extra="ignore",  # one .env may serve other programs as well
        frozen=True,
        hide_input_in_errors=True,  # a URL may hold a password
        validate_default=True,
    )

    # sqlite:///./app.db, or postgresql://user:password@localhost/dbname
    DATABASE_URL: str = Field(default="sqlite:///./app.db", repr=False)
    # "sqlite" or "postgresql"; follows from the URL, and is an error where it contradicts it.
    DATABASE_TYPE: DatabaseType = Field(default_factory=lambda settings: database_type(settings["DATABASE_URL"]))
    # While the service is moved from one database to the other: the other one, and the file that says which is live.
    MOVED_DATABASE_URL: str | None = Field(default=None, repr=False)
    ROUTE_FILE: Path | None = None
    # How long a write waits for that move before it is answered 503; a pause lasts 10 s at the most (--pause).
    gate_patience_seconds: float = Field(default=15, ge=0, le=3600)

    # True logs every SQL statement to the console.
    DEBUG: bool = False

    # A statement that takes longer is logged, whatever DEBUG says.
    slow_query_seconds: float = Field(default=0.5, ge=0)
    # How long a request waits for a busy database before it is answered 503.
    busy_timeout_seconds: float = Field(default=30, gt=0, le=3600)

    pool_size: int = Field(default=20, ge=1)
    max_overflow: int = Field(default=0, ge=0)
    pool_timeout: float = Field(default=30, gt=0)
    pool_recycle: int = 3600
    pool_pre_ping: bool = True

    @field_validator("DATABASE_URL")
    @classmethod
    def _names_a_database_we_know(cls, url: str) -> str:
        database_type(url)
        return url

    @model_validator(mode="after")
    def _type_agrees_with_url(self) -> Self:
        if database_type(self.DATABASE_URL) != self.DATABASE_TYPE:
            raise ValueError(
                f"DATABASE_TYPE is {self.DATABASE_TYPE!r}, but DATABASE_URL names a {database_type(self.DATABASE_URL)} "
                "database: change one of them, or leave DATABASE_TYPE out"
            )
        return self

    @model_validator(mode="after")
    def _moves_from_one_kind_to_the_other(self) -> Self:
        if (self.MOVED_DATABASE_URL is None) is not (self.ROUTE_FILE is None):
            raise ValueError("MOVED_DATABASE_URL and ROUTE_FILE belong together: set both, or neither")
        if self.MOVED_DATABASE_URL is not None and database_type(self.MOVED_DATABASE_URL) == self.DATABASE_TYPE:
            raise ValueError(
                f"DATABASE_URL and MOVED_DATABASE_URL both name a {self.DATABASE_TYPE} database: "
                "a move goes from one kind to the other"
            )
        return self

    @property
    def urls(self) -> dict[DatabaseType, str]:
        """The databases of each kind."""
        urls = {self.DATABASE_TYPE: self.DATABASE_URL}
        if self.MOVED_DATABASE_URL is not None:
            urls[database_type(self.MOVED_DATABASE_URL)] = self.MOVED_DATABASE_URL
        return urls

    @property
    def pool(self) -> PoolSettings:
        """The pool's settings, as the engines take them."""
        return PoolSettings(
            size=self.pool_size,
            max_overflow=self.max_overflow,
            timeout=self.pool_timeout,
            recycle=self.pool_recycle,
            pre_ping=self.pool_pre_ping,
        )


def read_settings() -> Settings:
    """The settings of this process, which ends with a plain message when they can't be used."""
    try:
        return Settings()
    except ValidationError as error:
        mistakes = [mistake for mistake in error.errors() if mistake["type"] != "default_factory_not_called"]
        reasons = [
            f"{'.'.join(map(str, mistake['loc'])) or 'together'}: {mistake['msg'].removeprefix('Value error, ')}"
            for mistake in mistakes
        ]
        sys.exit(f"the settings in the environment and .env can't be used: {'; '.join(reasons)}")
