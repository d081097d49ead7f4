"""What a live move makes on the source lets the application write on, and goes without a trace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from tests.stages.live import NAME, copied

from liteshift.errors import Locked, NoConnection, NotFit
from liteshift.plan import Choices, Plan
from liteshift.postgres.slot import PostgresOrigin
from liteshift.stages.prepare import prepare

IDENTITIES = """
CREATE TABLE keyed (id int PRIMARY KEY, t text);
CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE, t text);
CREATE TABLE none_keyed (id int PRIMARY KEY, t text); ALTER TABLE none_keyed REPLICA IDENTITY NOTHING;
CREATE TABLE keyless (t text);
CREATE TABLE by_index (a int NOT NULL UNIQUE, t text);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a_key;
CREATE TABLE lost_index (a int NOT NULL, t text); CREATE UNIQUE INDEX gone ON lost_index (a);
ALTER TABLE lost_index REPLICA IDENTITY USING INDEX gone; DROP INDEX gone;
CREATE TABLE root (id int, t text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE root_a PARTITION OF root FOR VALUES FROM (0) TO (10);
CREATE TABLE root_b PARTITION OF root FOR VALUES FROM (10) TO (20); ALTER TABLE root_b REPLICA IDENTITY FULL;
CREATE TABLE root_c PARTITION OF root FOR VALUES FROM (20) TO (30); ALTER TABLE root_c REPLICA IDENTITY NOTHING;
CREATE TABLE rooti (a int NOT NULL, b int NOT NULL, t text) PARTITION BY RANGE (a);
CREATE UNIQUE INDEX rooti_i ON rooti (a, b); ALTER TABLE rooti REPLICA IDENTITY USING INDEX rooti_i;
CREATE TABLE rooti_a PARTITION OF rooti FOR VALUES FROM (0) TO (10);
ALTER TABLE rooti_a REPLICA IDENTITY USING INDEX rooti_a_a_b_idx;
CREATE TABLE rooti_b PARTITION OF rooti FOR VALUES FROM (10) TO (20);
CREATE TABLE rootk (a int, t text) PARTITION BY RANGE (a);
CREATE TABLE rootk_a PARTITION OF rootk FOR VALUES FROM (0) TO (10);
CREATE TABLE rootk_b PARTITION OF rootk FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (a);
CREATE TABLE rootk_b_a PARTITION OF rootk_b DEFAULT; ALTER TABLE rootk_b_a REPLICA IDENTITY FULL;
"""
CHANGED = {
    "deferred": "f", "none_keyed": "d", "keyless": "f", "lost_index": "f", "root_c": "d", "rooti_b": "f",
    "rootk": "f", "rootk_a": "f",
}  # fmt: skip
TABLES = ["keyed", "deferred", "none_keyed", "keyless", "by_index", "lost_index", "root", "rooti", "rootk"]


def identities(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "SELECT relname::text, relreplident::text FROM pg_class WHERE relkind IN ('r', 'p')"
                " AND relnamespace = 'public'::regnamespace"
            ).fetchall()
        )


def established(url: str, schema: str, *, name: str = NAME) -> tuple[PostgresOrigin, Plan]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema.encode())
    origin = PostgresOrigin(url)
    with origin.moment() as (_, snapshot):
        plan = prepare(snapshot, Choices())
    origin.establish(name, plan)
    return origin, plan


def test_identities_of_every_kind(any_database: str, tmp_path: Path) -> None:
    live = copied(any_database, tmp_path / "app.db", IDENTITIES)
    after = identities(any_database)
    live.origin.establish(NAME, live.plan)  # made already is fine
    assert identities(any_database) == after
    for table in TABLES:
        column = "id" if table in ("keyed", "deferred", "none_keyed", "root") else "a"
        rows = "t) VALUES ('x'" if table == "keyless" else f"{column}, t) VALUES (1, 'x'"
        more = ", b" if table == "rooti" else ""
        for number in (1, 11, 21) if table == "root" else (1, 11) if table.startswith("root") else (1,):
            values = rows.replace("(1,", f"({number},").replace(", t)", f", t{more})")
            live.execute(f"INSERT INTO {table} ({values}{', 7' if more else ''})")
        live.execute(f"UPDATE {table} SET t = 'y'", f"UPDATE {table} SET t = NULL")
        assert live.catch_up().equal, table
    live.execute(*[f"DELETE FROM {table}" for table in TABLES])
    assert live.catch_up().equal
    live.origin.remove(NAME)
    before = {name: CHANGED.get(name) != identity for name, identity in identities(any_database).items()}
    assert [name for name in after if after[name] != identities(any_database)[name]] == [
        name for name in after if name in CHANGED
    ]
    assert all(before[name] for name in CHANGED)
    assert {name: after[name] for name in CHANGED} == CHANGED


def test_a_second_move_from_one_database_is_refused(database: str) -> None:
    origin, plan = established(database, "CREATE TABLE keyless (t text)", name="liteshift_one")
    with pytest.raises(Locked, match="liteshift_one"):
        origin.establish("liteshift_two", plan)
    assert origin.remove("liteshift_two") == []
    assert identities(database) == {"keyless": "f"}
    assert origin.remove("liteshift_one")[-2:] == ["the replica identity of public.keyless", "the schema liteshift"]
    assert identities(database) == {"keyless": "d"}


def test_what_somebody_changed_meanwhile_is_left_alone(database: str) -> None:
    origin, _ = established(database, "CREATE TABLE keyless (t text)")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE keyless REPLICA IDENTITY NOTHING")
    origin.remove(NAME)
    assert identities(database) == {"keyless": "n"}


REFUSED: Mapping[str, tuple[str, str]] = {
    "unlogged": ("CREATE UNLOGGED TABLE t (id int PRIMARY KEY)", "is not logged"),
    "schema": ("CREATE SCHEMA liteshift; CREATE TABLE t (id int PRIMARY KEY)", "a schema named liteshift"),
    "publication": (
        f"CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION {NAME} FOR TABLE t",
        "that liteshift has not made",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused(database: str, case: str) -> None:
    schema, message = REFUSED[case]
    with pytest.raises(NotFit, match=message) as caught:
        established(database, schema)
    assert caught.value.hint


def test_the_statements_that_bring_the_rights(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
        connection.execute("DROP ROLE IF EXISTS mover")
        connection.execute("CREATE ROLE mover LOGIN PASSWORD 'mover'")
        connection.execute("GRANT USAGE ON SCHEMA public TO mover; GRANT SELECT ON t TO mover")
        owner = connection.info.user
        own = psycopg.conninfo.make_conninfo(database, user="mover", password="mover")
        try:
            with pytest.raises(NoConnection) as caught, PostgresOrigin(own).moment():
                pass
            assert "ALTER ROLE" in str(caught.value.hint)
            connection.execute("ALTER ROLE mover REPLICATION")
            with PostgresOrigin(own).moment() as (_, snapshot):
                plan = prepare(snapshot, Choices())
            with pytest.raises(NoConnection, match="no permission to publish") as caught:
                PostgresOrigin(own).establish(NAME, plan)
            hint = str(caught.value.hint)
            assert f"GRANT {owner} TO mover;" in hint
            connection.execute(hint[hint.index("GRANT") :].encode())
            connection.execute(f"REVOKE {owner} FROM mover; ALTER TABLE t OWNER TO mover".encode())
            origin = PostgresOrigin(own)
            origin.establish(NAME, plan)
            with origin.slot(NAME) as snapshot:
                assert snapshot.position
            assert len(origin.remove(NAME)) == 3
        finally:
            connection.execute("DROP OWNED BY mover; DROP ROLE mover")


def test_a_table_that_somebody_holds(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liteshift.postgres.publication._PATIENCE", 0.5)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE keyless (t text)")
    origin = PostgresOrigin(database)
    with origin.moment() as (_, snapshot):
        plan = prepare(snapshot, Choices())
    with psycopg.connect(database) as connection:
        connection.execute("SELECT * FROM keyless")
        with pytest.raises(Locked, match="keyless"):
            origin.establish(NAME, plan)
    origin.establish(NAME, plan)
    assert identities(database) == {"keyless": "f"}


def test_generated_columns(any_database: str, tmp_path: Path) -> None:
    live = copied(
        any_database,
        tmp_path / "app.db",
        """
        CREATE TABLE keyed (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
        CREATE TABLE keyless (a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
        """,
    )
    live.execute(
        "INSERT INTO keyed VALUES (1, 1), (2, 2)",
        "INSERT INTO keyless VALUES (1), (1), (2)",
        "UPDATE keyed SET a = 5 WHERE id = 1",
        "UPDATE keyless SET a = 7 WHERE a = 1",
        "DELETE FROM keyless WHERE a = 2",
    )
    assert live.catch_up().equal


def test_a_generated_column_that_only_postgresql_computes(any_database: str, tmp_path: Path) -> None:
    schema = "CREATE TABLE t (id int PRIMARY KEY, a text, b text GENERATED ALWAYS AS (md5(a)) STORED)"
    with psycopg.connect(any_database) as connection:
        publishes = connection.info.server_version >= 180000
    if not publishes:
        with pytest.raises(NotFit, match=r"public\.t\.b is generated") as caught:
            established(any_database, schema)
        assert caught.value.hint
        return
    live = copied(any_database, tmp_path / "app.db", schema)
    live.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')", "UPDATE t SET a = 'z' WHERE id = 1")
    assert live.catch_up().equal


def test_what_comes_and_goes_past_the_log_shows_in_the_storage(database: str) -> None:
    origin, plan = established(database, IDENTITIES)
    before = origin.shapes(NAME, plan)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO root VALUES (1, 'x'), (11, 'y')")
        connection.execute("ANALYZE")
    assert origin.shapes(NAME, plan) == before
    for statement in ("TRUNCATE root_a", "DROP TABLE rooti_a", "ALTER TABLE rootk DETACH PARTITION rootk_a"):
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(statement.encode())
        after = origin.shapes(NAME, plan)
        changed = [str(name) for name in after if after[name].storage != before[name].storage]
        assert changed == ["public." + statement.replace("TABLE ", "").split()[1].split("_")[0]], statement
        before = after
