"""Which values PostgreSQL may print otherwise than they were written on SQLite: the same value to it, or rounded by it.

`{"b": 1, "a": 2}` in a jsonb column comes back with its keys in another order, `ab` in a char(4) with two blanks.
"""

from __future__ import annotations

import re

from liteshift.catalog import Column, PgType, TypeKind
from liteshift.plan import ColumnPlan

_AS_WRITTEN = frozenset(("int2", "int4", "int8", "oid", "bool", "float8", "bytea", "text", "varchar", "name", "json"))
_IN_FORM = ("float4", "interval")
"""What prints just as its codec writes it, if it is in its form at all."""
_MOMENT = r"(\.\d{0,5}[1-9])?"
_PLAIN = {
    "uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "time": re.compile(r"\d\d:\d\d:\d\d" + _MOMENT),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d" + _MOMENT),
    "timestamptz": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d" + _MOMENT + r"\+00"),
}
_ROUNDED = ("time", "timestamp", "timestamptz")
_MICROSECONDS = 6


def may_ever_differ(source: Column) -> bool:
    """Whether there is a value of a column that PostgreSQL may print otherwise."""
    base, _ = _base(source)
    return base.kind is not TypeKind.ENUM and not (_is_own(base) and base.name.name in _AS_WRITTEN)


def may_differ(plan: ColumnPlan, source: Column, text: str) -> bool:
    """Whether PostgreSQL may print a text otherwise.

    Args:
        text: what the column's codec made of a stored value.
    """
    base, typmod = _base(source)
    if not may_ever_differ(source):
        return False
    if not _is_own(base):
        return True
    name = base.name.name
    if name in _IN_FORM or plan.form.startswith("numeric("):  # whose codec writes out just the column's scale
        return False
    if name == "bpchar" and typmod >= 0:
        return len(text) != typmod - 4
    if name in _ROUNDED and 0 <= typmod < _MICROSECONDS:
        return True
    return name not in _PLAIN or _PLAIN[name].fullmatch(text) is None


def _base(source: Column) -> tuple[PgType, int]:
    base, typmod = source.type, source.typmod
    while base.kind is TypeKind.DOMAIN and base.base:
        base, typmod = base.base, base.typmod if typmod < 0 else typmod
    return base, typmod


def _is_own(base: PgType) -> bool:
    return base.kind is TypeKind.BASE and base.name.schema == "pg_catalog"
