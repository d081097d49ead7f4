"""SQL that a migrated file may need beyond SQLite's own, for connections that are not of `liteshift.app.engines`.

`register(connection)` gives a connection of Python's `sqlite3` the collation DECIMAL, under which exact decimals stored
as text have the order of numbers, and the functions decimal_add, decimal_sub, decimal_mul, decimal_round, decimal_sum.
"""

from __future__ import annotations

from liteshift.sqlite.functions import register

__all__ = ["register"]
