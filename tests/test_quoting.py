"""A name is a name, whatever is in it."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.errors import UsageError
from liteshift.quoting import literal, quote
from liteshift.sqlite.library import dbapi


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_name_round_trips(name: str) -> None:
    with closing(dbapi.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t({quote(name)} INTEGER)")
        assert [row[1] for row in connection.execute("PRAGMA table_info(t)")] == [name]


def test_nul_is_refused() -> None:
    with pytest.raises(UsageError, match="NUL"):
        quote("a\0b")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_round_trips(text: str) -> None:
    with closing(dbapi.connect(":memory:")) as connection:
        assert connection.execute(f"SELECT {literal(text)}").fetchone() == (text,)
