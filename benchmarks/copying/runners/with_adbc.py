"""ADBC to ADBC: Arrow batches from the PostgreSQL driver, by its COPY, into the SQLite driver's bulk ingestion."""

from __future__ import annotations

from pathlib import Path

import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi

from benchmarks.copying.runners import span


def copy(table: str, target: Path) -> None:
    """The ingestion makes a transaction of its own; no journal, no syncs."""
    with (
        adbc_driver_postgresql.dbapi.connect("postgresql://") as source,
        adbc_driver_sqlite.dbapi.connect(str(target), autocommit=True) as lite,
        source.cursor() as reader,
        lite.cursor() as writer,
    ):
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):
            writer.execute(f"PRAGMA {pragma}")
            if writer.description:
                writer.fetchall()
        reader.execute(f"SELECT * FROM {table}")
        writer.adbc_ingest(table, reader.fetch_record_batch(), mode="create")


if __name__ == "__main__":
    span.run(copy)
