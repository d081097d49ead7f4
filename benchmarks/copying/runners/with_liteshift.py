"""liteshift, by its own stages.

copy: the rows into a new file; no indexes, no checks.
jobs: the same over two connections, each with parts of the table.
migrate: the whole command's work, up to the file in its place.
verify: every row of a file that is there against its source.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("LITESHIFT_SQLITE", "stdlib")  # as the commands `migrate` and `verify` have it

from benchmarks.copying.runners import span
from liteshift import migration
from liteshift.plan import Choices
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import Reject
from liteshift.sqlite.target import SqliteTarget
from liteshift.stages.copy import copy_rows
from liteshift.stages.prepare import prepare


def _chosen(table: str) -> Choices:
    return Choices(include=(f"public.{table}",))


def _refuse(reject: Reject) -> None:
    raise AssertionError(f"a row was rejected: {reject}")


def copy(table: str, target: Path, jobs: int = 1) -> dict[str, Any]:
    """The rows; how long the plan and the rows took, and who stored them."""
    started = time.monotonic()
    with PostgresSource("").snapshot() as snapshot:
        plan = prepare(snapshot, _chosen(table))
        planned = time.monotonic()
        with SqliteTarget(target).staging(overwrite=False) as staging:
            (copied,) = copy_rows(snapshot, plan, staging, silent, _refuse, jobs=jobs)
            staging.close()
            staging.publish()
    return {"parts": {"plan": planned - started, "copy": copied.seconds}, "road": copied.road}


def in_parts(table: str, target: Path) -> dict[str, Any]:
    """The same over two connections."""
    return copy(table, target, jobs=2)


def migrate(table: str, target: Path) -> dict[str, Any]:
    """The whole move; how long each stage took."""
    report = migration.migrate(
        PostgresSource(""),
        SqliteTarget(target),
        _chosen(table),
        rejects=target.with_suffix(".rejects"),
        overwrite=False,
        progress=silent,
    )
    assert report.verdict.equal and not report.rejected, report
    return {"parts": report.seconds, "road": report.copied[0].road}


def verify(table: str, target: Path) -> dict[str, Any]:
    """Whether all rows are equal."""
    verdict = migration.compare(PostgresSource(""), SqliteTarget(target), _chosen(table), progress=silent, limit=20)
    assert verdict.equal, verdict
    return {"parts": {"verify": sum(one.seconds for one in verdict.tables)}}


if __name__ == "__main__":
    span.run({"copy": copy, "jobs": in_parts, "migrate": migrate, "verify": verify}[sys.argv[1]])
