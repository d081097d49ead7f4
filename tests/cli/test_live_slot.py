"""The way back needs no slot; but it needs the very server that the application has left."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from tests.interrupt.walk import SCHEMA, Mover, Operator, are_alike, leftovers, rows, write

from liteshift.phases import Phase
from liteshift.postgres.embedded import FAST, EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as server:
        cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def drop_slot(url: str) -> None:
    ask(url, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")


@contextmanager
def moving(url: str, folder: Path) -> Iterator[tuple[Mover, Operator]]:
    """An application that has been moved to the file, by a process that runs no more."""
    ask(url, SCHEMA)
    mover, operator = Mover(url, folder, gate=False), Operator(url, folder)
    mover.start()
    try:
        mover.until(Phase.FOLLOWING)
        operator.gets("cutover", "--yes", "--skip-backup", "app.db")
        mover.kill()
        yield mover, operator
    finally:
        mover.close()


def test_a_slot_that_was_dropped_is_made_anew(database: str, tmp_path: Path) -> None:
    with moving(database, tmp_path) as (mover, operator):
        drop_slot(database)
        write(mover.file, "sqlite", "without a slot", 35)
        assert operator.gets("rollback", "--yes", "app.db")["captured"] > 0
        assert rows(database) == rows(mover.file)
        write(database, "postgresql", "followed again", 70)
        assert operator.gets("cutover", "--yes", "--skip-backup", "app.db")["epoch"] == 3
        assert rows(database) == rows(mover.file)


def test_where_none_can_be_made_it_goes_back_all_the_same(database: str, tmp_path: Path) -> None:
    with moving(database, tmp_path) as (mover, operator), psycopg.connect(database) as other:
        drop_slot(database)
        other.execute("CREATE TABLE unended ()")
        write(mover.file, "sqlite", "without a slot", 35)
        back = operator.types("rollback", "--yes", "app.db")
        assert back.returncode == 0, back.stderr
        assert "no cutover can follow" in back.stderr
        assert rows(database) == rows(mover.file)
        write(database, "postgresql", "on", 70)
        refused = operator.types("cutover", "--yes", "--skip-backup", "app.db")
        assert (refused.returncode, "is gone" in refused.stderr) == (13, True), refused.stderr
        assert "liteshift abort" in refused.stderr
        other.rollback()
        assert operator.types("abort", "--yes", "app.db").returncode == 0
        assert leftovers(database) == []


def test_a_slot_that_the_server_has_given_up_is_made_anew(tmp_path: Path) -> None:
    sizes = {"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "48MB"}
    with EmbeddedServer.temporary(settings={**FAST, **sizes}) as server, moving(server.url(), tmp_path) as (mover, _):
        for _ in range(6):
            ask(server.url(), "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 16000000))")
            ask(server.url(), "SELECT pg_switch_wal()")
            ask(server.url(), "CHECKPOINT")
        assert ask(server.url(), "SELECT wal_status FROM pg_replication_slots") == [("lost",)]
        write(mover.file, "sqlite", "without a slot", 35)
        mover.start()
        are_alike(server.url(), mover.file)
        mover.bring("rollback", Phase.FOLLOWING)
        write(server.url(), "postgresql", "followed again", 70)
        are_alike(server.url(), mover.file)


def test_a_server_that_was_set_back_is_seen(tmp_path: Path) -> None:
    with EmbeddedServer.temporary(settings=FAST) as server, moving(server.url(), tmp_path) as (mover, _):
        operator = Operator(server.url(), tmp_path)

        def taken_back(token: str) -> None:
            write(mover.file, "sqlite", token, 35)
            operator.gets("verify", "app.db")

        def keep(name: str) -> None:
            server.stop()
            subprocess.run(["cp", "-a", server.data, server.folder / name], check=True)
            server.start()

        def set_back(name: str) -> None:
            nonlocal operator
            server.stop()
            shutil.rmtree(server.data)
            subprocess.run(["cp", "-a", server.folder / name, server.data], check=True)
            server.start()
            operator = Operator(server.url(), tmp_path)

        taken_back("one")
        keep("early")
        operator = Operator(server.url(), tmp_path)
        taken_back("two")
        keep("late")
        set_back("early")
        write(mover.file, "sqlite", "three", 35)
        refused = operator.types("rollback", "--yes", "app.db")
        assert (refused.returncode, "set back to an earlier time" in refused.stderr) == (13, True), refused.stderr
        set_back("late")
        operator.gets("rollback", "--yes", "app.db")
        assert rows(server.url()) == rows(mover.file)
        operator.gets("cutover", "--yes", "--skip-backup", "app.db")
        set_back("late")
        write(mover.file, "sqlite", "four", 35)
        refused = operator.types("rollback", "--yes", "app.db")
        assert (refused.returncode, "knows nothing of the cutover" in refused.stderr) == (13, True), refused.stderr
