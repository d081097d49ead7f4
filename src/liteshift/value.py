"""What a column of SQLite holds."""

from __future__ import annotations

Value = int | float | str | bytes | None
