"""The fence on a real server: whoever writes after it is refused, whoever wrote before is waited for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from liteshift.catalog import Name
from liteshift.errors import Locked
from liteshift.postgres.connect import connect
from liteshift.postgres.fence import PostgresFence

if TYPE_CHECKING:
    from collections.abc import Iterator

T, PARTED, LEAF = Name("public", "t"), Name("public", "parted"), Name("public", "parted_1")


@pytest.fixture
def fenced(any_database: str) -> Iterator[tuple[str, PostgresFence]]:
    """A database with a fence that is made and open."""
    with psycopg.connect(any_database, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA liteshift")
        owner.execute("CREATE TABLE liteshift.fence (token text PRIMARY KEY)")
        owner.execute("CREATE TABLE public.t (i int)")
        owner.execute("CREATE TABLE public.parted (i int) PARTITION BY RANGE (i)")
        owner.execute("CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (9)")
    with connect(any_database, writes=True) as connection:
        fence = PostgresFence(connection, "move_1", [T, PARTED, LEAF], "app.db", "the source")
        fence.prepare(seconds=10)
        yield any_database, fence


WRITES = (
    "INSERT INTO public.t VALUES (1)",
    "UPDATE public.t SET i = 2",
    "DELETE FROM public.t WHERE false",
    "TRUNCATE public.t",
    "COPY public.t FROM STDIN",
    "INSERT INTO public.parted VALUES (1)",
    "INSERT INTO public.parted_1 VALUES (1)",
    "TRUNCATE public.parted",
)


def write(connection: psycopg.Connection[Any], statement: str) -> None:
    if statement.startswith("COPY"):
        with connection.cursor().copy(statement.encode()) as copy:
            copy.write_row((1,))
    else:
        connection.execute(statement.encode())


@pytest.mark.parametrize("statement", WRITES)
def test_every_kind_of_write_is_refused_and_counted(fenced: tuple[str, PostgresFence], statement: str) -> None:
    url, fence = fenced
    with psycopg.connect(url, autocommit=True) as writer:
        write(writer, statement)
        fence.up("token", seconds=5)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="has moved to SQLite") as refused:
            write(writer, statement)
        assert "app.db" in (refused.value.diag.message_hint or "")
        assert writer.execute("SELECT count(*) >= 0 FROM public.t").fetchone() == (True,)  # readers go on
        assert fence.refused() == 1
        fence.down()
        write(writer, statement)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_an_older_snapshot_is_no_way_round_it(fenced: tuple[str, PostgresFence], level: str) -> None:
    url, fence = fenced
    with psycopg.connect(url, autocommit=True) as writer:
        writer.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        writer.execute("SELECT count(*) FROM public.t")
        fence.up("token", seconds=5)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            writer.execute("INSERT INTO public.t VALUES (1)")


def test_it_waits_for_a_transaction_that_has_written(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url) as writer, connect(url) as reader:
        writer.execute("INSERT INTO public.parted_1 VALUES (1)")
        done: list[int] = []
        waiter = threading.Thread(target=lambda: done.append(int(fence.up("token", seconds=60))))
        waiter.start()
        time.sleep(0.2)
        assert not done
        assert reader.execute("SELECT count(*) FROM liteshift.fence").fetchone() == (0,)
        writer.commit()
        waiter.join(60)
        assert done
        assert reader.execute("SELECT count(*) FROM public.parted").fetchone() == (1,)
        assert reader.execute("SELECT token FROM liteshift.fence").fetchone() == ("token",)


def test_a_transaction_that_does_not_end_opens_it_again(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url) as writer, psycopg.connect(url, autocommit=True) as other:
        writer.execute("INSERT INTO public.t VALUES (1)")
        with pytest.raises(Locked, match=f"{writer.info.backend_pid} of the source is still writing to public.t"):
            fence.up("token", seconds=0.2)
        assert not fence.is_up()
        other.execute("INSERT INTO public.t VALUES (2)")


def test_a_vacuum_or_a_reader_does_not_hold_it_up(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url) as reader, psycopg.connect(url) as vacuum:
        reader.execute("SELECT * FROM public.t")
        vacuum.execute("LOCK TABLE public.t IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM and ANALYZE do
        fence.up("token", seconds=1)
        assert fence.is_up()


def test_the_way_back_passes(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    fence.up("token", seconds=5)
    with psycopg.connect(url) as writer:
        writer.execute("SET LOCAL liteshift.pass = 'move_1'")
        writer.execute("INSERT INTO public.t VALUES (1)")
        writer.commit()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            writer.execute("INSERT INTO public.t VALUES (1)")


def test_making_it_waits_for_a_lock_in_short_turns_and_gives_up(any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA liteshift")
        owner.execute("CREATE TABLE public.t (i int)")
    nightly = psycopg.connect(any_database, application_name="the nightly vacuum")
    with connect(any_database, writes=True) as connection, nightly as vacuum:
        fence = PostgresFence(connection, "move_1", [T], "app.db", "the source")
        vacuum.execute("LOCK TABLE public.t IN SHARE UPDATE EXCLUSIVE MODE")
        told: list[str] = []
        with pytest.raises(Locked, match=r"public\.t of the source is held by the process \d+ \(the nightly") as caught:
            fence.prepare(seconds=2.5, tell=told.append)
        assert f"pg_terminate_backend({vacuum.info.backend_pid})" in str(caught.value.hint)
        assert told[0].startswith(f"waiting for the process {vacuum.info.backend_pid} (the nightly")
        assert told[0].endswith("which holds public.t of the source")
        vacuum.rollback()
        fence.prepare(seconds=10)
        fence.prepare(seconds=10)
        fence.remove(seconds=10)
        fence.remove(seconds=10)
        left = connection.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 'liteshift_fence'").fetchone()
        assert left == (0,)
