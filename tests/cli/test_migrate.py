"""`liteshift plan`, `migrate` and `verify` as they are typed: what they print, how they end, what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from liteshift.postgres.embedded import EmbeddedServer
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi

CANARY = "c4nary-pa55word"


def run(*arguments: str, source: str | None, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "liteshift", *arguments],
        cwd=folder, env=_environment(source, environment), capture_output=True, text=True, check=False,
    )  # fmt: skip


def _environment(source: str | None, more: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LITESHIFT_SOURCE"))}
    return kept | ({"LITESHIFT_SOURCE": source} if source else {}) | more


def fill(database: str, *statements: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def shop(database: str) -> str:
    fill(database, (Path(__file__).parents[1] / "docs" / "shop.sql").read_text())
    return database


@pytest.fixture
def large(database: str) -> str:
    fill(database, "CREATE TABLE t AS SELECT g AS id, repeat('x', 100) AS a FROM generate_series(1, 400000) g")
    return database


def test_a_move_prints_what_it_did(shop: str, tmp_path: Path) -> None:
    done = run("migrate", "--accept-losses", "shop.db", source=shop, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6,000 rows in 2 tables" in done.stdout
    assert "public.revenue" in done.stdout
    assert done.stderr == ""
    assert left(tmp_path) == ["shop.db"]
    assert (tmp_path / "shop.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("jobs", ["2", "4"])
def test_a_move_over_several_connections(shop: str, tmp_path: Path, jobs: str) -> None:
    fill(
        shop,
        "CREATE TABLE big (id int PRIMARY KEY, t text)",
        "ALTER TABLE big ALTER t SET STORAGE PLAIN",
        "INSERT INTO big SELECT g, repeat('x', 3500) || g FROM generate_series(1, 20000) g",
    )
    done = run("migrate", "--accept-losses", "--jobs", jobs, "app.db", source=shop, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("verify", "app.db", source=shop, folder=tmp_path).returncode == 0
    with closing(connect(tmp_path / "app.db", read_only=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*), sum(id), min(length(t)) FROM big").fetchone() == (
            20_000, 200_010_000, 3501,
        )  # fmt: skip


def test_losses_end_in_3_with_the_file_in_place(shop: str, tmp_path: Path) -> None:
    done = run("migrate", "shop.db", source=shop, folder=tmp_path)
    assert done.returncode == 3
    assert "--accept-losses" in done.stderr
    assert left(tmp_path) == ["shop.db"]
    assert run("verify", "shop.db", source=shop, folder=tmp_path).returncode == 0


def test_json_lines(shop: str, tmp_path: Path) -> None:
    done = run("migrate", "--json", "--accept-losses", "shop.db", source=shop, folder=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["type"] == "plan" and lines[-1]["type"] == "report"
    assert {line["type"] for line in lines} == {"plan", "progress", "report"}
    assert {table["source"]: table["rows"] for table in lines[-1]["copied"]} == {
        "public.customers": 1000,
        "public.orders": 5000,
    }
    assert lines[-1]["shares"].keys() == lines[-1]["seconds"].keys() >= {"plan", "copy", "index", "check", "verify"}
    assert sum(lines[-1]["shares"].values()) == pytest.approx(1)
    plan = json.loads(run("plan", "--json", source=shop, folder=tmp_path).stdout)
    assert [table["target"] for table in plan["tables"]] == ["customers", "orders"]
    assert plan["tables"][1]["columns"][3] == {
        "source": "total", "target": "total", "source_type": "numeric(10,2)", "declared": "NUMERIC(10, 2)",
        "form": "numeric(2)", "rules": ["NOT NULL"], "generated": "",
    }  # fmt: skip
    verdict = json.loads(run("verify", "--json", "shop.db", source=shop, folder=tmp_path).stdout.splitlines()[-1])
    assert verdict["equal"] is True


def test_an_error_in_json(tmp_path: Path) -> None:
    done = run("migrate", "--json", "app.db", source=None, folder=tmp_path)
    assert json.loads(done.stderr) == {
        "type": "error", "code": 2, "message": "no source is given",
        "hint": "Name a PostgreSQL URL, or put it in the environment as LITESHIFT_SOURCE.",
    }  # fmt: skip


def test_choices_from_the_environment_and_the_file(shop: str, tmp_path: Path) -> None:
    (tmp_path / "liteshift.toml").write_text(
        'profile = "plain"\n[migrate]\naccept-losses = true\nexclude = ["*.orders"]\n'
    )
    assert run("migrate", "a.db", source=shop, folder=tmp_path).returncode == 0
    with closing(connect(tmp_path / "a.db")) as connection:
        tables = connection.execute(
            "SELECT name, sql LIKE '%STRICT' FROM sqlite_schema WHERE type = 'table'"
        ).fetchall()
    assert [row for row in tables if not row[0].startswith("sqlite_")] == [("customers", 1)]
    done = run("migrate", "--overwrite", "a.db", source=shop, folder=tmp_path, LITESHIFT_PROFILE="django")
    assert done.returncode == 0
    with closing(connect(tmp_path / "a.db")) as connection:
        (declared,) = connection.execute(
            "SELECT type FROM pragma_table_info('customers') WHERE name = 'active'"
        ).fetchone()
    assert declared == "bool"


def test_a_toml_that_is_none(shop: str, tmp_path: Path) -> None:
    (tmp_path / "liteshift.toml").write_text("profile = ")
    done = run("plan", source=shop, folder=tmp_path)
    assert done.returncode == 2 and "liteshift.toml" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["migrate", "app.db"], 2, "no source is given"),
        (["migrate", f"postgresql://u:{CANARY}@localhost/x", "app.db"], 2, "holds a password"),
        (["migrate", "postgresql://[", "app.db"], 2, "can't be read"),
        (["migrate", "app.db", "postgresql://localhost/x"], 2, "the source comes first"),
        (["migrate", "a", "b", "c"], 2, "more than a source and a target"),
        (["migrate", "postgresql://localhost/x"], 2, "no target is given"),
        (["migrate", "postgresql://u@127.0.0.1:1/x", "app.db"], 12, "Connection refused"),
        (["migrate", "--profile", "rails", "dbname=x", "app.db"], 2, "rails"),
    ],
)
def test_calls_that_are_wrong(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    done = run(*arguments, source=None, folder=tmp_path)
    assert done.returncode == code
    assert message.lower() in done.stderr.lower()
    assert CANARY not in done.stdout + done.stderr
    assert left(tmp_path) == []


def test_no_password_is_told(database: str, tmp_path: Path) -> None:
    info = psycopg.conninfo.conninfo_to_dict(database)
    wrong = psycopg.conninfo.make_conninfo(database, password=CANARY)
    missing = psycopg.conninfo.make_conninfo(database, dbname="nobody_made_this")
    done = run("migrate", "app.db", source=wrong, folder=tmp_path)
    assert done.returncode == 12 and "password authentication failed" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    done = run("migrate", "app.db", source=missing, folder=tmp_path)
    assert done.returncode == 12 and "does not exist" in done.stderr
    assert str(info["password"]) not in done.stdout + done.stderr
    fill(database, "CREATE TABLE t (a int)")
    for arguments in (["plan", "--json"], ["migrate", "--json", "app.db"], ["verify", "--json", "app.db"]):
        done = run(*arguments, source=database, folder=tmp_path)
        assert done.returncode == 0
        assert str(info["password"]) not in done.stdout + done.stderr
    assert str(info["password"]).encode() not in (tmp_path / "app.db").read_bytes()


def test_a_role_without_rights_is_told_which(shop: str, tmp_path: Path) -> None:
    fill(shop, "DROP ROLE IF EXISTS reader", f"CREATE ROLE reader LOGIN PASSWORD '{CANARY}'")
    try:
        source = psycopg.conninfo.make_conninfo(shop, user="reader", password=CANARY)
        done = run("migrate", "app.db", source=source, folder=tmp_path)
        assert done.returncode == 12
        assert "permission denied for table" in done.stderr and "GRANT SELECT" in done.stderr.upper()
        fill(shop, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        assert run("migrate", "--accept-losses", "app.db", source=source, folder=tmp_path).returncode == 0
        fill(shop, "ALTER TABLE customers ENABLE ROW LEVEL SECURITY")
        done = run("migrate", "--overwrite", "app.db", source=source, folder=tmp_path)
        assert done.returncode not in (0, 3), "rows that a policy hides must not be missing in silence"
        assert "row-level security" in done.stderr
    finally:
        fill(shop, "DROP OWNED BY reader", "DROP ROLE reader")


def test_targets_that_are_unfit(shop: str, tmp_path: Path) -> None:
    for name in ("there.db", "log.db-wal"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
    before = left(tmp_path)
    for target, message in (
        ("there.db", "--overwrite"),
        ("log.db", "--overwrite"),
        ("link.db", "not an ordinary file"),
        (".", "names no file"),
        ("..", "not an ordinary file"),
        ("missing/app.db", "mkdir -p"),
        ("/proc/app.db", "can't be written"),
    ):
        done = run("migrate", target, source=shop, folder=tmp_path)
        assert done.returncode in (1, 2, 12), target
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert left(tmp_path) == before
    assert (tmp_path / "there.db").read_text() == "mine"
    assert run("migrate", "--overwrite", "--accept-losses", "there.db", source=shop, folder=tmp_path).returncode == 0
    assert run("verify", "there.db", source=shop, folder=tmp_path).returncode == 0


def test_a_target_in_use_is_not_replaced(shop: str, tmp_path: Path) -> None:
    assert run("migrate", "--accept-losses", "app.db", source=shop, folder=tmp_path).returncode == 0
    with closing(connect(tmp_path / "app.db")) as connection:
        connection.execute("UPDATE customers SET name = 'kept' WHERE id = 1")
        done = run("migrate", "--overwrite", "--accept-losses", "app.db", source=shop, folder=tmp_path)
        assert done.returncode == 1 and "in use" in done.stderr
        assert connection.execute("SELECT name FROM customers WHERE id = 1").fetchone() == ("kept",)


def test_a_full_disk(large: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        done = run("migrate", "app.db", source=large, folder=disk)
        assert done.returncode == 15 and "full" in done.stderr
        assert left(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def begun(large: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A move that has begun to copy."""
    with subprocess.Popen(
        [sys.executable, "-m", "liteshift", "migrate", "app.db"],
        cwd=tmp_path, env=_environment(large, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            if any(path.stat().st_size > 100_000 for path in tmp_path.glob(".app.db.staging/file.db")):
                break
            time.sleep(0.01)
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_but_what_another_move_goes_on_with(
    begun: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    begun.send_signal(number)
    _, error = begun.communicate(timeout=60)
    assert "interrupted" in error and "Traceback" not in error
    assert (begun.returncode, left(tmp_path)) in ((130, []), (16, [".app.db.staging"]))
    assert begun.returncode == 130 or "rows are kept" in error


def test_a_killed_move_is_cleaned_up_by_the_next(begun: subprocess.Popen[str], large: str, tmp_path: Path) -> None:
    begun.kill()
    begun.communicate(timeout=30)
    assert [name for name in left(tmp_path) if not name.startswith(".")] == []
    assert run("migrate", "app.db", source=large, folder=tmp_path).returncode == 0
    assert left(tmp_path) == ["app.db"]


def test_a_server_that_stops_half_way(tmp_path: Path) -> None:
    with EmbeddedServer.temporary() as server:
        url, password = server.create_database("stopping"), server.password
        fill(url, "CREATE TABLE t AS SELECT g AS id, repeat('x', 100) AS a FROM generate_series(1, 400000) g")
        with subprocess.Popen(
            [sys.executable, "-m", "liteshift", "migrate", "app.db"],
            cwd=tmp_path, env=_environment(url, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            while process.poll() is None and not any(
                path.stat().st_size > 100_000 for path in tmp_path.glob(".app.db.staging/file.db")
            ):
                time.sleep(0.01)
            server.stop()
            _, error = process.communicate(timeout=60)
    assert "Traceback" not in error and password not in error
    assert (process.returncode, left(tmp_path)) in ((12, []), (16, [".app.db.staging"])), error


def test_two_moves_onto_one_target(large: str, tmp_path: Path) -> None:
    moves = [
        subprocess.Popen(
            [sys.executable, "-m", "liteshift", "migrate", "app.db"],
            cwd=tmp_path, env=_environment(large, {}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]  # fmt: skip
    codes = sorted(move.wait(timeout=120) for move in moves)
    assert codes in ([0, 1], [0, 11]), "the later one finds the other at work, or what it has made"
    assert left(tmp_path) == ["app.db"]
    assert run("verify", "app.db", source=large, folder=tmp_path).returncode == 0


def test_values_that_cannot_be_carried(database: str, tmp_path: Path) -> None:
    fill(
        database,
        "CREATE TABLE t (id int PRIMARY KEY, secret text, f float8, at timestamptz, d date)",
        "INSERT INTO t VALUES (1, 's3cret', 'NaN', NULL, NULL), (2, 's3cret', 1, 'infinity', NULL),"
        " (3, 's3cret', 1, NULL, '0044-03-15 BC'), (4, 'fine', 1, now(), '2024-01-01')",
        "CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t)",
        "INSERT INTO child VALUES (1, 1), (2, 4)",
    )
    done = run("migrate", "--accept-losses", "app.db", source=database, folder=tmp_path)
    assert done.returncode == 3
    assert "3 rows" in done.stderr and "app.db.rejects.jsonl" in done.stderr
    assert left(tmp_path) == ["app.db", "app.db.rejects.jsonl"]
    rejects = [json.loads(line) for line in (tmp_path / "app.db.rejects.jsonl").read_text().splitlines()]
    assert [(item["key"], item["column"]) for item in rejects] == [
        ({"id": "1"}, "f"), ({"id": "2"}, "at"), ({"id": "3"}, "d"),
    ]  # fmt: skip
    assert "s3cret" not in (tmp_path / "app.db.rejects.jsonl").read_text() + done.stdout + done.stderr
    assert "without its parent" in done.stdout
    with closing(connect(tmp_path / "app.db")) as connection:
        assert connection.execute("SELECT id FROM t").fetchall() == [(4,)]
    assert run("verify", "app.db", source=database, folder=tmp_path).returncode == 0


def test_hostile_names(any_database: str, tmp_path: Path) -> None:
    names = [
        'a"b; drop', "select", "sqlite_x", "T", "t", "new\nline", "\x1b[31mred", "%s", "'", "ü" * 31,
        "a.b", "-- comment", "rowid",
    ]  # fmt: skip
    with psycopg.connect(any_database, autocommit=True) as connection:
        for name in names:
            column = psycopg.sql.Identifier(name)
            create = psycopg.sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, {} text)").format(column, column)
            connection.execute(create)
            insert = psycopg.sql.SQL("INSERT INTO {} VALUES (1, {})").format(column, psycopg.sql.Literal(name))
            connection.execute(insert)
        connection.execute("CREATE FUNCTION harm() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$")
        connection.execute("CREATE TABLE defaults (a int, b text DEFAULT harm(), c text DEFAULT ''');DROP TABLE t;--')")
        connection.execute("CREATE VIEW calls AS SELECT harm() AS h")
        connection.execute("CREATE TABLE nothing ()")
        connection.execute("CREATE TABLE empty (a int)")
    done = run("migrate", "--accept-losses", "app.db", source=any_database, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b[31m" not in done.stdout and "SQLite has no table without columns" in done.stdout
    with closing(connect(tmp_path / "app.db")) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert {'a"b; drop', "select", "_sqlite_x", "new\nline", "\x1b[31mred", "%s", "empty"} <= tables
        assert {"T", "t_2"} <= tables or {"t", "T_2"} <= tables
        assert run("verify", "app.db", source=any_database, folder=tmp_path).returncode == 0
        connection.execute("INSERT INTO defaults (a) VALUES (1)")
        assert connection.execute("SELECT b, c FROM defaults").fetchone() == (None, "');DROP TABLE t;--")


def test_refusals_end_in_13(database: str, tmp_path: Path) -> None:
    fill(database, "CREATE TABLE t (a numrange UNIQUE)")
    done = run("migrate", "app.db", source=database, folder=tmp_path)
    assert done.returncode == 13 and "public.t" in done.stderr
    assert left(tmp_path) == []
    fill(database, "DROP TABLE t")
    done = run("migrate", "app.db", source=database, folder=tmp_path)
    assert done.returncode == 13 and "no table" in done.stderr


def test_verify_shows_what_differs_and_asks_before_it_repairs(shop: str, tmp_path: Path) -> None:
    assert run("migrate", "--accept-losses", "app.db", source=shop, folder=tmp_path).returncode == 0
    with closing(dbapi.connect(tmp_path / "app.db", isolation_level=None)) as connection:
        connection.execute("UPDATE customers SET name = 'Eve' WHERE id = 5")
    done = run("verify", "app.db", source=shop, folder=tmp_path)
    assert done.returncode == 14
    assert "different: public.customers id=5" in done.stdout and "'Eve' in SQLite" in done.stdout
    assert run("verify", "--repair", "app.db", source=shop, folder=tmp_path).returncode != 0  # nobody to answer
    done = run("verify", "--repair", "--yes", "--undo", "undo.sql", "app.db", source=shop, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("verify", "app.db", source=shop, folder=tmp_path).returncode == 0
    assert left(tmp_path) == ["app.db", "undo.sql"]


def test_a_black_hole_is_left(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        source = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2"
        done = run("plan", source=source, folder=tmp_path)
    assert done.returncode == 12
