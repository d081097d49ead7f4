"""PostgreSQL's COPY text format, one row per line (PostgreSQL manual, COPY, "Text Format")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liteshift.codec.values import Codec
    from liteshift.value import Value

NULL = "\\N"
_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = str.maketrans({"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"})
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def fields(line: bytes) -> list[str | None]:
    """One row's texts; None for NULL.

    Args:
        line: the row as COPY sends it, its newline included.

    Raises:
        UnicodeDecodeError: the server sent what is no UTF-8 (an SQL_ASCII database may hold it).
    """
    text = line[:-1].decode()
    parts = text.split("\t")
    if "\\" not in text:
        return list(parts)
    return [part if "\\" not in part else None if part == NULL else _unescape(part) for part in parts]


def _unescape(part: str) -> str:
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[1], match[1]), part)


def decode(codecs: Sequence[Codec], line: bytes) -> tuple[Value, ...]:
    """One row as SQLite will hold it.

    Raises:
        Unrepresentable: a value that can't be carried.
        UnicodeDecodeError: the server sent what is no UTF-8.
    """
    return tuple([None if text is None else own.from_pg(text) for own, text in zip(codecs, fields(line), strict=True)])


def encode(codecs: Sequence[Codec], row: Sequence[Value]) -> bytes:
    """One row as PostgreSQL's COPY would send it: the inverse of `decode`, byte for byte.

    Raises:
        ValueError: a stored value that its form never stores.
    """
    parts = [
        NULL if value is None else own.exactly(value) if own.bare else _escape(own.exactly(value))
        for own, value in zip(codecs, row, strict=True)
    ]
    return ("\t".join(parts) + "\n").encode()


def _escape(text: str) -> str:
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPED)
