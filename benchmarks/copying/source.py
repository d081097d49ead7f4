"""The PostgreSQL server that all copy from: embedded, with its tables made once and kept for the next run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import conninfo

from benchmarks.copying.tables import Table
from liteshift.postgres.embedded import EmbeddedServer

# Nothing is written while anything is timed, so durability costs nobody; autovacuum would come at its own times.
SETTINGS = {"autovacuum": "off", "fsync": "off", "max_wal_size": "4GB"}
TOLD = ("server_version", "shared_buffers", "work_mem", "max_parallel_workers_per_gather", "jit", *SETTINGS)


class Source:
    """The database with the tables of one scale.

    Attributes:
        environment: what every tool runs with: libpq finds the database by it, and no argument holds the password.
    """

    def __init__(self, server: EmbeddedServer, scale: float) -> None:
        name = f"rows_{scale:g}"
        with psycopg.connect(server.url(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        url = server.url(name) if found else server.create_database(name)
        parts = conninfo.conninfo_to_dict(url)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LITESHIFT_", "PG"))}
        self.environment = {
            **kept,
            "PGHOST": str(parts["host"]),
            "PGPORT": str(parts["port"]),
            "PGUSER": str(parts["user"]),
            "PGPASSWORD": str(parts["password"]),
            "PGDATABASE": name,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._url = url
        self._scale = scale

    def rows(self, table: Table) -> int:
        """How many rows a table has at this scale."""
        return max(1, round(table.rows * self._scale))

    def make(self, table: Table) -> None:
        """See that a table is there, packed and with its statistics."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            if connection.execute("SELECT to_regclass(%s)", (table.name,)).fetchone() == (None,):
                connection.execute(table.statements.format(name=table.name, rows=self.rows(table)).encode())
            packed = connection.execute("SELECT reltuples >= 0 FROM pg_class WHERE relname = %s", (table.name,))
            if packed.fetchone() == (False,):
                connection.execute(f"VACUUM (FREEZE, ANALYZE) {table.name}".encode())
                connection.execute("CHECKPOINT")

    def sums(self, table: Table) -> list[int]:
        """What a right copy has in common with the table."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute(f"SELECT {table.sums} FROM {table.name}".encode()).fetchone()
        assert found is not None
        return [int(one) for one in found]

    def bytes(self, table: Table) -> int:
        """What the table takes in PostgreSQL, without its indexes."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute("SELECT pg_table_size(%s::regclass)", (table.name,)).fetchone()
        assert found is not None
        return int(found[0])

    def settings(self) -> dict[str, str]:
        """The server's settings that matter here, and how it is reached."""
        with psycopg.connect(self._url) as connection:
            values = {
                name: str(connection.execute("SELECT current_setting(%s)", (name,)).fetchall()[0][0]) for name in TOLD
            }
        return {**values, "reached": "TCP on the loopback interface"}


@contextmanager
def serve(folder: Path, scale: float) -> Iterator[Source]:
    """The server, for as long as the block lasts; its files stay."""
    with EmbeddedServer(folder / "postgres", settings=SETTINGS) as server:
        yield Source(server, scale)
