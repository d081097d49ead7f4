"""Ordinary, partial and expression indexes. One that is unique is a rule: it is kept, or the move is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from liteshift.catalog import Index, Table
from liteshift.plan import Finding, Severity
from liteshift.quoting import quote
from liteshift.translate.columns import PlannedColumn, Report
from liteshift.translate.constraints import lost, null_blind_index, refuse_unfaithful
from liteshift.translate.expressions import Operand, Untranslatable, folded_columns, translate

_ORDINARY = ("btree", "hash")


def index_statement(
    table: Table,
    index: Index,
    name: str,
    target: str,
    columns: Mapping[str, PlannedColumn],
    report: Report,
) -> str:
    """The CREATE INDEX statement; empty where the index is not carried, which is then reported.

    Args:
        table: the table it stands on.
        index: the index.
        name: its name in SQLite.
        target: its table's name in SQLite.
        columns: the table's columns by source name.
        report: takes the findings.
    """
    subject = f"{table.name}.{index.name}"
    if index.method not in _ORDINARY:
        lost(report, "index", subject, f"SQLite has no {index.method} index", was=index.definition)
        return ""
    if not index.valid:
        lost(report, "index", subject, "it is invalid on the source")
        return ""
    operands: dict[str, Operand] = {key: column.operand for key, column in columns.items()}
    if not index.unique:  # no rule depends on it, and a query that uses it folds as SQLite does, too
        operands = {key: replace(operand, ascii=True) for key, operand in operands.items()}
    try:
        terms = [_term(key.column, key.expression, operands) for key in index.keys]
        where = f" WHERE {translate(index.predicate, operands)}" if index.predicate else ""
    except Untranslatable as error:
        return _not_translated(index, subject, str(error), report)
    if index.unique and any(key.collation for key in index.keys):
        return _not_translated(index, subject, "a collation of its own", report)
    if index.unique and any(key.own_equality for key in index.keys):
        return _not_translated(index, subject, "an operator class of its own, with an equality of its own", report)
    if index.unique:
        keys = [columns[key.column] for key in index.keys if key.column is not None]
        refuse_unfaithful("unique index", subject, keys, report)
    if index.nulls_not_distinct and index.unique:
        collations = [operands[key.column].collation if key.column else "" for key in index.keys]
        return null_blind_index(name, target, list(zip(terms, collations, strict=False))) + where
    folded = {name for key in index.keys if key.expression for name in folded_columns(key.expression)}
    if not index.unique and folded:
        why = "SQLite's lower() and upper() know ASCII letters only, in queries as well"
        report(Finding(Severity.NOTE, "index", subject, "folds the case of ASCII letters only", why))
    if index.included and not index.unique:
        terms += [quote(columns[column].plan.target) for column in index.included]
    elif index.included:
        why = "SQLite's unique indexes cover their keys only; the rule is the same"
        report(Finding(Severity.NOTE, "index", subject, "leaves its INCLUDE columns out", why))
    ordered = [f"{term} DESC" if key.descending else term for term, key in zip(terms, index.keys, strict=False)]
    ordered += terms[len(ordered) :]
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {quote(name)} ON {quote(target)} ({', '.join(ordered)}){where}"


def _term(column: str | None, expression: str | None, operands: Mapping[str, Operand]) -> str:
    if column is not None:
        return operands[column].sql
    return translate(expression or "", operands)


def _not_translated(index: Index, subject: str, why: str, report: Report) -> str:
    if not index.unique:
        lost(report, "index", subject, f"not translated: {why}", was=index.definition)
        return ""
    what = "can't be carried, and it is a unique rule"
    instead = "exclude the table, or replace the index on the source by one that SQLite can keep"
    report(Finding(Severity.REFUSAL, "unique index", subject, what, f"not translated: {why}", instead))
    return ""
