"""What an assessment asks the source beside its catalog: rows, rights, settings, counters, the application's SQL.

Everything is asked inside the snapshot's read-only transaction, each question in a savepoint of its own: what the role
may not see, or what fails, does not end the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from liteshift.catalog import Name
from liteshift.errors import LiteshiftError
from liteshift.postgres.connect import translate_error
from liteshift.postgres.read import copy_out
from liteshift.postgres.sessions import transactions
from liteshift.survey import (
    Activity,
    Oddity,
    Probe,
    Rights,
    ServerFacts,
    Statements,
    StatementStats,
    TableAnswer,
    TableCounters,
    TableQuestion,
)

Row = dict[str, Any]

_MOST_STATEMENTS = 2000
_LONGEST_TEXT = 10_000  # characters of a statement that are looked at
_MARK = "/* liteshift */"  # in each of our own statements on the user's tables, which are not the application's
_LONG_SECONDS = 60
_HIDDEN = "<insufficient privilege>"

_CONDITIONS: dict[Oddity, LiteralString] = {
    Oddity.NAN: "{c} = 'NaN'",
    Oddity.NEGATIVE_ZERO: "{c} = 0 AND {c}::text = '-0'",
    Oddity.INFINITY: "{c} IN ('infinity', '-infinity')",
    Oddity.BEFORE_CHRIST: "{c} < '0001-01-01' AND {c} > '-infinity'",
    Oddity.PAST_9999: "{c} >= '10000-01-01' AND {c} < 'infinity'",
    Oddity.HOUR_24: "{c} = '24:00:00'",
    Oddity.PAST_15_DIGITS: "length(ltrim(translate({c}::text, '-.', ''), '0')) > 15",
    Oddity.NOT_ASCII: r"""{c}::text COLLATE pg_catalog."C" ~ '[^\x01-\x7f]'""",
    Oddity.CONTROL: r"""{c}::text COLLATE pg_catalog."C" ~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]'""",
    # The well-formed sequences of RFC 3629, on the bytes in hexadecimal: no function says it without an error.
    Oddity.NOT_UTF8: """pg_catalog.encode(pg_catalog.convert_to({c}::text, 'SQL_ASCII'), 'hex') !~ '^("""
    "[0-7].|(c[2-9a-f]|d.)([89ab].)|e0[ab].[89ab].|e[1-9a-cef][89ab].[89ab].|ed[89].[89ab]."
    "|f0[9ab].[89ab].[89ab].|f[1-3][89ab].[89ab].[89ab].|f48.[89ab].[89ab].)*$'",
}


class PostgresSurvey:
    """See `liteshift.ends.Survey`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def server(self) -> ServerFacts:
        """What the server allows the role we are."""
        long = transactions(self._connection, longer=_LONG_SECONDS)
        return ServerFacts(**self._ask("server")[0], long=tuple(str(one) for one in long if one.process is not None))

    def rights(self) -> tuple[Rights, ...]:
        """What the role may do with each table and sequence."""
        return tuple(Rights(name=Name(row.pop("schema"), row.pop("name")), **row) for row in self._ask("rights"))

    def activity(self) -> Activity:
        """The counters at this moment."""
        self._connection.execute("SELECT pg_stat_clear_snapshot()")
        tables = [TableCounters(table=Name(row.pop("schema"), row.pop("name")), **row) for row in self._ask("counters")]
        return Activity(**self._ask("activity")[0], tables=tuple(tables))

    def statements(self) -> Statements:
        """The application's SQL, the statements that take the most time first."""
        found = self._ask("extension")
        if not found:
            return Statements(missing="the extension pg_stat_statements is not there")
        view = found[0]
        try:
            with self._try("pg_stat_statements"):
                return self._statements(view["schema"], view["columns"], view["has_info"])
        except LiteshiftError as error:
            return Statements(missing=error.message)

    def table(self, question: TableQuestion) -> TableAnswer:
        """One reading of a table.

        Raises:
            LiteshiftError: it can't be read; the other questions still can be asked.
        """
        columns = sql.SQL(", ").join(
            [
                sql.SQL("count(*)"),
                sql.SQL("coalesce(max({}), 0)").format(_width(question)),
                sql.SQL("count(*) FILTER (WHERE {} > {})").format(_width(question), sql.Literal(question.row_limit)),
                _array([_counted(probe) for probe in question.probes]),
                _array([part for column in question.numerics for part in self._digits(column)]),
            ]
        )
        with self._try(str(question.table)):
            row = self._one(sql.SQL("SELECT {} FROM {}").format(columns, _rows_of(question)))
            counts = tuple(row[3])
            return TableAnswer(
                rows=row[0],
                counts=counts,
                examples=self._examples(question, counts),
                widest=row[1],
                oversize=row[2],
                digits=tuple(zip(row[4][::2], row[4][1::2], strict=True)),
            )

    def sample(self, question: TableQuestion, columns: Sequence[str], *, rows: int) -> Sequence[bytes]:
        """Some rows in COPY's text format.

        Raises:
            LiteshiftError: they can't be read; the other questions still can be asked.
        """
        query = sql.SQL("SELECT {} FROM {} LIMIT {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), _rows_of(question), sql.Literal(rows)
        )
        statement = copy_out(self._connection, query)
        with self._try(str(question.table)), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            return [bytes(line) for line in copy]

    def _statements(self, schema: str, columns: Sequence[str], has_info: bool) -> Statements:
        time = "total_exec_time" if "total_exec_time" in columns else "total_time"
        top = " AND toplevel" if "toplevel" in columns else ""  # what runs inside functions is in its caller's time
        view = sql.Identifier(schema, "pg_stat_statements")
        rows = self._connection.execute(
            sql.SQL(
                "SELECT /* liteshift */ pg_catalog.left(query, {longest}), sum(calls)::int8, sum({time})::float8,"
                " count(*) FROM {view} WHERE query IS NOT NULL AND dbid = (SELECT oid FROM pg_catalog.pg_database"
                " WHERE datname = current_database()) {top} GROUP BY 1 ORDER BY 3 DESC"
            ).format(
                longest=sql.Literal(_LONGEST_TEXT),
                time=sql.Identifier(time),
                view=view,
                top=sql.SQL(top),
            )
        ).fetchall()
        since = ""
        if has_info:
            info = self._one(
                sql.SQL("SELECT to_char(stats_reset, 'YYYY-MM-DD HH24:MI') FROM {}").format(
                    sql.Identifier(schema, "pg_stat_statements_info")
                )
            )
            since = info[0] or ""
        seen = [row for row in rows if row[0] != _HIDDEN and _MARK not in row[0]]
        return Statements(
            since=since,
            statements=tuple(StatementStats(text, calls, time) for text, calls, time, _ in seen[:_MOST_STATEMENTS]),
            hidden=sum(row[3] for row in rows if row[0] == _HIDDEN),
            left_out=len(seen[_MOST_STATEMENTS:]),
        )

    def _examples(self, question: TableQuestion, counts: Sequence[int]) -> tuple[str | None, ...]:
        """A second look at a table in which something was found: at one row of each kind, the first by its key."""
        odd = [probe for probe, count in zip(question.probes, counts, strict=True) if count]
        if not odd or not question.key:
            return (None,) * len(question.probes)
        key = sql.SQL('json_build_array({})::text COLLATE pg_catalog."C"').format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in question.key)
        )
        firsts = [sql.SQL("min({}) FILTER (WHERE {})").format(key, _condition(probe)) for probe in odd]
        where = sql.SQL(" OR ").join(map(_condition, odd))
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(sql.SQL(", ").join(firsts), _rows_of(question), where)
        found = dict(zip(odd, self._one(query), strict=True))
        return tuple(found.get(probe) for probe in question.probes)

    def _digits(self, column: str) -> tuple[sql.Composed, sql.Composed]:
        """The most digits before and after the point, without zeros at the end; NaN and infinity have no scale."""
        name = sql.Identifier(column)
        largest = sql.SQL("max(abs({c})) FILTER (WHERE scale({c}) IS NOT NULL)").format(c=name)
        before = sql.SQL("coalesce(length(nullif(trunc({}), 0)::text), 0)").format(largest)
        scale = sql.SQL("min_scale" if self._connection.info.server_version >= 130000 else "scale")
        return before, sql.SQL("coalesce(max({}({})), 0)").format(scale, name)

    def _ask(self, name: str) -> list[Row]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(_query(name)).fetchall()

    def _one(self, query: sql.Composed) -> tuple[Any, ...]:
        row = self._connection.execute(sql.SQL("/* liteshift */ ") + query).fetchone()
        assert row is not None  # noqa: S101 - an aggregate gives one row
        return tuple(row)

    @contextmanager
    def _try(self, subject: str) -> Iterator[None]:
        try:
            with self._connection.transaction():
                yield
        except psycopg.Error as error:
            translated = translate_error(error, subject)
            raise translated if self._connection.broken else LiteshiftError(translated.message) from error


@cache
def _query(name: str) -> LiteralString:
    return (files(__package__) / "sql" / f"{name}.sql").read_text()


def _rows_of(question: TableQuestion) -> sql.Composed:
    only = sql.SQL("" if question.with_children else "ONLY ")
    rows = only + sql.Identifier(question.table.schema, question.table.name)
    if question.percent is None:
        return rows
    return sql.SQL("{} TABLESAMPLE SYSTEM ({}) REPEATABLE (1)").format(rows, sql.Literal(question.percent))


def _width(question: TableQuestion) -> sql.Composed:
    sizes: list[tuple[LiteralString, tuple[str, ...]]] = [
        ("octet_length({}::text)::int8", question.texts),
        ("2 * octet_length({})::int8", question.blobs),
        ("pg_column_size({})::int8", question.packed),
    ]
    terms = [
        sql.SQL("coalesce(" + size + ", 0)").format(sql.Identifier(name)) for size, names in sizes for name in names
    ]
    return sql.SQL(" + ").join([sql.SQL("0::int8"), *terms])


def _condition(probe: Probe) -> sql.Composed:
    template = sql.SQL(_CONDITIONS[probe.oddity])
    return sql.SQL("({})").format(_within(sql.Identifier(probe.column), probe.steps, template))


def _within(value: sql.Composable, steps: Sequence[str | None], template: sql.SQL) -> sql.Composed:
    """The condition, for what stands in a value at the end of some steps."""
    if not steps:
        return template.format(c=value)
    first, *others = steps
    if first is not None:
        return _within(sql.SQL("({}).{}").format(value, sql.Identifier(first)), others, template)
    each = sql.Identifier(f"each{len(steps)}")
    inner = _within(sql.SQL("{}.element").format(each), others, template)
    return sql.SQL("EXISTS (SELECT FROM (SELECT pg_catalog.unnest({}) AS element) AS {} WHERE {})").format(
        value, each, inner
    )


def _counted(probe: Probe) -> sql.Composed:
    return sql.SQL("count(*) FILTER (WHERE {})").format(_condition(probe))


def _array(items: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL("ARRAY[{}]::int8[]").format(sql.SQL(", ").join(items))
