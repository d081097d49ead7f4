"""What can be done with parties. Each function works inside the caller's session and leaves the commit to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from app.folding import fold
from app.models import Party, PartyType
from app.problems import NAME_TAKEN, PARTY_NOT_FOUND, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.orm import Session

    from app.schemas import PartyChange, PartyNew


@dataclass(frozen=True, slots=True)
class Filter:
    """Which parties a list is about."""

    include_inactive: bool = False
    type: PartyType | None = None
    search: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL; all conditions hold together."""
        conditions: list[ColumnElement[bool]] = []
        if not self.include_inactive:
            conditions.append(Party.is_active.is_(True))
        if self.type is not None:
            conditions.append(Party.type == self.type)
        if self.search:
            conditions.append(Party.name_folded.contains(fold(self.search), autoescape=True))
        return conditions


# What a list shows of a party. Rows of it cost half of what as many `Party` objects would, and nobody changes them.
_SHOWN = select(Party.id, Party.name, Party.type, Party.is_active, Party.created_at, Party.updated_at)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the parties that match, as rows, and how many match on all pages."""

    parties: Sequence[Row[int, str, PartyType, bool, datetime, datetime]]
    has_more: bool
    active_count: int
    inactive_count: int


def list_page(session: Session, wanted: Filter, *, after_id: int, limit: int) -> Page:
    """The page of matching parties that follows `after_id`, in the order of their ids."""
    conditions = wanted.conditions()
    rows = session.execute(_SHOWN.where(Party.id > after_id, *conditions).order_by(Party.id).limit(limit + 1)).all()
    active = func.count().filter(Party.is_active.is_(True))
    total, active_count = session.execute(select(func.count(), active).select_from(Party).where(*conditions)).one()
    return Page(rows[:limit], len(rows) > limit, active_count, total - active_count)


def get(session: Session, party_id: int) -> Party:
    """One party, active or not.

    Raises:
        RequestFailed: there is none.
    """
    party = session.get(Party, party_id)
    if party is None:
        raise RequestFailed(PARTY_NOT_FOUND, f"There is no party {party_id}.")
    return party


def create(session: Session, new: PartyNew) -> Party:
    """Add a party.

    Raises:
        RequestFailed: its name is taken.
    """
    party = Party(name=new.name, type=new.type, is_active=True)
    _refuse_taken_name(session, party)
    session.add(party)
    session.flush()
    return party


def change(session: Session, party_id: int, changes: PartyChange) -> Party:
    """Change what is given; a change to what is there already changes nothing, not even `updated_at`.

    Raises:
        RequestFailed: there is no such party, or the name is taken.
    """
    party = get(session, party_id)
    for field, value in changes.items():
        setattr(party, field, value)
    _refuse_taken_name(session, party)
    session.flush()
    return party


def set_active(session: Session, party_id: int, active: bool) -> Party:
    """Delete (make inactive) or restore a party; done twice, it changes nothing the second time.

    Raises:
        RequestFailed: there is no such party, or, on the way back, the name has been taken.
    """
    party = get(session, party_id)
    party.is_active = active
    _refuse_taken_name(session, party)
    session.flush()
    return party


def _refuse_taken_name(session: Session, party: Party) -> None:
    # The unique index decides in the end. Asking first costs little, names the other party, and uses up no id.
    if not party.is_active:
        return
    with session.no_autoflush:
        other = session.scalar(
            select(Party.id).where(
                Party.type == party.type,
                Party.name_folded == party.name_folded,
                Party.is_active.is_(True),
                Party.id != (party.id or 0),
            )
        )
    if other is not None:
        raise RequestFailed(NAME_TAKEN, f"The active {party.type} {other} has the name {party.name!r} already.")
