"""A schema whose functions would do harm: none of them is ever called, as the server itself counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.interrupt.walk import Mover

from liteshift.phases import Phase
from liteshift.sqlite.connect import connect

# Wherever a schema may name a function, there stands one that would do harm, also under the name of a harmless one.
# They return quietly: the server counts the calls that end well, of functions that it can't inline.
SCHEMA = r"""
CREATE TABLE victim (id int PRIMARY KEY);
CREATE FUNCTION harm() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'harm'; END $$;
CREATE FUNCTION "har""m'; DROP TABLE victim; --"() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN harm(); END $$;
CREATE FUNCTION sly(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
CREATE FUNCTION sly_too(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
CREATE FUNCTION upper(integer) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 'harm'; END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.updated_at = now(); PERFORM harm(); RETURN NEW; END $$;
CREATE AGGREGATE total(text) (SFUNC = textcat, STYPE = text, FINALFUNC = sly);
CREATE OPERATOR === (RIGHTARG = text, FUNCTION = sly_too);
CREATE DOMAIN checked AS text DEFAULT harm() CHECK (sly_too(VALUE));
CREATE TABLE a (
  id int PRIMARY KEY, d text DEFAULT harm(), q text DEFAULT "har""m'; DROP TABLE victim; --"(), u text DEFAULT upper(7),
  c checked, g text GENERATED ALWAYS AS (sly(c)) STORED, updated_at timestamptz DEFAULT '2024-01-01 00:00:00+00',
  CONSTRAINT k CHECK (sly_too(g))
);
CREATE INDEX i ON a (sly(c)) WHERE sly_too(g);
CREATE TRIGGER touch BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY p ON a USING (sly_too(q));
INSERT INTO a VALUES (1, 'x', 'y', 'z', 'spared'), (2, 'x', 'y', 'z', 'spared');
INSERT INTO victim VALUES (1), (2);
CREATE VIEW calls AS SELECT harm() AS h;
CREATE VIEW calls_quoted AS SELECT id, "har""m'; DROP TABLE victim; --"() AS h FROM a;
CREATE VIEW calls_shadowed AS SELECT upper(id) AS h FROM a;
CREATE VIEW calls_in_where AS SELECT id FROM a WHERE sly_too(q);
CREATE VIEW calls_through_a_view AS SELECT * FROM calls_quoted;
CREATE VIEW calls_an_operator AS SELECT id FROM a WHERE === q;
CREATE VIEW calls_an_aggregate AS SELECT total(q) AS t FROM a;
CREATE VIEW harmless AS SELECT id FROM victim;
CREATE RULE r AS ON UPDATE TO victim DO ALSO SELECT harm();
"""
LIVE = SCHEMA.replace("g text GENERATED ALWAYS AS (sly(c)) STORED,", "").replace(
    "CHECK (sly_too(g))", "CHECK (sly_too(c))"
)
LIVE = LIVE.replace(
    "WHERE sly_too(g)", "WHERE sly_too(c)"
)  # a column that only PostgreSQL computes comes not before 18
CALLS = "SELECT funcname::text, calls FROM pg_stat_user_functions WHERE schemaname NOT IN ('liteshift', 'pg_catalog')"
OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
"""


def run(database: str, folder: Path, road: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LITESHIFT_SOURCE": database, "LITESHIFT_NATIVE": road}
    command = [sys.executable, "-m", "liteshift", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def calls(database: str) -> dict[str, int]:
    """How often the server has counted a call of each function; a session's are there once it has ended."""
    with psycopg.connect(database, autocommit=True) as connection:
        while connection.execute(OTHERS.encode()).fetchone() != (0,):
            time.sleep(0.01)
        return dict(connection.execute(CALLS.encode()).fetchall())


def prepared(database: str, schema: str) -> dict[str, int]:
    """The schema, and a server that counts calls; the calls until then."""
    with psycopg.connect(database, autocommit=True) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchall()[0]
        connection.execute(schema.encode())
        connection.execute(f"ALTER DATABASE {name} SET track_functions = 'all'".encode())
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT * FROM calls_through_a_view, calls_an_operator")
    before = calls(database)
    assert before, "the server counts calls"
    return before


@pytest.mark.parametrize("road", ["1", "0"], ids=["native", "python"])
def test_no_function_of_the_source_is_called(database: str, tmp_path: Path, road: str) -> None:
    before = prepared(database, SCHEMA)
    for ended, command in (
        (0, ("assess", "--deep")),
        (0, ("plan",)),
        (0, ("migrate", "--accept-losses", "--json", "a.db")),
        (0, ("verify", "a.db")),
    ):
        done = run(database, tmp_path, road, *command)
        assert done.returncode == ended, done.stderr
        if command[0] == "migrate":
            report = json.loads(done.stdout.splitlines()[-1])
    with closing(connect(tmp_path / "a.db", foreign_keys=False)) as file:
        file.execute("PRAGMA ignore_check_constraints=ON").close()
        file.execute("UPDATE a SET d = 'spoilt' WHERE id = 1").close()
        views = {str(view) for (view,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    assert run(database, tmp_path, road, "verify", "--repair", "--yes", "a.db").returncode in (0, 14)
    assert run(database, tmp_path, road, "verify", "a.db").returncode == 0
    assert views == {"harmless"}
    assert calls(database) == before
    named = {finding["subject"] for finding in report["plan"]["findings"] if finding["severity"] == "loss"}
    assert {f"public.{view}" for view in ("calls", "calls_quoted", "calls_shadowed", "calls_through_a_view")} <= named
    assert {f"public.a.{column}" for column in ("d", "q", "u", "g")} | {"public.a.k", "public.a.i"} <= named


WRITES = (
    "INSERT INTO a (id, d, q, u, c, updated_at) VALUES ({id}, 'd', 'q', 'u', 'spared', '2024-01-01 00:00:00.000000')",
    "UPDATE a SET d = 'changed by {id}' WHERE id = 1",
    "DELETE FROM a WHERE id = {id} - 1",
    "UPDATE victim SET id = {id} WHERE id = 2 OR id = {id} - 1",
)


@pytest.mark.parametrize(("road", "end"), [("1", "finalize"), ("0", "abort")], ids=["native", "python"])
def test_nor_in_a_live_move_but_by_rules_that_stay_in_force(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, road: str, end: str
) -> None:
    before = prepared(database, LIVE)
    monkeypatch.setenv("LITESHIFT_NATIVE", road)

    def uncalled(*words: str) -> None:
        """Run a command, in a session of its own, which calls nothing."""
        done = run(database, tmp_path, road, *words, "app.db")
        assert done.returncode == 0, done.stderr
        assert calls(database) == before, words

    def write_on_postgresql(number: int) -> dict[str, int]:
        with psycopg.connect(database, autocommit=True) as connection:
            for statement in WRITES:
                connection.execute(statement.format(id=number).encode())
        return calls(database)

    mover = Mover(database, tmp_path, gate=False)
    mover.start()
    try:
        mover.until(Phase.FOLLOWING)
        while not (mover.workdir.path / "status.json").exists():
            time.sleep(0.05)
        assert mover.interrupted() == 16
    finally:
        mover.close()
    assert calls(database) == before
    before = write_on_postgresql(3)
    uncalled("verify")
    uncalled("cutover", "--yes", "--skip-backup")
    with closing(connect(mover.file)) as file:
        for statement in WRITES:
            file.execute(statement.format(id=4)).close()

    # PostgreSQL judges each row that comes back by its own rules, as if the application had written it there: the
    # CHECK, the domain's, and the index's expressions. No default, no trigger and no rule is at work.
    done = run(database, tmp_path, road, "rollback", "--yes", "app.db")
    assert done.returncode == 0, done.stderr
    after = calls(database)
    assert {name for name in after if after[name] != before.get(name)} == {"sly", "sly_too"}
    before = after

    before = write_on_postgresql(5)
    if end == "finalize":
        uncalled("cutover", "--yes", "--skip-backup")
    uncalled(end, "--yes")
