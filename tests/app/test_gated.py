"""Sessions behind the gate, on a real PostgreSQL and a real file: where they write, when they let go."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from liteshift.app.engines import Engines, PoolSettings
from liteshift.app.gate import Gate, GateTimeout
from liteshift.app.gated import GatedEngines, is_fenced
from liteshift.app.gated_async import AsyncGatedEngines
from liteshift.errors import Locked, UsageError
from liteshift.gatefile import GateFile
from liteshift.keeper import Keeper
from liteshift.sqlite import state
from liteshift.sqlite.connect import connect
from liteshift.sqlite.witnesses import LOG, REFUSAL, REFUSED, log_statements, refusal_trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from liteshift.route import Side

FAR = 1e11
TABLE = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"
INSERT = text("INSERT INTO t VALUES (:id, :name)")
COUNT = text("SELECT count(*) FROM t")

FENCE = """
CREATE SCHEMA IF NOT EXISTS liteshift;
CREATE OR REPLACE FUNCTION liteshift.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'table % takes no writes: the application has moved', TG_TABLE_NAME
        USING ERRCODE = 'read_only_sql_transaction', HINT = 'It lives in app.db now.', SCHEMA = 'liteshift';
END $$;
CREATE TRIGGER liteshift_fence BEFORE INSERT OR UPDATE OR DELETE ON t
    FOR EACH STATEMENT EXECUTE FUNCTION liteshift.refuse();
"""
UNFENCE = "DROP TRIGGER liteshift_fence ON t"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db.route"


@pytest.fixture
def urls(database: str, tmp_path: Path) -> dict[Side, str]:
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute(TABLE)
    with psycopg.connect(database, autocommit=True) as server:
        server.execute(TABLE)

    parts = {name: str(value) for name, value in conninfo_to_dict(database).items()}
    parts["database"], parts["username"] = parts.pop("dbname"), parts.pop("user")
    url = URL.create("postgresql", **parts | {"port": int(parts["port"])})  # type: ignore[arg-type]  # one dict for all
    return {"postgresql": url.render_as_string(hide_password=False), "sqlite": f"sqlite:///{tmp_path / 'app.db'}"}


@pytest.fixture
def keeper(path: Path) -> Iterator[Keeper]:
    with Keeper(path) as keeper:
        keeper.establish("postgresql")
        yield keeper


@pytest.fixture
def gated(keeper: Keeper, path: Path, urls: dict[Side, str]) -> Iterator[GatedEngines]:
    gated = GatedEngines(Gate(path, patience=60), urls, pool=PoolSettings(size=2))
    yield gated
    gated.dispose()


def move(keeper: Keeper, side: Side) -> None:
    keeper.drain(FAR)
    keeper.hold(seconds=60)
    keeper.switch(side)


def names(gated: GatedEngines, side: Side) -> list[str]:
    with gated.engines(side).reader.connect() as connection:
        return list(connection.scalars(text("SELECT name FROM t ORDER BY id")))


def dialect(session: Session) -> str:
    return session.connection().dialect.name


def test_a_session_is_on_the_side_that_is_live(gated: GatedEngines, keeper: Keeper) -> None:
    sides: tuple[Side, ...] = ("postgresql", "sqlite", "postgresql", "sqlite")
    for number, side in enumerate(sides):
        if keeper.route().active != side:
            move(keeper, side)
        with gated.writing() as session:
            assert dialect(session) == side
            session.execute(INSERT, {"id": number, "name": f"{number}"})
        with gated.reading() as session:
            assert dialect(session) == side
            assert session.scalar(text("SELECT max(id) FROM t")) == number
    assert names(gated, "postgresql") == ["0", "2"]
    assert names(gated, "sqlite") == ["1", "3"]


@pytest.mark.parametrize("side", ["postgresql", "sqlite"])
def test_the_gate_is_held_until_all_is_committed(keeper: Keeper, path: Path, urls: dict[Side, str], side: Side) -> None:
    seen: list[bool] = []

    def look(_: Connection) -> None:
        lock = GateFile(path.with_suffix(".gate")).take()
        seen.append(lock.exclusive())
        lock.give_back()

    def prepare(_: Side, engines: Engines) -> Engines:
        event.listen(engines.writer, "commit", look)
        event.listen(engines.writer, "rollback", look)
        return engines

    gated = GatedEngines(Gate(path), urls, prepare=prepare)
    if side == "sqlite":
        move(keeper, side)
    with gated.writing() as session:
        session.execute(INSERT, {"id": 1, "name": "kept"})
    with pytest.raises(ZeroDivisionError), gated.writing() as session:
        session.execute(INSERT, {"id": 2, "name": "gone"})
        1 / 0  # noqa: B018
    with pytest.raises(IntegrityError), gated.writing() as session:
        session.execute(INSERT, {"id": 1, "name": "twice"})
    assert seen == [False, False, False]
    assert names(gated, side) == ["kept"]
    keeper.drain(FAR)
    keeper.hold(seconds=0)
    gated.dispose()


def test_readers_go_on_while_writers_wait(gated: GatedEngines, keeper: Keeper) -> None:
    """More writers than there are connections, and none of them has one."""
    keeper.drain(FAR)
    keeper.hold(seconds=60)
    with ThreadPoolExecutor(6) as pool:

        def write(number: int) -> None:
            with gated.writing() as session:
                session.execute(INSERT, {"id": number, "name": dialect(session)})

        writes = [pool.submit(write, number) for number in range(6)]
        while keeper.waited() < 6:
            time.sleep(0.001)
        for _ in range(3):
            with gated.reading() as first, gated.reading() as second:
                assert (first.scalar(COUNT), second.scalar(COUNT)) == (0, 0)
                assert dialect(first) == "postgresql"
        keeper.switch("sqlite")
        for each in writes:
            each.result()
    assert names(gated, "sqlite") == ["sqlite"] * 6
    assert names(gated, "postgresql") == []


def test_who_waits_for_a_connection_holds_up_no_switch(gated: GatedEngines, keeper: Keeper) -> None:
    move(keeper, "sqlite")

    def write() -> str:
        with gated.writing() as session:
            return dialect(session)

    with ThreadPoolExecutor(1) as pool:
        with gated.engines("sqlite").writer.connect():  # the only one
            waiting = pool.submit(write)
            time.sleep(0.05)
            keeper.drain(FAR)
            keeper.hold(seconds=60)
            assert not waiting.done()
            keeper.switch("postgresql")
        assert waiting.result() == "postgresql"


def test_waiting_is_bounded(keeper: Keeper, path: Path, urls: dict[Side, str]) -> None:
    gated = GatedEngines(Gate(path, patience=0.05), urls)
    keeper.drain(FAR)
    with pytest.raises(GateTimeout), gated.writing():
        raise AssertionError
    keeper.hold(seconds=0)
    gated.dispose()


def test_the_side_across_is_warm_by_the_time_it_is_live(gated: GatedEngines, keeper: Keeper) -> None:
    with gated.reading():
        pass
    keeper.drain(FAR)
    with gated.reading():  # which notices
        pass
    engines = gated.engines("sqlite")
    while engines.writer.pool.checkedin() + engines.reader.pool.checkedin() < 2:  # type: ignore[attr-defined]  # both count
        time.sleep(0.001)


def test_a_side_that_can_not_be_reached_disturbs_nobody(
    keeper: Keeper, path: Path, urls: dict[Side, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gated = GatedEngines(Gate(path), urls | {"sqlite": f"sqlite:///{tmp_path}/other.db"})
    keeper.drain(FAR)
    with gated.reading() as session:
        assert session.scalar(COUNT) == 0
    while "the other side, sqlite, can't be reached" not in caplog.text:
        time.sleep(0.001)
    keeper.reopen()
    with gated.writing() as session:
        session.execute(INSERT, {"id": 1, "name": "kept"})
    move(keeper, "sqlite")
    with pytest.raises(OperationalError, match="unable to open"), gated.writing():
        pass
    assert not (tmp_path / "other.db").exists()  # never an empty one in place of the one that was moved
    keeper.drain(FAR)
    keeper.hold(seconds=0)
    gated.dispose()


def test_a_file_that_was_made_anew_is_the_one_that_is_written_to(
    gated: GatedEngines, keeper: Keeper, tmp_path: Path
) -> None:
    """As when a move was given up and begun again, while the application has the first file open."""
    move(keeper, "sqlite")
    with gated.writing() as session, gated.reading() as reader:
        session.execute(INSERT, {"id": 1, "name": "in the first file"})
        reader.scalar(COUNT)
    move(keeper, "postgresql")
    with closing(connect(tmp_path / "new.db", private=True)) as connection:
        connection.execute(TABLE)
    for sidecar in tmp_path.glob("app.db-*"):
        sidecar.unlink()
    (tmp_path / "new.db").replace(tmp_path / "app.db")
    move(keeper, "sqlite")
    with gated.reading() as reader:
        assert reader.scalar(COUNT) == 0
    with gated.writing() as session:
        session.execute(INSERT, {"id": 2, "name": "in the second"})
    with closing(connect(tmp_path / "app.db", read_only=True)) as connection:
        assert connection.execute("SELECT name FROM t").fetchall() == [("in the second",)]


def test_the_applications_own_sessions(keeper: Keeper, path: Path, urls: dict[Side, str]) -> None:
    class Ours(Session):
        pass

    gated = GatedEngines(Gate(path), urls, sessions=sessionmaker(class_=Ours, expire_on_commit=False))
    with gated.writing() as session:
        assert isinstance(session, Ours)
        assert not session.expire_on_commit
    gated.dispose()


def test_urls_that_are_refused(keeper: Keeper, path: Path, urls: dict[Side, str]) -> None:
    gate = Gate(path)
    for made in (GatedEngines, AsyncGatedEngines):
        with pytest.raises(UsageError, match="sqlite has no URL"):
            made(gate, {"postgresql": urls["postgresql"]})
        with pytest.raises(UsageError, match="the URL for sqlite names a database of postgresql") as caught:
            made(gate, {"postgresql": urls["postgresql"], "sqlite": "postgresql://u:secret@h/d"})
        assert "secret" not in str(caught.value)


# The fence


def execute(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_work_that_the_fence_refused_is_done_once_more(gated: GatedEngines, database: str) -> None:
    tries: list[str] = []

    def work(session: Session) -> str:
        tries.append(dialect(session))
        if len(tries) == 2:
            execute(database, UNFENCE)
        session.execute(INSERT, {"id": 1, "name": f"try {len(tries)}"})
        return "done"

    execute(database, FENCE)
    assert gated.write(work) == "done"
    assert len(tries) == 2
    assert names(gated, "postgresql") == ["try 2"]


def test_work_is_not_tried_for_ever(gated: GatedEngines, database: str) -> None:
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        session.execute(INSERT, {"id": 1, "name": "never"})

    execute(database, FENCE)
    with pytest.raises(DBAPIError, match="the application has moved") as caught:
        gated.write(work)
    assert is_fenced(caught.value)
    assert len(tries) == 2
    assert names(gated, "postgresql") == []


def test_other_failures_are_the_callers(gated: GatedEngines, database: str) -> None:
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(INSERT, {"id": 1, "name": "never"})

    with pytest.raises(DBAPIError, match="read-only transaction") as caught:
        gated.write(work)  # the same SQLSTATE, but not the fence's
    assert not is_fenced(caught.value)
    with pytest.raises(ZeroDivisionError):
        gated.write(lambda _: 1 / 0)
    assert len(tries) == 1
    assert not is_fenced(ValueError())


def test_a_fence_without_a_schema_in_its_error_is_known_by_its_function(gated: GatedEngines, database: str) -> None:
    execute(database, FENCE.replace(", SCHEMA = 'liteshift'", ""))
    with pytest.raises(DBAPIError) as caught, gated.writing() as session:
        session.execute(INSERT, {"id": 1, "name": "never"})
    assert is_fenced(caught.value)


def test_the_refusal_of_a_file_is_known_too(gated: GatedEngines, keeper: Keeper, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "app.db")) as connection:
        state.make(connection)
        for statement in log_statements(1):
            connection.execute(statement)
        connection.execute(f"CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO {LOG}(tbl) VALUES (1); END")
        connection.execute(refusal_trigger(f"'the data of app.db {REFUSED}'", time.time() + 60))
        connection.execute("CREATE TRIGGER ours AFTER DELETE ON t BEGIN SELECT RAISE(ABORT, 'our own rule'); END")
    move(keeper, "sqlite")
    with pytest.raises(IntegrityError) as caught, gated.writing() as session:
        session.execute(INSERT, {"id": 1, "name": "never"})
    assert is_fenced(caught.value)
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute(f"DROP TRIGGER {REFUSAL}")
    with gated.writing() as session:
        session.execute(INSERT, {"id": 1, "name": "kept"})
    with pytest.raises(IntegrityError) as caught, gated.writing() as session:
        session.execute(text("DELETE FROM t"))
    assert not is_fenced(caught.value)


# Threads


def test_a_storm_of_threads_and_switches(gated: GatedEngines, keeper: Keeper) -> None:
    """Each write is on the side that its session was on, and none is lost or done twice."""
    over, done, lock = threading.Event(), [], threading.Lock()

    def write(thread: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            with gated.writing() as session:
                side = dialect(session)
                session.execute(INSERT, {"id": thread * 10**6 + number, "name": f"{thread}-{number}"})
            with lock:
                done.append((side, f"{thread}-{number}"))

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, thread) for thread in range(6)]
        for number in range(12):
            before = len(done)
            while len(done) < before + 20:
                assert not any(each.done() for each in writing), [each.exception() for each in writing if each.done()]
                time.sleep(0.001)
            keeper.drain(FAR)
            keeper.hold(seconds=60)
            counts = len(names(gated, "postgresql")), len(names(gated, "sqlite"))
            time.sleep(0.002)
            assert counts == (len(names(gated, "postgresql")), len(names(gated, "sqlite")))
            keeper.switch("sqlite" if number % 2 == 0 else "postgresql")
        over.set()
        for each in writing:
            each.result()
    for side in ("postgresql", "sqlite"):
        assert sorted(names(gated, side)) == sorted(name for there, name in done if there == side)


# asyncio


def test_async_sessions_do_the_same(keeper: Keeper, path: Path, urls: dict[Side, str], database: str) -> None:
    async def side_of(session: AsyncSession) -> str:
        return (await session.connection()).dialect.name

    async def check() -> None:
        gated = AsyncGatedEngines(Gate(path, patience=60), urls, sessions=async_sessionmaker(expire_on_commit=False))

        async def write(number: int) -> str:
            async with gated.writing() as session:
                await session.execute(INSERT, {"id": number, "name": f"{number}"})
                return await side_of(session)

        assert await write(1) == "postgresql"
        with pytest.raises(IntegrityError):
            await write(1)
        keeper.drain(FAR)
        keeper.hold(seconds=0)
        writes = [asyncio.create_task(write(number)) for number in range(2, 12)]
        while keeper.waited() < 10:
            await asyncio.sleep(0)
        async with gated.reading() as session:
            assert (await side_of(session), await session.scalar(COUNT)) == ("postgresql", 1)
        writes[0].cancel()
        keeper.switch("sqlite")
        assert await asyncio.gather(*writes[1:]) == ["sqlite"] * 9
        async with gated.reading() as session:
            assert (await side_of(session), await session.scalar(COUNT)) == ("sqlite", 9)

        move(keeper, "postgresql")
        tries: list[int] = []

        async def work(session: AsyncSession) -> str:
            tries.append(1)
            if len(tries) == 2:
                await asyncio.to_thread(execute, database, UNFENCE)
            await session.execute(INSERT, {"id": 20, "name": "done"})
            return "done"

        await asyncio.to_thread(execute, database, FENCE)
        assert await gated.write(work) == "done"
        assert len(tries) == 2
        await asyncio.to_thread(execute, database, FENCE)
        with pytest.raises(DBAPIError) as caught:
            await gated.write(work)
        assert is_fenced(caught.value)
        await gated.dispose()

    asyncio.run(check())


@pytest.mark.parametrize("cancelled", [1, 2, 3])
@pytest.mark.parametrize("how", ["block", "commit"])
def test_a_cancelled_task_keeps_the_gate_until_the_database_is_done(
    keeper: Keeper, path: Path, urls: dict[Side, str], tmp_path: Path, how: str, cancelled: int
) -> None:
    """However often it is cancelled while a large COMMIT is on its way: when writes are held, nobody is writing."""
    move(keeper, "sqlite")
    fill = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 8000)"
        " INSERT INTO t SELECT :first + i, hex(randomblob(1000)) FROM n"
    )

    async def work(gated: AsyncGatedEngines, first: int, reached: asyncio.Event) -> None:
        async with gated.writing() as session:
            await session.execute(fill, {"first": first})
            reached.set()
            if how == "commit":  # by hand, and then once more by the block
                await (await session.connection()).commit()

    async def check() -> None:
        gated = AsyncGatedEngines(Gate(path, patience=60), urls, preset="durable")
        for turn in range(6):
            reached = asyncio.Event()
            task = asyncio.create_task(work(gated, turn * 10**6, reached))
            await reached.wait()
            for _ in range(cancelled):
                await asyncio.sleep(0.0005 * turn)
                task.cancel()
            await asyncio.wait([task])
            keeper.drain(FAR)
            await asyncio.to_thread(lambda: keeper.hold(seconds=60))
            with closing(connect(tmp_path / "app.db", busy_timeout=0)) as other:
                other.execute("BEGIN IMMEDIATE")
            keeper.reopen()
        await gated.dispose()

    asyncio.run(check())


def test_a_loop_that_ends_takes_no_write_with_it(
    keeper: Keeper, path: Path, urls: dict[Side, str], tmp_path: Path
) -> None:
    async def check() -> None:
        gated = AsyncGatedEngines(Gate(path, patience=60), urls)

        async def work() -> None:
            async with gated.writing() as session:
                await session.execute(INSERT, {"id": 1, "name": "in the middle"})
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        while not task.done():
            keeper.drain(FAR)
            try:
                keeper.hold(seconds=0)
            except Locked:
                break
            finally:
                keeper.reopen()
            await asyncio.sleep(0.001)

    move(keeper, "sqlite")
    asyncio.run(check())
    keeper.drain(FAR)
    keeper.hold(seconds=60)
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
