"""Following survives what happens to servers, networks and processes, or says exactly why it can't go on."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.proxy import Proxy
from tests.stages.live import NAME, Live, copied

from liteshift.errors import DifferencesFound, LiteshiftError, Locked, NoConnection, NoSpace, NotFit
from liteshift.position import Lsn
from liteshift.postgres.embedded import FAST, EmbeddedServer
from liteshift.postgres.slot import PostgresOrigin
from liteshift.sqlite.connect import connect
from liteshift.sqlite.guard import passing_guards
from liteshift.stages.follow import Follower

SCHEMA = """
CREATE TABLE kept (id int PRIMARY KEY, t text, n numeric(10,2), at timestamptz);
INSERT INTO kept SELECT i, 'text ' || i, i / 4.0, '2024-01-01' FROM generate_series(1, 10) i;
CREATE TABLE keyless (a text, at date);
INSERT INTO keyless VALUES ('x', '2024-01-01'), ('x', '2024-01-01');
"""
CHILD = "from pathlib import Path; import sys; from tests.stages.live import follow_for_ever as f; f(Path(sys.argv[1]))"


@contextmanager
def own_server(tmp_path: Path, **settings: str) -> Iterator[EmbeddedServer]:
    with EmbeddedServer.temporary(settings={**FAST, **settings}) as server:
        yield server


def test_a_killed_follower_repeats_and_loses_nothing(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    ended = threading.Event()

    def write() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            number = 1000
            while not ended.is_set():
                number += 1
                connection.execute("INSERT INTO keyless VALUES (%s, '2024-01-01')", (str(number),))
                connection.execute("INSERT INTO kept VALUES (%s, 'new', 1, now())", (number,))
                connection.execute("UPDATE kept SET n = n + 1, t = t || 'x' WHERE id <= 3")
                connection.execute("DELETE FROM kept WHERE id = %s", (number - 1,))

    writer = threading.Thread(target=write)
    writer.start()
    live.save(tmp_path / "live.pickle")
    try:
        for turn in range(6):
            process = subprocess.Popen([sys.executable, "-c", CHILD, tmp_path / "live.pickle"], cwd=Path.cwd())
            before = _position(tmp_path / "app.db")
            while _position(tmp_path / "app.db") < before + 20_000 * (turn + 1):
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
    finally:
        ended.set()
        writer.join()
    assert live.catch_up().equal


def test_a_server_that_is_restarted(tmp_path: Path) -> None:
    with own_server(tmp_path) as server:
        live = copied(server.url(), tmp_path / "app.db", SCHEMA)
        with pytest.raises(NoConnection), live.following() as follower:
            follower.step(0.1)
            live.execute("UPDATE kept SET n = 0")
            stopping = threading.Thread(target=server.stop)  # the server waits until we have confirmed all
            stopping.start()
            while True:
                follower.step(0.5)
        stopping.join()
        assert follower.rows == 10
        server.start()
        moved = Live(server.url(), PostgresOrigin(server.url()), live.target, live.plan)
        moved.execute("DELETE FROM kept WHERE id = 1")
        assert moved.catch_up().equal


def test_a_cut_connection(server: object, database: str, tmp_path: Path) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(database)
    with Proxy(int(str(parts["port"]))) as proxy:
        through = psycopg.conninfo.make_conninfo(database, port=proxy.port)
        live = copied(database, tmp_path / "app.db", SCHEMA)
        remote = Live(database, PostgresOrigin(through), live.target, live.plan)
        for round_ in range(3):
            with pytest.raises(NoConnection), remote.following() as follower:
                live.execute(f"INSERT INTO kept VALUES (20{round_}, 'before the cut', 1, now())")
                follower.step(1)
                live.execute(*[f"UPDATE kept SET n = {n} WHERE id = 1" for n in range(50)])
                proxy.cut()
                while True:
                    follower.step(0.2)
        # The server may not have noticed: what served our last stream is ended by us, and nobody else's.
        proxy.freeze()
        proxy.cut()
        assert remote.catch_up().equal


def test_a_second_reader_is_told_who_reads(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liteshift.postgres.slot._FREE_WAIT", 0.3)
    live = copied(database, tmp_path / "app.db", SCHEMA)
    other = PostgresOrigin(database)
    with live.following() as follower:
        with pytest.raises(Locked, match="is read by another process") as caught, other.stream(NAME, follower.position):
            pass
        assert "pg_terminate_backend" in str(caught.value.hint)


def test_the_server_gives_up_a_slot_that_holds_too_much(tmp_path: Path) -> None:
    with own_server(tmp_path, max_slot_wal_keep_size="1MB", min_wal_size="32MB", max_wal_size="48MB") as server:
        live = copied(server.url(), tmp_path / "app.db", SCHEMA)
        for _ in range(6):
            live.execute(
                "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 16000000))", "SELECT pg_switch_wal()"
            )
            live.execute("CHECKPOINT")
        with pytest.raises(NotFit, match="has given up the slot") as caught, live.following():
            pass
        assert "max_slot_wal_keep_size" in str(caught.value.hint)
        assert live.origin.remove(NAME)


def test_a_file_that_is_older_than_the_slot_is_refused(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    shutil.copy(tmp_path / "app.db", tmp_path / "old.db")
    live.execute("DELETE FROM kept WHERE id = 2")
    assert live.catch_up().equal
    for sidecar in ("-wal", "-shm"):
        Path(f"{tmp_path / 'app.db'}{sidecar}").unlink(missing_ok=True)
    (tmp_path / "old.db").replace(tmp_path / "app.db")
    with pytest.raises(NotFit, match="older than the file"), live.following():
        pass


def test_another_server_is_refused(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    live.execute("UPDATE liteshift.move SET timeline = 7")
    with pytest.raises(NotFit, match="promoted or restored"), live.following():
        pass
    live.execute("UPDATE liteshift.move SET system = '1'")
    with pytest.raises(NotFit, match="another server"), live.following():
        pass
    live.execute("DELETE FROM liteshift.move")
    with pytest.raises(NotFit, match="knows nothing"), live.following():
        pass


def test_an_idle_source_does_not_keep_its_log(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liteshift.stages.follow._IDLE_SECONDS", 0.2)
    live = copied(database, tmp_path / "app.db", SCHEMA)
    with live.following() as follower:
        follower.step(0.1)
        live.execute("CREATE TABLE not_ours AS SELECT 1 FROM generate_series(1, 100000)", "CHECKPOINT")
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        deadline = time.monotonic() + 60
        while follower.position < Lsn.parse(str((row or [""])[0])):
            assert time.monotonic() < deadline
            follower.step(0.1)
    held = live.origin.held_bytes(NAME)
    assert held is not None
    assert held < 5_000_000
    assert live.catch_up().equal


DDL = [
    ("ALTER TABLE kept ADD extra int", "the column extra of public.kept is new"),
    ("ALTER TABLE kept ALTER n TYPE numeric(12,4)", "the column n of public.kept"),
    ("ALTER TABLE kept ALTER at TYPE timestamp", "the column at of public.kept"),
    ("ALTER TABLE kept DROP t", "the column t of public.kept is gone"),
    ("ALTER TABLE kept RENAME t TO u", "the column u of public.kept is new"),
    ("ALTER TABLE kept RENAME TO renamed", "the table public.kept is called public.renamed"),
    ("ALTER TABLE kept REPLICA IDENTITY NOTHING", "replica identity is gone"),
]


@pytest.mark.parametrize(("change", "message"), DDL)
def test_a_table_that_is_altered_stops_the_stream(database: str, tmp_path: Path, change: str, message: str) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    with live.following() as follower:
        live.execute("UPDATE kept SET t = 'a' WHERE id = 1")
        while follower.rows == 0:
            follower.step(1)
        table = "renamed" if "TO renamed" in change else "kept"
        live.execute(change, f"INSERT INTO {table} (id) VALUES (99)")
        with pytest.raises(NotFit, match=message) as caught:
            for _ in range(100):
                follower.step(0.2)
        assert caught.value.hint
    if "NOTHING" not in change:
        with pytest.raises(NotFit), live.following():
            pass
    assert live.origin.remove(NAME)


def test_a_row_that_is_not_there_as_it_was(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    with closing(passing_guards(lambda: connect(tmp_path / "app.db"))) as file:
        file.execute("DELETE FROM kept WHERE id = 7")
        file.execute("UPDATE keyless SET a = 'other'")
    live.execute("INSERT INTO kept VALUES (77, 'not alone', 0, now()); UPDATE kept SET n = 1 WHERE id IN (6, 7)")
    with pytest.raises(DifferencesFound, match="updated where id = 7"), live.following() as follower:
        follower.until_token("none", seconds=20)
    with closing(passing_guards(lambda: connect(tmp_path / "app.db"))) as file:
        assert file.execute("SELECT count(*) FROM kept WHERE id = 77").fetchone() == (0,)
        file.execute("INSERT INTO kept SELECT 7, t, n, at FROM kept WHERE id = 6")
    live.execute("DELETE FROM keyless WHERE ctid IN (SELECT min(ctid) FROM keyless)")
    with pytest.raises(DifferencesFound, match="no row is equal"), live.following() as follower:
        follower.until_token("none", seconds=20)


def test_a_full_disk_stops_and_goes_on(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    live.execute("INSERT INTO kept SELECT i, repeat('x', 500), 1, now() FROM generate_series(100, 5000) i")
    with live.target.applier() as applier:
        applier._connection.execute("PRAGMA max_page_count=50").fetchall()
        with live.origin.stream(NAME, applier.position) as stream:
            follower = Follower(live.plan, live.origin.shapes(NAME, live.plan), stream, applier)
            with pytest.raises(NoSpace):
                follower.until_token("none", seconds=20)
    assert live.catch_up().equal


def test_a_slot_that_has_to_wait_says_for_whom(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liteshift.postgres.slot._SLOT_WAIT", 1)
    live = copied(database, tmp_path / "app.db", SCHEMA)
    with psycopg.connect(database, application_name="the long one") as connection:
        connection.execute("INSERT INTO keyless VALUES ('open', NULL)")
        process = connection.info.backend_pid
        assert any(f"the process {process} (the long one" in one for one in live.origin.long_transactions(seconds=0))
        assert not live.origin.long_transactions(seconds=3600)
        with pytest.raises(Locked, match="the long one") as caught, live.origin.moment():
            pass
        assert f"SELECT pg_terminate_backend({process});" in str(caught.value.hint)
        with pytest.raises(Locked, match=r"for 0\.5 seconds"), live.origin.moment(seconds=0.5):
            pass
    assert live.catch_up().equal


def test_what_is_past_cannot_be_reached(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    with live.following() as follower:
        live.execute("DELETE FROM kept")
        live.verified(follower)
        with pytest.raises(LiteshiftError, match="past"):
            follower.until(Lsn(1))


def _position(path: Path) -> int:
    with closing(connect(path, read_only=True)) as file:
        return Lsn.parse(file.execute("SELECT value FROM liteshift_state WHERE key = 'position'").fetchone()[0])
