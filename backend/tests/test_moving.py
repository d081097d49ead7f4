"""The service behind its gate: on PostgreSQL or on SQLite, moved between requests, under load, without a restart."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from alembic import command
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.config import BACKEND
from app.main import create_app
from liteshift.app.engines import make_tool_engine
from liteshift.keeper import Keeper
from liteshift.route import SIDES, Side, other
from tests.conftest import Databases, Service, alembic_config, settings_for
from tests.test_both_databases import Call, Row, empty

FAR = 1e11
SWITCHES, WRITERS, READERS = 10, 6, 3

FENCE = """
CREATE SCHEMA liteshift;
CREATE FUNCTION liteshift.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction', MESSAGE = 'parties has moved to SQLite';
END $$;
CREATE TRIGGER liteshift_fence BEFORE INSERT OR UPDATE OR DELETE ON parties
    FOR EACH STATEMENT EXECUTE FUNCTION liteshift.refuse();
"""


@dataclass(frozen=True)
class Move:
    """Two databases of the same shape, the route between them, and who keeps it."""

    urls: dict[Side, str]
    route: Path
    keeper: Keeper

    def settings(self, **changes: Any) -> Any:
        """The settings of a service that can be moved."""
        moving = {"MOVED_DATABASE_URL": self.urls["sqlite"], "ROUTE_FILE": self.route, **changes}
        return settings_for(self.urls["postgresql"], **moving)

    def environment(self) -> dict[str, str]:
        """The same, but for DATABASE_URL, as environment variables."""
        return {"MOVED_DATABASE_URL": self.urls["sqlite"], "ROUTE_FILE": str(self.route)}

    def hold(self) -> None:
        """Let no write run."""
        self.keeper.drain(FAR)
        self.keeper.hold(seconds=60)

    def to(self, side: Side) -> None:
        """Move the service."""
        self.hold()
        self.keeper.switch(side)

    def names(self, side: Side) -> list[str]:
        """The parties on one side."""
        with make_tool_engine(self.urls[side]).connect() as connection:
            return list(connection.scalars(text("SELECT name FROM parties ORDER BY id")))


@pytest.fixture
def move(databases: Databases, tmp_path: Path) -> Iterator[Move]:
    """Both databases at head, and a service that lives on PostgreSQL."""
    urls: dict[Side, str] = {side: databases.at_head(side) for side in SIDES}
    with Keeper(tmp_path / "app.db.route") as keeper:
        keeper.establish("postgresql")
        yield Move(urls, tmp_path / "app.db.route", keeper)
    databases.drop(urls["postgresql"])


@pytest.fixture
def client(move: Move) -> Iterator[TestClient]:
    """The service, called in this process."""
    with TestClient(create_app(move.settings()), raise_server_exceptions=False) as client:
        yield client


def add(client: TestClient, name: str) -> httpx2.Response:
    answer: httpx2.Response = client.post("/api/parties", json={"name": name, "type": "customer"})
    return answer


def test_the_answers_are_the_same_on_either_side(client: TestClient, move: Move) -> None:
    calls = [
        Call("GET", "/api/parties"),
        Call("POST", "/api/parties", {"name": "Drei", "type": "vendor"}),
        Call("POST", "/api/parties", {"name": "DREI", "type": "vendor"}),
        Call("PATCH", "/api/parties/1", {"name": "two"}),
        Call("PATCH", "/api/parties/1", {"name": "One and a half"}),
        Call("DELETE", "/api/parties/2"),
        Call("POST", "/api/parties/2/restore"),
        Call("POST", "/api/parties/9/restore"),
        Call("GET", "/api/parties?include_inactive=true&limit=1"),
        Call("GET", "/livez"),
    ]
    answers = {}
    for side in SIDES:
        if side != "postgresql":
            move.to(side)
        empty(client, [Row("One", "customer", True), Row("Two", "customer", True)])
        answers[side] = [call(client) for call in calls]
        assert client.get("/readyz").json() == {"status": "ok", "database": side}
    assert answers["postgresql"] == answers["sqlite"]
    with TestClient(create_app(settings_for(move.urls["sqlite"]))) as plain:
        empty(plain, [Row("One", "customer", True), Row("Two", "customer", True)])
        assert [call(plain) for call in calls] == answers["sqlite"]
        assert plain.get("/readyz").json() == {"status": "ok"}


def test_a_write_waits_for_the_move_and_a_read_does_not(client: TestClient, move: Move) -> None:
    assert add(client, "Before").status_code == 201
    move.hold()
    with ThreadPoolExecutor(30) as pool:
        waiting = [pool.submit(add, client, f"Meanwhile {number}") for number in range(30)]
        while not move.keeper.waited():
            time.sleep(0.001)
        for _ in range(5):
            assert client.get("/api/parties").json()["total"] == 1
            assert client.get("/readyz").json()["database"] == "postgresql"
        assert not any(each.done() for each in waiting)
        move.keeper.switch("sqlite")
        assert {each.result().status_code for each in waiting} == {201}
    assert move.names("postgresql") == ["Before"]
    assert sorted(move.names("sqlite")) == sorted(f"Meanwhile {number}" for number in range(30))
    assert client.get("/api/parties").json()["total"] == 30


def test_waiting_is_bounded(move: Move, caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(create_app(move.settings(gate_patience_seconds=0.05))) as client:
        move.hold()
        answer = add(client, "Too early")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_moving")
        assert answer.headers["retry-after"] == "1"
        move.keeper.reopen()
        assert add(client, "In time").status_code == 201
    assert "POST /api/parties answered 503 database_moving: " in caplog.text
    assert move.names("postgresql") == ["In time"]


def test_who_meets_the_fence_is_told_to_come_again(
    client: TestClient, move: Move, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(move.urls["postgresql"]) as connection:
        connection.execute(FENCE)
    answer = add(client, "Refused")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_moving")
    assert answer.headers["retry-after"] == "1"
    assert "answered 503 database_moving: 25006: parties has moved to SQLite" in caplog.text
    assert client.get("/api/parties").json()["total"] == 0
    move.to("sqlite")
    assert add(client, "Accepted").status_code == 201


def test_writers_take_turns_as_the_live_database_needs_it(client: TestClient, move: Move) -> None:
    limiter = client.app.state.turns._limiter  # type: ignore[attr-defined]  # an ASGI app to the client
    turns_there: tuple[tuple[Side, int], ...] = (("postgresql", 20), ("sqlite", 1), ("postgresql", 20))
    for side, turns in turns_there:
        if move.keeper.route().active != side:
            move.to(side)
        assert add(client, f"On {side} {move.keeper.route().epoch}").status_code == 201
        assert limiter.total_tokens == turns


def test_a_route_that_is_lost_is_no_reason_to_guess(client: TestClient, move: Move, caplog: Any) -> None:
    content = move.route.read_text()
    move.route.unlink()
    for answer in (client.get("/api/parties"), add(client, "Nowhere"), client.get("/readyz")):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert "nothing says which database is live" in caplog.text
    assert client.get("/livez").status_code == 200
    move.route.write_text(content)
    assert client.get("/readyz").status_code == 200


# The tools


def run(move: Move, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"DATABASE_URL": move.urls["postgresql"], **move.environment()}
    return subprocess.run(
        [sys.executable, *arguments], cwd=BACKEND, env=environment, capture_output=True, text=True, check=False
    )


def test_tools_work_on_the_live_side(move: Move, databases: Databases) -> None:
    seed = ("scripts/seed_parties.py", "--count", "3")
    assert run(move, *seed).returncode == 0
    move.to("sqlite")
    command.downgrade(alembic_config(move.urls["sqlite"]), "0002")
    assert "0003 (head)" not in run(move, "-m", "alembic", "current").stdout
    assert run(move, "-m", "alembic", "upgrade", "head").returncode == 0
    assert "0003 (head)" in run(move, "-m", "alembic", "current").stdout
    assert run(move, *seed).returncode == 0
    assert len(move.names("postgresql")) == len(move.names("sqlite")) == 3


def test_tools_say_what_is_missing(move: Move) -> None:
    move.route.unlink()
    for arguments in (["-m", "alembic", "current"], ["scripts/seed_parties.py"]):
        done = run(move, *arguments)
        assert done.returncode != 0
        assert f"Type: liteshift gate create {move.route}" in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
    done = run(move, "-m", "uvicorn", "app.main:app")
    assert done.returncode != 0
    assert f"the service can't start: there is no route file {move.route}" in done.stderr


def test_what_liteshift_keeps_is_no_difference_to_alembic(move: Move) -> None:
    with psycopg.connect(move.urls["postgresql"]) as server:
        server.execute("CREATE SCHEMA liteshift")
        server.execute("CREATE TABLE liteshift.fence (token text)")
    with make_tool_engine(move.urls["sqlite"]).begin() as connection:
        connection.execute(text("CREATE TABLE liteshift_capture (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
        connection.execute(text("CREATE INDEX liteshift_by_name ON liteshift_capture (name)"))
    for url in move.urls.values():
        command.check(alembic_config(url))


# Under load


@dataclass
class Load:
    """Callers who write and read until they are told to stop, each in a thread and with a connection of its own."""

    address: str
    over: threading.Event = field(default_factory=threading.Event)
    failed: list[str] = field(default_factory=list)
    written: list[tuple[str, float, float]] = field(default_factory=list)
    reads: int = 0

    def write(self, caller: int) -> None:
        def once(client: httpx2.Client, number: int) -> None:
            name, sent = f"{caller}-{number}", time.monotonic()
            answer = client.post("/api/parties", json={"name": name, "type": "customer"})
            if answer.status_code == 201:
                self.written.append((name, sent, time.monotonic()))
            else:
                self.failed.append(answer.text)

        self._repeat(once)

    def read(self, _: int) -> None:
        def once(client: httpx2.Client, number: int) -> None:
            answer = client.get("/api/parties?limit=5")
            self.reads += 1
            if answer.status_code != 200:
                self.failed.append(answer.text)

        self._repeat(once)

    def _repeat(self, once: Callable[[httpx2.Client, int], None]) -> None:
        number = 0
        with httpx2.Client(base_url=self.address, timeout=120) as client:
            while not self.over.is_set():
                number += 1
                try:
                    once(client, number)
                except httpx2.TransportError as error:
                    self.failed.append(repr(error))


def test_moves_under_load_fail_no_request(move: Move) -> None:
    """Three processes are moved there and back; each write is where the service lived when it was acknowledged."""
    lived: list[tuple[Side, float, float]] = []
    with (
        Service(move.urls["postgresql"], workers=3, environment=move.environment()) as service,
        ThreadPoolExecutor(WRITERS + READERS) as pool,
    ):
        load = Load(service.address)
        callers = [pool.submit(load.write, number) for number in range(WRITERS)]
        callers += [pool.submit(load.read, number) for number in range(READERS)]
        try:
            since = time.monotonic()
            for _ in range(SWITCHES):
                enough = len(load.written) + 25
                while len(load.written) < enough:
                    assert not load.failed
                    time.sleep(0.002)
                live = move.keeper.route().active
                move.hold()
                counts = [len(move.names(side)) for side in SIDES]
                lived.append((live, since, time.monotonic()))
                time.sleep(0.02)
                assert counts == [len(move.names(side)) for side in SIDES]
                since = time.monotonic()
                move.keeper.switch(other(live))
            enough = len(load.written) + 25
            while len(load.written) < enough:
                time.sleep(0.002)
            live = move.keeper.route().active
            lived.append((live, since, time.monotonic() + 1000))
        finally:
            load.over.set()
        for caller in callers:
            caller.result()
        assert service.client.get("/readyz").json()["database"] == live

    assert load.failed == []
    assert load.reads > SWITCHES
    there = {side: move.names(side) for side in SIDES}
    assert sorted(there["postgresql"] + there["sqlite"]) == sorted(name for name, _, _ in load.written)
    certain = 0
    for name, sent, acknowledged in load.written:
        might = {side for side, begin, end in lived if begin <= acknowledged and sent <= end}
        certain += len(might) == 1
        assert any(name in there[side] for side in might)
    assert certain > len(load.written) / 2
