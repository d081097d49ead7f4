"""Where the next page begins, as a text that callers pass back and need not understand."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

_ID_BYTES = 8
_SEAL_BYTES = 10  # with the id a multiple of three: no padding in the text


def encode(last_id: int, question: str) -> str:
    """The cursor of the page that follows the row with this id.

    Args:
        last_id: the last row of this page.
        question: what the list was asked for; the cursor fits no other list.
    """
    position = last_id.to_bytes(_ID_BYTES, "big")
    return urlsafe_b64encode(position + _seal(position, question)).decode()


def decode(cursor: str, question: str) -> int:
    """The id of the row that the next page follows.

    Raises:
        ValueError: not a cursor of ours, or one of another list.
    """
    try:
        content = urlsafe_b64decode(cursor.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("This is no cursor of this service") from None
    position, seal = content[:_ID_BYTES], content[_ID_BYTES:]
    if seal != _seal(position, question) or urlsafe_b64encode(content).decode() != cursor:
        raise ValueError("This is no cursor of a list with this filter")
    return int.from_bytes(position, "big")


def _seal(position: bytes, question: str) -> bytes:
    # It tells a cursor from any other text, and one list's from another's. It is no secret: a cursor opens nothing
    # that `GET /api/parties` would not show anyway.
    return blake2b(position + question.encode(), digest_size=_SEAL_BYTES, person=b"parties").digest()
