"""The way back into what PostgreSQL has beside rows: identities, triggers, rules, partitions, all kinds of keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from psycopg.conninfo import make_conninfo
from tests.stages.moved import Moved, move

from liteshift.app.engines import make_tool_engine
from liteshift.errors import Locked, NotFit
from liteshift.postgres.connect import connect
from liteshift.postgres.fence import PostgresFence
from liteshift.sqlite.library import dbapi
from liteshift.writes import Refused


class Server(Protocol):
    """What the fixtures give."""

    admin_url: str

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


_numbers = count(1)


@pytest.fixture
def owned(any_server: Server) -> Iterator[str]:
    """A database of a role that is no superuser, on each kind of server; the role's conninfo."""
    name = f"liteshift_owned_{os.getpid()}_{next(_numbers)}"
    conninfo = any_server.create_database(name)
    with psycopg.connect(any_server.admin_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {name}".encode())
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"ALTER SCHEMA public OWNER TO {name}".encode())
    yield make_conninfo(conninfo, user=name, password="secret")
    any_server.drop_database(name)
    with psycopg.connect(any_server.admin_url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE {name}".encode())


SHOP = """
CREATE TABLE audit (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN coalesce(NEW, OLD); END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TABLE customer (
  id bigint GENERATED ALWAYS AS IDENTITY (START 10) PRIMARY KEY, email text NOT NULL UNIQUE,
  folded text GENERATED ALWAYS AS (lower(email)) STORED, odd text GENERATED ALWAYS AS (md5(email)) STORED,
  boss bigint REFERENCES customer, updated_at timestamptz
);
CREATE TABLE sale (
  id serial PRIMARY KEY, customer bigint NOT NULL REFERENCES customer ON DELETE CASCADE ON UPDATE CASCADE,
  note text, ticket serial UNIQUE
);
CREATE TABLE line (
  sale int REFERENCES sale ON DELETE SET NULL DEFERRABLE, n int, price numeric(10, 2), PRIMARY KEY (n)
);
CREATE TABLE visit (day date NOT NULL, n int NOT NULL, who text, PRIMARY KEY (day, n)) PARTITION BY RANGE (day);
CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2024-01-01') TO ('2030-01-01');
CREATE TABLE hit (at date, path text) PARTITION BY LIST (path);
CREATE TABLE hit_a PARTITION OF hit FOR VALUES IN ('a');
CREATE TABLE hit_other PARTITION OF hit DEFAULT;
CREATE TABLE ruled (id int PRIMARY KEY, v text);
CREATE RULE quiet AS ON DELETE TO ruled DO INSTEAD NOTHING;
CREATE TRIGGER touch BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON customer FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER INSERT ON sale FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE sale ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER whole AFTER DELETE ON visit FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER each AFTER INSERT ON visit FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER leaf AFTER UPDATE ON visit_new FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO customer (email, boss) VALUES ('A@x', NULL), ('b@x', 10), ('c@x', 11);
INSERT INTO sale (customer) VALUES (10), (10), (11);
INSERT INTO line VALUES (1, 1, 1.50), (1, 2, 2.00), (2, 3, 3);
INSERT INTO visit VALUES ('2023-05-05', 1, 'a'), ('2024-05-05', 2, 'b');
INSERT INTO hit VALUES ('2024-01-01', 'a'), ('2024-01-01', 'a'), (NULL, 'b');
INSERT INTO ruled VALUES (1, 'a'), (2, 'b');
TRUNCATE audit;
"""
WRITES = (
    "INSERT INTO customer (email, boss) VALUES ('D@x', 12)",
    "UPDATE customer SET email = 'Z@x' WHERE id = 12",
    "UPDATE customer SET id = 500 WHERE id = 10",  # its child and its report follow
    "INSERT INTO sale (customer, ticket) VALUES (500, 77)",
    "DELETE FROM sale WHERE id = 1",
    "DELETE FROM customer WHERE id = 13",
    "INSERT OR REPLACE INTO customer (id, email) VALUES (12, 'c@y')",
    "UPDATE visit SET day = '2025-01-01' WHERE n = 1",  # into another partition
    "INSERT INTO visit VALUES ('2026-01-01', 3, 'c')",
    "UPDATE visit SET who = 'd' WHERE n = 3",
    "DELETE FROM visit WHERE n = 2",
    "DELETE FROM hit WHERE rowid = 1",
    "UPDATE hit SET path = 'a' WHERE path = 'b'",
    "DELETE FROM ruled WHERE id = 1",
)


def test_all_kinds_of_tables_by_their_owner(owned: str, tmp_path: Path) -> None:
    moved = move(owned, tmp_path / "file.db", SHOP)
    state = "SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid, tgname"
    triggers = moved.query(state)
    moved.write("UPDATE customer SET boss = NULL WHERE boss = 10", *WRITES)
    moved.back()
    verdict = moved.compare()
    assert verdict.equal, [table for table in verdict.tables if table.differences]
    assert moved.query("SELECT count(*) FROM audit") == [(0,)], "its triggers ran again"
    assert moved.query(state) == triggers, "its triggers are as they were"
    assert moved.query("SELECT ev_enabled::text FROM pg_rewrite WHERE rulename = 'quiet'") == [("O",)]
    assert moved.query("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND condeferrable") == [(1,)]
    assert moved.query("SELECT nextval('sale_ticket_seq') > 77, nextval('customer_id_seq')") == [(True, 14)]
    moved.write("UPDATE customer SET email = 'e@x' WHERE id = 11", "DELETE FROM customer WHERE id = 500")
    moved.back()
    assert moved.compare().equal


def test_through_the_fence(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", SHOP)
    tables = [table.source for table in moved.plan.tables]
    with closing(connect(database, writes=True)) as connection:
        connection.execute("CREATE SCHEMA liteshift")
        connection.execute("CREATE TABLE liteshift.fence (token text)")
        fence = PostgresFence(connection, "test", tables, "file.db", "here")
        fence.prepare(seconds=10)
        fence.up("token", seconds=10)
        fence.keep()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), psycopg.connect(database) as other:
            other.execute("DELETE FROM line")
        moved.write(*WRITES[:2], *WRITES[7:])
        assert moved.back().changes == 10
        assert moved.compare().equal
        assert fence.is_up()


TREE = """
CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree, name text);
CREATE TABLE leaf (id int PRIMARY KEY, tree int NOT NULL REFERENCES tree ON DELETE CASCADE);
CREATE TABLE outside (id int PRIMARY KEY, tree int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree VALUES (1, NULL, 'a'), (2, 1, 'b'), (3, 2, 'c'), (9, 9, 'self');
INSERT INTO leaf VALUES (1, 3), (2, 9);
"""


def foreign(moved: Moved, *statements: str) -> None:
    """Write as a program that knows nothing of us: without foreign keys, without recursive triggers."""
    with closing(dbapi.connect(moved.path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).close()


def test_children_before_their_parents(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", TREE)
    moved.write(
        "INSERT INTO tree VALUES (5, 6, 'child first'), (6, NULL, 'then its parent')",
        "DELETE FROM leaf",
        "DELETE FROM tree WHERE id < 4",  # in the order of the table
        "DELETE FROM tree WHERE id = 9",
    )
    assert moved.back().changes == 8
    assert moved.compare().equal
    assert moved.query("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND condeferrable") == [(0,)]


def test_a_writer_without_foreign_keys(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", TREE)
    foreign(moved, "REPLACE INTO tree VALUES (3, 2, 'replaced')", "REPLACE INTO tree (id) VALUES (9)")
    moved.back()
    assert moved.compare().equal, "its children stayed on both sides"
    foreign(moved, "DELETE FROM tree WHERE id = 3")
    with pytest.raises(Refused, match=r"public\.tree \(id = '3'\).*rows of public\.leaf, public\.outside"):
        moved.back()
    foreign(moved, "DELETE FROM leaf WHERE tree = 3")
    moved.back()
    assert moved.compare().equal
    foreign(moved, "INSERT INTO leaf VALUES (7, 777)")
    with pytest.raises(Refused, match=r'violates foreign key constraint "leaf_tree_fkey" \(Key \(tree\)=\(777\)'):
        moved.back()
    foreign(moved, "INSERT INTO tree (id) VALUES (777)")
    moved.back()
    assert moved.compare().equal


def test_a_table_that_did_not_move(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", TREE, exclude=("public.outside",))
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO outside VALUES (1, 3)")
    moved.write("DELETE FROM leaf", "DELETE FROM tree WHERE id = 3")
    with pytest.raises(Refused, match=r"would change rows of public\.leaf, public\.outside with it"):
        moved.back()
    assert moved.query("SELECT count(*) FROM outside") == [(1,)]


def test_two_at_once(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", TREE)
    moved.write("UPDATE tree SET name = 'x'")
    with moved.reverser() as (one, _), moved.reverser() as (other, _):
        assert one.step().changes == 4
        moved.write("UPDATE tree SET name = 'y'")
        assert other.step().changes == 4
        assert one.step().changes == 0
    with moved.reverser() as (one, _), psycopg.connect(database) as connection:
        connection.execute("SELECT FROM liteshift.position FOR UPDATE")
        moved.write("UPDATE tree SET name = 'z'")
        with pytest.raises(Locked):
            one.step()
        connection.rollback()
        assert one.step().changes == 4
    assert moved.compare().equal


def test_updated_at(database: str, tmp_path: Path) -> None:
    schema = (
        "CREATE TABLE t (id int PRIMARY KEY, v text, updated_at timestamptz);"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;"
        "CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();"
        "INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', NULL);"
    )
    moved = move(database, tmp_path / "file.db", schema)
    moved.write("UPDATE t SET v = 'c'")
    assert moved.back().changes == 4
    assert moved.compare().equal
    assert moved.query("SELECT count(updated_at) FROM t") == [(2,)]


def test_sequences_never_go_back(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", "CREATE TABLE t (id smallserial PRIMARY KEY, v text)")
    moved.write("INSERT INTO t (v) VALUES ('a'), ('b')", "DELETE FROM t")
    with psycopg.connect(database) as connection:
        connection.execute("SELECT setval('t_id_seq', 100)")
    moved.back()
    assert moved.query("SELECT nextval('t_id_seq')") == [(101,)]
    moved.write("INSERT INTO t (id, v) VALUES (200, 'c')", "DELETE FROM t")
    moved.back()
    assert moved.query("SELECT nextval('t_id_seq')") == [(201,)]


def test_a_table_that_alembic_builds_anew(database: str, tmp_path: Path) -> None:
    moved = move(database, tmp_path / "file.db", TREE)
    engine = make_tool_engine(f"sqlite:///{moved.path}", foreign_keys=False)
    with engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("leaf") as batch:
            batch.alter_column("tree", nullable=True)
    engine.dispose()
    moved.write("INSERT INTO leaf VALUES (9, NULL)")
    with pytest.raises(NotFit, match="leaf was built anew, or its triggers were dropped: changes to it may be missing"):
        moved.back()
