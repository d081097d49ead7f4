"""Whatever is written to the file, replaying the capture onto what was there at first gives what is there now."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from liteshift.catalog import Name
from liteshift.changes import Captured
from liteshift.plan import ColumnPlan, Plan, Profile, TablePlan
from liteshift.sqlite.capture import SqliteCapture, capture
from liteshift.sqlite.library import dbapi

if TYPE_CHECKING:
    from liteshift.value import Value

Row = tuple["Value", ...]
State = dict[str, Counter[Row]]

# Each table: its columns that are stored, and the statements that make it.
TABLES: dict[str, tuple[list[str], list[str]]] = {
    "parent": (
        ["id", "a", "b", "c", "stamp"],
        [
            "CREATE TABLE parent (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, a INTEGER UNIQUE,"
            " b TEXT COLLATE NOCASE, c, stamp INTEGER, CONSTRAINT bc UNIQUE (b, c))",
            "CREATE UNIQUE INDEX folded ON parent (lower(b), coalesce(c, '')) WHERE a > 1",
        ],
    ),
    "child": (
        ["id", "p", "q"],
        [
            "CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE,"
            " q REFERENCES parent (a) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED)",
        ],
    ),
    "worded": (
        ["k", "l", "n"],
        [
            "CREATE TABLE worded (k TEXT NOT NULL, l INTEGER NOT NULL, n REAL, twice INTEGER GENERATED ALWAYS AS"
            " (l * 2) STORED, PRIMARY KEY (k, l))",
            "CREATE UNIQUE INDEX computed ON worded (twice, n DESC)",
        ],
    ),
    # REPLACE puts the default where NULL is not allowed.
    "given": (
        ["id", "u", "v", "w"],
        [
            "CREATE TABLE given (id INTEGER NOT NULL PRIMARY KEY, u TEXT NOT NULL DEFAULT 'a' COLLATE NOCASE UNIQUE,"
            " v INTEGER NOT NULL DEFAULT (1 + 1), w REAL NOT NULL DEFAULT '1.5', doubled GENERATED ALWAYS AS (w * 2))",
            "CREATE UNIQUE INDEX shifted ON given (v + 1) WHERE v > 0",
            "CREATE UNIQUE INDEX doubles ON given (doubled) WHERE v <> 3",
        ],
    ),
    "node": (
        ["id", "up", "word"],
        [
            "CREATE TABLE node (id INTEGER PRIMARY KEY, up INTEGER REFERENCES node ON DELETE CASCADE ON UPDATE CASCADE,"
            " word TEXT)",
            "CREATE UNIQUE INDEX words ON node (word)",
        ],
    ),
    "link": (
        ["k", "next", "back"],
        [
            "CREATE TABLE link (k TEXT PRIMARY KEY, next TEXT REFERENCES link ON DELETE SET NULL ON UPDATE CASCADE,"
            " back TEXT UNIQUE REFERENCES link ON DELETE SET NULL ON UPDATE SET NULL)",
        ],
    ),
    "keyless": (["x", "y"], ["CREATE TABLE keyless (x, y)"]),
}
TRIGGERS = {
    "": [],
    "stamp": [
        "CREATE TRIGGER stamp AFTER UPDATE ON parent WHEN NEW.stamp IS NOT 7 BEGIN"
        " UPDATE parent SET stamp = 7 WHERE rowid = NEW.rowid; END"
    ],
    "busy": [
        "CREATE TRIGGER refill AFTER DELETE ON child WHEN OLD.id % 2 BEGIN"
        " INSERT OR IGNORE INTO parent (a, b) VALUES (OLD.id + 3, 'a'); END",
        "CREATE TRIGGER spread AFTER INSERT ON parent WHEN NEW.id > 3 BEGIN"
        " INSERT INTO keyless VALUES (NEW.id, NEW.a); UPDATE worded SET n = n + 1 WHERE l = NEW.a; END",
        "CREATE TRIGGER tidy AFTER UPDATE OF a ON parent WHEN NEW.a = 4 BEGIN"
        " DELETE FROM child WHERE q = 2; UPDATE parent SET c = 'z' WHERE id = NEW.id; END",
    ],
}
COLUMNS = {
    "parent": ["id", "a", "b", "c", "stamp", "rowid"],
    "child": ["id", "p", "q"],
    "worded": ["k", "l", "n", "rowid"],
    "given": ["id", "u", "v", "w"],
    "node": ["id", "up", "word"],
    "link": ["k", "next", "back", "rowid"],
    "keyless": ["x", "y", "rowid"],
}
TARGETS = {
    "parent": ["(id)", "(a)", "(b, c)", ""],
    "child": ["(id)", ""],
    "worded": ["(k, l)", "(twice, n)", ""],
    "given": ["(id)", "(u)", ""],
    "node": ["(id)", "(word)", ""],
    "link": ["(k)", "(back)", ""],
}
POLICIES = ["", " OR REPLACE", " OR IGNORE", " OR FAIL", " OR ABORT", " OR ROLLBACK"]

values = st.sampled_from(["NULL", "-1", "0", "1", "2", "3", "4", "5", "'a'", "'A'", "'b'", "''", "1.5", "x'00'"])
tables = st.sampled_from(["parent", "parent", "child", "worded", "given", "node", "link", "keyless"])
policies = st.sampled_from([*POLICIES, " OR REPLACE", " OR REPLACE", " OR IGNORE"])


@st.composite
def conditions(draw: st.DrawFn, table: str) -> str:
    column = draw(st.sampled_from(COLUMNS[table]))
    return draw(
        st.sampled_from(
            [f" WHERE {column} {op} {draw(values)}" for op in ("=", "<", ">=", "IS NOT")] + ["", "", " WHERE 1"]
        )
    )


@st.composite
def inserts(draw: st.DrawFn) -> str:
    table = draw(tables)
    names = draw(st.lists(st.sampled_from(COLUMNS[table]), min_size=1, unique=True))
    if draw(st.booleans()):
        names = COLUMNS[table][:-1] if COLUMNS[table][-1] == "rowid" else COLUMNS[table]
    head = f"INSERT{draw(policies)} INTO {table} ({', '.join(names)})"
    if draw(st.integers(0, 4)) == 0:
        other = draw(tables)
        picked = [draw(st.sampled_from([*COLUMNS[other], draw(values)])) for _ in names]
        body = f" SELECT {', '.join(picked)} FROM {other}{draw(conditions(other)) or ' WHERE true'}"
    else:
        rows = draw(st.lists(st.tuples(*[values] * len(names)), min_size=1, max_size=3))
        body = " VALUES " + ", ".join(f"({', '.join(row)})" for row in rows)
    upsert = ""
    if table in TARGETS and draw(st.integers(0, 2)) == 0:
        target = draw(st.sampled_from(TARGETS[table]))
        if draw(st.booleans()):
            upsert = f" ON CONFLICT {target} DO NOTHING"
        else:
            column = draw(st.sampled_from(COLUMNS[table]))
            upsert = f" ON CONFLICT {target} DO UPDATE SET {column} = {draw(values)}"
    return head + body + upsert


@st.composite
def updates(draw: st.DrawFn) -> str:
    table = draw(tables)
    names = draw(st.lists(st.sampled_from(COLUMNS[table]), min_size=1, max_size=3, unique=True))
    new = [
        draw(st.sampled_from([draw(values), f"{name} + 1", f"-{name}", draw(st.sampled_from(COLUMNS[table]))]))
        for name in names
    ]
    sets = ", ".join(f"{name} = {value}" for name, value in zip(names, new, strict=True))
    return f"UPDATE{draw(policies)} {table} SET {sets}{draw(conditions(table))}"


@st.composite
def deletes(draw: st.DrawFn) -> str:
    table = draw(tables)
    return f"DELETE FROM {table}{draw(conditions(table))}"


others = st.sampled_from(["SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"])
written = st.one_of(inserts(), inserts(), inserts(), updates(), updates(), deletes())
# What one connection does before the next one's turn: statements by themselves, a transaction, or a VACUUM.
turns = st.one_of(
    st.lists(written, min_size=1, max_size=6),
    st.lists(st.one_of(written, written, written, others), min_size=2, max_size=8).map(lambda made: ["BEGIN", *made]),
    st.just(["VACUUM"]),
)
steps = st.lists(
    st.tuples(st.integers(0, 3), turns, st.sampled_from(["COMMIT", "COMMIT", "ROLLBACK"])), min_size=3, max_size=8
)
Step = tuple[int, list[str], str]
SEED = [
    "INSERT INTO parent (id, a, b, c) VALUES (1, 1, 'a', 'a'), (2, 2, 'A', 'b'), (3, 3, 'b', 'a'), (4, 4, NULL, 'a')",
    "INSERT INTO parent (id, a, b, c) VALUES (-1, 5, '', 1)",
    "INSERT INTO child VALUES (1, 1, 2), (2, 1, NULL), (3, 2, 3), (4, 3, 1)",
    "INSERT INTO worded (k, l, n) VALUES ('a', 1, 1), ('A', 1, 2), ('b', 2, 1.5), ('', 3, NULL)",
    "INSERT INTO given VALUES (1, 'a', 2, 1.5), (2, 'b', 3, 1), (3, 'c', -1, 4)",
    "INSERT INTO node VALUES (1, NULL, 'a'), (2, 1, 'b'), (3, 2, NULL), (4, 1, 'A'), (5, 5, '')",
    "INSERT INTO link VALUES ('a', NULL, 'b'), ('b', 'a', 'a'), ('A', 'b', NULL), ('', '', '')",
    "INSERT INTO keyless VALUES (1, 1), (1, 1), (NULL, 'a'), (x'00', 1.5)",
]


def planned(name: str, triggers: list[str]) -> TablePlan:
    columns, create = TABLES[name]
    plans = tuple(ColumnPlan(column, column, "text", "", "text") for column in columns)
    return TablePlan(Name("public", name), name, plans, (), create[0], tuple(create[1:]), tuple(triggers), (), 0, 0)


def state(connection: dbapi.Connection) -> State:
    """Every row of every table."""
    return {
        name: Counter(connection.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall())
        for name, (columns, _) in TABLES.items()
    }


def replay(before: State, changes: list[Captured]) -> State:
    """The state after some changes, each of which must find the row that it changes."""
    now = {name: Counter(rows) for name, rows in before.items()}
    for change in changes:
        rows = now[change.table]
        if change.old is not None:
            assert rows[change.old] > 0, f"no row to change: {change}"
            rows[change.old] -= 1
        if change.new is not None:
            rows[change.new] += 1
    return {name: +rows for name, rows in now.items()}


def run(path: Path, kind: str, seed: list[str], script: list[Step]) -> None:
    with ExitStack() as stack:
        connections: list[dbapi.Connection] = []
        for recursive in (0, 1):
            for keys in (0, 1):
                connection = stack.enter_context(closing(dbapi.connect(path, isolation_level=None, timeout=0)))
                for pragma in (
                    "journal_mode=wal",
                    "synchronous=0",
                    f"recursive_triggers={recursive}",
                    f"foreign_keys={keys}",
                ):
                    connection.execute(f"PRAGMA {pragma}").close()
                connections.append(connection)
        first = connections[0]
        for _, create in TABLES.values():
            for statement in create:
                first.execute(statement).close()
        for statement in [*SEED, *seed]:
            with suppress(dbapi.Error):
                first.execute(statement).close()
        plan_tables = tuple(
            planned(name, [text for text in TRIGGERS[kind] if f" ON {name} " in text]) for name in TABLES
        )
        kept = stack.enter_context(capture(path, "file"))
        before = state(first)
        kept.arm(Plan(Profile.SQLALCHEMY, "test", 160000, plan_tables, (), ()), epoch=1, last={})
        for number, made, end in script:
            turn(connections[number], made, end)
            check(kept, before, first)


def turn(connection: dbapi.Connection, made: list[str], end: str) -> None:
    """Run some statements, and end the transaction that they leave open."""
    for statement in made:
        with suppress(dbapi.Error):
            connection.execute(statement).close()
    if connection.in_transaction:
        with suppress(dbapi.Error):
            connection.execute(end).close()
    if connection.in_transaction:
        connection.execute("ROLLBACK").close()


def check(kept: SqliteCapture, before: State, connection: dbapi.Connection) -> None:
    kept.secure()
    with kept.changes(0) as changes:
        found = list(changes)
    assert [change.number for change in found] == sorted({change.number for change in found})
    assert replay(before, found) == state(connection)


def test_a_rowid_that_is_moved_onto_another_by_its_own_name(tmp_path: Path) -> None:
    run(tmp_path / "file.db", "", [], [(0, ["UPDATE OR REPLACE child SET id = id + 1 WHERE id < 2"], "COMMIT")])


def test_a_replaced_row_that_takes_along_the_row_it_is_replaced_by(tmp_path: Path) -> None:
    script = [
        (1, ["UPDATE OR REPLACE node SET id = 1 WHERE id = 2"], "COMMIT"),
        (1, ["INSERT INTO node VALUES (1, NULL, 'a')"], "COMMIT"),
    ]
    run(tmp_path / "file.db", "", [], script)
    run(tmp_path / "other.db", "", [], [(1, [text for _, texts, _ in script for text in texts], "COMMIT")])


@pytest.mark.parametrize("column", ["u", "v", "w"])
def test_a_default_in_the_place_of_null(tmp_path: Path, column: str) -> None:
    inserted = f"INSERT OR REPLACE INTO given VALUES (7, {', '.join('NULL' if c == column else '9' for c in 'uvw')})"
    updated = f"UPDATE OR REPLACE given SET {column} = NULL WHERE id > 1"
    run(tmp_path / "inserted.db", "", [], [(0, [inserted], "COMMIT")])
    run(tmp_path / "updated.db", "", [], [(0, [updated], "COMMIT")])


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE node SET id = -id",  # a row that is its own parent is changed twice
        "UPDATE link SET k = k || 'z'",
        "UPDATE OR REPLACE node SET word = up, id = id + 1, up = id",
        "UPDATE OR REPLACE link SET k = 'a' WHERE k = 'b'",
        "REPLACE INTO link VALUES ('a', NULL, NULL)",
    ],
)
def test_what_cascades_from_a_row_comes_back_to_it(tmp_path: Path, statement: str, number: int) -> None:
    run(tmp_path / "file.db", "", [], [(number, [statement], "COMMIT")])


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(kind=st.sampled_from(sorted(TRIGGERS)), seed=st.lists(inserts(), max_size=4), script=steps)
def test_replaying_the_capture(
    kind: str, seed: list[str], script: list[Step], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run(tmp_path_factory.mktemp("capture") / "file.db", kind, seed, script)
