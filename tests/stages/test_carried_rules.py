"""Rules that live on in the file: generated columns, triggers, views, unique rules under lower(), and those refused."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from liteshift import migration
from liteshift.errors import NotFit
from liteshift.plan import Choices, Severity
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import MigrateReport
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.target import SqliteTarget


def _fill(database: str, *statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _migrate(database: str, path: Path) -> MigrateReport:
    rejects = path.with_suffix(".rejects")
    source, target = PostgresSource(database), SqliteTarget(path)
    return migration.migrate(source, target, Choices(), rejects=rejects, overwrite=False, progress=silent)


def _losses(report: MigrateReport) -> dict[str, str]:
    return {finding.subject: finding.why for finding in report.plan.of(Severity.LOSS)}


def test_generated_columns_go_on_being_computed(any_database: str, tmp_path: Path) -> None:
    _fill(
        any_database,
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text NOT NULL,"
        " twice int GENERATED ALWAYS AS (a * 2) STORED,"
        " named text GENERATED ALWAYS AS (b || '!') STORED,"
        " half numeric GENERATED ALWAYS AS (a / 2.0) STORED)",
        "INSERT INTO t (id, a, b) VALUES (1, 21, 'x'), (2, NULL, 'é')",
    )
    report = _migrate(any_database, tmp_path / "t.db")
    assert report.verdict.equal
    assert list(_losses(report)) == ["public.t.half"]
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.execute("INSERT INTO t (id, a, b) VALUES (3, 5, 'y')")
        row = connection.execute("SELECT twice, named, half FROM t WHERE id = 3").fetchone()
    assert row == (10, "y!", None)


def test_the_time_of_the_last_change_is_kept(any_database: str, tmp_path: Path) -> None:
    _fill(
        any_database,
        "CREATE TABLE t (id int PRIMARY KEY, a int, updated_at timestamptz NOT NULL)",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$",
        "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.updated_at := now(); NEW.a := 0; RETURN NEW; END $$",
        "CREATE TRIGGER touched BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()",
        "CREATE TRIGGER zeroed BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION more()",
        "CREATE TRIGGER sometimes BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.a > 3) EXECUTE FUNCTION touch()",
        "INSERT INTO t VALUES (1, 1, '2000-01-01+00'), (2, 2, '2000-01-01+00')",
    )
    report = _migrate(any_database, tmp_path / "t.db")
    assert {"public.t.zeroed", "public.t.sometimes"} <= set(_losses(report))
    assert "public.t.touched" not in _losses(report)
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.execute("UPDATE t SET a = 7 WHERE id = 1")
        connection.execute("UPDATE t SET updated_at = '1999-01-01 00:00:00.000000' WHERE id = 2")
        rows = connection.execute("SELECT id, a, updated_at > '2026' AND length(updated_at) = 26 FROM t").fetchall()
    assert rows == [(1, 7, 1), (2, 2, 1)]


# How people write it: the function's body, the trigger's own words, the column's type.
TOUCHES = {
    "plain": ("BEGIN NEW.at = CURRENT_TIMESTAMP; RETURN NEW; END;", "BEFORE UPDATE ON t FOR EACH ROW", "timestamptz"),
    "commented": (
        "-- keeps the time\nBEGIN\n /* of the\n change */ new.at := statement_timestamp(); RETURN new; END",
        "BEFORE UPDATE ON t FOR EACH ROW",
        "timestamptz",
    ),
    "in utc": (
        "BEGIN NEW.at := (now() AT TIME ZONE 'utc'); RETURN NEW; END",
        "BEFORE UPDATE ON t FOR EACH ROW",
        "timestamp",
    ),
    "by a copy": (
        'DECLARE _new record; BEGIN _new := NEW; _new."at" = NOW(); RETURN _new; END;',
        "BEFORE UPDATE ON t FOR EACH ROW",
        "timestamptz",
    ),
    "at the insert, too": (
        "BEGIN NEW.at = now(); RETURN NEW; END;",
        "BEFORE INSERT OR UPDATE ON t FOR EACH ROW",
        "timestamptz",
    ),
    "when changed": (
        "BEGIN NEW.at = now(); RETURN NEW; END;",
        "BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)",
        "timestamptz",
    ),
    "if changed": (
        "BEGIN IF ROW(NEW.*) IS DISTINCT FROM ROW(OLD.*) THEN NEW.at = now(); END IF; RETURN NEW; END;",
        "BEFORE UPDATE ON t FOR EACH ROW",
        "timestamptz",
    ),
}
# What is done to both, and whether the time then is the present one.
CHANGES = [
    "INSERT INTO t (id, a) VALUES (3, 3)",
    "UPDATE t SET a = 9 WHERE id = 1",
    "UPDATE t SET a = a WHERE id = 2",
    "UPDATE t SET at = '2001-01-01 00:00:00.000000' WHERE id = 1",
    "UPDATE t SET b = NULL WHERE id = 2",
]


@pytest.mark.parametrize("name", TOUCHES)
def test_the_ways_to_keep_the_time_of_a_change(any_database: str, tmp_path: Path, name: str) -> None:
    body, words, kind = TOUCHES[name]
    _fill(
        any_database,
        f"CREATE TABLE t (id int PRIMARY KEY, a int, b text, c char(3), at {kind})",
        f"CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$ {body} $body$",
        "INSERT INTO t VALUES (1, 1, 'x', 'x', '2000-01-01'), (2, 2, 'y', NULL, '2000-01-01')",
        f"CREATE TRIGGER touched {words} EXECUTE FUNCTION touch()",
    )
    report = _migrate(any_database, tmp_path / "t.db")
    assert "public.t.touched" not in _losses(report)
    asked = "SELECT id, a, b, at > '2020-01-01' AS new FROM t ORDER BY id"
    with psycopg.connect(any_database, autocommit=True) as there, closing(connect(tmp_path / "t.db")) as here:
        for change in CHANGES:
            there.execute(change.encode())
            here.execute(change)
            assert [(*row[:3], row[3] and bool(row[3])) for row in here.execute(asked)] == [
                (*row[:3], row[3]) for row in there.execute(asked.encode())
            ], change


@pytest.mark.parametrize(
    ("body", "words", "kind"),
    [
        ("BEGIN NEW.at = now(); RETURN NULL; END", "BEFORE UPDATE ON t FOR EACH ROW", "timestamptz"),
        ("BEGIN NEW.at = now(); NEW.a = 1; RETURN NEW; END", "BEFORE UPDATE ON t FOR EACH ROW", "timestamptz"),
        ("BEGIN NEW.at = now() AT TIME ZONE 'utc'; RETURN NEW; END", "BEFORE UPDATE ON t FOR EACH ROW", "timestamptz"),
        ("BEGIN NEW.at = now(); RETURN NEW; END", "BEFORE UPDATE OF a ON t FOR EACH ROW", "timestamptz"),
        ("BEGIN NEW.at = now(); RETURN NEW; END", "BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.a > 1)", "timestamptz"),
        ("BEGIN NEW.at = now(); RETURN NEW; END", "BEFORE INSERT ON t FOR EACH ROW", "timestamptz NOT NULL"),
        (
            "BEGIN IF NEW IS DISTINCT FROM NEW THEN NEW.at = now(); END IF; RETURN NEW; END",
            "BEFORE UPDATE ON t FOR EACH ROW",
            "timestamptz",
        ),
        (
            "BEGIN NEW.at = now(); RETURN NEW; END",
            "BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)",
            "timestamptz, n numrange",
        ),
    ],
)
def test_a_trigger_that_does_more_is_named(database: str, tmp_path: Path, body: str, words: str, kind: str) -> None:
    _fill(
        database,
        f"CREATE TABLE t (id int PRIMARY KEY, a int, at {kind})",
        f"CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$ {body} $body$",
        f"CREATE TRIGGER touched {words} EXECUTE FUNCTION touch()",
    )
    assert "public.t.touched" in _losses(_migrate(database, tmp_path / "t.db"))


def test_moddatetime_is_kept(contrib_database: str, tmp_path: Path) -> None:
    _fill(
        contrib_database,
        "CREATE EXTENSION moddatetime",
        'CREATE TABLE t (id int PRIMARY KEY, "Changed é" timestamptz)',
        "CREATE TRIGGER touched BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION moddatetime('Changed é')",
        "INSERT INTO t VALUES (1, NULL)",
    )
    assert "public.t.touched" not in _losses(_migrate(contrib_database, tmp_path / "t.db"))
    with closing(connect(tmp_path / "t.db")) as here:
        here.execute("UPDATE t SET id = 2")
        assert here.execute("SELECT \"Changed é\" > '2020' FROM t").fetchall() == [(1,)]


def test_views_are_kept_where_the_rows_are_the_same(any_database: str, tmp_path: Path) -> None:
    _fill(
        any_database,
        "CREATE TABLE c (id int PRIMARY KEY, name text NOT NULL, active bool NOT NULL)",
        "CREATE TABLE o (id int PRIMARY KEY, c int REFERENCES c, total numeric(10,2), at timestamptz)",
        "INSERT INTO c VALUES (1, 'Ada', true), (2, 'Bo', false), (3, 'Cy', true)",
        "INSERT INTO o VALUES (1, 1, 1.10, '2024-01-01+00'), (2, 1, 2.20, NULL), (3, 2, 3.30, '2025-01-01+00')",
        "CREATE VIEW orders AS"
        " SELECT c.name AS \"the name\", o.total, o.at, CASE WHEN c.active THEN 'a' ELSE 'b' END AS s"
        " FROM c LEFT JOIN o ON o.c = c.id WHERE c.id <> 2 OR o.total > 3 ORDER BY c.id DESC, o.id",
        "CREATE VIEW counted AS SELECT c, count(*) AS n, max(at) AS latest, sum(id) AS ids FROM o GROUP BY c"
        " HAVING count(*) > 1",
        "CREATE VIEW over_view AS SELECT n FROM counted UNION ALL SELECT id FROM c",
        "CREATE VIEW nested AS SELECT a.id FROM c a LEFT JOIN (o JOIN c b ON b.id = o.c) ON a.id = b.id",
        "CREATE VIEW money AS SELECT sum(total) FROM o",
        "CREATE VIEW shouted AS SELECT upper(name) AS name FROM c",
        "CREATE VIEW newest AS SELECT DISTINCT ON (c) c, id FROM o ORDER BY c, id DESC",
        "CREATE VIEW limited AS SELECT id FROM o ORDER BY id LIMIT 1",
        "CREATE VIEW windowed AS SELECT id, row_number() OVER (ORDER BY id) AS n FROM o",
    )
    report = _migrate(any_database, tmp_path / "t.db")
    assert {view.target for view in report.plan.views} == {"orders", "counted", "over_view", "nested"}
    lost = {subject for subject in _losses(report) if subject.startswith("public.")}
    assert {f"public.{name}" for name in ("money", "shouted", "newest", "limited", "windowed")} <= lost
    with closing(connect(tmp_path / "t.db")) as connection:
        connection.execute("INSERT INTO o VALUES (9, 3, 1, NULL)")
        assert connection.execute('SELECT "the name", total, s FROM orders').fetchall() == [
            ("Cy", 1, "a"), ("Bo", 3.3, "b"), ("Ada", 1.1, "a"), ("Ada", 2.2, "a"),
        ]  # fmt: skip
        assert connection.execute("SELECT * FROM counted").fetchall() == [(1, 2, "2024-01-01 00:00:00.000000", 3)]


def test_a_view_that_postgresql_cannot_compute_is_named(database: str, tmp_path: Path) -> None:
    _fill(
        database,
        "CREATE TABLE t (a int)",
        "INSERT INTO t VALUES (2147483647)",
        "CREATE VIEW big AS SELECT a + 1 AS b FROM t",  # overflows there, and does not here
        "CREATE VIEW fine AS SELECT a FROM t",
    )
    report = _migrate(database, tmp_path / "t.db")
    assert [view.target for view in report.plan.views] == ["fine"]
    assert "out of range" in _losses(report)["public.big"]
    assert report.verdict.equal


def test_unique_under_lower_is_kept_while_texts_are_ascii(any_database: str, tmp_path: Path) -> None:
    _fill(
        any_database,
        "CREATE TABLE t (email text)",
        "CREATE UNIQUE INDEX one ON t (lower(email))",
        "INSERT INTO t VALUES ('Ada@example.org'), (NULL)",
    )
    report = _migrate(any_database, tmp_path / "t.db")
    assert "ASCII" in report.plan.of(Severity.LOSS)[0].what
    with closing(connect(tmp_path / "t.db")) as connection:
        for value in ("ADA@example.org", "Ädä@example.org"):
            with pytest.raises(dbapi.IntegrityError):
                connection.execute("INSERT INTO t VALUES (?)", (value,))
        connection.execute("INSERT INTO t VALUES ('bo@example.org')")


def test_unique_under_lower_is_refused_beyond_ascii(database: str, tmp_path: Path) -> None:
    _fill(database, "CREATE TABLE t (a text)", "CREATE UNIQUE INDEX one ON t (lower(a))", "INSERT INTO t VALUES ('É')")
    with pytest.raises(NotFit, match=r"public\.t\.one"):
        _migrate(database, tmp_path / "t.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["jsonb", "interval", "numrange"])
def test_unique_over_values_with_several_texts_is_refused(database: str, tmp_path: Path, kind: str) -> None:
    _fill(database, f"CREATE TABLE t (a {kind} UNIQUE)")
    with pytest.raises(NotFit, match="unique rule"):
        _migrate(database, tmp_path / "t.db")


def test_unique_over_numeric_compares_numbers(database: str, tmp_path: Path) -> None:
    _fill(database, "CREATE TABLE t (a numeric UNIQUE)", "INSERT INTO t VALUES (1.0), (2)")
    _migrate(database, tmp_path / "t.db")
    with closing(connect(tmp_path / "t.db")) as connection, pytest.raises(dbapi.IntegrityError):
        connection.execute("INSERT INTO t VALUES ('1.00')")


def test_citext_keeps_its_rule_while_texts_are_ascii(contrib_database: str, tmp_path: Path) -> None:
    table = "CREATE TABLE t (a citext PRIMARY KEY)"
    _fill(contrib_database, "CREATE EXTENSION citext", table, "INSERT INTO t VALUES ('Ada')")
    _migrate(contrib_database, tmp_path / "t.db")
    with closing(connect(tmp_path / "t.db")) as connection, pytest.raises(dbapi.IntegrityError):
        connection.execute("INSERT INTO t VALUES ('ADA')")
