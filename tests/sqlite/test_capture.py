"""The capture, piece by piece: what it sees, what it costs nobody, how it begins and ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine

from liteshift.catalog import Name
from liteshift.errors import LiteshiftError, Locked, NotFit, NotInitialised, UsageError
from liteshift.plan import ColumnPlan, Plan, Profile, TablePlan
from liteshift.position import Lsn
from liteshift.sqlite.backup import create
from liteshift.sqlite.capture import EPOCH, SqliteCapture, capture
from liteshift.sqlite.connect import connect
from liteshift.sqlite.guard import FOLLOWS, PREFIX
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.restore import restore

CREATE = {
    "person": (
        ["id", "name", "mail", "seen"],
        "CREATE TABLE person (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name TEXT, mail TEXT UNIQUE, seen)",
    ),
    "pet": (["name", "owner"], "CREATE TABLE pet (name TEXT, owner INTEGER REFERENCES person (id) ON DELETE CASCADE)"),
    'od"d': (['a "b"', "rowid", "new"], 'CREATE TABLE "od""d" ("a ""b""" TEXT PRIMARY KEY, "rowid" INTEGER, new REAL)'),
}
OURS = "SELECT type, name FROM sqlite_schema WHERE name LIKE 'liteshift%' OR type = 'trigger'"
TRIGGER = (
    'CREATE TRIGGER "seen ""it""" AFTER UPDATE ON "person" FOR EACH ROW WHEN NEW.seen IS NOT 1 BEGIN'
    " UPDATE person SET seen = 1 WHERE rowid = NEW.rowid; END"
)


def plan() -> Plan:
    tables = []
    for name, (columns, statement) in CREATE.items():
        planned = tuple(ColumnPlan(column, column, "text", "", "text") for column in columns)
        triggers = (TRIGGER,) if name == "person" else ()
        tables.append(TablePlan(Name("public", name), name, planned, (), statement, (), triggers, (), 0, 0, 5))
    return Plan(Profile.SQLALCHEMY, "test", 160000, tuple(tables), (), ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the tables."""
    path = tmp_path / "file.db"
    with closing(connect(path)) as connection:
        for _, statement in CREATE.values():
            connection.execute(statement).close()
        connection.execute("INSERT INTO person (name, mail) VALUES ('a', 'a@x'), ('b', 'b@x')").close()
        connection.execute("INSERT INTO pet VALUES ('rex', 1), ('tom', 1), ('tom', 1)").close()
    return path


@pytest.fixture
def kept(path: Path) -> Iterator[SqliteCapture]:
    """Its capture, armed."""
    with capture(path, "the file") as kept:
        kept.prepare(plan())
        kept.arm(plan(), epoch=1, last={"person": 100})
        yield kept


@pytest.fixture
def writer(path: Path) -> Iterator[dbapi.Connection]:
    """A connection of the application's."""
    with closing(connect(path)) as connection:
        yield connection


def changes(kept: SqliteCapture, after: int = 0) -> list[tuple[str, str, object, object]]:
    with kept.changes(after) as found:
        return [(change.table, change.kind.value, change.old, change.new) for change in found]


def test_every_change_in_its_order(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("INSERT INTO person (name) VALUES ('c')")
    writer.execute("UPDATE person SET name = 'd' WHERE name = 'c'")
    writer.execute("DELETE FROM person WHERE id = 1")
    writer.execute("""INSERT INTO "od""d" VALUES ('x', 9223372036854775807, -0.5)""")
    assert changes(kept) == [
        ("person", "insert", None, (101, "c", None, None)),
        ("person", "update", (101, "c", None, None), (101, "d", None, None)),
        ("person", "update", (101, "d", None, None), (101, "d", None, 1)),
        ("pet", "delete", ("rex", 1), None),
        ("pet", "delete", ("tom", 1), None),
        ("pet", "delete", ("tom", 1), None),
        ("person", "delete", (1, "a", "a@x", None), None),
        ('od"d', "insert", None, ("x", 2**63 - 1, -0.5)),
    ]


def test_values_stay_as_they_are_stored(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    values = [1, 1.0, "1", b"1", "", b"", None, 0.1, 2**63 - 1, -(2**63), float("inf"), "é\0x", "1e5", b"\xff\x00"]
    for value in values:
        writer.execute("INSERT INTO person (seen) VALUES (?)", (value,))
    with kept.changes(0) as found:
        stored = [change.new[3] for change in found if change.new]
    assert [(type(value), value) for value in stored] == [(type(value), value) for value in values]


def test_what_is_rolled_back_is_not_kept(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("BEGIN")
    writer.execute("INSERT INTO person (name) VALUES ('c')")
    with kept.changes(0) as found:
        assert list(found) == [], "it is not committed"
    writer.execute("ROLLBACK")
    assert changes(kept) == []
    assert kept.last() == 0


def test_emptying_a_table(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("DELETE FROM pet")  # SQLite would drop the pages without looking at rows
    assert [kind for _, kind, _, _ in changes(kept)] == ["delete"] * 3


def test_replace_by_a_foreign_writer(kept: SqliteCapture, path: Path) -> None:
    with closing(dbapi.connect(path, isolation_level=None)) as foreign:
        assert foreign.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        foreign.execute("REPLACE INTO person (id, name, mail) VALUES (1, 'z', 'b@x')")  # removes both rows
        foreign.execute("INSERT OR IGNORE INTO person (mail) VALUES ('b@x')")
        foreign.execute("INSERT INTO person (mail) VALUES ('b@x') ON CONFLICT DO NOTHING")
        foreign.execute("UPDATE OR REPLACE person SET mail = 'n' WHERE id = 1")
    assert changes(kept) == [
        ("person", "delete", (1, "a", "a@x", None), None),
        ("person", "delete", (2, "b", "b@x", None), None),
        ("person", "insert", None, (1, "z", "b@x", None)),
        ("person", "update", (1, "z", "b@x", None), (1, "z", "n", None)),
        ("person", "update", (1, "z", "n", None), (1, "z", "n", 1)),
    ]


def test_what_an_application_sees_of_it(kept: SqliteCapture, path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}", module=dbapi)
    person = Table("person", MetaData(), Column("id", Integer, primary_key=True), Column("name", String))
    with engine.begin() as connection:
        made = connection.execute(person.insert().values(name="x"))
        assert made.inserted_primary_key == (101,)
        assert made.rowcount == 1
        assert connection.execute(person.update().where(person.c.id > 0).values(name="y")).rowcount == 3
        returned = connection.execute(person.insert().values(name="r").returning(person.c.id)).scalar_one()
        assert returned == 102
        assert connection.exec_driver_sql("SELECT last_insert_rowid()").scalar() == 102
        assert connection.execute(person.delete().where(person.c.id == 101)).rowcount == 1
    engine.dispose()
    assert len(changes(kept)) == 1 + 6 + 1 + 1


def test_armed_twice(kept: SqliteCapture, path: Path) -> None:
    kept.arm(plan(), epoch=1, last={})
    with capture(path, "the file") as other:
        other.arm(plan(), epoch=1, last={})
        with pytest.raises(LiteshiftError, match="armed already, for the epoch 1"):
            other.arm(plan(), epoch=2, last={})


def test_numbers_are_never_given_twice(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    seen: list[int] = []
    for epoch in (1, 2, 3):
        kept.arm(plan(), epoch=epoch, last={})
        for _ in range(3):
            writer.execute("INSERT INTO pet VALUES ('new', NULL)")
            with kept.changes(seen[-1] if seen else 0) as found:
                numbers = [change.number for change in found]
            assert len(numbers) == 1
            assert numbers[0] > max(seen, default=epoch * EPOCH)
            assert kept.last() == numbers[0]
            seen += numbers
            kept.forget(numbers[0], returned=0)
            assert kept.last() == 0
        kept.disarm(position=Lsn(epoch))


def test_forgetting_a_part(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("BEGIN")
    for number in range(5000):
        writer.execute("INSERT INTO pet VALUES (?, NULL)", (str(number),))
    writer.execute("COMMIT")
    with kept.changes(0) as found:
        middle = [change.number for change in found][2999]
    kept.forget(middle, returned=0)
    with kept.changes(0) as found:
        assert [change.new[0] for change in found if change.new] == [str(number) for number in range(3000, 5000)]
    kept.forget(kept.last(), returned=0)
    assert changes(kept, middle) == []


def test_a_writer_gets_its_turn_while_much_is_forgotten(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
        " INSERT INTO pet SELECT 'x', NULL FROM n"
    )
    last = kept.last()
    thread = threading.Thread(target=kept.forget, args=(last,), kwargs={"returned": 0})
    thread.start()
    written = 0
    while thread.is_alive():
        writer.execute("INSERT INTO pet VALUES ('meanwhile', NULL)")
        written += 1
    thread.join()
    assert written > 0
    assert len(changes(kept, last)) == written


def test_a_snapshot_ends_with_a_commit(kept: SqliteCapture, path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with closing(connect(path)) as connection:
            while not stop.is_set():
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO pet VALUES ('a', NULL)")
                connection.execute("INSERT INTO pet VALUES ('b', NULL)")
                connection.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    after = 0
    until = time.monotonic() + 1
    while time.monotonic() < until:
        with kept.changes(after) as found:
            names = list(found)
        assert len(names) % 2 == 0
        after = names[-1].number if names else after
    stop.set()
    thread.join()


def test_refusing(kept: SqliteCapture, writer: dbapi.Connection, path: Path) -> None:
    writer.execute("INSERT INTO pet VALUES ('before', NULL)")
    last = kept.refuse(until=time.time() + 60)
    assert last == kept.refuse(until=time.time() + 60) == kept.last()
    for statement in (
        "INSERT INTO pet VALUES ('after', NULL)",
        "INSERT OR IGNORE INTO pet VALUES ('after', NULL)",
        "INSERT OR REPLACE INTO person (id) VALUES (1)",
        "UPDATE OR IGNORE person SET name = 'x'",
        "DELETE FROM person",
    ):
        with pytest.raises(dbapi.IntegrityError, match="the data of the file has moved to PostgreSQL"):
            writer.execute(statement)
    assert len(changes(kept)) == 1
    kept.forget(last, returned=0)
    kept.allow()
    kept.allow()
    writer.execute("INSERT INTO pet VALUES ('after', NULL)")
    assert len(changes(kept)) == 1


def test_who_refuses_may_die(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    until = time.time() + 1
    kept.refuse(until=until)
    with pytest.raises(dbapi.IntegrityError, match="the data of the file has moved to PostgreSQL"):
        writer.execute("INSERT INTO pet VALUES ('early', NULL)")
    time.sleep(max(0.0, until - time.time()))
    writer.execute("INSERT INTO pet VALUES ('late', NULL)").close()
    assert len(changes(kept)) == 1
    with pytest.raises(LiteshiftError, match="changes of the file are left"):  # who was but slow undoes all
        kept.disarm(position=Lsn(1), alone=True)


def test_disarming(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("INSERT INTO pet VALUES ('x', NULL)")
    with pytest.raises(LiteshiftError, match="changes of the file are left"):
        kept.disarm(position=Lsn(1))
    kept.forget(kept.last(), returned=0)
    kept.disarm(position=Lsn(0x16B374D848))
    kept.disarm(position=Lsn(0x16B374D848))
    assert kept.armed() is None
    rows = writer.execute(
        "SELECT type, name FROM sqlite_schema WHERE name LIKE 'liteshift%' OR type = 'trigger'"
    ).fetchall()
    kept_off = [("trigger", name) for _, name in rows if name.startswith(PREFIX)]
    assert len(kept_off) == 3 * len(CREATE)
    assert rows == [("table", "liteshift_state"), *kept_off]
    with pytest.raises(dbapi.IntegrityError, match=FOLLOWS):
        writer.execute("INSERT INTO pet VALUES ('y', NULL)").close()
    state = dict(writer.execute("SELECT * FROM liteshift_state").fetchall())
    assert state.pop("position") == "16/B374D848"
    assert json.loads(state.pop("triggers")) == [['seen "it"', "person", TRIGGER]]
    assert not state
    with pytest.raises(NotInitialised):
        changes(kept)


def test_nothing_is_left_behind_by_disarming(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("CREATE TABLE fresh (x)").close()
    with pytest.raises(UsageError, match="made on SQLite that PostgreSQL does not have: fresh"):
        kept.disarm(position=Lsn(1), alone=True)
    assert kept.armed() == 1
    writer.execute("DROP TABLE fresh").close()
    kept.refuse(until=time.time() + 60)
    for statement in ("CREATE TABLE new (name, owner)", "DROP TABLE pet", "ALTER TABLE new RENAME TO pet"):
        writer.execute(statement).close()
    writer.execute("INSERT INTO pet VALUES ('of nobody''s knowledge', NULL)").close()
    with pytest.raises(NotFit, match="pet was built anew"):
        kept.disarm(position=Lsn(1), alone=True)
    assert kept.armed() == 1


def test_staying_for_good(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("INSERT INTO pet VALUES ('x', NULL)")
    kept.disarm(position=None)
    rows = writer.execute(
        "SELECT type, name FROM sqlite_schema WHERE name LIKE 'liteshift%' OR type = 'trigger'"
    ).fetchall()
    assert rows == [("trigger", 'seen "it"')]
    assert writer.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# What is done to the schema, and what is said of it.
SCHEMA_CHANGES = [
    ("ALTER TABLE person ADD COLUMN age", "the column age of person is new"),
    ("ALTER TABLE person DROP COLUMN seen", None),
    ("ALTER TABLE person RENAME COLUMN seen TO looked", "the column seen of person is gone"),
    ("ALTER TABLE pet RENAME TO animal", "the table pet is gone"),
    ("DROP TABLE pet", "the table pet is gone"),
    ("DROP TABLE pet; CREATE TABLE pet (name TEXT, owner INTEGER)", "pet was built anew, or its triggers were dropped"),
    ("DROP TRIGGER liteshift_1_insert", "person was built anew, or its triggers were dropped"),
    ("CREATE UNIQUE INDEX one ON pet (name, owner, rowid)", None),
    ("CREATE UNIQUE INDEX seen ON person (seen)", "the unique rule seen of person is new"),
    ("CREATE TRIGGER mine AFTER INSERT ON pet BEGIN SELECT 1; END", "the trigger mine of pet is new"),
    ("CREATE INDEX by_owner ON pet (owner)", ""),
    ("CREATE VIEW owners AS SELECT owner FROM pet", ""),
    ("CREATE TABLE fresh (id INTEGER PRIMARY KEY)", ""),
    ("VACUUM", ""),
    ("ANALYZE", ""),
]


@pytest.mark.parametrize(("statements", "said"), SCHEMA_CHANGES)
def test_a_schema_that_was_changed(
    kept: SqliteCapture, writer: dbapi.Connection, statements: str, said: str | None
) -> None:
    assert changes(kept) == []
    if said is None:  # SQLite itself refuses it
        with pytest.raises(dbapi.Error):
            writer.executescript(statements)
        return
    writer.execute("PRAGMA foreign_keys=OFF")
    writer.executescript(statements)
    if said:
        for _ in range(2):
            with pytest.raises(NotFit) as caught:
                changes(kept)
            assert said in caught.value.message
    else:
        assert changes(kept) == []
        assert kept.newcomers() == (["fresh"] if "fresh" in statements else [])


def test_a_change_that_is_taken_back(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("ALTER TABLE person ADD COLUMN age")
    writer.execute("INSERT INTO person (name, age) VALUES ('x', 1)")
    with pytest.raises(NotFit, match="the column age of person is new"):
        changes(kept)
    writer.execute("ALTER TABLE person DROP COLUMN age")
    assert changes(kept) == [("person", "insert", None, (101, "x", None, None))]


def test_a_log_that_somebody_emptied(kept: SqliteCapture, writer: dbapi.Connection) -> None:
    writer.execute("INSERT INTO pet VALUES ('x', NULL)")
    last = kept.last()
    writer.execute("DELETE FROM liteshift_capture")
    with pytest.raises(NotFit, match="changes are missing"):
        changes(kept, last)


def test_a_table_without_a_rowid_of_its_own(tmp_path: Path) -> None:
    made = "CREATE TABLE t (rowid TEXT, _rowid_ TEXT, oid TEXT)"
    columns = tuple(ColumnPlan(name, name, "text", "", "text") for name in ("rowid", "_rowid_", "oid"))
    table = TablePlan(Name("public", "t"), "t", columns, (), made, (), (), (), 0, 0)
    with closing(connect(tmp_path / "file.db")) as connection:
        connection.execute(made).close()
    with capture(tmp_path / "file.db", "the file") as kept:
        with pytest.raises(NotFit, match="changes to the table t can't be kept"):
            kept.prepare(Plan(Profile.SQLALCHEMY, "test", 160000, (table,), (), ()))
        assert kept.armed() is None


def test_arming_that_fails_leaves_nothing(path: Path, writer: dbapi.Connection) -> None:
    before = writer.execute("SELECT * FROM sqlite_schema").fetchall()
    spoiled = plan()
    bad = spoiled.tables[0].triggers[0].replace("BEGIN", "BEGIN nonsense")
    tables = (*spoiled.tables[1:], _with_trigger(spoiled.tables[0], bad))
    with capture(path, "the file") as kept:
        with pytest.raises(LiteshiftError):
            kept.arm(Plan(Profile.SQLALCHEMY, "test", 160000, tables, (), ()), epoch=1, last={})
        assert kept.armed() is None
        assert writer.execute("SELECT * FROM sqlite_schema").fetchall() == before
        kept.arm(plan(), epoch=1, last={})
        writer.execute("INSERT INTO pet VALUES ('x', NULL)")
        assert len(changes(kept)) == 1
    assert writer.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _with_trigger(table: TablePlan, trigger: str) -> TablePlan:
    return replace(table, triggers=(trigger,))


def test_no_backup_is_restored_over_it(kept: SqliteCapture, path: Path, tmp_path: Path) -> None:
    backup = create(path, tmp_path / "backups")
    with pytest.raises(Locked, match="PostgreSQL follows"):
        restore(backup.path, path, tmp_path / "backups")
    kept.disarm(position=None)
    assert restore(backup.path, path, tmp_path / "backups").database == path


def test_a_writer_that_does_not_know_a_collation(tmp_path: Path) -> None:
    made = "CREATE TABLE t (id INTEGER PRIMARY KEY, price TEXT COLLATE DECIMAL UNIQUE, note TEXT)"
    columns = tuple(ColumnPlan(name, name, "text", "", "text") for name in ("id", "price", "note"))
    table = TablePlan(Name("public", "t"), "t", columns, ("id",), made, (), (), (), 0, 0)
    path = tmp_path / "file.db"
    with closing(connect(path)) as connection:
        connection.execute(made).close()
        connection.execute("INSERT INTO t VALUES (1, '1.50', 'a')").close()
        with capture(path, "the file") as kept:
            kept.arm(Plan(Profile.SQLALCHEMY, "test", 160000, (table,), (), ()), epoch=1, last={})
            with closing(dbapi.connect(path, isolation_level=None)) as foreign:
                foreign.execute("UPDATE t SET note = 'b'").close()
                with pytest.raises(dbapi.OperationalError, match="no such collation"):
                    foreign.execute("UPDATE t SET price = '2'").close()
            connection.execute("REPLACE INTO t VALUES (2, '1.5', 'c')").close()
            assert [kind for _, kind, _, _ in changes(kept)] == ["update", "delete", "insert"]
