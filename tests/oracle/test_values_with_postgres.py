"""PostgreSQL is the oracle of the value contract: what it prints, SQLite keeps, and PostgreSQL reads back the same.

Each example is a batch of values of one type, sent the way of `roundtrip.check`. `make oracle` sends many, counts what
became of them, and prints it; LITESHIFT_SEED and LITESHIFT_VALUES say which ones and how many.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.oracle.roundtrip import Oracle, Server, Tally, check
from tests.oracle.samples import ARRAYS, AS_TEXT, COMPOSITES, CONTRIB, SAMPLES, SCALARS, Sample

from liteshift.plan import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = count(1)

# A batch that fails names its value, so there is nothing to shrink.
BATCHES = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
SEED = int(os.environ.get("LITESHIFT_SEED", "1"))
VALUES = int(os.environ.get("LITESHIFT_VALUES", "100000"))
ROUND = 20  # batches


@pytest.fixture(scope="module")
def oracle(_servers: dict[str, Server]) -> Iterator[Oracle]:
    yield from _oracle(_servers["16"], SAMPLES)


def _oracle(server: Server, samples: dict[str, Sample]) -> Iterator[Oracle]:
    name = f"liteshift_values_{os.getpid()}_{next(_numbers)}"
    found = Oracle(server.create_database(name), samples)
    yield found
    found.close()
    server.drop_database(name)


def run_batches(oracle: Oracle, sample: Sample, least: int, batches: int = 15, start: int | None = None) -> Tally:
    """Send generated batches; those that a number stands for, or random ones."""
    tally = Tally()

    @settings(BATCHES, max_examples=batches)
    @given(st.lists(sample.values, min_size=least, max_size=3 * least))
    def run(values: list[str]) -> None:
        tally.add(check(oracle, sample, values))

    (run if start is None else seed(start)(run))()
    return tally


def hold(tally: Tally) -> None:
    """Nothing changed in silence."""
    assert not tally.changed, "\n".join(tally.changed[:20])
    assert tally.equal + tally.refused == len(Profile) * tally.generated


@pytest.mark.parametrize("kind", [item.type for item in SCALARS + AS_TEXT if not item.contrib])
def test_generated_values(oracle: Oracle, kind: str) -> None:
    hold(run_batches(oracle, SAMPLES[kind], 5 if "json" in kind else 20))


@pytest.mark.parametrize("kind", [item.type for item in ARRAYS + COMPOSITES])
def test_generated_arrays_and_composites(oracle: Oracle, kind: str) -> None:
    hold(run_batches(oracle, SAMPLES[kind], 4))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_generated_values(oracle: Oracle, _servers: dict[str, Server], capsys: pytest.CaptureFixture[str]) -> None:
    """As many values as are asked for, of all types alike; prints what became of them, type by type."""
    each = -(-VALUES // len(SAMPLES))
    tallies = {kind: _many(oracle, sample, each) for kind, sample in SAMPLES.items()}
    if os.environ.get("LITESHIFT_TEST_DSN") or Path("/usr/lib/postgresql").is_dir():
        for found in _oracle(_servers["debian"], CONTRIB):
            tallies |= {kind: _many(found, sample, each) for kind, sample in CONTRIB.items()}
    whole = Tally()
    with capsys.disabled():
        print(f"\n\nseed {SEED}; every value in {len(Profile)} profiles")
        print(f"{'type':<24}{'generated':>10}{'different':>10}{'equal':>10}{'refused':>10}{'changed':>10}")
        for kind, tally in tallies.items():
            _print(kind, tally)
            whole.add(tally)
        _print(f"all {len(tallies)} types", whole)
    hold(whole)


def _many(oracle: Oracle, sample: Sample, least: int) -> Tally:
    tally = Tally()
    for number in count(SEED * 1000):
        if tally.generated >= least:
            return tally
        tally.add(run_batches(oracle, sample, 5 if "json" in sample.type else 12, ROUND, number))
    raise AssertionError


def _print(what: str, tally: Tally) -> None:
    found = (tally.generated, len(tally.values), tally.equal, tally.refused, len(tally.changed))
    print(f"{what:<24}" + "".join(f"{number:>10,}" for number in found))


def test_nasty_values_on_every_server(any_server: Server) -> None:
    samples = {kind: item for kind, item in SAMPLES.items() if item.nasty}
    if any_server.contrib:
        samples |= CONTRIB
    for found in _oracle(any_server, samples):
        for sample in samples.values():
            hold(check(found, sample, list(sample.nasty)))


def test_generated_values_of_extensions(debian_server: Server) -> None:
    if not debian_server.contrib:
        pytest.skip("the server has no contrib modules")
    for found in _oracle(debian_server, CONTRIB):
        for sample in CONTRIB.values():
            hold(run_batches(found, sample, 10))
