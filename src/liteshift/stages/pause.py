"""The pause of a switch: how long each step of it took, and how long it may still take."""

from __future__ import annotations

import time

from liteshift.errors import Locked


class Pause:
    """Begins when writes begin to wait.

    Args:
        budget: seconds after which the switch is undone.
    """

    def __init__(self, budget: float) -> None:
        self.steps: list[tuple[str, float]] = []
        self._began = self._last = time.perf_counter()
        self._budget = budget
        self._is_over = False
        self.until = time.time() + budget
        """When writers may take us for dead, in seconds since 1970."""

    @property
    def seconds(self) -> float:
        """How long it has lasted, or did last."""
        return (self._last if self._is_over else time.perf_counter()) - self._began

    @property
    def left(self) -> float:
        """How long it may still last."""
        return max(0.0, self._budget - self.seconds)

    def done(self, step: str) -> None:
        """Note that a step is done.

        Raises:
            Locked: the pause has lasted too long.
        """
        self._note(step)
        if self.seconds > self._budget:
            raise Locked(
                f"the pause lasted longer than {self._budget:g} s, most of it for: {self._longest()}",
                hint="Nothing has changed, and the application goes on as before. Try again at a quieter time.",
            )

    def end(self, step: str) -> None:
        """Note the last step: writes go on, however long it took."""
        self._note(step)
        self._is_over = True

    def _note(self, step: str) -> None:
        now = time.perf_counter()
        self.steps.append((step, now - self._last))
        self._last = now

    def _longest(self) -> str:
        return max(self.steps, key=lambda step: step[1])[0]
