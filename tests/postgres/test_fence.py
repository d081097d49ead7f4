"""The fence on a real server: whoever writes after it is refused, whoever wrote before is waited for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from liteshift.catalog import Name
from liteshift.errors import Locked
from liteshift.postgres.connect import connect
from liteshift.postgres.fence import PostgresFence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server

T, PARTED = Name("public", "t"), Name("public", "parted")


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
        fence = PostgresFence(connection, "move_1", [T, PARTED], "app.db", "the source")
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
        fence.keep()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="has moved to SQLite") as refused:
            write(writer, statement)
        assert "app.db" in (refused.value.diag.message_hint or "")
        assert writer.execute("SELECT count(*) >= 0 FROM public.t").fetchone() == (True,)  # readers go on
        assert fence.refused() == 1
        fence.down()
        write(writer, statement)


def test_who_has_put_it_up_may_die(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url, autocommit=True) as writer:
        fence.up("token", seconds=1)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            write(writer, WRITES[0])
        while fence.is_up():
            time.sleep(0.01)
        write(writer, WRITES[0])
        with pytest.raises(Locked, match="the pause was over before the source could be closed for good"):
            fence.keep()
        fence.down()
        write(writer, WRITES[0])


def test_a_replica_is_refused_as_well(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url, autocommit=True) as writer:
        writer.execute("SET session_replication_role = replica")
        fence.up("token", seconds=5)
        fence.keep()
        for statement in WRITES:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="has moved to SQLite"):
                write(writer, statement)


def test_what_a_subscription_brings_is_refused(any_server: Server, fenced: tuple[str, PostgresFence]) -> None:
    """Its worker fires no triggers for statements, and for rows those only that are awake on replicas."""
    url, fence = fenced
    name = "liteshift_upstream"
    upstream = any_server.create_database(name)
    with psycopg.connect(upstream, autocommit=True) as giver, psycopg.connect(url, autocommit=True) as taker:
        giver.execute("CREATE TABLE public.t (i int)")
        giver.execute("CREATE PUBLICATION given FOR ALL TABLES")
        giver.execute("SELECT pg_create_logical_replication_slot('given', 'pgoutput')")
        taker.execute(
            sql.SQL(
                "CREATE SUBSCRIPTION given CONNECTION {} PUBLICATION given"
                " WITH (create_slot = false, copy_data = false)"
            ).format(sql.Literal(upstream))
        )
        try:
            giver.execute("INSERT INTO public.t VALUES (1)")
            while taker.execute("SELECT count(*) FROM public.t").fetchone() != (1,):
                time.sleep(0.02)
            fence.up("token", seconds=5)
            fence.keep()
            giver.execute("INSERT INTO public.t VALUES (2)")
            while not fence.refused():
                assert taker.execute("SELECT count(*) FROM public.t").fetchone() == (1,)
                time.sleep(0.02)
            fence.down()
            while taker.execute("SELECT count(*) FROM public.t").fetchone() != (2,):  # it has tried again
                time.sleep(0.02)
        finally:
            taker.execute("DROP SUBSCRIPTION given")
    any_server.drop_database(name)


def partition(number: int) -> str:
    return f"PARTITION OF public.parted FOR VALUES FROM ({number}) TO ({number + 1})"


def test_partitions_that_come_later(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE TABLE public.before {partition(20)}".encode())
        owner.execute("CREATE TABLE public.deep PARTITION OF public.parted FOR VALUES FROM (30) TO (40)"
                      " PARTITION BY RANGE (i)")  # fmt: skip
        owner.execute("CREATE TABLE public.deeper PARTITION OF public.deep FOR VALUES FROM (30) TO (31)")
        fence.prepare(seconds=10)
        owner.execute(f"CREATE TABLE public.after {partition(21)}".encode())
        fence.up("token", seconds=5)
        fence.keep()
        owner.execute(f"CREATE TABLE public.late {partition(22)}".encode())
        for table, value in (("before", 20), ("deeper", 30), ("after", 21), ("late", 22)):
            for role in ("origin", "replica"):
                owner.execute(f"SET session_replication_role = {role}".encode())
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match=f"public.{table} has moved"):
                    owner.execute(f"INSERT INTO public.{table} VALUES ({value})".encode())
        for table in ("before", "deep", "deeper"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                owner.execute(f"TRUNCATE public.{table}".encode())
        owner.execute("SET session_replication_role = origin")
        owner.execute("ALTER TABLE public.parted DETACH PARTITION public.before")
        fence.down()
        fence.prepare(seconds=10)
        owner.execute("INSERT INTO public.parted VALUES (30)")
        fence.remove(seconds=10)
        assert owner.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'liteshift%'").fetchone() == (0,)


def test_it_waits_for_who_writes_straight_into_a_new_partition(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url) as writer:
        writer.execute(f"CREATE TABLE public.before {partition(20)}".encode())
        writer.commit()
        fence.prepare(seconds=10)
        writer.execute("INSERT INTO public.before VALUES (20)")
        with pytest.raises(Locked, match=r"is still writing to public\.before"):
            fence.up("token", seconds=0.2)


def test_a_trigger_that_somebody_has_switched_off_is_awake_again(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url, autocommit=True) as owner:
        for table in ("t", "parted", "parted_1"):
            owner.execute(f"ALTER TABLE public.{table} DISABLE TRIGGER USER".encode())
        fence.prepare(seconds=10)
        fence.up("token", seconds=5)
        fence.keep()
        for statement in ("INSERT INTO public.t VALUES (1)", "INSERT INTO public.parted_1 VALUES (1)"):
            for role in ("origin", "replica"):
                owner.execute(f"SET session_replication_role = {role}".encode())
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    owner.execute(statement.encode())


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_an_older_snapshot_is_no_way_round_it(fenced: tuple[str, PostgresFence], level: str) -> None:
    url, fence = fenced
    with psycopg.connect(url, autocommit=True) as writer:
        writer.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        writer.execute("SELECT count(*) FROM public.t")
        fence.up("token", seconds=5)
        fence.keep()
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


def test_what_is_open_is_waited_for_by_name_before_it_goes_up(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    told: list[str] = []
    with psycopg.connect(url, application_name="the nightly report") as writer:
        writer.execute("INSERT INTO public.t VALUES (1)")
        with pytest.raises(Locked, match=r"the nightly report.* is still writing to public\.t"):
            fence.prepare(seconds=1.5, tell=told.append)
        assert "the nightly report" in told[0]
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("INSERT INTO public.t VALUES (2)")  # nobody is refused meanwhile
    fence.prepare(seconds=10)


def test_a_transaction_that_does_not_end_opens_it_again(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url) as writer, psycopg.connect(url, autocommit=True) as other:
        writer.execute("INSERT INTO public.t VALUES (1)")
        with pytest.raises(Locked, match=rf"{writer.info.backend_pid} .* is still writing to public\.t of the source"):
            fence.up("token", seconds=0.2)
        assert not fence.is_up()
        other.execute("INSERT INTO public.t VALUES (2)")


def test_a_vacuum_or_a_reader_does_not_hold_it_up(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    with psycopg.connect(url) as reader, psycopg.connect(url) as vacuum:
        reader.execute("SELECT * FROM public.t")
        vacuum.execute("LOCK TABLE public.t IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM and ANALYZE do
        fence.up("token", seconds=1)
        fence.keep()
        assert fence.is_up()


def test_the_way_back_passes(fenced: tuple[str, PostgresFence]) -> None:
    url, fence = fenced
    fence.up("token", seconds=5)
    fence.keep()
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
        left = connection.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'liteshift%'").fetchone()
        assert left == (0,)
