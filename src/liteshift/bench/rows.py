"""The benchmark's tables, and the rows in them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from sqlalchemy import Connection

INVOICES_EACH = 3
DAYS = 997
FIRST_DAY = date(2021, 1, 1)


class Base(DeclarativeBase):
    """What the tables share."""


class Party(Base):
    """A customer or a vendor."""

    __tablename__ = "parties"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(20))
    is_active: Mapped[bool]
    created_at: Mapped[datetime]


class Invoice(Base):
    """What a party owes."""

    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("parties.id"), index=True)
    issued: Mapped[date] = mapped_column(index=True)
    cents: Mapped[int]


class Payment(Base):
    """What was paid: empty at first, and only written to."""

    __tablename__ = "payments"

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), index=True)
    cents: Mapped[int]
    paid_at: Mapped[datetime]


_FILL = (
    """
    INSERT INTO parties (name, type, is_active, created_at)
    SELECT 'Party ' || md5(i::text), CASE WHEN i % 2 = 0 THEN 'customer' ELSE 'vendor' END, i % 10 <> 0,
           timestamp '2020-01-01' + i * interval '7 minutes'
    FROM generate_series(1, :parties) AS i
    """,
    # A prime number of days: a party's invoices fall on different ones.
    """
    INSERT INTO invoices (party_id, issued, cents)
    SELECT 1 + i * 7919 % :parties, date '2021-01-01' + (i * 17 % :days)::int, 100 + i * 104729 % 100000
    FROM generate_series(1::bigint, :invoices) AS i
    """,
)


def fill(connection: Connection, parties: int) -> None:
    """Make the tables in PostgreSQL and fill them; SQLite gets them by migration."""
    Base.metadata.create_all(connection)
    numbers = {"parties": parties, "invoices": parties * INVOICES_EACH, "days": DAYS}
    for statement in _FILL:
        connection.execute(text(statement), numbers)
