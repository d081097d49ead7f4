"""The scripts, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import inspect, make_url, text

from app.config import BACKEND
from liteshift.app.engines import make_tool_engine
from liteshift.errors import NotInitialised
from liteshift.postgres.embedded import wheel_binaries
from tests.conftest import Databases, Kind, Service
from tests.test_connections import PRAGMAS, read_back


def run(script: str, *arguments: str, folder: Path = BACKEND, url: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    return subprocess.run(
        [sys.executable, str(BACKEND / "scripts" / script), *arguments],
        cwd=folder,
        env={**os.environ, **({"DATABASE_URL": url} if url else {})},
        capture_output=True,
        text=True,
        check=False,
    )


def all_rows(url: str) -> list[tuple[Any, ...]]:
    """Every party, as the database's driver gives it."""
    with make_tool_engine(url).connect() as connection:
        columns = "id, name, name_folded, type, is_active, created_at, updated_at"
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM parties ORDER BY id"))]


def pg_dump(url: str, dump: Path, *options: str) -> None:
    """Dump a database as plain SQL."""
    with psycopg.connect(url) as connection:
        version = 16 if connection.info.server_version < 170000 else 18
    try:
        program = wheel_binaries(version) / "pg_dump"
    except NotInitialised as missing:
        pytest.skip(str(missing))
    subprocess.run([str(program), "--file", str(dump), *options, url], check=True)


def test_seed_is_the_same_everywhere(databases: Databases) -> None:
    found = []
    for kind in ("sqlite", "postgresql"):
        url = databases.at_head(kind)
        assert run("seed_parties.py", "--count", "1000", url=url).returncode == 0
        assert run("seed_parties.py", "--count", "200", url=url).returncode == 0
        with make_tool_engine(url).connect() as connection:
            counts = connection.execute(
                text("SELECT count(*), count(*) FILTER (WHERE is_active), count(DISTINCT type) FROM parties")
            ).one()
        assert tuple(counts) == (1200, 1080, 2)
        found.append([row[:4] for row in all_rows(url)])
        databases.drop(url)
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_backup_and_restore_under_the_running_service(database_url: str, tmp_path: Path, kind: Kind) -> None:
    database = str(make_url(database_url).database)
    run("seed_parties.py", "--count", "50", url=database_url)
    with Service(database_url, workers=2) as service:
        before = service.client.get("/api/parties?include_inactive=true").content
        assert run("migration_rollback.py", "backup", "--db-path", database, folder=tmp_path).returncode == 0
        for party in range(1, 6):
            service.client.patch(f"/api/parties/{party}", json={"name": f"changed {party}"})
        assert service.client.get("/api/parties?include_inactive=true").content != before

        (backup,) = (tmp_path / "migration_backups").glob("backup_*_app.db")
        arguments = ("--backup-path", str(backup), "--db-path", database)
        restored = run("migration_rollback.py", "restore", *arguments, folder=tmp_path)
        assert restored.returncode == 0, restored.stderr
        for _ in range(4):  # whichever worker answers
            assert service.client.get("/api/parties?include_inactive=true").content == before
        assert service.client.post("/api/parties", json={"name": "new", "type": "vendor"}).status_code == 201
        assert service.client.get("/readyz").status_code == 200
    with make_tool_engine(database_url).connect() as connection:
        assert read_back(connection) == PRAGMAS


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
class TestDump:
    @pytest.fixture
    def dump(self, database_url: str, tmp_path: Path) -> Path:
        """A dump of some parties, whose owner only their own server knows."""
        run("seed_parties.py", "--count", "300", url=database_url)
        dump = tmp_path / "postgresql_backup.sql"
        role = '"al""ice"'
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {role}")
            connection.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
            connection.execute(f"ALTER TABLE parties OWNER TO {role}")
            connection.execute(f"GRANT SELECT ON alembic_version TO {role}")
            pg_dump(database_url, dump)
            connection.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")
        return dump

    def restore(self, dump: Path, to: str) -> subprocess.CompletedProcess[str]:
        """Restore it from its own folder."""
        return run("migration_rollback.py", "restore", "--backup-path", str(dump), "--db-path", to, folder=dump.parent)

    def test_to_a_sqlite_file(self, dump: Path, database_url: str) -> None:
        expected = [row[:5] for row in all_rows(database_url)]
        done = self.restore(dump, "./restored_db")
        assert done.returncode == 3, done.stderr  # the dump grants a right, which SQLite has nobody for
        restored = f"sqlite:///{dump.parent}/restored_db"
        assert [row[:5] for row in all_rows(restored)] == expected
        with Service(restored) as service:
            assert service.client.get("/readyz").status_code == 200
            assert service.client.get("/api/parties?include_inactive=true").json()["total"] == 300
            assert service.client.delete("/api/parties/1").status_code == 200
            # Over the file that is there now, and in use.
            done = self.restore(dump, "./restored_db")
            assert done.returncode == 3, done.stderr
            assert service.client.get("/api/parties/1").json()["is_active"] is True
        assert [row[:5] for row in all_rows(restored)] == expected
        assert len(list((dump.parent / "migration_backups").glob("backup_*_restored_db.db"))) == 1
        assert not list(dump.parent.glob(".rebuilding*"))

    def test_to_postgresql(self, dump: Path, database_url: str, databases: Databases) -> None:
        expected = all_rows(database_url)
        pg_dump(database_url, dump, "--no-owner", "--no-privileges")
        other = databases.empty("postgresql")
        done = self.restore(dump, other)
        assert done.returncode == 0, done.stderr
        assert all_rows(other) == expected
        again = self.restore(dump, other)
        assert again.returncode == 1
        assert "nothing was changed" in again.stderr
        assert "already exists" in again.stderr
        assert all_rows(other) == expected
        databases.drop(other)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("\\! touch {0}\n", "restricted"),
            ("\\restrict x\n\\unrestrict x\n\\! touch {0}\n", "restricted"),
            ("SELECT 1 \\g {0}\n", "restricted"),
            ("\\unrestrict x\n\\! touch {0}\n", "wrong key"),
            ("CREATE TABLE t (id int PRIMARY KEY);\nSELECT nonsense;\n", "nonsense"),
        ],
        ids=["shell", "own restriction", "file", "guessed key", "plain mistake"],
    )
    def test_a_dump_with_other_plans(self, empty_url: str, tmp_path: Path, content: str, reason: str) -> None:
        dump, touched = tmp_path / "dump.sql", tmp_path / "touched"
        dump.write_text(content.format(touched))
        done = self.restore(dump, empty_url)
        assert done.returncode == 1
        assert reason in done.stderr
        assert not touched.exists()
        assert inspect(make_tool_engine(empty_url)).get_table_names() == []

    @pytest.mark.usefixtures("kind")
    def test_a_dump_with_plans_for_our_own_server(self, tmp_path: Path) -> None:
        dump, touched = tmp_path / "dump.sql", tmp_path / "touched"
        dump.write_text(f"SET ROLE postgres;\nCOPY (SELECT 1) TO PROGRAM 'touch {touched}';\n")
        with dump.open("a") as file:
            file.write("GRANT ALL ON SCHEMA public TO postgres;\n")  # so that there is a postgres, who is nobody
        done = self.restore(dump, "./restored_db")
        assert done.returncode == 1
        assert "permission denied to COPY to or from an external program" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["dump.sql"]

    def test_a_dump_that_is_not_whole(self, dump: Path) -> None:
        whole = dump.read_bytes()
        for content, reason in ((whole[:-200], "cut off"), (b"PGDMP" + whole, "custom format")):
            dump.write_bytes(content)
            done = self.restore(dump, "./restored_db")
            assert done.returncode == 2
            assert reason in done.stderr
            assert not (dump.parent / "restored_db").exists()
        assert "there is no dump" in self.restore(dump.parent / "missing.sql", "./restored_db").stderr
