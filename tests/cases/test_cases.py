"""One folder per case: a schema with its rows, what it becomes, and what both sides then say to the same statements.

- `schema.sql` is loaded into PostgreSQL.
- `plan.txt` is the whole plan, read by a person; `LITESHIFT_GOLDEN=write` writes it anew.
- `bites.sql` holds one statement per line (or a transaction, its statements separated by `;; `). Both databases execute
  it, and must agree whether it is allowed; afterwards all rows must be equal again. A line that begins with `-- known:`
  holds one that only PostgreSQL refuses, and says why in the line above.
- `lived.sql` holds statements that only the walk of `tests/walk` runs, on SQLite while the application lives there.
- `options.toml`, where there is one: `least` and `server` say where it can run, the rest are the plan's choices.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from liteshift import migration
from liteshift.errors import NotFit
from liteshift.plan import Choices, Plan, Profile, Severity
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.target import SqliteTarget

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/schema.sql"))
KNOWN = "-- known:"


class Server(Protocol):
    """What the fixture gives."""

    name: str
    version: int


@pytest.mark.parametrize("name", CASES)
def test_case(any_server: Server, any_database: str, tmp_path: Path, name: str) -> None:
    folder, path = HERE / name, tmp_path / "case.db"
    options: dict[str, Any] = tomllib.loads(_read(folder / "options.toml"))
    if any_server.version < options.get("least", 0):
        pytest.skip(f"the case needs PostgreSQL {options['least']}")
    if options.get("server", any_server.name) != any_server.name:
        pytest.skip(f"the case needs the {options['server']} server")
    with psycopg.connect(any_database, autocommit=True) as server:
        server.execute((folder / "schema.sql").read_bytes())
        source, target = PostgresSource(any_database), SqliteTarget(path)
        choices = Choices(
            Profile(options.get("profile", "sqlalchemy")),
            exclude=tuple(options.get("exclude", ())),
            unknown_as_text=options.get("unknown_as_text", False),
        )
        shown: list[Plan] = []
        try:
            report = migration.migrate(
                source, target, choices,
                rejects=tmp_path / "case.rejects", overwrite=False, progress=silent, show_plan=shown.append,
            )  # fmt: skip
        except NotFit as refusal:
            _golden(folder / "plan.txt", _told(shown[0]))
            assert shown[0].of(Severity.REFUSAL) or not shown[0].tables, refusal
            assert list(tmp_path.iterdir()) == []
            return
        _golden(folder / "plan.txt", _told(report.plan))
        assert report.verdict.equal
        assert report.rejected == options.get("rejected", 0)
        _sound(path, report.orphans)
        _bite(server, path, _read(folder / "bites.sql"))
        verdict = migration.compare(source, target, choices, progress=silent, limit=20)
        assert {table.source: table.differences for table in verdict.tables if not table.equal} == {}


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _told(plan: Plan) -> str:
    """The plan as a person reads it."""
    lines = []
    for table in plan.tables:
        key = f" key {', '.join(table.key)}" if table.key else ""
        sequence = f" after {table.sequence}" if table.sequence is not None else ""
        lines += [f"== {table.source}{key}{sequence}", table.create, *table.indexes, *table.triggers, ""]
    lines += [f"== {view.source}\n{view.create}\n" for view in plan.views]
    lines += [
        f"{item.severity}: {item.kind} {item.subject} {item.what}: {item.why}"
        + (f" ({item.instead})" if item.instead else "")
        + (f" (it was: {item.was})" if item.was else "")
        for item in plan.findings
    ]
    return "".join(f"{_visible(line)}\n" for line in lines)


def _visible(text: str) -> str:
    """Names may hold characters that no reader of a golden file would see, or that would order what he sees anew."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _golden(path: Path, told: str) -> None:
    if os.environ.get("LITESHIFT_GOLDEN") == "write":
        path.write_text(told)
    assert told == path.read_text()


def _sound(path: Path, orphans: tuple[str, ...]) -> None:
    with closing(connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert len(file.execute("PRAGMA foreign_key_check").fetchall()) == len(orphans)


def _bite(server: psycopg.Connection[Any], path: Path, script: str) -> None:
    with closing(connect(path)) as file:
        for line in script.splitlines():
            if not line or (line.startswith("--") and not line.startswith(KNOWN)):
                continue
            statement = line.removeprefix(KNOWN)
            there, here = _refused_by_server(server, statement), None
            if line.startswith(KNOWN):
                file.execute("BEGIN")
                here = _refused_by_file(file, statement)
                file.execute("ROLLBACK")
                assert there and not here, f"{line}\nis known no more: PostgreSQL says {there}, SQLite {here}"
                continue
            here = _refused_by_file(file, statement)
            assert (there is None) == (here is None), f"{line}\nPostgreSQL says {there}, SQLite {here}"


def _refused_by_server(server: psycopg.Connection[Any], statement: str) -> str | None:
    try:
        server.execute(statement.replace(";;", ";").encode())
    except psycopg.Error as error:
        server.execute("ROLLBACK")
        return str(error)
    return None


def _refused_by_file(file: dbapi.Connection, statement: str) -> str | None:
    try:
        for part in statement.split(";; "):
            file.execute(part).close()
    except dbapi.Error as error:
        if file.in_transaction and "BEGIN" in statement:
            file.execute("ROLLBACK").close()
        return str(error)
    return None
