"""Keeps what is read from a source below a rate, over all connections together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_BURST = 0.2  # seconds' worth that may come at once after a pause


class Pace:
    """Bytes per second, at the most.

    Args:
        rate: bytes per second; 0 for no limit.
        clock: gives seconds.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        rate: float = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._due = 0.0  # when all that was spent is paid for

    def spend(self, count: int) -> None:
        """Count bytes that were read; waits until the rate allows them."""
        if not self.rate:
            return
        with self._lock:
            now = self._clock()
            self._due = max(self._due, now - _BURST) + count / self.rate
            wait = self._due - now
        if wait > 0:
            self._sleep(wait)
