"""A place in PostgreSQL's log."""

from __future__ import annotations


class Lsn(int):
    """A log sequence number: a byte's place in the write-ahead log (PostgreSQL manual, "pg_lsn Type")."""

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Read `16/B374D848`, two hexadecimal halves of 32 bits.

        Raises:
            ValueError: it is no position.
        """
        high, slash, low = text.partition("/")
        if not slash or len(high) > 8 or len(low) > 8:
            raise ValueError(f"{text!r} is no position in PostgreSQL's log")
        return cls((int(high, 16) << 32) | int(low, 16))

    def __str__(self) -> str:
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"
