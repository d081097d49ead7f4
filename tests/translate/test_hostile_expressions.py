"""Names that the parser knows for words of its own, and texts that nobody's catalog prints."""

from __future__ import annotations

import re
from contextlib import closing

import psycopg
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.dialects.postgres import Postgres

from liteshift.sqlite.library import dbapi
from liteshift.translate.defaults import translate_default
from liteshift.translate.expressions import Operand, Untranslatable, translate

PATTERNS = (
    "{} > 5", "{} IS NULL", "coalesce({}, 0) = 1", "- {} = 1", "{} IN (1, 2)", "{} + 1 = 2", "NOT {} = 1",
    "{}::bigint > 0", "1 = {}", "abs({}) = {}",
)  # fmt: skip
COLUMNS = {"a": Operand('"a"', "integer", "integer"), "t": Operand('"t"', "text"), "b": Operand('"b"', "boolean")}


def _words() -> list[str]:
    parser = Postgres.Parser
    found = {*Postgres.Tokenizer.KEYWORDS, *parser.FUNCTIONS, *parser.FUNCTION_PARSERS}
    found |= {*parser.NO_PAREN_FUNCTION_PARSERS, *(kind.value for kind in sqlglot.exp.DType)}
    found |= {"e", "b", "x", "n", "u", "value", "values", "row", "array", "interval", "date", "time", "timestamp"}
    return sorted({word.lower() for word in map(str, found) if re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", word)})


def test_names_that_are_words_of_sql(database: str) -> None:
    """A column called `date` or `row` is a column: each is translated as any other name is, or refused."""
    words = _words()
    assert len(words) > 500
    refused = set()
    with psycopg.connect(database, autocommit=True) as connection:
        for start in range(0, len(words), 60):
            chunk = ["ordinary", *words[start : start + 60]]
            connection.execute("DROP TABLE IF EXISTS t")
            columns = ", ".join(f'"{word}" integer' for word in chunk)
            connection.execute(f"CREATE TABLE t ({columns})".encode())
            for number, pattern in enumerate(PATTERNS):
                checks = [
                    f'ADD CONSTRAINT "{word}_{number}" CHECK (' + pattern.replace("{}", f'"{word}"') + ")"
                    for word in chunk
                ]
                connection.execute(f"ALTER TABLE t {', '.join(checks)}".encode())
            printed: dict[str, str] = dict(
                connection.execute(
                    "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE contype = 'c'"
                )
            )
            operands = {word: Operand(f'"{word}"', "integer", "integer") for word in chunk}
            for number in range(len(PATTERNS)):
                expected = translate(printed[f"ordinary_{number}"], operands)
                for word in chunk[1:]:
                    try:
                        found = translate(printed[f"{word}_{number}"], operands)
                    except Untranslatable:
                        refused.add(word)
                        continue
                    assert found == expected.replace('"ordinary"', f'"{word}"'), printed[f"{word}_{number}"]
    assert len(refused) < 30


HOSTILE = [
    "",
    ";",
    "a",
    "x",
    '"a" > 0 --',
    "(((((",
    "a > 0; DROP TABLE t",
    "a > 0 /* */",
    "SELECT 1",
    "(SELECT 1) = a",
    "a.b > 0",
    "(a).b > 0",
    "EXISTS (SELECT 1)",
    "a IN (SELECT 1)",
    "a > 0 UNION SELECT 1",
    "E'\\x41' = t",
    "U&'\\0041' = t",
    "$$a$$ = t",
    "t ~~ 'a'",
    "t OPERATOR(pg_catalog.=) 'a'",
    "t = 'a' COLLATE \"C\"",
    "b::integer = 1",
    "a = :x",
    "a = ?",
    "a = $1",
    "a = @x",
    "*",
    "a AS c",
    "a > 0 ESCAPE 'x'",
    "CAST(a AS text) = t",
    "a IS JSON",
    "ALL",
    "ANY (ARRAY[a])",
    "a = ANY (b)",
    "a <> ALL (ARRAY[])",
    "{'a': 1} = a",
    "a[1] = 1",
    "a -> 1",
    "INTERVAL '1' = a",
    "now() > a",
    "current_user = t",
    "t || NULL::jsonb",
    "ROW(a, b) = ROW(1, 2)",
    "a = 1 IS TRUE IS JSON",
    "NOT a",
    "a AND b",
    "- t = 1",
    "abs(t) = 1",
    "length(a) = 1",
    "a || a = 1",
    "coalesce() = 1",
    "trim(leading 'a' from t collate \"C\") = 'a'",
    "a BETWEEN SYMMETRIC 2 AND 1",
    "a IN ()",
    "a = 1e400",
    "a = 0x10",
    "a = 1_000",
    "(" * 3000 + "a" + ")" * 3000,
    "a = " + "9" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:30])
def test_what_no_catalog_prints(text: str) -> None:
    """It is refused, or it is an expression over the known columns and nothing else."""
    try:
        translated = translate(text, COLUMNS)
    except Untranslatable as refusal:
        assert str(refusal)
        return
    _compute(translated)


def _compute(translated: str) -> None:
    with closing(dbapi.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a INTEGER, t TEXT, b BOOLEAN)")
        connection.execute(f"SELECT {translated} FROM t").fetchall()
        connection.execute(f"CREATE TABLE c (a INTEGER, t TEXT, b BOOLEAN, CHECK ({translated}))")
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (2,)


_PIECES = st.sampled_from(
    [
        "a",
        "t",
        "b",
        '"a"',
        "'",
        "''",
        "(",
        ")",
        ";",
        "--",
        "/*",
        "*/",
        "=",
        "<>",
        "AND",
        "OR",
        "NOT",
        "NULL",
        "IS",
        "IN",
        "1",
        "-",
        "::",
        "text",
        "integer",
        "ARRAY[",
        "]",
        ",",
        "ANY",
        "DROP TABLE t",
        "SELECT",
        "$$",
        "\\",
        "\n",
        "\0",
        "coalesce(",
        "length(",
        "'x'",
        "@",
        "?",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_is_refused_or_harmless(text: str) -> None:
    try:
        translated = translate(text, COLUMNS)
    except Untranslatable:
        return
    _compute(translated)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_PIECES, max_size=8).map(" ".join) | st.text(max_size=30),
    st.sampled_from(
        [("integer", "integer"), ("text", "text"), ("boolean", "boolean"), ("timestamp", "timestamp"), ("json", "json")]
    ),
)
def test_any_default_is_refused_or_harmless(text: str, kind: tuple[str, str]) -> None:
    try:
        translated = translate_default(text, *kind)
    except Untranslatable:
        return
    with closing(dbapi.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t (a, b DEFAULT {translated})")
        connection.execute("INSERT INTO t (a) VALUES (1)")
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_every_name_is_quoted_and_every_constant_written_anew() -> None:
    columns = {'a"b': Operand('"a""b"', "text"), "c": Operand('"c"', "text")}
    assert translate("""("a""b" = 'x''y'::text)""", columns) == """("a""b" = 'x''y')"""
    assert translate("(c = 'a\\b'::text)", columns) == "(\"c\" = 'a\\b')"
    with pytest.raises(Untranslatable):
        translate("(d = 'x'::text)", columns)
