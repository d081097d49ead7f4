"""Every case of `tests/cases` walks: copy, follow, cutover, rollback, cutover. The way back is never a promise.

On whichever side is live, the case's own statements are run; all rows must be equal after each step.
"""

from __future__ import annotations

import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from liteshift.asking import Request
from liteshift.errors import LossesNotAccepted, NoConnection, NotFit
from liteshift.live import begin, ending
from liteshift.live.move import Ends, Move
from liteshift.live.run import run
from liteshift.logbook import Page
from liteshift.phases import Phase
from liteshift.plan import Choices, Profile
from liteshift.postgres.slot import PostgresOrigin
from liteshift.progress import silent
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.cutover import Terms
from liteshift.workdir import Workdir

CASES = Path(__file__).parents[1] / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/schema.sql"))


class Server(Protocol):
    """What the fixture gives."""

    version: int

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


class Walk:
    """A live move in this process, one verb at a time."""

    def __init__(self, url: str, folder: Path, choices: Choices) -> None:
        self.url, self.path = url, folder / "case.db"
        self._target = SqliteTarget(self.path)
        self._rejects = folder / "rejects"
        workdir = Workdir(folder / "work")
        workdir.path.mkdir()
        origin = PostgresOrigin(url)
        page = Page("liteshift_walk", Phase.NEW, 0, origin.label, str(self.path), "", {}, choices)
        ends = Ends(origin, self._target, None, lambda *_: None)
        self._shown: list[Any] = []
        self.move = Move(
            ends, workdir, workdir.logbook.write(page), terms=Terms(), progress=silent,
            show=lambda *told: self._shown.append(told),
        )  # fmt: skip

    def copy(self) -> None:
        plan = begin.fit(self.move.ends.origin, self.move.page.move, self.move.page.choices)
        begin.copy(self.move, plan, self._target, self._rejects, overwrite=False)

    def ask(self, verb: str, **options: bool) -> Any:
        """Do one verb; what it reported last."""
        self.move.own(Request("1", verb, {"skip_backup": True, **options}))
        run(self.move)
        return [word for kind, word in self._shown if kind != "status"][-1]

    def cut_over(self) -> None:
        """Cut over; rows that can't come along are to be given up in so many words."""
        with closing(connect(self.path)) as file:
            known = file.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'liteshift_rejects'").fetchone()[0]
            rejects = known and file.execute("SELECT count(*) FROM liteshift_rejects").fetchone()[0]
        if rejects:
            with pytest.raises(LossesNotAccepted, match="would stay behind"):
                self.ask("cutover")
            assert self.move.page.phase is Phase.FOLLOWING
        self.ask("cutover", accept_rejects=bool(rejects))

    def are_equal(self) -> None:
        verdict = self.ask("verify")
        assert {table.source: table.differences for table in verdict.tables if not table.equal} == {}

    def on_postgresql(self, statements: list[str]) -> None:
        with psycopg.connect(self.url, autocommit=True) as server:
            for statement in statements:
                try:
                    server.execute(statement.replace(";;", ";").encode())
                except psycopg.Error:
                    server.execute("ROLLBACK")

    def on_sqlite(self, statements: list[str]) -> None:
        with closing(connect(self.path)) as file:
            for statement in statements:
                try:
                    for part in statement.split(";; "):
                        file.execute(part).close()
                except dbapi.Error:
                    if file.in_transaction:
                        file.execute("ROLLBACK").close()


def statements_of(path: Path) -> list[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("--")]


def stirred(table: str, columns: list[str]) -> list[str]:
    """Statements that change a table's rows without knowing it: one goes and comes back, all are written anew."""
    own, listed = table, ", ".join(columns)
    return [
        f"UPDATE {own} SET {', '.join(f'{column} = {column}' for column in columns)}",
        f"CREATE TEMP TABLE stirred AS SELECT {listed} FROM {own} LIMIT 1;; DELETE FROM {own};; "
        f"INSERT INTO {own} ({listed}) SELECT {listed} FROM stirred;; DROP TABLE temp.stirred",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_walk(name: str, server: Server, debian_server: Server, tmp_path: Path) -> None:
    folder = CASES / name
    options: dict[str, Any] = tomllib.loads((folder / "options.toml").read_text()) if _has(folder) else {}
    where = debian_server if options.get("server") == "debian" else server
    if where.version < options.get("least", 0):
        pytest.skip(f"the case needs PostgreSQL {options['least']}")
    database = f"walk_{name.replace('-', '_')}"
    url = where.create_database(database)
    try:
        with psycopg.connect(url, autocommit=True) as source:
            source.execute((folder / "schema.sql").read_bytes())
        before = count(url)
        choices = Choices(
            Profile(options.get("profile", "sqlalchemy")),
            exclude=tuple(options.get("exclude", ())),
            unknown_as_text=options.get("unknown_as_text", False),
        )
        walk = Walk(url, tmp_path, choices)
        try:
            walk.copy()
        except (NotFit, NoConnection) as refused:  # what can't be moved is refused before anything is copied
            assert walk.move.page.phase is Phase.NEW, refused
        else:
            _there_and_back(walk, statements_of(folder / "bites.sql"), statements_of(folder / "lived.sql"))
        assert count(url) == before
    finally:
        where.drop_database(database)


def _there_and_back(walk: Walk, statements: list[str], lived: list[str]) -> None:
    walk.are_equal()
    walk.on_postgresql(statements)
    walk.are_equal()
    walk.cut_over()
    walk.on_sqlite(statements)
    if lived:
        walk.on_sqlite(lived)
        walk.are_equal()  # all was taken back, and written anew where PostgreSQL has it otherwise
    for table in walk.move.plan.tables:
        columns = [f'"{column.target}"' for column in table.columns if not column.generated]
        if all('"' not in column[1:-1] for column in columns) and '"' not in table.target:
            walk.on_sqlite(stirred(f'"{table.target}"', columns))
    walk.are_equal()
    walk.ask("rollback")
    walk.on_postgresql(statements[::-1])
    walk.are_equal()
    walk.cut_over()
    walk.are_equal()
    ending.finalize(walk.move)


def count(url: str) -> int:
    """What a live move makes, as far as it is there."""
    with psycopg.connect(url) as source:
        row = source.execute(
            "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())"
            " + (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_trigger WHERE tgname ~ '^liteshift')"
            " + (SELECT count(*) FROM pg_namespace WHERE nspname = 'liteshift')"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _has(folder: Path) -> bool:
    return (folder / "options.toml").exists()
