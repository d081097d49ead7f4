"""jsonb: one text for each value, so that equal values are equal texts.

PostgreSQL prints a jsonb in one way, but for the letters: it prints those beyond ASCII as they are, where Python's
`json.dumps` escapes them. Stored escaped, the text is the one that an ORM on SQLite compares with.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]+")
_ESCAPES = re.compile(r"\\(?:((?:u[0-9a-f]{4})(?:\\u[0-9a-f]{4})*)|.)")
_FIRST_ESCAPED = "\x7f"  # PostgreSQL escapes control characters only, and this is none of them there


def escaped(text: str) -> str:
    """What PostgreSQL prints, in ASCII as `json.dumps` writes it."""
    return text if text.isascii() and _FIRST_ESCAPED not in text else _BEYOND_ASCII.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def unescaped(text: str) -> str:
    """The inverse of `escaped`."""
    return _ESCAPES.sub(_unescape, text) if "\\u" in text else text


def _unescape(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    letters: str = json.loads(f'"{match[0]}"')
    return "".join(letter if letter >= _FIRST_ESCAPED else f"\\u{ord(letter):04x}" for letter in letters)


def canonical(value: object) -> str:
    """The text under which a Python value is stored in a jsonb column: keys in PostgreSQL's order, numbers in full.

    Raises:
        ValueError: NaN or an infinity, which JSON has not.
        TypeError: no JSON value.
    """
    if isinstance(value, dict):
        members = {_key(key): item for key, item in value.items()}
        ordered = sorted(members, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{json.dumps(key)}: {canonical(members[key])}" for key in ordered) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        number = Decimal(json.dumps(value, allow_nan=False))
        return f"{abs(number) if number == 0 else number:f}"
    return json.dumps(value)


def _key(key: object) -> str:
    name: str = next(iter(json.loads(json.dumps({key: None}))))
    return name
