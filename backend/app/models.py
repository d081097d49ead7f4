"""The tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Boolean, CheckConstraint, DateTime, Dialect, Index, Integer, MetaData, String, Text, text, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates
from sqlalchemy.types import TypeDecorator

from app.folding import fold

NAME_LENGTH = 200

PartyType = Literal["customer", "vendor"]


def utc_now() -> datetime:
    """This moment, with its time zone."""
    return datetime.now(UTC)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond.

    PostgreSQL has a type for it. SQLite gets the text `YYYY-MM-DD HH:MM:SS.ffffff`, whose order is the order of time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: nobody could say which moment it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every time the zone UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables share: every constraint has a name, so that a migration can speak of it."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class Party(Base):
    """A customer or a vendor. Deleting one only makes it inactive."""

    __tablename__ = "parties"
    __table_args__ = (
        CheckConstraint("type IN ('customer', 'vendor')", name="type"),
        CheckConstraint(f"length(name) <= {NAME_LENGTH}", name="name_length"),  # SQLite takes VARCHAR(200) for TEXT
        # No two active parties of one type have the same name; an inactive one stands in nobody's way.
        Index(
            "uq_parties_type_name_folded_active",
            "type",
            "name_folded",
            unique=True,
            postgresql_where=text("is_active"),
            sqlite_where=text("is_active"),
        ),
        # Answers the three counts of a list without reading the rows.
        Index(None, "type", "is_active"),
        {"sqlite_autoincrement": True},  # an id is never given twice, as on PostgreSQL
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    name_folded: Mapped[str] = mapped_column(Text)
    type: Mapped[PartyType] = mapped_column(String(20))
    is_active: Mapped[bool] = mapped_column(
        Boolean(create_constraint=True, name="is_active"), default=True, server_default=true()
    )
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, onupdate=utc_now)

    @validates("name")
    def _fold_name(self, _: str, name: str) -> str:
        self.name_folded = fold(name)
        return name
