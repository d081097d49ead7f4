"""The service as it runs in earnest: uvicorn with several processes, many callers, and a sudden end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx2
import pytest
from sqlalchemy import make_url, text

from liteshift.app.engines import make_tool_engine
from tests.conftest import Service
from tests.test_database_faults import held_by_another_process

WRITERS, READERS, WRITES = 8, 6, 25


def stored_names(url: str) -> set[str]:
    """The names of all parties in a database that nobody serves."""
    with make_tool_engine(url).connect() as connection:
        return set(connection.scalars(text("SELECT name FROM parties")))


def test_many_writers_and_readers(database_url: str) -> None:
    with Service(database_url, workers=2) as service, ThreadPoolExecutor(WRITERS + READERS) as pool:

        def write(writer: int) -> list[int]:
            ids = []
            with httpx2.Client(base_url=service.address, timeout=60) as client:
                for number in range(WRITES):
                    added = client.post("/api/parties", json={"name": f"{writer}-{number}", "type": "customer"})
                    assert added.status_code == 201, added.text
                    ids.append(added.json()["id"])
                    changed = client.patch(f"/api/parties/{ids[-1]}", json={"name": f"{writer}-{number} changed"})
                    assert changed.status_code == 200, changed.text
                    if number % 5 == 0:
                        assert client.delete(f"/api/parties/{ids[-1]}").status_code == 200
            return ids

        def read(_: int) -> list[int]:
            totals = [0]
            totals = [0]
            with httpx2.Client(base_url=service.address, timeout=60) as client:
                while not written.is_set():
                    answer = client.get("/api/parties?include_inactive=true&limit=1000")
                    assert answer.status_code == 200, answer.text
                    body = answer.json()
                    # Page and counts are of one state, and no state goes missing again.
                    assert body["total"] == body["active_count"] + body["inactive_count"] == len(body["parties"])
                    assert sum(party["is_active"] for party in body["parties"]) == body["active_count"]
                    assert body["total"] >= totals[-1]
                    totals.append(body["total"])
            return totals

        written = threading.Event()
        reading = pool.map(read, range(READERS))
        try:
            ids = [party for ids_of_one in pool.map(write, range(WRITERS)) for party in ids_of_one]
        finally:
            written.set()
        assert all(len(totals) > 1 for totals in reading)
        body = service.client.get("/api/parties?limit=1").json()

    assert len(set(ids)) == WRITERS * WRITES
    assert body["total"] == WRITERS * (WRITES - WRITES // 5)
    assert stored_names(database_url) == {f"{w}-{n} changed" for w in range(WRITERS) for n in range(WRITES)}


def test_one_name_for_many_callers(database_url: str) -> None:
    with Service(database_url, workers=2) as service, ThreadPoolExecutor(WRITERS) as pool:

        def take(_: int) -> int:
            return httpx2.post(f"{service.address}/api/parties", json={"name": "Mine", "type": "vendor"}).status_code

        assert sorted(pool.map(take, range(WRITERS))) == [201] + [409] * (WRITERS - 1)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_waiting_writers_are_in_no_readers_way(database_url: str) -> None:
    waiters = 60  # more than the service has threads
    limits = {"BUSY_TIMEOUT_SECONDS": "2", "POOL_TIMEOUT": "2"}
    with (
        Service(database_url, environment=limits) as service,
        ThreadPoolExecutor(waiters) as pool,
        held_by_another_process(str(make_url(database_url).database)),
    ):

        def write(number: int) -> int:
            party = {"name": f"Party {number}", "type": "customer"}
            return httpx2.post(f"{service.address}/api/parties", json=party, timeout=60).status_code

        writing = [pool.submit(write, number) for number in range(waiters)]
        time.sleep(0.5)
        started = time.monotonic()
        assert service.client.get("/api/parties").status_code == 200
        assert service.client.get("/readyz").status_code == 200
        assert time.monotonic() - started < 1
        assert {each.result() for each in writing} == {503}


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_sudden_end_loses_nothing_that_was_acknowledged(database_url: str) -> None:
    numbers = count()
    acknowledged: list[str] = []

    with Service(database_url, workers=2) as service, ThreadPoolExecutor(WRITERS) as pool:

        def write_until_the_end(_: int) -> None:
            with httpx2.Client(base_url=service.address, timeout=60) as client:
                while True:
                    name = f"Party {next(numbers)}"
                    try:
                        answer = client.post("/api/parties", json={"name": name, "type": "customer"})
                    except httpx2.TransportError:
                        return
                    assert answer.status_code == 201
                    acknowledged.append(name)

        writing = [pool.submit(write_until_the_end, writer) for writer in range(WRITERS)]
        while len(acknowledged) < 100:
            time.sleep(0.01)
        service.kill()
        for each in writing:
            each.result()

    assert set(acknowledged) <= stored_names(database_url)
    with make_tool_engine(database_url).connect() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    with Service(database_url) as service:
        assert service.client.get("/readyz").status_code == 200
        assert service.client.get("/api/parties").json()["total"] >= len(acknowledged)
