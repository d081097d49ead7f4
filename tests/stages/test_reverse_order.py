"""What does not go to PostgreSQL change by change, in the order of the log: rows that stand in each other's way."""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from tests.stages.moved import Moved, move

from liteshift.errors import NoConnection
from liteshift.postgres.takeback import PostgresTakeback
from liteshift.sqlite.library import dbapi
from liteshift.writes import Look, Refused

BLOG = """
CREATE TABLE thread (id int PRIMARY KEY, title text, last_post int);
CREATE TABLE post (id int, thread int NOT NULL REFERENCES thread ON DELETE CASCADE, body text, PRIMARY KEY (id))
  {parts};
{leaves}
ALTER TABLE thread ADD CONSTRAINT last FOREIGN KEY (last_post) REFERENCES post ON DELETE {act} {when};
INSERT INTO thread SELECT i, 't', NULL FROM generate_series(1, 20) i;
INSERT INTO post SELECT i, i, 'p' FROM generate_series(1, 20) i;
INSERT INTO post SELECT i + 100, i, 'p' FROM generate_series(1, 20) i;
UPDATE thread SET last_post = id + 100;
"""
PARTS = "PARTITION BY RANGE (id)"
LEAVES = """
CREATE TABLE post_a PARTITION OF post FOR VALUES FROM (0) TO (50);
CREATE TABLE post_b PARTITION OF post DEFAULT;
"""


def foreign(moved: Moved, *statements: str) -> None:
    """Write as a program that knows nothing of us: without foreign keys."""
    with closing(dbapi.connect(moved.path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).close()


def check(moved: Moved) -> None:
    moved.back()
    verdict = moved.compare()
    assert verdict.equal, [table for table in verdict.tables if table.differences]


@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize(
    ("act", "when"),
    [("SET NULL", ""), ("SET NULL", "DEFERRABLE INITIALLY DEFERRED"), ("CASCADE", ""), ("SET DEFAULT", "")],
)
def test_rows_that_point_at_each_other_go_together(
    database: str, tmp_path: Path, act: str, when: str, parts: bool
) -> None:
    schema = BLOG.format(act=act, when=when, parts=PARTS if parts else "", leaves=LEAVES if parts else "")
    moved = move(database, tmp_path / "file.db", schema)
    moved.write("DELETE FROM thread WHERE id = 1")
    check(moved)
    moved.write("INSERT INTO post VALUES (900, 2, 'later')", "DELETE FROM thread WHERE id BETWEEN 3 AND 18")
    check(moved)
    assert moved.query("SELECT count(*) FROM post") == [(7,)]


def test_rows_that_point_at_each_other_stay_if_another_does(database: str, tmp_path: Path) -> None:
    schema = BLOG.format(act="SET NULL", when="", parts="", leaves="")
    liked = "CREATE TABLE liked (id int PRIMARY KEY, post int REFERENCES post ON DELETE CASCADE);"
    moved = move(database, tmp_path / "file.db", schema + liked + "INSERT INTO liked VALUES (1, 101), (2, 102);")
    foreign(moved, "DELETE FROM post WHERE thread = 1", "DELETE FROM thread WHERE id = 1")
    moved.write("DELETE FROM thread WHERE id = 2")
    before = moved.query("SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM liked)")
    with pytest.raises(Refused, match=r"public.post \(id = '101'\) .*PostgreSQL would change rows of public.*liked"):
        moved.back()
    assert moved.query("SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM liked)") == before
    moved.write("DELETE FROM liked WHERE id = 1")
    check(moved)


def test_a_cycle_within_a_table(database: str, tmp_path: Path) -> None:
    moved = move(
        database,
        tmp_path / "file.db",
        "CREATE TABLE n (id int PRIMARY KEY, next int NOT NULL REFERENCES n ON DELETE CASCADE DEFERRABLE);"
        "BEGIN; SET CONSTRAINTS ALL DEFERRED;"
        "INSERT INTO n VALUES (1, 2), (2, 3), (3, 1), (4, 5), (5, 4), (6, 1); COMMIT;",
    )
    moved.write("DELETE FROM n WHERE id = 2")
    check(moved)
    assert moved.query("SELECT id FROM n ORDER BY 1") == [(4,), (5,)]


FAMILY = """
CREATE TABLE p (id int PRIMARY KEY, v int);
CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1);
"""


def test_a_row_that_changed_before_it_was_refused(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", FAMILY)
    foreign(moved, "UPDATE p SET v = 2", "DELETE FROM p")
    with pytest.raises(Refused, match=r"public.p \(id = '1'\) .*PostgreSQL would change rows of public.c with it"):
        moved.back()
    moved.write("DELETE FROM c")
    check(moved)
    foreign(moved, "INSERT INTO p VALUES (9, 9)", "INSERT INTO c VALUES (9, 9)", "DELETE FROM p WHERE id = 9")
    with pytest.raises(Refused, match=r"violates foreign key constraint.*\(p\)=\(9\) is not present"):
        moved.back()
    foreign(moved, "INSERT INTO p VALUES (9, 7)")
    check(moved)
    assert moved.query("SELECT * FROM p") == [(9, 7)]


def test_changes_that_are_logged_inside_out(database: str, tmp_path: Path) -> None:
    moved = move(
        database,
        tmp_path / "file.db",
        "CREATE TABLE n (id int PRIMARY KEY, up int REFERENCES n ON UPDATE CASCADE ON DELETE CASCADE, t text);"
        "CREATE TABLE t (id int PRIMARY KEY, v int, seen int);"
        "INSERT INTO n VALUES (1, 1, 'root'), (2, 1, 'kid'); INSERT INTO t VALUES (1, 1, 0), (2, 1, 0);",
    )
    moved.write("UPDATE n SET id = 11 WHERE id = 1")
    check(moved)
    assert moved.query("SELECT * FROM n ORDER BY 1") == [(2, 11, "kid"), (11, 11, "root")]
    with closing(moved.connect()) as connection:
        connection.execute(
            "CREATE TEMP TRIGGER seen AFTER UPDATE OF v ON main.t BEGIN"
            " UPDATE t SET seen = seen + 1 WHERE id = new.id; DELETE FROM t WHERE id = new.id AND new.v = 9; END"
        ).close()
        connection.execute("UPDATE t SET v = v + 1").close()
        check(moved)
        connection.execute("UPDATE t SET v = 9 WHERE id = 2").close()
        connection.execute("UPDATE t SET v = v + 1").close()
    check(moved)
    assert moved.query("SELECT * FROM t") == [(1, 3, 2)]


CIRCLE = """
CREATE TABLE a (id int PRIMARY KEY, k int UNIQUE, n int);
CREATE TABLE b (id int PRIMARY KEY, k int REFERENCES a (k) ON UPDATE CASCADE ON DELETE CASCADE, v int UNIQUE);
ALTER TABLE a ADD b int {needed} REFERENCES b ON DELETE CASCADE ON UPDATE CASCADE {when};
INSERT INTO b VALUES (1, NULL, 1), (2, NULL, 2), (3, NULL, 3); INSERT INTO a VALUES (1, 1, 0, 1), (2, 2, 0, 2);
UPDATE b SET k = id WHERE id < 3;
"""


@pytest.mark.parametrize("needed", ["", "NOT NULL"])
@pytest.mark.parametrize("when", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_a_row_that_changes_and_one_that_goes_point_at_each_other(
    database: str, tmp_path: Path, needed: str, when: str
) -> None:
    moved = move(database, tmp_path / "file.db", CIRCLE.format(needed=needed, when=when))
    moved.write("UPDATE a SET b = 3, k = 8 WHERE id = 1", "DELETE FROM b WHERE id = 1")
    check(moved)
    with closing(moved.connect()) as connection:
        connection.execute("PRAGMA recursive_triggers = OFF").close()
        connection.execute("INSERT OR REPLACE INTO a VALUES (2, NULL, 7, 3)").close()
    check(moved)


def test_a_row_that_points_at_itself_is_not_changed_with_itself(database: str, tmp_path: Path) -> None:
    moved = move(
        database,
        tmp_path / "file.db",
        "CREATE TABLE n (id int PRIMARY KEY, up int REFERENCES n ON UPDATE CASCADE); INSERT INTO n VALUES (1, 1);",
    )
    foreign(moved, "UPDATE n SET id = 2")
    with pytest.raises(Refused):  # the file has 1 there, and PostgreSQL would have 2
        moved.back()
    assert moved.query("SELECT * FROM n") == [(1, 1)]
    foreign(moved, "UPDATE n SET up = 2")
    check(moved)


RANKED = """
CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, n int);
CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE);
CREATE TABLE s (id int PRIMARY KEY, u text NOT NULL UNIQUE, n int);
INSERT INTO t VALUES (1, 'x', 0), (2, 'y', 0), (3, 'z', 0); INSERT INTO c VALUES (1, 1), (2, 2);
INSERT INTO s VALUES (1, 'x', 0), (2, 'y', 0), (3, 'z', 0);
"""


@pytest.mark.parametrize("table", ["t", "s"])
def test_a_refused_row_and_unique_values_that_moved(database: str, tmp_path: Path, table: str) -> None:
    moved = move(database, tmp_path / "file.db", RANKED)
    with closing(moved.connect()) as connection:

        def write(*statements: str) -> None:
            for statement in statements:
                connection.execute(statement.replace("TABLE", table)).close()

        write("UPDATE TABLE SET n = 1 WHERE id = 2", "UPDATE TABLE SET n = 'abc' WHERE id = 1")
        with pytest.raises(Refused, match=rf"public.{table} \(id = '1'\), column n.*'abc'"):
            moved.back()
        write("UPDATE TABLE SET u = 'w' WHERE id = 1", "UPDATE TABLE SET u = 'x' WHERE id = 2")
        write("UPDATE TABLE SET n = 5 WHERE id = 1")
        check(moved)
        write("UPDATE TABLE SET n = 'abc'", "UPDATE TABLE SET u = u || id", "UPDATE TABLE SET u = 'x' WHERE id = 1")
        write("UPDATE TABLE SET u = 'z' WHERE id = 2", "UPDATE TABLE SET u = 'w' WHERE id = 3")
        write("UPDATE TABLE SET n = id")
    check(moved)
    assert moved.query(f"SELECT u, n FROM {table} ORDER BY id") == [("x", 1), ("z", 2), ("w", 3)]
    assert moved.query("SELECT count(*) FROM c") == [(2,)]


def test_a_child_of_a_row_that_took_anothers_place(database: str, tmp_path: Path) -> None:
    moved = move(
        database,
        tmp_path / "file.db",
        "CREATE TABLE a (id int PRIMARY KEY, k int UNIQUE);"
        "CREATE TABLE b (id int PRIMARY KEY, k int REFERENCES a (k) ON DELETE CASCADE);"
        "CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES a ON UPDATE CASCADE ON DELETE CASCADE);"
        "INSERT INTO a VALUES (1, 1), (2, 2); INSERT INTO b VALUES (1, 2);",
    )
    moved.write("INSERT INTO c VALUES (7, 2)", "UPDATE OR REPLACE a SET id = 1 WHERE id = 2")
    check(moved)
    assert moved.query("SELECT * FROM c") == [(7, 1)]
    assert moved.query("SELECT * FROM b") == [(1, 2)]


def test_many_refused_rows_cost_few_attempts(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "INSERT INTO t SELECT i, i, i FROM generate_series(1, 300) i"
    moved = move(database, tmp_path / "file.db", f"CREATE TABLE t (id int PRIMARY KEY, v int, w int); {rows}")
    attempts = 0
    apply = PostgresTakeback.apply

    def counted(self: PostgresTakeback, *arguments: Any, **named: Any) -> int:
        nonlocal attempts
        attempts += 1
        return apply(self, *arguments, **named)

    monkeypatch.setattr(PostgresTakeback, "apply", counted)
    moved.write("UPDATE t SET v = 'abc' || id", "UPDATE t SET v = id * 2")
    check(moved)
    assert attempts < 10


def test_a_connection_that_is_made_anew_is_bounded_as_well(database: str) -> None:
    with closing(PostgresTakeback(database, "test", [])) as applier:
        began = time.monotonic()
        with pytest.raises(NoConnection), applier.within(1.0):
            applier.close()
            applier.rows([Look("SELECT pg_sleep(30)::text", ())])
        assert time.monotonic() - began < 10


MESH = """
CREATE TABLE a (id int PRIMARY KEY, k int, l text, u int, UNIQUE (k, l));
CREATE UNIQUE INDEX au ON a (u) WHERE k IS NOT NULL;
CREATE TABLE b (
  id int PRIMARY KEY, a int REFERENCES a ON UPDATE CASCADE ON DELETE SET NULL, k int, l text, w int UNIQUE,
  FOREIGN KEY (k, l) REFERENCES a (k, l) ON UPDATE CASCADE ON DELETE CASCADE
);
ALTER TABLE a ADD b int REFERENCES b ON DELETE SET NULL ON UPDATE CASCADE;
CREATE TABLE n (id int PRIMARY KEY, up int REFERENCES n ON UPDATE CASCADE ON DELETE CASCADE, name text UNIQUE);
CREATE TABLE e (id int PRIMARY KEY, n int REFERENCES n DEFERRABLE INITIALLY DEFERRED, x int REFERENCES a ON DELETE SET
  DEFAULT);
CREATE TABLE loose (x int REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE, y text);
INSERT INTO a SELECT i, i, chr(96 + i), i FROM generate_series(1, 5) i;
INSERT INTO b VALUES (1, 1, 2, 'b', 1), (2, 1, NULL, NULL, 2), (3, 2, 3, 'c', 3);
UPDATE a SET b = 3 WHERE id < 4;
INSERT INTO n VALUES (1, NULL, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, 4, 'd');
INSERT INTO e VALUES (1, 2, NULL), (2, 1, 3);
INSERT INTO loose VALUES (1, 'a'), (1, 'a'), (2, 'b'), (NULL, NULL);
"""
COLUMNS = {"a": "id k l u b", "b": "id a k l w", "n": "id up name", "e": "id n x", "loose": "x y"}
_numbers = st.sampled_from(["NULL", "1", "2", "3", "4", "5", "6", "7", "'abc'"])
_texts = st.sampled_from(["'a'", "'b'", "'c'", "''", "NULL"])
_ors = st.sampled_from(["", "", " OR REPLACE", " OR IGNORE"])


def value(column: str) -> st.SearchStrategy[str]:
    return _texts if column in ("l", "name", "y") else _numbers


@st.composite
def statements(draw: st.DrawFn) -> str:
    table = draw(st.sampled_from(list(COLUMNS)))
    columns = COLUMNS[table].split()
    column, wanted = draw(st.sampled_from(columns)), draw(st.sampled_from(columns))
    where = draw(st.sampled_from(["", f" WHERE {wanted} = 2", f" WHERE {wanted} > 2", f" WHERE {wanted} < 3"]))
    kind = draw(st.sampled_from(["INSERT", "UPDATE", "UPDATE", "DELETE"]))
    if kind == "INSERT":
        row = ", ".join(draw(value(name)) for name in columns)
        return f"INSERT{draw(_ors)} INTO {table} ({', '.join(columns)}) VALUES ({row})"
    if kind == "UPDATE":
        changes = value(column)
        if column not in ("l", "name", "y"):
            changes |= st.sampled_from([f"-{column}", f"{column} + 1", f"{column} + 10"])
        return f"UPDATE{draw(_ors)} {table} SET {column} = {draw(changes)}{where}"
    return f"DELETE FROM {table}{where}"


def test_an_update_that_takes_away_what_its_row_points_at(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", MESH)
    with closing(moved.connect()) as connection:
        connection.execute("PRAGMA recursive_triggers = OFF").close()
        connection.execute("UPDATE OR REPLACE a SET id = id + 1").close()
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == [("a", 6, "b", 0)]  # SQLite itself
        with pytest.raises(Refused, match=r"public.b \(id = '3'\) .*change rows of public.a with it"):
            moved.back()
        mend(connection)
    check(moved)
    assert moved.query("SELECT id, b FROM a") == [(6, None)]


BAD = "SELECT 1 FROM {table} WHERE typeof({column}) = 'text'"
INTEGERS = [(table, name) for table, names in COLUMNS.items() for name in names.split() if value(name) is _numbers]
_work = st.lists(st.lists(st.tuples(st.booleans(), statements()), min_size=1, max_size=6), min_size=1, max_size=5)
_count = count()


@settings(
    max_examples=12,
    derandomize=True,  # those at random are for `make soak`
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(work=_work)
def test_random_work(server: Any, work: list[list[tuple[bool, str]]]) -> None:
    back(server, work)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(
    max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(work=_work)
def test_much_random_work(server: Any, work: list[list[tuple[bool, str]]]) -> None:
    back(server, work)


def mend(connection: dbapi.Connection) -> None:
    """Let rows point nowhere that point at none: an UPDATE OR REPLACE of SQLite's can leave its own row so."""
    for table, rowid, _, key in connection.execute("PRAGMA foreign_key_check").fetchall():
        columns = connection.execute('SELECT "from" FROM pragma_foreign_key_list(?) WHERE id = ?', (table, key))
        changes = ", ".join(f"{column} = NULL" for (column,) in columns.fetchall())
        connection.execute(f"UPDATE {table} SET {changes} WHERE rowid = ?", (rowid,)).close()


def back(server: Any, work: list[list[tuple[bool, str]]]) -> None:
    """Write as two connections, one with recursive triggers; what is refused is mended at last."""
    note(str(work))
    name = f"liteshift_mesh_{os.getpid()}_{next(_count)}"
    with TemporaryDirectory() as folder:
        moved = move(server.create_database(name), Path(folder) / "file.db", MESH)
        with closing(moved.connect()) as one, closing(moved.connect()) as other:
            other.execute("PRAGMA recursive_triggers = OFF").close()
            for look in work:
                for recursive, statement in look:
                    with suppress(dbapi.Error):
                        (one if recursive else other).execute(statement).close()
                bad = any(one.execute(BAD.format(table=table, column=name)).fetchall() for table, name in INTEGERS)
                try:
                    moved.back()
                except Refused:
                    assert bad or one.execute("PRAGMA foreign_key_check").fetchall()
            for table, column in INTEGERS:
                one.execute(f"UPDATE {table} SET {column} = NULL WHERE typeof({column}) = 'text'").close()
            mend(one)
        check(moved)
        server.drop_database(name)
