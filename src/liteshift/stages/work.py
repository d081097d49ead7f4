"""What is to be run on the file, gathered so that one statement runs for many rows."""

from __future__ import annotations

from collections.abc import Sequence

from liteshift.ends import Value
from liteshift.errors import DifferencesFound
from liteshift.flow import Applier
from liteshift.stages.routes import Route, Statement

_HOLD_ROWS = 5_000
_HOLD_BYTES = 8 << 20


class Work:
    """What waits to be run: for each table in the order of its changes. Tables do not wait for each other, as no
    trigger and no foreign key joins them while the file follows.

    Attributes:
        rows: how many were run for since this was last set to 0.
    """

    def __init__(self, applier: Applier) -> None:
        self.rows = 0
        self._applier = applier
        self._waiting: dict[str, list[tuple[Route, Statement, list[Sequence[Value]]]]] = {}
        self._count = 0
        self._bytes = 0

    def add(self, route: Route, statement: Statement, row: Sequence[Value]) -> None:
        """Run a statement for a row, now or later."""
        for value in row:
            if isinstance(value, str | bytes):
                self._bytes += len(value)
        self._gather(route, statement, (row,))

    def extend(self, route: Route, statement: Statement, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement for rows whose bytes `count` is told of, now or later."""
        self._gather(route, statement, rows)

    def count(self, size: int) -> None:
        """So many bytes of the log wait in what was added."""
        self._bytes += size
        self._flush_if_much()

    def flush(self) -> None:
        """Run all that waits.

        Raises:
            DifferencesFound: a row that was changed is not in the file.
        """
        waiting, self._waiting = self._waiting, {}
        self.rows += self._count
        self._count = self._bytes = 0
        for runs in waiting.values():
            for route, statement, rows in runs:
                at = self._applier.run(statement.text, rows, expect_each=statement.expect_each)
                if at is not None:
                    raise missed(route, statement, rows[at])

    def _gather(self, route: Route, statement: Statement, rows: Sequence[Sequence[Value]]) -> None:
        runs = self._waiting.setdefault(route.name, [])
        if runs and runs[-1][1] is statement:
            runs[-1][2].extend(rows)
        else:
            runs.append((route, statement, list(rows)))
        self._count += len(rows)
        self._flush_if_much()

    def _flush_if_much(self) -> None:
        if self._count >= _HOLD_ROWS or self._bytes > _HOLD_BYTES:
            self.flush()


def missed(route: Route, statement: Statement, row: Sequence[Value]) -> DifferencesFound:
    """The error about a row that was to be changed, and is not there."""
    return DifferencesFound(
        f"the source changed a row of {route.name} that the file does not have as it was:"
        f" {route.described(statement, row)}",
        hint="Compare both sides: liteshift verify SOURCE TARGET",
    )
