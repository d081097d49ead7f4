"""Changes to a table one of whose unique rules PostgreSQL checks at the end only: of a statement, or of a transaction.

Until then two rows may have one value, `UPDATE … SET place = place + 1` say, and the log tells the rows one by one.
SQLite checks each row at once. So a transaction's rows go into a table beside it that has no rules, and come back at
its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from liteshift.flow import Applier
from liteshift.quoting import quote
from liteshift.stages.routes import Route, Statement
from liteshift.value import Value


class Aside:
    """The rows of one table, while a transaction of the source's changes them."""

    def __init__(self, applier: Applier, route: Route) -> None:
        self._applier = applier
        self._open = False
        self.describe(route)

    def describe(self, route: Route) -> None:
        """The log has described the table anew, which it may do within a transaction."""
        self._route = route
        table, beside, columns = quote(route.table.target), quote(route.aside), route.columns
        self._create = f"CREATE TABLE {beside} AS SELECT {columns} FROM {table} WHERE 0"  # noqa: S608 - all is quoted
        self._move = f"INSERT INTO {beside} ({columns}) SELECT {columns} FROM {table} WHERE {route.where}"  # noqa: S608
        self._return = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {beside}"  # noqa: S608
        index = quote(f"{route.aside}_key")
        self._index = f"CREATE INDEX {index} ON {beside} ({route.finding})" if route.finding else ""
        self._drop = f"DROP TABLE {beside}"

    def run(self, statement: Statement, row: Sequence[Value]) -> int | None:
        """Run a statement of the route's; not None where it missed its row."""
        if not self._open:
            self._run(self._create, ())
            if self._index:
                self._run(self._index, ())
            self._open = True
        if not statement.expect_each:  # an INSERT, or what empties the table
            if statement is self._route.empty:
                self._run(statement.text, ())
            return self._run(statement.beside, row)
        if self._run(statement.beside, row, expect=True) is None:
            return None
        if statement is self._route.delete:
            return self._run(statement.text, row, expect=True)
        found = row[-self._route.conditions :]
        missed = self._run(self._move, found, expect=True)
        if missed is None:
            missed = self._run(self._route.delete.text, found, expect=True)
        return self._run(statement.beside, row, expect=True) if missed is None else missed

    def settle(self) -> None:
        """The transaction is whole: bring its rows back."""
        if self._open:
            self._run(self._return, ())
            self._run(self._drop, ())
            self._open = False

    def _run(self, statement: str, row: Sequence[Value], *, expect: bool = False) -> int | None:
        return self._applier.run(statement, (row,), expect_each=expect)
