"""Every way to read or copy a table: how it is run, with which settings, and whether it can be run here."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psycopg

import liteshift
from liteshift.errors import NotInitialised
from liteshift.postgres.embedded import wheel_binaries

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-bench"
REQUIREMENTS = ROOT / "benchmarks" / "requirements.txt"
_RUNNERS = "benchmarks.copying.runners"


@dataclass(frozen=True)
class Way:
    """One way.

    Attributes:
        name: in options and results.
        title: for people.
        how: its settings, for people.
        whose: `floor`, `ours`, or `theirs`.
        groups: the groups of tables that it takes part in.
        result: `none`, `new` (a file that is checked and removed), or `kept` (a file that is read, and stays).
        command: the program and its arguments, with `{table}` and `{target}`; `{python}` is this Python, `{other}`
            that of the tools' own virtual environment, `{psql}` the client.
        packages: the Python distributions that it needs there.
        native: the value of LITESHIFT_NATIVE.
    """

    name: str
    title: str
    how: str
    whose: str
    groups: tuple[str, ...]
    result: str
    command: tuple[str, ...]
    packages: tuple[str, ...] = ()
    native: str = ""

    @property
    def whole(self) -> bool:
        """Whether the whole process is timed: it is no Python of ours, which tells its own span."""
        return "-m" not in self.command

    def missing(self) -> str:
        """Why it can't be run here; empty where it can."""
        lacking = [name for name in self.packages if name not in others()]
        if lacking:
            return f"{', '.join(lacking)} not installed; `make bench-copy` installs"
        if self.native == "1" and find_spec("liteshift_native") is None:
            return "the native core is not installed; `make native` builds it"
        if self.command[0] == "ogr2ogr" and shutil.which("ogr2ogr") is None:
            return "ogr2ogr not installed; Debian has it in gdal-bin"
        return ""

    def arguments(self, table: str, target: Path) -> list[str]:
        """What to run."""
        places = {"python": sys.executable, "other": VENV / "bin" / "python", "psql": psql()}
        return [part.format(table=table, target=target, **places) for part in self.command]


def _ours(verb: str) -> tuple[str, ...]:
    return ("{python}", "-m", f"{_RUNNERS}.with_liteshift", verb, "{table}", "{target}")


def _theirs(name: str, python: str = "{other}") -> tuple[str, ...]:
    return (python, "-m", f"{_RUNNERS}.with_{name}", "{table}", "{target}")


FLOOR = "floor"
NATIVE = "native"

WAYS = {
    way.name: way
    for way in (
        Way(
            FLOOR,
            "the floor: psql, thrown away",
            'psql -c "COPY table TO STDOUT (FORMAT binary)" > /dev/null',
            "floor",
            ("rows", "migrate", "growth"),
            "none",
            ("{psql}", "-XqAtc", "COPY public.{table} TO STDOUT (FORMAT binary)"),
        ),
        Way(
            NATIVE,
            "liteshift",
            "its copy stage with the native core",
            "ours",
            ("rows", "growth"),
            "new",
            _ours("copy"),
            native="1",
        ),
        Way(
            "jobs",
            "liteshift --jobs 2",
            "the same over two connections, each with parts of the table",
            "ours",
            ("rows",),
            "new",
            _ours("jobs"),
            native="1",
        ),
        Way(
            "python",
            "liteshift, no native core",
            "its copy stage in Python",
            "ours",
            ("rows", "growth"),
            "new",
            _ours("copy"),
            native="0",
        ),
        Way(
            "duckdb",
            "DuckDB",
            "ATTACH both, CREATE TABLE AS; preserve_insertion_order off; extensions loaded before",
            "theirs",
            ("rows",),
            "new",
            _theirs("duckdb"),
            ("duckdb", "duckdb_extension_postgres_scanner", "duckdb_extension_sqlite_scanner"),
        ),
        Way(
            "adbc",
            "ADBC to ADBC",
            "fetch_record_batch into adbc_ingest; journal_mode and synchronous off",
            "theirs",
            ("rows",),
            "new",
            _theirs("adbc"),
            ("adbc-driver-postgresql", "adbc-driver-sqlite", "pyarrow"),
        ),
        Way(
            "executemany",
            "psycopg + executemany",
            "a binary server-side cursor, 10,000 rows a time; one transaction, journal_mode and synchronous off",
            "theirs",
            ("rows",),
            "new",
            _theirs("executemany", "{python}"),
        ),
        Way(
            "ogr2ogr",
            "ogr2ogr",
            "-gt unlimited, OGR_SQLITE_SYNCHRONOUS OFF, OGR_PG_CURSOR_PAGE 10000, METADATA=NO; the whole process",
            "theirs",
            ("rows",),
            "new",
            (
                "ogr2ogr", "-f", "SQLite", "{target}", "PG:", "public.{table}", "-nln", "{table}", "-nlt", "NONE",
                "-gt", "unlimited", "-dsco", "METADATA=NO", "--config", "OGR_SQLITE_SYNCHRONOUS", "OFF",
                "--config", "OGR_PG_CURSOR_PAGE", "10000",
            ),
        ),
        Way(
            "db-to-sqlite",
            "db-to-sqlite",
            "db-to-sqlite URL FILE --table, as documented",
            "theirs",
            ("rows",),
            "new",
            _theirs("db_to_sqlite"),
            ("db-to-sqlite", "psycopg"),
        ),
        Way(
            "migrate",
            "liteshift migrate",
            "the whole move: rows, indexes, checks, statistics, fsync, every row verified",
            "ours",
            ("migrate",),
            "new",
            _ours("migrate"),
        ),
        Way(
            "verify",
            "liteshift verify",
            "every row of both sides",
            "ours",
            ("rows", "migrate"),
            "kept",
            _ours("verify"),
        ),
    )
}  # fmt: skip


def maker(group: str) -> Way:
    """Who makes the file that verify reads."""
    if group == "migrate":
        return WAYS["migrate"]
    return WAYS["python"] if WAYS[NATIVE].missing() else WAYS[NATIVE]


@cache
def psql() -> str:
    """The client that measures the floor: the server's own."""
    own = wheel_binaries() / "psql"
    found = str(own) if own.exists() else shutil.which("psql")
    if found is None:
        raise NotInitialised("there is no psql, and so no floor", hint="Install Debian's postgresql-client.")
    return found


@cache
def others() -> dict[str, str]:
    """The distributions in the tools' own virtual environment, with their versions."""
    if not (VENV / "bin" / "python").exists():
        return {}
    program = "import json; from importlib.metadata import distributions as d; " \
        "print(json.dumps({one.metadata['Name']: one.version for one in d()}))"  # fmt: skip
    done = subprocess.run([VENV / "bin" / "python", "-c", program], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def install() -> None:
    """Make the tools' own virtual environment, or bring it up to its pins."""
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
    others.cache_clear()


def versions() -> dict[str, str]:
    """What takes part, by its version; liteshift also by a digest of its code."""
    told = {
        "liteshift": f"{metadata.version('liteshift')}, code {_code()}",
        "Python": platform.python_version(),
        "psycopg": f"{psycopg.__version__}, libpq {psycopg.pq.version()}",
        "sqlite3": sqlite3.sqlite_version,
        "psql": _said([psql(), "--version"]).rpartition(" ")[2],
    }
    if shutil.which("ogr2ogr"):
        told["ogr2ogr"] = _said(["ogr2ogr", "--version"]).partition(",")[0]
    wanted = {name for way in WAYS.values() for name in way.packages}
    return told | {name: version for name, version in sorted(others().items()) if name in wanted - {"psycopg"}}


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _code() -> str:
    """Twelve digits that change with liteshift's code, its native core's included."""
    package = Path(liteshift.__file__).parent
    files = sorted(package.rglob("*.py"))
    core = find_spec("liteshift_native")
    if core is not None and core.origin is not None:
        files += sorted(Path(core.origin).parent.glob("*.so"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
