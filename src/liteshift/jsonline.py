"""JSON for programs that a person may look at as well: nothing in it moves a cursor or turns a text round."""

from __future__ import annotations

import json
from typing import Any

_BASIC = 0xFFFF  # beyond it, JSON writes two halves


def json_line(value: Any) -> str:
    """A value as JSON on one line; letters that don't print are escaped, such as U+009B and U+202E."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) <= _BASIC else json.dumps(letter)[1:-1]
