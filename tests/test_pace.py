"""A rate is kept, however the bytes come."""

from __future__ import annotations

import pytest

from liteshift.pace import Pace


class Time:
    """A clock that only sleeping and working move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds

    def pace(self, rate: float) -> Pace:
        return Pace(rate, clock=lambda: self.now, sleep=self.sleep)


@pytest.mark.parametrize("piece", [1, 100, 999, 5000, 20_000])
def test_what_comes_at_once_takes_as_long_as_the_rate_says(piece: int) -> None:
    time = Time()
    pace = time.pace(1000)
    for _ in range(20_000 // piece):
        pace.spend(piece)
    assert time.slept == pytest.approx(20_000 // piece * piece / 1000, abs=0.21)


def test_a_slower_source_is_never_held_up() -> None:
    time = Time()
    pace = time.pace(1000)
    for _ in range(100):
        time.now += 0.2
        pace.spend(100)
    assert time.slept == 0


def test_a_pause_buys_no_more_than_a_moment() -> None:
    time = Time()
    pace = time.pace(1000)
    time.now += 3600
    pace.spend(1000)
    assert time.slept == pytest.approx(0.8)


def test_without_a_rate_nobody_waits() -> None:
    time = Time()
    time.pace(0).spend(10**12)
    assert time.slept == 0


def test_connections_share_one_rate() -> None:
    time, waits = Time(), list[float]()
    pace = Pace(1000, clock=lambda: time.now, sleep=waits.append)
    for _ in range(3):
        pace.spend(1000)  # as three threads would, none of which has slept yet
    assert waits == pytest.approx([0.8, 1.8, 2.8])
