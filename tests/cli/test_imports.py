"""What a verb of a live move does not use, it does not load: each is typed often, and starts in a third of a second."""

from __future__ import annotations

import subprocess
import sys

_SLOW = {"alembic", "django", "fastapi", "rich", "sqlalchemy", "sqlglot"}


def test_a_live_move_s_verbs_load_neither_the_planner_nor_what_draws_tables() -> None:
    verbs = "from liteshift.cli import live, main, migrate, status"
    ends = "from liteshift.postgres import connect, slot; from liteshift.sqlite import target"
    words = [sys.executable, "-c", f"import sys; {verbs}; {ends}; print(*sys.modules)"]
    loaded = set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
    assert loaded >= {"liteshift.live.run", "psycopg", "liteshift.sqlite.apply"}
    assert loaded & _SLOW == set()
