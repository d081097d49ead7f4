"""PostgreSQL's record text, taken apart and put together (PostgreSQL manual, 8.16.6)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FIELD = re.compile(r'(?:"([^"\\]*(?:(?:""|\\\\)[^"\\]*)*)"|([^"\\,()]*))([,)])')
_DOUBLED = re.compile(r'(["\\])\1')
_TO_DOUBLE = re.compile(r'(["\\])')
_NEEDS_QUOTES = re.compile(r'[\s"\\(),]|^$', re.ASCII)


def split(text: str, width: int) -> list[str | None]:
    """The fields' texts of a composite value, None for NULL.

    Args:
        text: as `record_out` prints it: `(1,"a b",)`.
        width: how many fields its type has.

    Raises:
        ValueError: the text is no record of so many fields.
    """
    if text == "()" and width == 0:
        return []
    found: list[str | None] = []
    at, closing = 1, "," if text.startswith("(") else ""
    while closing == ",":
        match = _FIELD.match(text, at)
        if match is None:
            break
        quoted, bare, closing = match.groups()
        found.append(bare or None if quoted is None else _DOUBLED.sub(r"\1", quoted))
        at = match.end()
    if closing != ")" or at != len(text) or len(found) != width:
        raise ValueError(f"no record of {width} fields: {text!r}")
    return found


def join(fields: Sequence[str | None]) -> str:
    """Put a composite value's text together, quoted exactly as `record_out` quotes it."""
    return "(" + ",".join("" if field is None else _quoted(field) for field in fields) + ")"


def _quoted(field: str) -> str:
    return '"' + _TO_DOUBLE.sub(r"\1\1", field) + '"' if _NEEDS_QUOTES.search(field) else field
