"""What is to be run on the file, gathered so that one statement runs for many rows."""

from __future__ import annotations

from collections.abc import Sequence

from liteshift.errors import DifferencesFound
from liteshift.flow import Applier
from liteshift.stages.routes import Route, Statement
from liteshift.value import Value

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
        runs = self._waiting.get(route.name)
        if runs and runs[-1][1] is statement:
            runs[-1][2].append(row)
        else:
            self._waiting.setdefault(route.name, []).append((route, statement, [row]))
        self._count += 1
        if self._count >= _HOLD_ROWS:
            self.flush()

    def extend(self, route: Route, statement: Statement, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement for rows, now or later."""
        runs = self._waiting.setdefault(route.name, [])
        if runs and runs[-1][1] is statement:
            runs[-1][2].extend(rows)
        else:
            runs.append((route, statement, list(rows)))
        self._count += len(rows)
        if self._count >= _HOLD_ROWS:
            self.flush()

    def count(self, size: int) -> None:
        """So many bytes of the log have become work."""
        self._bytes += size
        if self._bytes > _HOLD_BYTES:
            self.flush()

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


def missed(route: Route, statement: Statement, row: Sequence[Value]) -> DifferencesFound:
    """The error about a row that was to be changed, and is not there."""
    return DifferencesFound(
        f"the source changed a row of {route.name} that the file does not have as it was:"
        f" {route.described(statement, row)}",
        hint="Compare both sides: liteshift verify SOURCE TARGET",
    )
