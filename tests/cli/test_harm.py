"""A schema whose functions would do harm: none of them is ever called, as the server itself counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

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
CALLS = "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions"


def run(database: str, folder: Path, road: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LITESHIFT_SOURCE": database, "LITESHIFT_NATIVE": road}
    command = [sys.executable, "-m", "liteshift", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def calls(database: str) -> int:
    """How many calls of functions the server has counted; a session's are there once it has ended."""
    with psycopg.connect(database, autocommit=True) as connection:
        (found,) = connection.execute(CALLS.encode()).fetchall()[0]
    return int(found)


@pytest.mark.parametrize("road", ["1", "0"], ids=["native", "python"])
def test_no_function_of_the_source_is_called(database: str, tmp_path: Path, road: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchall()[0]
        connection.execute(SCHEMA.encode())
        connection.execute(f"ALTER DATABASE {name} SET track_functions = 'all'".encode())
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT * FROM calls_through_a_view, calls_an_operator")
    before = calls(database)
    assert before > 0, "the server counts calls"
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
