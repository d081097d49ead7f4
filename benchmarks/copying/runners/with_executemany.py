"""What one writes by hand: psycopg's server-side cursor into sqlite3's executemany."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from benchmarks.copying.runners import span
from benchmarks.copying.tables import TABLES


def copy(table: str, target: Path) -> None:
    """One transaction, no journal, no syncs; what sqlite3 can't store comes as text: faster than converting here."""
    shape = TABLES[table]
    marks = ", ".join("?" * len(shape.columns.split(", ")))
    with closing(sqlite3.connect(target, isolation_level=None)) as lite, psycopg.connect("") as source:
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):
            lite.execute(f"PRAGMA {pragma}")
        lite.execute(f"CREATE TABLE {table} ({shape.columns})")
        with source.cursor("bench", binary=True) as rows:
            rows.itersize = 10_000
            rows.execute(f"SELECT {shape.select} FROM {table}".encode())
            lite.execute("BEGIN")
            lite.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            lite.execute("COMMIT")


if __name__ == "__main__":
    span.run(copy)
