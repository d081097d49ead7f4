"""Views: a SELECT of proved parts, written anew. Whether it gives PostgreSQL's rows is checked on the migrated data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from sqlglot import expressions as exp

from liteshift.catalog import Catalog, Name, View
from liteshift.plan import ColumnPlan, Finding, Profile, Severity, ViewPlan
from liteshift.quoting import quote
from liteshift.translate.columns import Report
from liteshift.translate.constraints import lost
from liteshift.translate.expressions import HANDLERS, Operand, Translator, Typed, Untranslatable, parse
from liteshift.translate.names import Namespace
from liteshift.translate.typemap import Unsupported, target

Relations = Mapping[Name, tuple[str, Mapping[str, Operand]]]

_FORMS = {"integer": "integer", "text": "text", "unknown": "text", "boolean": "boolean"}
_SIDES = {"": "JOIN", "LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "FULL": "FULL JOIN"}


def plan_views(
    catalog: Catalog, relations: Relations, namespace: Namespace, profile: Profile, report: Report
) -> tuple[ViewPlan, ...]:
    """The views that can be translated, each after those it reads from; the others are reported.

    Args:
        catalog: the source's schema.
        relations: the tables of the plan: the target's name, and what each column's name stands for.
        namespace: gives the views their names.
        profile: whose habits the file follows.
        report: takes the findings.
    """
    known = dict(relations)
    planned: list[ViewPlan] = []
    waiting, reasons = list(catalog.views), dict[Name, str]()
    while waiting:
        left = []
        for view in waiting:
            try:
                made = _plan(view, known, namespace, profile)
            except (Untranslatable, Unsupported) as error:
                reasons[view.name] = str(error)
                left.append(view)
                continue
            planned.append(made.plan)
            if view.updatable:
                what, why = "is for reading only", "SQLite's views take no writes"
                report(Finding(Severity.LOSS, "view", str(view.name), what, why, "write to its table"))
            known[view.name] = (made.plan.target, made.operands)
        if len(left) == len(waiting):
            break
        waiting = left
    for view in waiting:
        lost(report, "view", str(view.name), f"not translated: {reasons[view.name]}", "make it anew on SQLite")
    return tuple(planned)


@dataclass(frozen=True, slots=True)
class _Made:
    plan: ViewPlan
    operands: Mapping[str, Operand]


def _plan(view: View, relations: Relations, namespace: Namespace, profile: Profile) -> _Made:
    select, outputs = _query(parse(view.definition.rstrip().removesuffix(";")), relations)
    names = Namespace([])
    columns, operands = [], {}
    for column, output in zip(view.columns, outputs, strict=True):
        kind = target(column.type, column.typmod, profile)
        if kind.form != output.form:
            raise Untranslatable(
                f"{column.name} is {column.type_text} there, and of the form {output.form or 'none'} here"
            )
        name = names.claim_plain(column.name)
        columns.append(ColumnPlan(column.name, name, column.type_text, kind.declared, kind.form))
        operands[column.name] = Operand(quote(name), kind.family, kind.form, output.ascii, output.same_equality)
    made = namespace.claim(view.name)
    listed = ", ".join(quote(column.target) for column in columns)
    create = f"CREATE VIEW {quote(made)} ({listed}) AS\n{select}"
    return _Made(ViewPlan(view.name, made, tuple(columns), create), operands)


def _query(tree: exp.Expr, relations: Relations) -> tuple[str, Sequence[Typed]]:
    """A query's text, and what each of its columns is."""
    if isinstance(tree, exp.Union):
        _only(tree, "distinct")
        first, outputs = _query(_branch(tree.this), relations)
        right = _branch(tree.expression)
        if not isinstance(right, exp.Select):  # SQLite goes from left to right, and has no parentheses here
            raise Untranslatable("a UNION of a UNION")
        second, others = _query(right, relations)
        if [typed.form for typed in outputs] != [typed.form for typed in others]:
            raise Untranslatable("a UNION of different types")
        if tree.args.get("distinct") and not all(typed.same_equality for typed in outputs):
            raise Untranslatable("a UNION over values that are equal in more than one form")
        return f"{first}\nUNION{'' if tree.args.get('distinct') else ' ALL'}\n{second}", outputs
    if not isinstance(tree, exp.Select):
        raise Untranslatable(f"a {type(tree).__name__.lower()}")
    return _select(tree, relations)


def _branch(node: exp.Expr) -> exp.Expr:
    """One side of a UNION, without parentheses and without an order, which means nothing there."""
    while isinstance(node, exp.Subquery):
        _only(node, "")
        node = node.this
    if isinstance(node, exp.Select) and node.args.get("order") and not node.args.get("limit"):
        node = node.copy()
        node.set("order", None)
    return node


def _select(tree: exp.Select, relations: Relations) -> tuple[str, Sequence[Typed]]:
    _only(tree, "expressions from_ joins where group having distinct order")
    scope: dict[tuple[str, str], Operand] = {}
    translator = _OverScope(scope)
    source = ""
    if tree.args.get("from_"):
        source = _relation(tree.args["from_"].this, relations, scope, translator)
        source += _joins(tree, relations, scope, translator)
    outputs = [_output(item, translator) for item in tree.expressions]
    distinct = tree.args.get("distinct")
    if distinct and (distinct.args.get("on") or not all(typed.same_equality for typed in outputs)):
        raise Untranslatable("this DISTINCT")
    text = f"SELECT {'DISTINCT ' if distinct else ''}{', '.join(typed.sql for typed in outputs)}"
    text += f"\nFROM {source}" if source else ""
    if where := tree.args.get("where"):
        text += f"\nWHERE {translator.truth(where.this)}"
    if group := tree.args.get("group"):
        _only(group, "expressions")
        keys = [translator.visit(key) for key in group.expressions]
        if not all(key.same_equality and key.constant is None for key in keys):
            raise Untranslatable("GROUP BY over values that are equal in more than one form")
        text += f"\nGROUP BY {', '.join(key.sql for key in keys)}"
    if having := tree.args.get("having"):
        text += f"\nHAVING {translator.truth(having.this)}"
    if order := tree.args.get("order"):
        text += f"\nORDER BY {', '.join(_ordered(item, translator) for item in order.expressions)}"
    return text, outputs


def _relation(
    node: exp.Expr, relations: Relations, scope: dict[tuple[str, str], Operand], translator: _OverScope
) -> str:
    """A table, or tables joined in parentheses; its columns come into scope."""
    if isinstance(node, exp.Subquery | exp.Paren) and isinstance(node.this, exp.Table | exp.Subquery | exp.Paren):
        _only(node, "joins")
        inner = _relation(node.this, relations, scope, translator)
        return inner + _joins(node, relations, scope, translator)
    if not isinstance(node, exp.Table):
        raise Untranslatable(f"a {type(node).__name__.lower()} among the tables")
    _only(node, "db alias joins")
    name = Name(node.db, node.name)
    if name not in relations:
        raise Untranslatable(f"it reads from {name}, which is not carried")
    made, columns = relations[name]
    alias = node.alias or node.name
    if any(own == alias for own, _ in scope):
        raise Untranslatable(f"two tables called {alias}")
    for column, operand in columns.items():
        scope[alias, column] = replace(operand, sql=f"{quote(alias)}.{operand.sql}")
    return f"{quote(made)} AS {quote(alias)}" + _joins(node, relations, scope, translator)


def _joins(node: exp.Expr, relations: Relations, scope: dict[tuple[str, str], Operand], translator: _OverScope) -> str:
    text = ""
    for join in node.args.get("joins") or ():
        _only(join, "on side kind")
        kind, side = str(join.args.get("kind") or ""), str(join.args.get("side") or "")
        if kind not in ("", "INNER", "OUTER", "CROSS") or side not in _SIDES:
            raise Untranslatable(f"a {kind} join")
        right = _relation(join.this, relations, scope, translator)
        right = f"({right})" if isinstance(join.this, exp.Subquery | exp.Paren) else right
        on = join.args.get("on")
        text += f"\n  {'CROSS JOIN' if kind == 'CROSS' else _SIDES[side]} {right}"
        text += f" ON {translator.truth(on)}" if on else ""
    return text


def _output(item: exp.Expr, translator: _OverScope) -> Typed:
    typed = translator.visit(item.this if isinstance(item, exp.Alias) else item)
    return typed if typed.form else replace(typed, form=_FORMS.get(typed.family, ""))


def _ordered(item: exp.Expr, translator: _OverScope) -> str:
    """PostgreSQL puts NULLs last, or first where it counts down; SQLite has to be told."""
    _only(item, "desc nulls_first")
    down = bool(item.args.get("desc"))
    nulls = "FIRST" if item.args.get("nulls_first") else "LAST"
    return f"{translator.visit(item.this).sql}{' DESC' if down else ''} NULLS {nulls}"


def _only(node: exp.Expr, known: str) -> None:
    """Refuse an argument that nobody looks at."""
    unknown = {name for name, value in node.args.items() if value} - {"this", "expression", *known.split()}
    if unknown:
        raise Untranslatable(f"{', '.join(sorted(unknown))} of a {type(node).__name__.lower()}")


class _OverScope(Translator):
    """Expressions over the rows of several tables, and the aggregates that are exact on both sides."""

    handlers: ClassVar = {
        **HANDLERS,
        exp.Column: ("column", "table"),
        exp.Case: ("case", "ifs default"),
        exp.Count: ("count", "big_int"),
        exp.Sum: ("sum", ""),
        exp.Min: ("extreme", ""),
        exp.Max: ("extreme", ""),
    }

    def __init__(self, scope: Mapping[tuple[str, str], Operand]) -> None:
        super().__init__({})
        self._scope = scope

    def column(self, node: exp.Expr) -> Typed:
        """A column of one of the tables."""
        table = node.text("table")
        found = [
            operand for (alias, name), operand in self._scope.items() if name == node.name and table in ("", alias)
        ]
        if len(found) != 1:
            raise Untranslatable(f"the name {node.sql(dialect='postgres')}")
        operand = found[0]
        return Typed(operand.sql, operand.family, None, operand.form, operand.ascii, operand.same_equality)

    def case(self, node: exp.Expr) -> Typed:
        """CASE WHEN … THEN … ELSE … END, without an operand."""
        if node.this:
            raise Untranslatable("a CASE with an operand")
        values = [self.visit(branch.args["true"]) for branch in node.args["ifs"]]
        default = node.args.get("default")
        values += [self.visit(default)] if default else []
        families = {value.family for value in values} - {"null", "unknown"}
        if not families <= {"text"} and not families <= {"integer"}:
            raise Untranslatable("a CASE over other values than texts or integers")
        conditions = [self.truth(branch.this) for branch in node.args["ifs"]]
        text = "".join(f" WHEN {when} THEN {then.sql}" for when, then in zip(conditions, values, strict=False))
        family = families.pop() if families else "text"
        return Typed(f"CASE{text}{f' ELSE {values[-1].sql}' if default else ''} END", family)

    def count(self, node: exp.Expr) -> Typed:
        """count(*), or of what is not NULL."""
        if isinstance(node.this, exp.Star):
            return Typed("count(*)", "integer")
        return Typed(f"count({self.visit(node.this).sql})", "integer")

    def sum(self, node: exp.Expr) -> Typed:
        """A sum of integers; of other numbers PostgreSQL's is exact, and SQLite's is not."""
        inner = self.visit(node.this)
        if inner.family != "integer":
            raise Untranslatable(f"a sum of {inner.family}, which SQLite does in floating point")
        return Typed(f"sum({inner.sql})", "integer")

    def extreme(self, node: exp.Expr) -> Typed:
        """min or max of values whose order is the same on both sides."""
        inner = self.visit(node.this)
        if inner.family not in ("integer", "float", "date", "timestamp", "timestamptz"):
            raise Untranslatable(f"{node.key} of {inner.family}")
        return replace(inner, sql=f"{node.key}({inner.sql})")
