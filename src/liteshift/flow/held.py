"""What the live stages ask of the application's gate; `liteshift.keeper` answers."""

from __future__ import annotations

from typing import Protocol


class Held(Protocol):
    """The gate's keys, as the one who switches has them."""

    def drain(self, until: float | None) -> None:
        """Let no new write begin; those that run may end.

        Args:
            until: seconds since 1970; past it, writers who find the gate free take us for dead and go on. None from
                when on they must not: the side they were on is no longer the one to write to.
        """
        ...

    def hold(self, *, seconds: float) -> None:
        """Wait until every running write has ended.

        Raises:
            Locked: one still ran when the time was over.
        """
        ...

    def take(self, *, seconds: float) -> None:
        """Hold the gate again, after one who held it was killed.

        Raises:
            Locked: as `hold`.
        """
        ...

    def switch(self, side: str) -> None:
        """Let everything go on on another side, `postgresql` or `sqlite`."""
        ...

    def reopen(self) -> None:
        """Let everything go on where it was."""
        ...

    def is_on(self, side: str) -> bool:
        """Whether everything goes on on this side."""
        ...

    def waited(self) -> int:
        """How many writes have had to wait since the last drain began."""
        ...
