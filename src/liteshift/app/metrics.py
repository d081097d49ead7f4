"""The gate in Prometheus's terms (install `liteshift[metrics]`).

    watch(Gate("app.db.route"))

One gate per registry. In a service of several processes, use prometheus_client's multiprocess mode as for your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from liteshift.route import SIDES

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from liteshift.app.gate import Gate
    from liteshift.route import Route

__all__ = ["watch"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def watch(gate: Gate, registry: CollectorRegistry = REGISTRY) -> None:
    """Count what happens at a gate of this process.

    liteshift_gate_wait_seconds: a histogram of the writes that had to wait, however it ended.
    liteshift_gate_timeouts_total: those among them that gave up.
    liteshift_gate_switches_total: how often the application moved, as seen here.
    liteshift_gate_active{side}: 1 for the side that is live, 0 for the other.
    """
    gate.watch(_Metrics(gate.route(), registry))


class _Metrics:
    def __init__(self, now: Route, registry: CollectorRegistry) -> None:
        self._waits = Histogram(
            "liteshift_gate_wait_seconds", "How long writes waited", buckets=_SECONDS, registry=registry
        )
        self._timeouts = Counter("liteshift_gate_timeouts", "Writes that gave up waiting", registry=registry)
        self._switches = Counter("liteshift_gate_switches", "Moves of the application", registry=registry)
        self._active = Gauge(
            "liteshift_gate_active",
            "Whether this side is live",
            ["side"],
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._epoch = now.epoch
        self._show(now)

    def moved(self, before: Route, now: Route) -> None:
        """The route says something else."""
        if now.epoch > self._epoch:
            self._switches.inc(now.epoch - self._epoch)
            self._epoch = now.epoch
            self._show(now)

    def waited(self, seconds: float, *, entered: bool) -> None:
        """A write had to wait."""
        self._waits.observe(seconds)
        if not entered:
            self._timeouts.inc()

    def _show(self, now: Route) -> None:
        for side in SIDES:
            self._active.labels(side).set(side == now.active)
