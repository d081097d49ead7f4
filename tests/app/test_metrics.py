"""What Prometheus hears of a gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from liteshift.app.gate import Gate, GateTimeout
from liteshift.app.metrics import watch
from liteshift.keeper import Keeper

if TYPE_CHECKING:
    from pathlib import Path


def test_all_that_happens_is_counted(tmp_path: Path) -> None:
    path, registry = tmp_path / "app.db.route", CollectorRegistry()
    with Keeper(path) as keeper:
        keeper.establish("postgresql")
        gate = Gate(path, patience=0.01)
        watch(gate, registry)

        def value(name: str, **labels: str) -> float | None:
            return registry.get_sample_value(f"liteshift_gate_{name}", labels)

        with gate.writing():
            pass
        assert value("wait_seconds_count") == value("timeouts_total") == value("switches_total") == 0
        keeper.drain(1e11)
        with pytest.raises(GateTimeout), gate.writing():
            pass
        assert value("wait_seconds_count") == value("timeouts_total") == 1
        assert (value("wait_seconds_sum") or 0) > 0
        keeper.hold(seconds=60)
        keeper.switch("sqlite")
        for side in ("postgresql", "sqlite"):
            gate.reading()
            assert value("active", side=side) == (side == "sqlite")
        for side in ("postgresql", "sqlite", "postgresql"):  # more than one move between two looks
            keeper.drain(1e11)
            keeper.hold(seconds=60)
            keeper.switch(side)
        gate.reading()
        assert value("switches_total") == 4
        assert value("active", side="postgresql") == 1
        gate.close()
