"""How far a long piece of work has come, told to whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a long piece of work.

    Attributes:
        stage: which piece of work: `copy`, `index`, `check`, `verify`, `backup`.
        subject: what it is busy with: a table's name, say.
        done: units finished (rows, unless the stage counts something else).
        total: units expected, or None where nobody knows; may be an estimate.
    """

    stage: str
    subject: str
    done: int
    total: int | None


class Progress(Protocol):
    """Called often, from the thread that does the work; must be quick."""

    def __call__(self, step: Step, /) -> None: ...


def untold(_: str, /) -> None:
    """For callers who want to hear of nothing that is waited for."""


def silent(_: Step, /) -> None:
    """For callers who want no progress."""
