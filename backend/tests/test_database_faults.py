"""A database that is locked, full, damaged or gone: what the caller hears, what the log says, and that it passes."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, make_url, text

from app import parties
from app.main import create_app
from tests.conftest import Kind, settings_for
from tests.test_party_api import database_of

PARTY = {"name": "Any", "type": "vendor"}

HOLD = """
import sys
from liteshift.sqlite.connect import connect
connection = connect(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@contextmanager
def running(url: str, **changes: object) -> Iterator[TestClient]:
    """The service with settings of the test's own."""
    with TestClient(create_app(settings_for(url, **changes)), raise_server_exceptions=False) as client:
        yield client


@contextmanager
def held_by_another_process(path: str) -> Iterator[None]:
    """Somebody else is writing to the SQLite file, and takes their time."""
    command = [sys.executable, "-c", HOLD, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield


def sqlite_path(url: str) -> Path:
    """The file that a URL names."""
    return Path(str(make_url(url).database))


def expect(client: TestClient, status: int, code: str, *, method: str = "POST", name: str = "Any") -> None:
    """Ask for something, and be told what is wrong, and no more."""
    answer = client.request(method, "/api/parties", json={**PARTY, "name": name} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status == 503)
    assert ("detail" in answer.json()) == (status != 500)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
class TestSQLite:
    def test_busy(self, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
        with running(database_url, busy_timeout_seconds=0.2) as client:
            with held_by_another_process(str(sqlite_path(database_url))):
                expect(client, 503, "database_busy")
                assert client.get("/api/parties").status_code == 200
                assert client.get("/readyz").status_code == 200
            assert client.post("/api/parties", json=PARTY).status_code == 201
        assert "POST /api/parties answered 503 database_busy: SQLITE_BUSY: database is locked" in caplog.text

    def test_full(self, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
        def limit_pages(engine: Engine, pages: int) -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        with running(database_url) as client:
            writer = database_of(client).engines.writer
            limit_pages(writer, 1)  # SQLite takes the size that the file has
            added = 0
            while client.post("/api/parties", json={**PARTY, "name": f"{added:0200}"}).status_code == 201:
                added += 1
            expect(client, 500, "database_full", name=f"{added:0200}")
            assert client.get("/api/parties").json()["total"] == added
            limit_pages(writer, 1_000_000)
            assert client.post("/api/parties", json=PARTY).status_code == 201
        assert "answered 500 database_full: SQLITE_FULL: database or disk is full" in caplog.text

    def test_no_way_to_write(self, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        with running(database_url) as client:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
            try:
                expect(client, 500, "database_io_error")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert client.post("/api/parties", json=PARTY).status_code == 201
        assert "answered 500 database_io_error: SQLITE_IOERR: disk I/O error" in caplog.text

    @pytest.mark.parametrize(
        ("at", "name"), [(0, "SQLITE_NOTADB"), (4096, "SQLITE_CORRUPT")], ids=["header", "a table's page"]
    )
    def test_damaged(self, database_url: str, caplog: pytest.LogCaptureFixture, at: int, name: str) -> None:
        with sqlite_path(database_url).open("r+b") as file:  # before anyone has it open
            file.seek(at)
            file.write(b"\xff" * 4096 * (1 if at == 0 else 20))
        with running(database_url) as client:
            expect(client, 500, "database_corrupt", method="GET")
            assert client.get("/livez").status_code == 200
            assert client.get("/readyz").json()["code"] == "database_corrupt"
        assert f"GET /api/parties answered 500 database_corrupt: {name}" in caplog.text


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
class TestPostgreSQL:
    def test_busy(self, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
        with running(database_url, busy_timeout_seconds=0.2) as client, psycopg.connect(database_url) as other:
            other.execute("LOCK TABLE parties")
            expect(client, 503, "database_busy")
            expect(client, 503, "database_busy", method="GET")
            other.rollback()
            assert client.post("/api/parties", json=PARTY).status_code == 201
        assert "POST /api/parties answered 503 database_busy: 55P03" in caplog.text

    def test_connections_lost(self, database_url: str, client: TestClient) -> None:
        assert client.get("/api/parties").status_code == 200
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert client.get("/api/parties").status_code == 200


def test_no_file_can_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(f"sqlite:///{tmp_path}/nowhere/app.db") as client:
        expect(client, 500, "database_io_error")
    assert "SQLITE_CANTOPEN" in caplog.text


def test_no_server_there() -> None:
    with running("postgresql://postgres@127.0.0.1:1/none") as client:
        expect(client, 503, "database_unavailable")
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200


def test_no_connection_left(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with running(database_url, pool_size=1, pool_timeout=0.2) as client:
        with database_of(client).engines.reader.connect():
            expect(client, 503, "database_busy", method="GET")
        assert client.get("/api/parties").status_code == 200
    assert "GET /api/parties answered 503 database_busy: TimeoutError" in caplog.text


REFUSE_AT_COMMIT: dict[Kind, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TABLE elsewhere (id INTEGER PRIMARY KEY)",
        "CREATE TABLE dangling (id INTEGER REFERENCES elsewhere (id) DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER refuse AFTER INSERT ON parties BEGIN INSERT INTO dangling VALUES (1); END",
    ),
    "postgresql": (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused at commit'; END $$",
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON parties DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
}


def test_a_commit_that_fails_is_never_a_success(client: TestClient, kind: Kind) -> None:
    with database_of(client).writing() as session:
        for statement in REFUSE_AT_COMMIT[kind]:
            session.execute(text(statement))
    expect(client, 500, "internal_error")
    assert client.get("/api/parties").json()["total"] == 0
    with database_of(client).writing() as session:
        session.execute(text("DROP TRIGGER refuse" + (" ON parties" if kind == "postgresql" else "")))
    assert client.post("/api/parties", json=PARTY).status_code == 201


def test_a_mistake_of_ours_says_nothing(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(parties, "get", fail)
    answer = client.get("/api/parties/1")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "instance": "/api/parties/1",
        "code": "internal_error",
    }


def test_a_race_for_a_name_has_one_winner(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # As when another process adds the name between our question and our insert.
    monkeypatch.setattr(parties, "_refuse_taken_name", lambda *_: None)
    assert client.post("/api/parties", json=PARTY).status_code == 201
    expect(client, 409, "name_taken")
