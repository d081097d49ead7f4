"""The log that fuzzing begins with (`native/seeds/log`) is what a server sends.

LITESHIFT_RECORD=1 writes it anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
from tests.stages.live import NAME, copied

from liteshift.codec.pgoutput import message_at
from liteshift.position import Lsn

SEED = Path(__file__).parents[2] / "native" / "seeds" / "log" / "server"
SCHEMA = """
CREATE TABLE kept (id int PRIMARY KEY, t text, d double precision,
  n numeric(6, 2), b boolean, at timestamp, y bytea, u uuid, day date, j jsonb, p interval);
ALTER TABLE kept ALTER COLUMN t SET STORAGE EXTERNAL;
CREATE TABLE keyless (i int, t text);
"""
STATEMENTS = (
    """INSERT INTO kept VALUES (1, 'é', 1.5, 12.30, true, '2024-02-29 12:00:00.5', '\\x00ff',
       '00000000-0000-0000-0000-000000000007', '2024-02-29', '{"a": [1, null]}', '1 mon 2 days')""",
    "INSERT INTO kept (id, t) VALUES (2, repeat('large ', 600)), (3, NULL)",
    "UPDATE kept SET d = -0.5 WHERE id = 2",
    "UPDATE kept SET id = 4 WHERE id = 3",
    "DELETE FROM kept WHERE id = 1",
    "INSERT INTO keyless VALUES (1, 'a'), (2, NULL)",
    "UPDATE keyless SET i = 3 WHERE t IS NULL",
    "DELETE FROM keyless WHERE i = 3",
    "BEGIN; SELECT pg_logical_emit_message(true, 'liteshift', 'token'); TRUNCATE kept, keyless; COMMIT",
)


def test_it_is_what_a_server_sends(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    live.execute(*STATEMENTS)
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row
    end, found = Lsn.parse(row[0]), b""
    with live.target.applier() as applier, live.origin.stream(NAME, applier.position) as stream:
        while stream.reached < end:
            found += stream.read(seconds=0.2)
    if os.environ.get("LITESHIFT_RECORD"):
        SEED.write_bytes(found)
    assert _kinds(found) == _kinds(SEED.read_bytes())


def _kinds(log: bytes) -> list[str]:
    """The kinds of its messages."""
    kinds, at = [], 0
    while at < len(log):
        message, at = message_at(log, at)
        kinds.append(chr(message[0]))
    return kinds
