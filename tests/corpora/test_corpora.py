"""Real databases that nobody here wrote: all their rows arrive, and what does not is named.

The residue lists are golden files, read by a person. `LITESHIFT_GOLDEN=write` writes them anew.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from liteshift import migration
from liteshift.catalog import Catalog, ConstraintKind
from liteshift.plan import Choices, Finding, Severity
from liteshift.postgres.embedded import wheel_binaries
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import MigrateReport
from liteshift.sqlite.connect import connect
from liteshift.sqlite.library import dbapi
from liteshift.sqlite.target import SqliteTarget

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
GOLDEN = Path(__file__).parent


@dataclass(frozen=True)
class Corpus:
    """A database's scripts, and what its README says it holds, partitions counted in."""

    name: str
    scripts: tuple[str, ...]
    tables: int
    rows: int
    extension: str = ""


PAGILA = Corpus("pagila", ("pagila-schema.sql", "pagila-data.sql"), 22, 49_636)
CHINOOK = Corpus("chinook", ("chinook-load.sql",), 11, 15_607)
KITCHEN_SINK = Corpus("kitchen-sink", ("kitchen-sink-schema.sql", "kitchen-sink-data.sql"), 142, 555, "citext")
DANBOORU = Corpus("danbooru", ("structure.sql",), 66, 349)


def _load(corpus: Corpus, database: str) -> None:
    folder = CORPORA / corpus.name
    if not folder.exists():
        pytest.skip(f"there is no corpus {corpus.name} beside the checkout")
    command = [str(wheel_binaries() / "psql"), "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-o", os.devnull]
    if corpus.extension:
        command += ["-c", f"CREATE EXTENSION {corpus.extension}"]
    command += [part for script in corpus.scripts for part in ("-f", str(folder / script))]
    environment = os.environ | {"PGSERVICEFILE": os.devnull, "PGOPTIONS": "-c client_min_messages=error"}
    info = psycopg.conninfo.conninfo_to_dict(database)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    environment |= {names[key]: str(value) for key, value in info.items() if key in names}
    subprocess.run(command, env=environment, check=True)


def _migrate(database: str, path: Path) -> MigrateReport:
    return migration.migrate(
        PostgresSource(database), SqliteTarget(path), Choices(),
        rejects=path.with_suffix(".rejects"), overwrite=False, progress=silent,
    )  # fmt: skip


def _golden(name: str, findings: tuple[Finding, ...]) -> None:
    lines = sorted(
        f"{item.severity}: {item.kind} {item.subject} {item.what}: {item.why}".replace("\n", "\\n")
        for item in findings
        if item.severity is not Severity.NOTE
    )
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("LITESHIFT_GOLDEN") == "write":
        path.write_text("".join(f"{line}\n" for line in lines))
    assert lines == path.read_text().splitlines()


def _check_rules(catalog: Catalog, report: MigrateReport, path: Path) -> None:
    """Every foreign key and unique rule of the source stands in the file."""
    targets = {table.source: table.target for table in report.plan.tables}
    with closing(connect(path)) as connection:
        for table in catalog.tables:
            target = targets[table.name]
            kinds = Counter(constraint.kind for constraint in table.constraints)
            lifted = {
                (constraint.columns, constraint.reference)
                for leaf in table.partitions
                for constraint in leaf.constraints
                if constraint.kind is ConstraintKind.FOREIGN_KEY
            }
            if len({columns for columns, _ in lifted}) < len(lifted):
                lifted = set()  # one column, and another parent in each partition: named as lost
            keys = connection.execute("SELECT DISTINCT id FROM pragma_foreign_key_list(?)", (target,)).fetchall()
            assert len(keys) == kinds[ConstraintKind.FOREIGN_KEY] + len(lifted), target
            unique = connection.execute('SELECT name FROM pragma_index_list(?) WHERE "unique"', (target,)).fetchall()
            rowid = any(
                part.becomes == "the rowid"
                for item in report.plan.tables
                if item.target == target
                for part in item.objects
            )
            wanted = kinds[ConstraintKind.UNIQUE] + kinds[ConstraintKind.PRIMARY_KEY] - rowid
            assert len(unique) == wanted + sum(index.unique for index in table.indexes), target
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _arrives(corpus: Corpus, database: str, tmp_path: Path) -> MigrateReport:
    _load(corpus, database)
    path = tmp_path / f"{corpus.name}.db"
    report = _migrate(database, path)
    assert report.verdict.equal and not report.rejected
    with PostgresSource(database).snapshot() as snapshot:
        catalog = snapshot.catalog()
    assert sum(len(table.partitions) + 1 for table in catalog.tables) == corpus.tables
    assert len(report.plan.tables) == len(catalog.tables)
    assert report.rows == corpus.rows
    _check_rules(catalog, report, path)
    _golden(corpus.name, report.plan.findings)
    return report


@pytest.mark.parametrize("corpus", [PAGILA, CHINOOK], ids=lambda corpus: corpus.name)
def test_corpus_arrives(corpus: Corpus, any_database: str, tmp_path: Path) -> None:
    _arrives(corpus, any_database, tmp_path)


@pytest.mark.parametrize("corpus", [KITCHEN_SINK, DANBOORU], ids=lambda corpus: corpus.name)
def test_corpus_with_extensions_arrives(corpus: Corpus, contrib_database: str, tmp_path: Path) -> None:
    _arrives(corpus, contrib_database, tmp_path)


def test_chinook_holds_the_rows_of_its_authors_own_file(database: str, tmp_path: Path) -> None:
    """Chinook comes as a SQLite script, too: their types differ, the rows must not."""
    _arrives(CHINOOK, database, tmp_path)
    with closing(connect(tmp_path / "chinook.db")) as ours, closing(dbapi.connect(":memory:")) as theirs:
        theirs.executescript((CORPORA / "chinook" / "Chinook_Sqlite.sql").read_text(encoding="utf-8-sig"))
        tables = [name for (name,) in theirs.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        assert len(tables) == CHINOOK.tables
        for table in tables:
            expected = Counter(map(_plain, theirs.execute(f'SELECT * FROM "{table}"')))
            assert Counter(map(_plain, ours.execute(f'SELECT * FROM "{_snake(table)}"'))) == expected


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name))


def _plain(row: tuple[object, ...]) -> tuple[object, ...]:
    """Their times have no fraction of a second; PostgreSQL reads their N'…' as char, and drops trailing blanks."""
    return tuple(value.removesuffix(".000000").rstrip(" ") if isinstance(value, str) else value for value in row)
