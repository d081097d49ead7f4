"""Judges the application's own SQL: which constructs SQLite lacks or answers differently, and how often they run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from liteshift.assessment import ConstructUse, Effect, Effort, Workload
from liteshift.catalog import Catalog, Column, PgType, TypeKind
from liteshift.survey import Statements, StatementStats
from liteshift.translate import constructs
from liteshift.translate.constructs import CONSTRUCTS, Construct
from liteshift.translate.lexer import Statement, read

_PARSED = re.compile(r"(?:SELECT|WITH|INSERT|UPDATE|DELETE|VALUES|\( SELECT)\b")
_WRITES = re.compile(r"(?:INSERT|UPDATE|DELETE|MERGE|COPY .*\bFROM)\b|WITH\b.*\( (?:INSERT|UPDATE|DELETE|MERGE)\b")
# The schema is the plan's business, and maintenance the server's.
_NOT_OURS = re.compile(
    r"(?:CREATE (?!TEMP)|ALTER|DROP|COMMENT|GRANT|REVOKE|ANALYZE|VACUUM|REINDEX|CLUSTER|CHECKPOINT|EXPLAIN|SHOW|RESET"
    r"|DISCARD|DEALLOCATE|PREPARE (?!TRANSACTION)|EXECUTE|LOAD|IMPORT|SELECT (?:PG_CATALOG \. )?SET_CONFIG)\b"
)
_CALL = re.compile(r"(?<!INTO )(\w+) \(")
_SYSTEM = ("pg_catalog", "information_schema")
_EXAMPLES = 3
_EXAMPLE_LENGTH = 300
_RANK = list(Effort)
_TEXTS = ("text", "varchar", "bpchar", "name", "citext")

_GET_IT = (
    "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements';  -- beside what it holds already; then restart",
    "CREATE EXTENSION pg_stat_statements;",
    "-- let the application work for a typical day, then assess again",
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog tells of names that statements use.

    Attributes:
        tables: the columns of each table by its bare name.
        functions: the user's functions.
        byte_order: whether the database sorts texts by code point, as SQLite does.
    """

    tables: Mapping[str, Mapping[str, Column]] = field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    byte_order: bool = True


def known(catalog: Catalog) -> Known:
    """What the catalog tells."""
    tables = {table.name.name: {column.name: column for column in table.columns} for table in catalog.tables}
    functions = {other.name.name.upper() for other in catalog.others if other.kind in ("function", "procedure")}
    return Known(tables, frozenset(functions), catalog.sorts_by_code_point)


def judge(found: Statements, names: Known) -> Workload:
    """Which constructs the application uses, and how much."""
    users: dict[Construct, list[tuple[StatementStats, Statement]]] = defaultdict(list)
    judged: list[StatementStats] = []
    unparsed = writes = 0
    for stats in found.statements:
        statement = read(stats.text)
        if _NOT_OURS.match(statement.skeleton):
            continue
        tree = _parse(statement)
        tables = _tables(tree)
        if all(_is_system(table) for table in tables) if tables else "PG_CATALOG" in statement.skeleton:
            continue
        used = set(_used(statement, tree, names))
        if not used and not tables:
            continue  # BEGIN, SELECT 1 …
        judged.append(stats)
        unparsed += tree is None and _PARSED.match(statement.skeleton) is not None
        writes += stats.calls if _WRITES.match(statement.skeleton) else 0
        for construct in used:
            users[construct].append((stats, statement))
    total = sum(stats.milliseconds for stats in judged)
    uses = [_use(construct, statements, total) for construct, statements in users.items()]
    return Workload(
        missing=found.missing,
        remedy=_GET_IT if found.missing else (),
        since=found.since,
        statements=len(judged),
        unparsed=unparsed,
        hidden=found.hidden,
        left_out=found.left_out,
        calls=sum(stats.calls for stats in judged),
        write_calls=writes,
        milliseconds=total,
        uses=tuple(sorted(uses, key=_weight)),
    )


def _use(construct: Construct, users: list[tuple[StatementStats, Statement]], total: float) -> ConstructUse:
    shown = [statement.shown for _, statement in users[:_EXAMPLES]]
    return ConstructUse(
        title=construct.title,
        effect=construct.effect,
        effort=construct.effort,
        instead=construct.instead,
        statements=len(users),
        calls=sum(stats.calls for stats, _ in users),
        share=sum(stats.milliseconds for stats, _ in users) / total if total else 0.0,
        examples=tuple(text if len(text) <= _EXAMPLE_LENGTH else text[:_EXAMPLE_LENGTH] + " …" for text in shown),
    )


def _weight(use: ConstructUse) -> tuple[int, bool, float, str]:
    return -_RANK.index(use.effort), use.effect is Effect.FAILS, -use.share, use.title  # what fails shows itself


def _used(statement: Statement, tree: exp.Expr | None, names: Known) -> Iterator[Construct]:
    for construct in CONSTRUCTS:
        if construct.pattern and construct.pattern.search(statement.skeleton):
            yield construct
    if names.functions.intersection(_CALL.findall(statement.skeleton)):
        yield constructs.OWN_CODE
    if tree is not None:
        yield from _in_tree(statement, tree, names)


def _in_tree(statement: Statement, tree: exp.Expr, names: Known) -> Iterator[Construct]:
    tables = _tables(tree)
    if any(table.db and not _is_system(table) for table in tables):
        yield constructs.SCHEMAS
    columns = [names.tables[name] for name in map(_name, tables) if name in names.tables]

    def column(node: exp.Expr) -> Column | None:
        return next((known[_name(node)] for known in columns if _name(node) in known), None)

    def has_numeric(node: exp.Expr) -> bool:
        found = [column(part) for part in node.find_all(exp.Column)]
        return any(one is not None and _base(one.type).name.name == "numeric" for one in found)

    for node in tree.walk():
        if isinstance(node, exp.Ordered) and isinstance(node.this, exp.Column):
            ordered = column(node.this)
            if ordered is not None and not ordered.not_null and "NULLS " not in statement.skeleton:
                yield constructs.NULL_ORDER
            if ordered is not None and not names.byte_order and _base(ordered.type).name.name in _TEXTS:
                yield constructs.TEXT_ORDER
            if ordered is not None and _base(ordered.type).kind is TypeKind.ENUM:
                yield constructs.ENUM_ORDER
        elif isinstance(node, exp.Sum | exp.Avg) and has_numeric(node):
            yield constructs.DECIMAL_SUM
        elif isinstance(node, exp.Div) and has_numeric(node):
            yield constructs.DIVISION


def _parse(statement: Statement) -> exp.Expr | None:
    if not _PARSED.match(statement.skeleton):
        return None
    try:
        return sqlglot.parse_one(statement.plain, dialect="postgres")
    except (SqlglotError, RecursionError):
        return None


def _tables(tree: exp.Expr | None) -> list[exp.Table]:
    if tree is None:
        return []
    inner = {with_.alias for with_ in tree.find_all(exp.CTE)}
    return [table for table in tree.find_all(exp.Table) if table.name and (table.db or table.name not in inner)]


def _name(node: exp.Expr) -> str:
    """The name as PostgreSQL stores it: in small letters unless quoted."""
    quoted = isinstance(node.this, exp.Identifier) and node.this.quoted
    return node.name if quoted else node.name.lower()


def _is_system(table: exp.Table) -> bool:
    return table.db in _SYSTEM or (not table.db and table.name.startswith("pg_"))


def _base(kind: PgType) -> PgType:
    while kind.kind is TypeKind.DOMAIN and kind.base:
        kind = kind.base
    return kind
