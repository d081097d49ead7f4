"""Columns: declared type, stored form, NOT NULL, DEFAULT and CHECK."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace

from liteshift.catalog import Column, Name, PgType, Table, TypeKind
from liteshift.plan import Choices, ColumnPlan, Finding, Severity
from liteshift.quoting import quote
from liteshift.translate.defaults import translate_default
from liteshift.translate.expressions import Operand, Untranslatable, translate, translate_value
from liteshift.translate.names import Namespace
from liteshift.translate.typemap import Target, Unsupported, as_text, target

Report = Callable[[Finding], None]

_INTEGERS = ("int2", "int4", "int8")


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column with what the other translators must know of it."""

    source: Column
    plan: ColumnPlan
    operand: Operand


def plan_columns(
    table: Table, choices: Choices, ascii_only: Set[tuple[Name, str]], report: Report
) -> tuple[PlannedColumn, ...]:
    """What each column becomes; losses and refusals are reported.

    Args:
        table: the table.
        choices: what the user decides.
        ascii_only: text columns whose unique rule under lower() or upper() holds as long as they stay ASCII.
        report: takes the findings.
    """
    names = Namespace([])
    primary = table.primary_key.columns if table.primary_key else ()
    planned = []
    for column in table.columns:
        subject = f"{table.name}.{column.name}"
        try:
            kind = target(column.type, column.typmod, choices.profile)
        except Unsupported as error:
            kind = as_text(column.type)
            if not choices.unknown_as_text:
                instead = "say --unknown-as-text to carry the text that PostgreSQL prints, or exclude the table"
                report(Finding(Severity.REFUSAL, "column", subject, "can't be carried", str(error), instead))
        if kind.loss:
            what = f"{column.type_text} becomes {kind.declared}"
            report(
                Finding(Severity.LOSS, "column", subject, what, f"the values are exact; what is lost is {kind.loss}")
            )
        name = names.claim_column(column.name)
        if name != column.name:
            why = "SQLite takes names that differ only in case for one"
            report(Finding(Severity.NOTE, "column", subject, f"is called {name}", why))
        is_ascii = (table.name, column.name) in ascii_only
        if is_ascii:
            checks = (*kind.checks, "length(CAST({} AS BLOB)) = length({})")
            kind = replace(kind, checks=checks, same_equality=True)
            why = "a unique rule folds its case, which SQLite does for ASCII letters only"
            instead = "keep the folded text in a column of its own, with the unique rule on that"
            report(Finding(Severity.LOSS, "column", subject, "takes ASCII only from now on", why, instead))
        if column.fuzzy:
            kind = replace(kind, family="other", same_equality=False)
        rules = _rules(column, kind, quote(name), subject, column.name in primary, report)
        plan = ColumnPlan(column.name, name, column.type_text, kind.declared, kind.form, rules)
        operand = Operand(
            quote(name), kind.family, kind.form, is_ascii, kind.same_equality, kind.keeps_unique, kind.collation
        )
        planned.append(PlannedColumn(column, plan, operand))
    operands = {column.source.name: column.operand for column in planned}
    # SQLite computes no part of a primary key.
    return tuple(column if column.source.name in primary else _with_generation(column, operands) for column in planned)


def _with_generation(column: PlannedColumn, operands: Mapping[str, Operand]) -> PlannedColumn:
    """A generated column goes on being computed where its expression gives the very value that is stored."""
    if column.source.generated is None:
        return column
    try:
        expression = translate_value(column.source.generated, operands, column.operand)
    except Untranslatable:
        return column
    rules = tuple(rule for rule in column.plan.rules if not rule.startswith("DEFAULT"))
    return replace(column, plan=replace(column.plan, generated=f"({expression})", rules=rules))


def is_rowid(table: Table, column: Column) -> bool:
    """Whether a column is its table's single-column integer primary key, which SQLite makes the rowid."""
    primary = table.primary_key
    base = column.type
    while base.kind is TypeKind.DOMAIN and base.base:
        base = base.base
    is_integer = base.name.schema == "pg_catalog" and base.name.name in _INTEGERS
    return primary is not None and primary.columns == (column.name,) and is_integer


def _rules(
    column: Column, kind: Target, sql: str, subject: str, in_primary_key: bool, report: Report
) -> tuple[str, ...]:
    rules = [f"COLLATE {kind.collation}"] if kind.collation else []
    if column.not_null or in_primary_key or _domain_not_null(column.type):
        rules.append("NOT NULL")
    default = _default(column, kind, subject, report)
    if default is not None:
        rules.append(f"DEFAULT {default}")
    checks = [check.replace("{}", sql) for check in kind.checks] + _domain_checks(column, kind, sql, subject, report)
    if checks:
        rules.append(f"CHECK ({' AND '.join(checks)})")
    return tuple(rules)


def _domain_not_null(source: PgType) -> bool:
    while source.kind is TypeKind.DOMAIN and source.base:
        if source.not_null:
            return True
        source = source.base
    return False


def _domain_checks(column: Column, kind: Target, sql: str, subject: str, report: Report) -> list[str]:
    checks = []
    source = column.type
    while source.kind is TypeKind.DOMAIN and source.base:
        for name, expression in source.checks:
            what = f"the rule {name} of the domain {source.name} is not carried"
            if expression is None:
                report(Finding(Severity.LOSS, "domain rule", subject, what, "it is NOT VALID: values may break it"))
                continue
            try:
                checks.append(translate(expression, {"VALUE": Operand(sql, kind.family, kind.form)}))
            except Untranslatable as error:
                report(Finding(Severity.LOSS, "domain rule", subject, what, f"not translated: {error}"))
        source = source.base
    return checks


def _default(column: Column, kind: Target, subject: str, report: Report) -> str | None:
    """The default as SQL, or None: a sequence's is the rowid's business, or named as lost by `sequences`."""
    text, source = column.default, column.type
    while text is None and source.kind is TypeKind.DOMAIN and source.base:
        text, source = source.default, source.base
    if text is None or column.sequence is not None:
        return None
    try:
        default = translate_default(text, kind.family, kind.form, column.type, column.typmod)
    except Untranslatable as error:
        why, instead = f"not translated: {error}", "the application gives the value"
        was = "" if str(error) == text else text
        report(Finding(Severity.LOSS, "default", subject, "is not carried", why, instead, was=was))
        return None
    if "strftime" in default:
        where = ", and in UTC whatever the session's time zone" if kind.family == "timestamp" else ""
        why = "SQLite's clock has milliseconds, PostgreSQL's microseconds"
        report(Finding(Severity.NOTE, "default", subject, f"{text} is given in milliseconds{where}", why))
    return default
