"""Constructs of PostgreSQL's SQL that an application may use, and what SQLite does with each.

Each pattern is matched against a statement's skeleton (see `lexer`): its tokens in capitals, one space between two,
quoted names as `"…"`, text constants as `''`, numbers as `0`. Each example is run on both databases by a test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from liteshift.assessment import Effect, Effort

DIFFERS, FAILS, WORKS = Effect.DIFFERS, Effect.FAILS, Effect.WORKS
NONE, ORM, REWRITE, REDESIGN = Effort.NONE, Effort.ORM, Effort.REWRITE, Effort.REDESIGN


@dataclass(frozen=True, slots=True)
class Construct:
    """One construct.

    Attributes:
        title: what to call it.
        pattern: what to look for in a skeleton; None where `workload` looks at the parsed statement.
        instead: what to write for SQLite.
        example: a statement that uses it, over the table t of that test.
    """

    title: str
    effect: Effect
    effort: Effort
    instead: str
    example: str
    pattern: re.Pattern[str] | None = field(default=None, compare=False)


def _calls(*names: str) -> str:
    """Calls of functions; `INSERT INTO name (` is none."""
    return r"(?<!INTO )\b(?:" + "|".join(names) + r") \("


def _construct(
    title: str, effect: Effect, effort: Effort, instead: str, example: str, pattern: str | None = None
) -> Construct:
    return Construct(title, effect, effort, instead, example, re.compile(pattern) if pattern else None)


# Found in the parsed statement, as they hang on what its names stand for.
SCHEMAS = _construct(
    "schema-qualified names", FAILS, ORM,
    "the table's name in the plan; in SQLAlchemy schema_translate_map, in Django db_table",
    "SELECT id FROM public.t",
)  # fmt: skip
NULL_ORDER = _construct(
    "ORDER BY a column that may be NULL", DIFFERS, REWRITE,
    "NULLS LAST (or FIRST, after DESC): without it SQLite puts NULLs first",
    "SELECT name FROM t ORDER BY name",
)  # fmt: skip
TEXT_ORDER = _construct(
    "ORDER BY a text", DIFFERS, REWRITE,
    "a collation that the application registers: SQLite sorts by code point, PostgreSQL by the database's language",
    "SELECT name FROM t ORDER BY name",
)  # fmt: skip
ENUM_ORDER = _construct(
    "ORDER BY an enum", DIFFERS, REWRITE,
    "ORDER BY CASE, or a column with the label's number: SQLite sorts the labels as texts",
    "SELECT mood FROM t ORDER BY mood NULLS LAST",
)  # fmt: skip
DECIMAL_SUM = _construct(
    "sums of numeric", DIFFERS, REWRITE,
    "decimal_sum(), which the engines of liteshift.app write: SQLite adds doubles, and 0.1 + 0.2 is not 0.3",
    "SELECT sum(price) FROM t",
)  # fmt: skip
DIVISION = _construct(
    "division of numeric", DIFFERS, REWRITE,
    "1.0 * a / b: SQLite keeps whole numbers as integers, and divides integers without a remainder",
    "SELECT price / 2 FROM t WHERE id = 1",
)  # fmt: skip
OWN_CODE = _construct(
    "calls of functions of one's own", FAILS, REDESIGN,
    "the same in the application's language, registered with create_function where a query needs it",
    "SELECT own_function(id) FROM t",
)  # fmt: skip
CONSTRUCTS = (
    _construct(
        "LISTEN and NOTIFY", FAILS, REDESIGN,
        "a table that is polled, PRAGMA data_version, or a message broker",
        "NOTIFY channel", r"^(?:UN)?LISTEN\b|^NOTIFY\b|\bPG_NOTIFY \(",
    ),
    _construct(
        "advisory locks", FAILS, REDESIGN,
        "BEGIN IMMEDIATE where it guards a write, else a lock file or a row in a table of locks",
        "SELECT pg_advisory_lock(1)", r"\bPG_(?:TRY_)?ADVISORY_\w+ \(",
    ),
    _construct(
        "SKIP LOCKED and NOWAIT", FAILS, REDESIGN,
        "UPDATE … SET taken = 1 WHERE id = (SELECT … LIMIT 1) RETURNING …: nobody else writes meanwhile",
        "SELECT id FROM t FOR UPDATE SKIP LOCKED", r"\bSKIP LOCKED\b|\bNOWAIT\b",
    ),
    _construct(
        "two-phase commit", FAILS, REDESIGN, "one database, one transaction",
        "PREPARE TRANSACTION 'x'", r"^(?:PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED)\b",
    ),
    _construct(
        "full-text search", FAILS, REDESIGN, "an FTS5 table beside the table, kept by triggers",
        "SELECT id FROM t WHERE to_tsvector('simple', name) @@ to_tsquery('simple', 'a')",
        r" @@ |" + _calls("TO_TSVECTOR", r"(?:\w+_)?TO_TSQUERY", "TS_RANK(?:_CD)?", "TS_HEADLINE"),
    ),
    _construct(
        "stored code", FAILS, REDESIGN, "the same in the application", "DO $$ BEGIN END $$", r"^(?:CALL|DO)\b",
    ),
    _construct(
        "materialized views", FAILS, REDESIGN, "a table that the application fills",
        "REFRESH MATERIALIZED VIEW m", r"\bMATERIALIZED VIEW\b",
    ),
    _construct(
        "roles and row level security", FAILS, REDESIGN, "rights are checked in the application: SQLite has no users",
        "SET ROLE postgres",
        r"^SET (?:SESSION |LOCAL )?(?:ROLE|SESSION AUTHORIZATION)\b|\bCURRENT_SETTING \(|\b(?:SESSION|CURRENT)_USER\b",
    ),
    _construct(
        "FOR UPDATE and FOR SHARE", FAILS, ORM,
        "BEGIN IMMEDIATE before the first read: one writer at a time. SQLAlchemy and Django leave the words out",
        "SELECT id FROM t FOR UPDATE", r"\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b",
    ),
    _construct(
        "LOCK TABLE", FAILS, REWRITE, "BEGIN IMMEDIATE", "LOCK TABLE t", r"^LOCK\b",
    ),
    _construct(
        "cursors in the database", FAILS, REWRITE, "fetchmany() of the driver: SQLite gives rows as they are asked for",
        "DECLARE c CURSOR FOR SELECT id FROM t", r"^(?:DECLARE|FETCH|MOVE|CLOSE)\b",
    ),
    _construct(
        "COPY", FAILS, REWRITE, "executemany() in one transaction to load; to export, SELECT",
        "COPY t TO '/dev/null'", r"^COPY\b",
    ),
    _construct(
        "TRUNCATE", FAILS, REWRITE, "DELETE FROM without WHERE, which SQLite does by freeing pages",
        "TRUNCATE t", r"^TRUNCATE\b",
    ),
    _construct(
        "MERGE", FAILS, REWRITE, "INSERT … ON CONFLICT DO UPDATE",
        "MERGE INTO t USING (SELECT 1 AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'x'", r"^MERGE\b",
    ),
    _construct(
        "writing inside WITH", FAILS, REWRITE, "two statements in one transaction",
        "WITH d AS (DELETE FROM t WHERE id = 0 RETURNING id) SELECT id FROM d",
        r"\bAS (?:(?:NOT )?MATERIALIZED )?\( (?:INSERT|UPDATE|DELETE|MERGE)\b",
    ),
    _construct(
        "DELETE … USING", FAILS, REWRITE, "DELETE … WHERE EXISTS (SELECT …)",
        "DELETE FROM t USING t AS o WHERE t.id = o.id AND o.id = 0",
        r"\bDELETE FROM \S+(?: \. \S+)?(?: (?:AS )?\w+)? USING\b",
    ),
    _construct(
        "ON CONFLICT ON CONSTRAINT", FAILS, REWRITE, "ON CONFLICT (the columns)",
        "INSERT INTO t (id) VALUES (1) ON CONFLICT ON CONSTRAINT t_pkey DO NOTHING", r"\bON CONFLICT ON CONSTRAINT\b",
    ),
    _construct(
        "DEFAULT as a value", FAILS, ORM, "leave the column out",
        "INSERT INTO t (id, name) VALUES (9, DEFAULT)",
        r"[(,] DEFAULT (?=[,)])|= DEFAULT\b",
    ),
    _construct(
        "DISTINCT ON", FAILS, REWRITE, "row_number() OVER (PARTITION BY … ORDER BY …) = 1 in a subquery",
        "SELECT DISTINCT ON (name) id FROM t ORDER BY name, id", r"\bDISTINCT ON \(",
    ),
    _construct(
        "LATERAL", FAILS, REWRITE, "a subquery in the SELECT list, or row_number() in a joined subquery",
        "SELECT x.id FROM t, LATERAL (SELECT t.id) x", r"\bLATERAL\b",
    ),
    _construct(
        "GROUPING SETS, ROLLUP, CUBE", FAILS, REWRITE, "UNION ALL of one GROUP BY each",
        "SELECT name, count(*) FROM t GROUP BY ROLLUP (name)", r"\b(?:GROUPING SETS|ROLLUP|CUBE) \(",
    ),
    _construct(
        "generate_series", FAILS, REWRITE, "WITH RECURSIVE, or the extension generate_series",
        "SELECT n FROM generate_series(1, 3) n", _calls("GENERATE_SERIES"),
    ),
    _construct(
        "ANY, ALL and SOME", FAILS, ORM,
        "IN (…), or IN (SELECT value FROM json_each(?)) for a list of any length; SQLAlchemy's in_() does it",
        "SELECT id FROM t WHERE id = ANY (ARRAY[1, 2])", r"(?:=|<>|!=|<|>|<=|>=|LIKE) (?:ANY|ALL|SOME) \(",
    ),
    _construct(
        "arrays", FAILS, REWRITE,
        "JSON: json_each(), json_group_array(), json_array_length(); arrays arrive as JSON text",
        "SELECT array_length(tags, 1), unnest(tags) FROM t",
        r"\bARRAY \[|&&|" + _calls("UNNEST", "ARRAY_AGG", r"ARRAY_\w+", "CARDINALITY", "STRING_TO_ARRAY"),
    ),
    _construct(
        "operators of JSON and arrays", FAILS, REWRITE, "json_extract(), and EXISTS over json_each() for @> and ?",
        "SELECT id FROM t WHERE doc @> '{\"a\": 1}'", r" (?:@>|<@|\?\||\?&|\?|#>>|#>|#-|@\?) ",
    ),
    _construct(
        "-> and ->>", DIFFERS, REWRITE,
        "the same operators, since SQLite 3.38; but ->> gives a number where PostgreSQL gives its text",
        "SELECT id FROM t WHERE doc ->> 'a' = '1'", r" ->>? ",
    ),
    _construct(
        "JSON functions", FAILS, REWRITE,
        "json_object(), json_array(), json_group_array(), json_group_object(), json_each(), json_set()",
        "SELECT jsonb_build_object('a', id) FROM t",
        _calls(
            r"JSONB?_BUILD_\w+", r"JSONB?_AGG", r"JSONB?_OBJECT_AGG", r"JSONB?_ARRAY_ELEMENTS(?:_TEXT)?",
            r"JSONB?_ARRAY_LENGTH", r"JSONB?_EACH(?:_TEXT)?", r"JSONB?_OBJECT_KEYS", r"JSONB?_POPULATE_\w+",
            r"JSONB?_TO_RECORD(?:SET)?", r"JSONB?_TYPEOF", "JSONB_PATH_\\w+", "JSONB_PRETTY", "JSONB_INSERT",
            "ROW_TO_JSON", "ARRAY_TO_JSON", "TO_JSONB?",
        ),
    ),
    _construct(
        "ILIKE", FAILS, ORM, "lower(a) LIKE lower(b), which SQLAlchemy's ilike() writes; LIKE ignores case by itself",
        "SELECT id FROM t WHERE name ILIKE 'A%'", r"\bILIKE\b| !?~~\* ",
    ),
    _construct(
        "regular expressions", FAILS, REWRITE, "LIKE or GLOB, or REGEXP with a function that the application registers",
        "SELECT id FROM t WHERE name ~ '^a'", r" !?~\*? |\bSIMILAR TO\b|\bREGEXP_\w+ \(",
    ),
    _construct(
        "LIKE", DIFFERS, REWRITE,
        "GLOB, or PRAGMA case_sensitive_like: SQLite's LIKE ignores the case of ASCII letters",
        "SELECT id FROM t WHERE name LIKE 'A%'", r"\bLIKE\b| !?~~ ",
    ),
    _construct(
        "lower() and upper()", DIFFERS, REWRITE,
        "nothing where texts are ASCII, whose letters SQLite knows; else a function that the application registers",
        "SELECT lower('É')", _calls("LOWER", "UPPER"),
    ),
    _construct(
        ":: casts", FAILS, ORM, "CAST(x AS type); SQLAlchemy's drivers for PostgreSQL add most of them by themselves",
        "SELECT id::text FROM t", r" :: ",
    ),
    _construct(
        "CAST to a time", DIFFERS, REWRITE, "date(x), datetime(x): SQLite's CAST makes a number of it",
        "SELECT CAST('2026-01-02' AS date)",
        r"\bCAST \( [^()]* AS (?:DATE|TIMESTAMPTZ|TIMESTAMP|TIMETZ|TIME|INTERVAL)\b",
    ),
    _construct(
        "date and time functions", FAILS, REWRITE,
        "strftime(), date() and datetime() with modifiers such as '-1 day' and 'start of month'",
        "SELECT date_trunc('day', made) FROM t",
        r"\bAT TIME ZONE\b|\b(?:INTERVAL|DATE|TIME|TIMESTAMP|TIMESTAMPTZ) (?:''|\$\d+)|\bEXTRACT \(|"
        + _calls(
            "DATE_TRUNC", "DATE_PART", "DATE_BIN", "AGE", "TO_CHAR", "TO_DATE", "TO_TIMESTAMP", "MAKE_\\w+",
            "JUSTIFY_\\w+", "ISFINITE",
        ),
    ),
    _construct(
        "now()", FAILS, ORM,
        "the time from the application; in SQL strftime('%Y-%m-%d %H:%M:%f000', 'now')",
        "SELECT now()", _calls("NOW", "CLOCK_TIMESTAMP", "TRANSACTION_TIMESTAMP", "STATEMENT_TIMESTAMP"),
    ),
    _construct(
        "CURRENT_TIMESTAMP", DIFFERS, REWRITE,
        "strftime('%Y-%m-%d %H:%M:%f000', 'now'): SQLite's has no fraction of a second, and equals no stored time",
        "SELECT CURRENT_TIMESTAMP", r"\b(?:CURRENT_TIMESTAMP|LOCALTIMESTAMP|LOCALTIME)\b",
    ),
    _construct(
        "sequences", FAILS, REWRITE, "RETURNING id, or last_insert_rowid()",
        "SELECT nextval('t_id_seq')", _calls("NEXTVAL", "CURRVAL", "SETVAL", "LASTVAL"),
    ),
    _construct(
        "uuid functions", FAILS, ORM, "a uuid from the application",
        "SELECT gen_random_uuid()", _calls("GEN_RANDOM_UUID", r"UUID_GENERATE_\w+", "UUIDV[47]"),
    ),
    _construct(
        "text functions", FAILS, REWRITE, "substr(), instr(), trim(), replace(), printf(), or the application",
        "SELECT split_part(name, ',', 1) FROM t",
        r"\b(?:POSITION|SUBSTRING) \( [^()]* (?:IN|FROM) |"
        + _calls(
            "SPLIT_PART", "LPAD", "RPAD", "LEFT", "RIGHT", "INITCAP", "MD5", "SHA\\d+", "STRPOS", "REPEAT", "REVERSE",
            "TRANSLATE", "OVERLAY", "BTRIM", "CHR", "ASCII", "CHAR_LENGTH", "CHARACTER_LENGTH", "STARTS_WITH",
            "QUOTE_\\w+", "ENCODE", "DECODE", "UNACCENT", "SIMILARITY", "WORD_SIMILARITY",
        ),
    ),
    _construct(
        "greatest() and least()", FAILS, ORM, "max() and min() with two or more arguments; they are NULL where one is",
        "SELECT greatest(1, 2)", _calls("GREATEST", "LEAST"),
    ),
    _construct(
        "statistics and boolean aggregates", FAILS, REWRITE,
        "max() and min() for bool_or and bool_and; the others in the application",
        "SELECT bool_or(flag), stddev(id) FROM t",
        r"\bWITHIN GROUP\b|"
        + _calls("BOOL_AND", "BOOL_OR", "EVERY", "STDDEV(?:_\\w+)?", "VARIANCE", "VAR_\\w+", "CORR", "MODE"),
    ),
    _construct(
        "random()", DIFFERS, REWRITE, "abs(random() / 9223372036854775808.0): SQLite's is an integer of 64 bits",
        "SELECT random() < 1", _calls("RANDOM"),
    ),
    _construct(
        "string_agg() of DISTINCT values", FAILS, REWRITE, "string_agg() over a subquery with DISTINCT",
        "SELECT string_agg(DISTINCT name, ',') FROM t", r"\bSTRING_AGG \( DISTINCT\b",
    ),
    _construct(
        "OFFSET without LIMIT, FETCH FIRST", FAILS, ORM, "LIMIT n OFFSET m; LIMIT -1 for no limit",
        "SELECT id FROM t ORDER BY id OFFSET 1",
        r"\bFETCH (?:FIRST|NEXT)\b|\bLIMIT ALL\b|^(?!.*\bLIMIT\b).*\bOFFSET\b",
    ),
    _construct(
        "TABLESAMPLE and ONLY", FAILS, REWRITE, "WHERE random() % 100 = 0, say; there is no inheritance",
        "SELECT count(*) FROM ONLY t", r"\bTABLESAMPLE\b|\bFROM ONLY\b",
    ),
    _construct(
        "collations by name", FAILS, REWRITE, "NOCASE, or a collation that the application registers",
        'SELECT name FROM t ORDER BY name COLLATE "C"', r'\bCOLLATE (?:"…"|(?!NOCASE|BINARY|RTRIM)\w+)',
    ),
    _construct(
        "isolation levels", FAILS, ORM, "nothing: every transaction of SQLite's is serializable",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", r"\bISOLATION LEVEL\b",
    ),
    _construct(
        "RETURNING", WORKS, NONE, "the same, since SQLite 3.35",
        "DELETE FROM t WHERE id = 0 RETURNING id", r"\bRETURNING\b",
    ),
    _construct(
        "ON CONFLICT", WORKS, NONE, "the same, since SQLite 3.24",
        "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        r"\bON CONFLICT (?!ON CONSTRAINT)",
    ),
    _construct(
        "NULLS FIRST and NULLS LAST", WORKS, NONE, "the same, since SQLite 3.30",
        "SELECT id FROM t ORDER BY name NULLS FIRST", r"\bNULLS (?:FIRST|LAST)\b",
    ),
    _construct(
        "string_agg()", WORKS, NONE, "the same, ORDER BY included, since SQLite 3.44; group_concat() before",
        "SELECT string_agg(name, ',' ORDER BY id) FROM t", r"\bSTRING_AGG \( (?!DISTINCT)",
    ),
    _construct(
        "temporary tables", WORKS, NONE, "the same; a temporary table is its connection's, and never shared in a pool",
        "CREATE TEMP TABLE u (id integer)", r"^CREATE (?:TEMP|TEMPORARY) TABLE\b(?!.*\bON COMMIT\b)",
    ),
    _construct(
        "window functions", WORKS, NONE, "the same", "SELECT row_number() OVER (ORDER BY id) FROM t", r"\) OVER \(",
    ),
    _construct(
        "WITH RECURSIVE", WORKS, NONE, "the same",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n FROM r",
        r"\bWITH RECURSIVE\b",
    ),
)  # fmt: skip
