"""The engines an application uses: settings on every path, who may write, and what a failure leaves behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from liteshift.app.engines import (
    AsyncEngines,
    Engines,
    PoolSettings,
    make_async_engines,
    make_engines,
    make_tool_engine,
)
from liteshift.errors import UsageError
from liteshift.sqlite.connect import PRAGMAS, Preset, connect
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = """
CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER UNIQUE);
CREATE TABLE child(id INTEGER PRIMARY KEY, t INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED);
INSERT INTO t VALUES (1, 0);
"""
SLOW = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 300000) SELECT sum(i) FROM c"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.executescript(SCHEMA)
    return tmp_path / "app.db"


@pytest.fixture
def engines(path: Path) -> Iterator[Engines]:
    made = make_engines(f"sqlite:///{path}")
    yield made
    made.dispose()


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the write lock until its input ends."""
    script = """
import sys
from liteshift.sqlite.connect import connect
c = connect(sys.argv[1])
c.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
c.close()
"""
    command = [sys.executable, "-c", script, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def impatient(engine: Engine, milliseconds: int = 50) -> None:
    @event.listens_for(engine, "connect")
    def shorten(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA busy_timeout={milliseconds}")


def answers(connection: Connection) -> dict[str, Any]:
    return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS["fast"]}


@pytest.mark.parametrize("preset", ["fast", "durable"])
def test_every_pragma_on_every_path(path: Path, preset: Preset) -> None:
    url = f"sqlite:///{path}"
    made = make_engines(url, preset=preset)
    tool = make_tool_engine(url, preset=preset)
    for engine in (made.writer, made.reader, tool):
        with engine.connect() as connection:
            assert answers(connection) == PRAGMAS[preset]
            assert connection.exec_driver_sql("PRAGMA query_only").scalar() == (engine is made.reader)
    made.dispose()

    async def check() -> None:
        made = make_async_engines(f"sqlite+aiosqlite:///{path}", preset=preset)
        for engine in (made.writer, made.reader):
            async with engine.connect() as connection:
                assert await connection.run_sync(answers) == PRAGMAS[preset]
                query_only = (await connection.exec_driver_sql("PRAGMA query_only")).scalar()
                assert query_only == (engine is made.reader)
        await made.dispose()

    asyncio.run(check())


def test_one_library_on_every_path(path: Path) -> None:
    def check(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(getattr(driver, "_conn", driver), dbapi.Connection)
        assert connection.exec_driver_sql("SELECT sqlite_version()").scalar() == dbapi.sqlite_version

    made = make_engines(f"sqlite:///{path}")
    with made.reader.connect() as connection:
        check(connection)
    made.dispose()

    async def check_async() -> None:
        made = make_async_engines(f"sqlite:///{path}")
        async with made.reader.connect() as connection:
            await connection.run_sync(check)
        await made.dispose()

    asyncio.run(check_async())


def test_the_reader_cannot_write(engines: Engines) -> None:
    with pytest.raises(OperationalError, match="readonly"), engines.reader.begin() as connection:
        connection.execute(text("UPDATE t SET n = 1"))


def test_a_reader_sees_one_snapshot(engines: Engines) -> None:
    with engines.reader.connect() as reader:
        assert reader.scalar(text("SELECT n FROM t")) == 0
        with engines.writer.begin() as writer:
            writer.execute(text("UPDATE t SET n = 1"))
        assert reader.scalar(text("SELECT n FROM t")) == 0
        reader.rollback()
        assert reader.scalar(text("SELECT n FROM t")) == 1


def test_read_then_write_from_many_threads_loses_nothing(engines: Engines) -> None:
    failures: list[BaseException] = []

    def add() -> None:
        try:
            for _ in range(25):
                with Session(engines.writer) as session:
                    n = session.scalar(text("SELECT n FROM t"))
                    session.execute(text("UPDATE t SET n = :n"), {"n": n + 1})
                    session.commit()
                with engines.reader.connect() as reader:
                    assert reader.scalar(text("SELECT n FROM t")) > 0
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with engines.reader.connect() as reader:
        assert reader.scalar(text("SELECT n FROM t")) == 200


def test_read_then_write_from_many_processes_loses_nothing(path: Path) -> None:
    script = """
import sys
from sqlalchemy import text
from liteshift.app.engines import make_engines
engines = make_engines("sqlite:///" + sys.argv[1])
for _ in range(25):
    with engines.writer.begin() as c:
        n = c.scalar(text("SELECT n FROM t"))
        c.execute(text("UPDATE t SET n = :n"), {"n": n + 1})
engines.dispose()
"""
    processes = [subprocess.Popen([sys.executable, "-c", script, str(path)]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    with closing(connect(path, read_only=True)) as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == (100,)


def test_a_held_lock_is_an_operational_error_and_leaves_the_pool_clean(path: Path, engines: Engines) -> None:
    impatient(engines.writer)
    process = holder(path)
    for _ in range(3):
        with pytest.raises(OperationalError) as caught, engines.writer.begin():
            pass
        assert caught.value.orig
        assert caught.value.orig.sqlite_errorname == "SQLITE_BUSY"  # type: ignore[attr-defined]
        with pytest.raises(OperationalError), Session(engines.writer) as session:
            session.execute(text("UPDATE t SET n = 1"))
    process.communicate("")
    with engines.writer.begin() as connection:
        assert connection.connection.driver_connection.in_transaction  # type: ignore[union-attr]
        connection.execute(text("UPDATE t SET n = 9"))
    with engines.reader.connect() as connection:
        assert connection.scalar(text("SELECT n FROM t")) == 9


def test_writers_wait_for_the_one_connection(path: Path) -> None:
    made = make_engines(f"sqlite:///{path}", pool=PoolSettings(timeout=0.05))
    with made.writer.begin(), pytest.raises(PoolTimeout), made.writer.begin():
        pass
    made.dispose()


def test_errors_and_rollbacks_leave_no_transaction_behind(path: Path, engines: Engines) -> None:
    with pytest.raises(IntegrityError) as caught, engines.writer.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (2, 0)"))
    assert caught.value.orig
    assert caught.value.orig.sqlite_errorname.startswith("SQLITE_CONSTRAINT")  # type: ignore[attr-defined]
    with pytest.raises(IntegrityError), engines.writer.begin() as connection:
        connection.execute(text("INSERT INTO child VALUES (1, 77)"))  # found out by COMMIT
    with engines.writer.connect() as connection:
        connection.execute(text("UPDATE t SET n = 5"))  # closed without a commit
    with closing(connect(path, busy_timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT n, (SELECT count(*) FROM child) FROM t").fetchall() == [(0, 0)]


def test_savepoints_and_ddl_are_transactional(engines: Engines) -> None:
    with engines.writer.begin() as connection:
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(text("INSERT INTO t VALUES (3, 3)"))
            connection.execute(text("INSERT INTO t VALUES (3, 4)"))
        connection.execute(text("INSERT INTO t VALUES (4, 4)"))
    with engines.writer.connect() as connection:
        connection.execute(text("CREATE TABLE fleeting(i)"))
        connection.rollback()
    with engines.reader.connect() as connection:
        assert connection.execute(text("SELECT id FROM t")).scalars().all() == [1, 4]
        assert not connection.dialect.has_table(connection, "fleeting")


def test_sql_functions_are_sqls_own(engines: Engines) -> None:
    with engines.reader.connect() as connection:
        assert connection.execute(text("SELECT floor(1.5), typeof(floor(1.5)), floor(NULL)")).one() == (1, "real", None)
        assert connection.execute(text("SELECT 'abc' REGEXP 'b.', NULL REGEXP 'b'")).one() == (1, None)


def test_alembic_can_rebuild_a_table_that_others_refer_to(path: Path) -> None:
    engine = make_tool_engine(f"sqlite:///{path}", foreign_keys=False)
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO child VALUES (1, 1)")
    with engine.begin() as tool:
        tool.execute(text("CREATE TABLE new_t(id INTEGER PRIMARY KEY, n INTEGER UNIQUE, extra TEXT)"))
        tool.execute(text("INSERT INTO new_t SELECT id, n, NULL FROM t"))
        tool.execute(text("DROP TABLE t"))
        tool.execute(text("ALTER TABLE new_t RENAME TO t"))
    with closing(connect(path, read_only=True)) as connection:
        assert connection.execute("SELECT t FROM child").fetchall() == [(1,)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite://app.db", "sqlite:///a.db?mode=ro", "mysql://u:secret@h/d", "app.db"],
)
def test_urls_that_are_refused(url: str) -> None:
    for make in (make_engines, make_async_engines, make_tool_engine):
        with pytest.raises(UsageError) as caught:
            make(url)
        assert caught.value.hint
        assert "secret" not in str(caught.value)


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_engines("sqlite:///./app.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with made.writer.begin() as connection:
        connection.execute(text("CREATE TABLE t(i)"))
    made.dispose()
    assert (tmp_path / "app.db").exists()


# asyncio


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_async_errors_are_sqlalchemys(path: Path, runner: asyncio.Runner) -> None:
    async def check() -> None:
        made = make_async_engines(f"sqlite:///{path}")
        impatient(made.writer.sync_engine)
        with pytest.raises(IntegrityError) as unique:
            async with made.writer.begin() as connection:
                await connection.execute(text("INSERT INTO t VALUES (2, 0)"))
        assert unique.value.orig
        assert unique.value.orig.sqlite_errorname.startswith("SQLITE_CONSTRAINT")  # type: ignore[attr-defined]
        process = holder(path)
        with pytest.raises(OperationalError) as busy:
            async with made.writer.begin():
                pass
        assert busy.value.orig
        assert busy.value.orig.sqlite_errorname == "SQLITE_BUSY"  # type: ignore[attr-defined]
        await asyncio.to_thread(process.communicate, "")
        async with made.writer.begin() as connection:
            await connection.execute(text("UPDATE t SET n = 3"))
        with pytest.raises(DBAPIError, match="no such table"):
            async with made.reader.connect() as connection:
                await connection.execute(text("SELECT * FROM nowhere"))
        await made.dispose()

    runner.run(check())


async def _count(made: AsyncEngines) -> None:
    for _ in range(20):
        async with made.writer.begin() as connection:
            n = await connection.scalar(text("SELECT n FROM t"))
            await asyncio.sleep(0)
            await connection.execute(text("UPDATE t SET n = :n"), {"n": n + 1})


def test_async_read_then_write_from_many_tasks_loses_nothing(path: Path, runner: asyncio.Runner) -> None:
    async def check() -> None:
        made = make_async_engines(f"sqlite:///{path}")
        await asyncio.gather(*(_count(made) for _ in range(8)))
        async with made.reader.connect() as connection:
            assert await connection.scalar(text("SELECT n FROM t")) == 160
        await made.dispose()

    runner.run(check())


@pytest.mark.parametrize("where", ["begin", "execute", "commit"])
def test_a_cancelled_task_leaves_no_lock_behind(path: Path, runner: asyncio.Runner, where: str) -> None:
    """The statement goes on in its thread after the await is cancelled: it must not keep the lock it gets."""

    async def work(made: AsyncEngines, reached: asyncio.Event) -> None:
        if where == "begin":
            reached.set()
        async with made.writer.connect() as connection:
            await connection.execute(text("UPDATE t SET n = n + 1"))
            if where == "execute":
                reached.set()
                await connection.execute(text(SLOW))
            if where == "commit":
                reached.set()
            await connection.commit()

    async def check() -> None:
        made = make_async_engines(f"sqlite:///{path}")
        for turn in range(6):
            process = holder(path) if where == "begin" else None
            reached = asyncio.Event()
            task = asyncio.create_task(work(made, reached))
            await reached.wait()
            await asyncio.sleep(0.002 * turn + (0.05 if process else 0))
            task.cancel()
            if process:
                await asyncio.to_thread(process.communicate, "")
            await asyncio.wait([task])
            with closing(connect(path, busy_timeout=2000)) as other:
                other.execute("BEGIN IMMEDIATE")
            async with made.writer.begin() as connection:
                await connection.execute(text("UPDATE t SET n = 0"))
        await made.dispose()

    runner.run(check())


def test_a_forked_child_leaves_the_parents_connections_alone(path: Path) -> None:
    """The child uses connections of its own, ends, and the parent's log and locks are as they were."""
    script = """
import os, signal, sys
from sqlalchemy import text
from liteshift.app.engines import make_engines
engines = make_engines("sqlite:///" + sys.argv[1])
def add(n):
    with engines.writer.begin() as c:
        c.execute(text("UPDATE t SET n = n + :n"), {"n": n})
    with engines.reader.connect() as c:
        return c.scalar(text("SELECT n FROM t"))
assert add(1) == 1
child = os.fork()
if child == 0:
    assert add(10) == 11
    engines.dispose()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
for _ in range(50):
    add(100)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert path.with_name("app.db-wal").exists()
    with closing(connect(path)) as connection:
        assert connection.execute("SELECT n FROM t").fetchone() == (5011,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# PostgreSQL


def as_url(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    url = URL.create(
        "postgresql",
        username=str(parts["user"]),
        password=str(parts["password"]) if "password" in parts else None,
        host=str(parts["host"]),
        port=int(parts["port"] or 5432) if "port" in parts else None,
        database=str(parts["dbname"]),
    )
    return url.render_as_string(hide_password=False)


def test_postgresql_sync(database: str) -> None:
    made = make_engines(as_url(database), pool=PoolSettings(size=2))
    with made.writer.begin() as connection:
        connection.execute(text("CREATE TABLE t(i int)"))
        assert connection.scalar(text("SHOW timezone")) == "UTC"
    with made.reader.connect() as connection:
        assert connection.scalar(text("SHOW timezone")) == "UTC"
        with pytest.raises(DBAPIError, match="read-only"):
            connection.execute(text("INSERT INTO t VALUES (1)"))
    for _ in range(3):  # the pool is shared, so the setting must not stick to its connections
        with made.writer.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
    made.dispose()
    tool = make_tool_engine(as_url(database))
    with tool.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM t")) == 3
        assert connection.scalar(text("SHOW timezone")) == "UTC"


def test_postgresql_async(database: str, runner: asyncio.Runner) -> None:
    async def check() -> None:
        made = make_async_engines(as_url(database))
        async with made.writer.begin() as connection:
            await connection.execute(text("CREATE TABLE t(i int)"))
        async with made.reader.connect() as connection:
            assert await connection.scalar(text("SHOW timezone")) == "UTC"
            with pytest.raises(DBAPIError, match="read-only"):
                await connection.execute(text("INSERT INTO t VALUES (1)"))
        async with made.writer.begin() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
        await made.dispose()

    runner.run(check())
