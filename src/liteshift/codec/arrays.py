"""PostgreSQL's array text, taken apart and put together (PostgreSQL manual, 8.15.2 and 8.15.6)."""

from __future__ import annotations

import re
from collections.abc import Callable

Nested = list["Nested | str | None"]

_BOUNDS = re.compile(r"((?:\[[+-]?\d+:[+-]?\d+\])+)=")
_NEEDS_QUOTES = re.compile(r'[\s{}"\\]|^$', re.ASCII)


def split(text: str, delimiter: str) -> tuple[str, Nested]:
    """Take an array's text apart.

    Args:
        text: as `array_out` prints it: `{1,NULL,"a b"}`, or `[0:1]={1,2}`.
        delimiter: the element type's `typdelim`.

    Returns:
        The bounds (`[0:1]`, or the empty string where all lower bounds are 1), and the elements' texts, nested.

    Raises:
        ValueError: the text is no array.
    """
    bounds = ""
    if match := _BOUNDS.match(text):
        bounds, text = match[1], text[match.end() :]
    items, end = _split_level(text, 0, delimiter)
    if end != len(text):
        raise ValueError(f"text after the array's end: {text[end:]!r}")
    return bounds, items


def _split_level(text: str, at: int, delimiter: str) -> tuple[Nested, int]:
    if text[at : at + 1] != "{":
        raise ValueError(f"no array: {text!r}")
    items: Nested = []
    at += 1
    if text[at : at + 1] == "}":
        return items, at + 1
    while True:
        if text[at : at + 1] == "{":
            inner, at = _split_level(text, at, delimiter)
            items.append(inner)
        elif text[at : at + 1] == '"':
            element, at = _quoted(text, at + 1)
            items.append(element)
        else:
            start = at
            while at < len(text) and text[at] != delimiter and text[at] != "}":
                at += 1
            bare = text[start:at]
            items.append(None if bare == "NULL" else bare)
        closing = text[at : at + 1]
        at += 1
        if closing == "}":
            return items, at
        if closing != delimiter:
            raise ValueError(f"an array that does not end: {text!r}")


def _quoted(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        character = text[at : at + 1]
        if character == '"':
            return "".join(parts), at + 1
        if character == "\\":
            at += 1
            character = text[at : at + 1]
        if not character:
            raise ValueError(f"an array that does not end: {text!r}")
        parts.append(character)
        at += 1


def join(bounds: str, items: Nested, delimiter: str) -> str:
    """Put an array's text together, quoted exactly as `array_out` quotes it."""
    return f"{bounds}={_join_level(items, delimiter)}" if bounds else _join_level(items, delimiter)


def _join_level(items: Nested, delimiter: str) -> str:
    return "{" + delimiter.join(_join_item(item, delimiter) for item in items) + "}"


def _join_item(item: Nested | str | None, delimiter: str) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, list):
        return _join_level(item, delimiter)
    if _NEEDS_QUOTES.search(item) or delimiter in item or item.upper() == "NULL":
        return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return item


def convert(items: Nested, leaf: Callable[[str], object]) -> list[object]:
    """The same nesting with every element but NULL converted."""
    return [convert(item, leaf) if isinstance(item, list) else None if item is None else leaf(item) for item in items]
