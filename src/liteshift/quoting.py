"""Names and texts in SQL for SQLite: the only place that quotes them."""

from __future__ import annotations

from liteshift.errors import UsageError


def quote(name: str) -> str:
    """A name as SQL text, whatever is in it.

    Raises:
        UsageError: the name holds a NUL, which ends SQL text for SQLite.
    """
    if "\0" in name:
        raise UsageError(f"the name {name!r} holds a NUL character, which no SQLite name can")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant as SQL text.

    Raises:
        UsageError: the text holds a NUL, which ends SQL text for SQLite.
    """
    if "\0" in text:
        raise UsageError(f"the text {text!r} holds a NUL character, which no SQLite constant can")
    return "'" + text.replace("'", "''") + "'"
