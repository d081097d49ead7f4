"""Intervals: the point in time that SQLAlchemy keeps for them, Django's microseconds, or PostgreSQL's own text.

PostgreSQL keeps months, days and microseconds apart; both ORMs keep one length of time. Only an interval that such a
length gives back unchanged, as every one written by Python's `timedelta` does, takes an ORM's form. The others stay the
ISO 8601 text that PostgreSQL prints.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_INT64 = range(-(2**63), 2**63)
_PARTS = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?", re.ASCII
)
_STORED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", re.ASCII)


def epoch_from_pg(printed: str) -> str:
    """1970-01-01 plus the interval, in a stored timestamp's fixed width; the text itself where that is not exact."""
    span = _exact_length(printed)
    if span is None:
        return printed
    try:
        return (_EPOCH + span).isoformat(sep=" ", timespec="microseconds")
    except OverflowError:
        return printed


def epoch_to_pg(value: object) -> str:
    """PostgreSQL's text of a stored interval."""
    if not isinstance(value, str):
        raise ValueError(f"an interval expected, found {value!r}")
    return text(datetime.fromisoformat(value) - _EPOCH) if _STORED.fullmatch(value) else value


def micros_from_pg(printed: str) -> int | str:
    """The interval in microseconds; the text itself where that is not exact."""
    span = _exact_length(printed)
    if span is None or span // _MICROSECOND not in _INT64:
        return printed
    return span // _MICROSECOND


def micros_to_pg(value: object) -> str:
    """PostgreSQL's text of a stored interval."""
    if isinstance(value, int):
        return text(timedelta(microseconds=value))
    if not isinstance(value, str):
        raise ValueError(f"an interval expected, found {value!r}")
    return value


def length(printed: str) -> timedelta:
    """About how long an interval is: a month is 30 days and a year 365, as psycopg reads it.

    Raises:
        ValueError: the text is no interval.
        OverflowError: it is too long for a `timedelta`.
    """
    match = _PARTS.fullmatch(printed)
    if match is None or printed == "P":
        raise ValueError(f"an interval expected, found {printed!r}")
    years, months, days, hours, minutes, seconds = match.groups(default="0")
    whole, _, fraction = seconds.partition(".")
    micros = int(f"{whole}{fraction.ljust(6, '0')}")
    span = timedelta(days=int(years) * 365 + int(months) * 30 + int(days))
    return span + timedelta(hours=int(hours), minutes=int(minutes), microseconds=micros)


def _exact_length(printed: str) -> timedelta | None:
    """The length of time that gives this very text back, if there is one."""
    try:
        found = length(printed)
    except (ValueError, OverflowError):
        return None
    return found if text(found) == printed else None


def text(span: timedelta) -> str:
    """As PostgreSQL prints it with IntervalStyle iso_8601: whole days, floored, and what is left as time of day."""
    days, rest = divmod(span, _DAY)
    hours, rest = divmod(rest, timedelta(hours=1))
    minutes, rest = divmod(rest, timedelta(minutes=1))
    seconds, micros = divmod(rest // _MICROSECOND, 1_000_000)
    date = f"{days}D" if days else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if seconds or micros:
        time += f"{seconds}" + (f".{micros:06d}".rstrip("0") if micros else "") + "S"
    if not date and not time:
        return "PT0S"
    return f"P{date}" + (f"T{time}" if time else "")
