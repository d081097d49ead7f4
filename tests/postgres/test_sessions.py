"""How a session that is in the way is named, and what ends it."""

from __future__ import annotations

import pytest

from liteshift.postgres.sessions import Session


@pytest.mark.parametrize(
    ("session", "text", "statement"),
    [
        (
            Session(7, "psql", "me", 61.4),
            "the process 7 (psql, me), open for 61 s",
            "SELECT pg_terminate_backend(7);",
        ),
        (Session(7, "autovacuum worker", "", None), "the process 7 (autovacuum worker)", "pg_terminate_backend(7)"),
        (
            Session(None, "it's", "me", 7200),
            'the prepared transaction "it\'s" (me), open for 7,200 s',
            "ROLLBACK PREPARED 'it''s';",
        ),
    ],
)
def test_in_words(session: Session, text: str, statement: str) -> None:
    assert str(session) == text
    assert statement in session.hint
