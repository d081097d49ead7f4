"""The command db-to-sqlite, as its documentation has it, without the time that Python takes to start."""

from __future__ import annotations

from pathlib import Path

from db_to_sqlite.cli import cli

from benchmarks.copying.runners import span


def copy(table: str, target: Path) -> None:
    """One table."""
    cli.main(["postgresql://", str(target), "--table", table], standalone_mode=False)


if __name__ == "__main__":
    span.run(copy)
