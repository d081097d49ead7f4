"""PostgreSQL expressions in SQLite's words: an allow-list of constructs proved to mean the same on both.

The source's text is parsed, never pasted: what comes out is built from the tree, every name quoted and every constant
written anew. What is not on the list raises `Untranslatable`, and the plan names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from liteshift.codec.values import codec
from liteshift.quoting import literal
from liteshift.value import Value

NUMBERS = {"integer", "numeric", "float"}
_TEXTS = {"text", "enum", "unknown"}
_ORDERED = NUMBERS | {"decimal", "date", "time", "timestamp", "timestamptz", "bytea", "uuid", "boolean"}
_EQUAL_ONLY = {"text", "enum", "bpchar"}  # their order depends on PostgreSQL's collation


_EXACT_DIGITS = 15  # a double holds so many of a decimal's digits, and sorts such decimals among integers as they stand


class Untranslatable(ValueError):
    """An expression, or a part of one, that is not on the list; the message says which."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A column that an expression may name.

    Attributes:
        sql: its SQLite text.
        family: what it can be compared with.
        form: its stored form.
        ascii: whether it holds ASCII texts only.
        same_equality: whether two of its values are equal in PostgreSQL just when they are stored as the same.
        keeps_unique: whether a unique rule on it means the same as in PostgreSQL.
        collation: the column's own.
    """

    sql: str
    family: str
    form: str = "text"
    ascii: bool = False
    same_equality: bool = True
    keeps_unique: bool = True
    collation: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """A translated part: its SQLite text and what is known of its values.

    Attributes:
        constant: the text of an untyped constant, which takes its neighbour's type.
        form: the stored form; empty where nothing is stored in just this way.
    """

    sql: str
    family: str
    constant: str | None = None
    form: str = ""
    ascii: bool = False
    same_equality: bool = True


def translate(text: str, columns: Mapping[str, Operand]) -> str:
    """An expression over one row: a CHECK, an index's expression or predicate.

    Args:
        text: as PostgreSQL's `pg_get_expr` prints it.
        columns: what each column name stands for; a domain's rule has the one column `value`.

    Returns:
        SQLite text in parentheses wherever it is not atomic.

    Raises:
        Untranslatable: a construct that is not on the list.
    """
    return Translator(columns).visit(parse(text)).sql


def translate_value(text: str, columns: Mapping[str, Operand], column: Operand) -> str:
    """An expression whose value a column stores: a generated column's.

    Raises:
        Untranslatable: a construct that is not on the list, or a value of another form than the column's.
    """
    typed = Translator(columns).visit(parse(text))
    same = typed.family == column.family and typed.family in ("integer", "text", "boolean")
    if not same:
        raise Untranslatable(f"{typed.family} in a column of {column.family}")
    return typed.sql


def folded_columns(text: str) -> set[str]:
    """The columns that an expression folds with lower() or upper()."""
    try:
        tree = parse(text)
    except Untranslatable:
        return set()
    return {column.name for node in tree.find_all(exp.Lower, exp.Upper) for column in node.find_all(exp.Column)}


def parse(text: str) -> exp.Expr:
    """PostgreSQL text as a tree.

    Raises:
        Untranslatable: it can't be parsed.
    """
    try:
        return sqlglot.parse_one(text, read="postgres")
    except (SqlglotError, RecursionError) as error:
        raise Untranslatable(f"{text} could not be parsed") from error


def stored(text: str, form: str) -> str:
    """A constant as SQL text in the stored form of its type; it must come back as the value it was.

    Raises:
        Untranslatable: it would not.
    """
    try:
        own = codec(form)
        value = own.from_pg(text)
        same = own.to_pg(value) == text
        if not same and form.startswith(("numeric", "decimal")):
            same = Decimal(own.to_pg(value)) == Decimal(text)
    except (ValueError, ArithmeticError) as error:  # Unrepresentable among them
        raise Untranslatable(f"the constant {text!r}: {error}") from error
    if not same and form not in ("double", "real"):
        raise Untranslatable(f"the constant {text!r}, which the column would store as another")
    return _sql(value)


def _sql(value: Value) -> str:
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "9e999" if value > 0 else "-9e999"
    return literal(value) if isinstance(value, str) else repr(value)


# What a cast makes of a value; `real` is a float of its own only until it is rounded.
CAST_FAMILIES = {
    exp.DType.TEXT: "text",
    exp.DType.VARCHAR: "text",
    exp.DType.BPCHAR: "bpchar",
    exp.DType.CHAR: "bpchar",
    exp.DType.SMALLINT: "integer",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "integer",
    exp.DType.DECIMAL: "numeric",
    exp.DType.FLOAT: "real",
    exp.DType.DOUBLE: "float",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp",
    exp.DType.TIMESTAMPTZ: "timestamptz",
    exp.DType.UUID: "uuid",
}
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}


# What is allowed: each construct with its method and the arguments, beside `this` and `expression`, that it looks at.
HANDLERS: dict[type, tuple[str, str]] = {
    exp.Paren: ("paren", ""),
    exp.Column: ("column", ""),
    exp.Literal: ("literal", "is_string"),
    exp.Boolean: ("boolean", ""),
    exp.Null: ("null", ""),
    exp.Neg: ("negative", ""),
    exp.Cast: ("cast", "to"),
    exp.And: ("logical", ""),
    exp.Or: ("logical", ""),
    exp.Not: ("negation", ""),
    exp.In: ("among", "expressions"),
    exp.Between: ("between", "low high"),
    exp.Is: ("is_", "negate"),
    exp.NullSafeEQ: ("distinct", ""),
    exp.NullSafeNEQ: ("distinct", ""),
    exp.DPipe: ("concatenation", "safe"),
    exp.Length: ("length", ""),
    exp.Lower: ("fold", ""),
    exp.Upper: ("fold", ""),
    exp.Trim: ("trim", "position"),
    exp.Abs: ("absolute", ""),
    exp.Coalesce: ("coalesce", "expressions"),
    **dict.fromkeys(_COMPARISONS, ("compare", "")),
    **dict.fromkeys(_ARITHMETIC, ("arithmetic", "")),
}


class Translator:
    """Walks an expression over one row and builds its SQLite text, type by type."""

    handlers: ClassVar = HANDLERS

    def __init__(self, columns: Mapping[str, Operand]) -> None:
        self._columns = columns

    def visit(self, node: exp.Expr) -> Typed:
        """What a construct becomes.

        Raises:
            Untranslatable: it is not on the list, or has an argument nobody looks at, which may change its meaning.
        """
        method, known = self.handlers.get(type(node), ("", ""))
        unknown = {name for name, value in node.args.items() if value} - {"this", "expression", *known.split()}
        if not method or unknown:
            raise Untranslatable(node.sql(dialect="postgres"))
        found: Typed = getattr(self, method)(node)
        return found

    def paren(self, node: exp.Expr) -> Typed:
        return self.visit(node.this)

    def column(self, node: exp.Expr) -> Typed:
        operand = self._columns.get(node.name)
        if operand is None:
            raise Untranslatable(f"the name {node.name}")
        return Typed(operand.sql, operand.family, None, operand.form, operand.ascii, operand.same_equality)

    def literal(self, node: exp.Expr) -> Typed:
        text = str(node.this)
        if node.is_string:
            return Typed(literal(text), "unknown", constant=text)
        return _number(text, "integer" if text.isdigit() else "numeric")

    def boolean(self, node: exp.Expr) -> Typed:
        return Typed("1" if node.this else "0", "boolean")

    def null(self, _: exp.Expr) -> Typed:
        return Typed("NULL", "null")

    def negative(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        if inner.family not in NUMBERS:
            raise Untranslatable("a sign before what is no number")
        if inner.constant is not None:
            return _number(inner.constant[1:] if inner.constant.startswith("-") else f"-{inner.constant}", inner.family)
        return Typed(f"(-{inner.sql})", inner.family)

    def cast(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        kind = node.args["to"]
        family = CAST_FAMILIES.get(kind.this)
        if isinstance(kind, exp.DataType) and kind.expressions:
            raise Untranslatable(f"the cast {node.sql(dialect='postgres')}")
        if inner.family == "unknown":
            if family is None:
                return inner  # a constant of an enum or a domain: it takes its neighbour's type
            return self._typed_constant(str(inner.constant), family)
        if inner.family == "null" and family is not None:
            return Typed("NULL", "float" if family == "real" else family)
        if family == inner.family or (inner.family, family) in (("enum", "text"), ("decimal", "numeric")):
            return inner
        if inner.family == "bpchar" and family == "text":  # PostgreSQL drops the padding here
            return Typed(f"rtrim({inner.sql}, ' ')", "text")
        if inner.family == "text" and kind.this == exp.DType.BPCHAR and inner.constant is None:
            return Typed(inner.sql, "bpchar")
        if inner.family == "integer" and isinstance(kind, exp.ObjectIdentifier) and inner.constant is not None:
            return inner
        if inner.constant is not None and inner.family in ("integer", "numeric") and family in ("numeric", "float"):
            return _number(inner.constant, family)
        if inner.family == "integer" and family == "numeric":
            return Typed(inner.sql, family)
        if inner.family == "integer" and family == "float":  # rounds what a double can't hold, as PostgreSQL does
            return Typed(f"CAST({inner.sql} AS REAL)", family)
        raise Untranslatable(f"the cast {node.sql(dialect='postgres')}")

    def _typed_constant(self, text: str, family: str) -> Typed:
        if family == "boolean":
            raise Untranslatable(f"the constant {text!r} as a truth value")
        if family == "real":
            return _number(repr(codec("real").from_pg(text)) if _is_number(text) else text, "float")
        return _number(text, family) if family in NUMBERS else Typed(literal(text), family, constant=text)

    def logical(self, node: exp.Expr) -> Typed:
        word = "AND" if isinstance(node, exp.And) else "OR"
        return Typed(f"({self.truth(node.this)} {word} {self.truth(node.expression)})", "boolean")

    def negation(self, node: exp.Expr) -> Typed:
        return Typed(f"(NOT {self.truth(node.this)})", "boolean")

    def truth(self, node: exp.Expr) -> str:
        """A condition's text.

        Raises:
            Untranslatable: it has no truth value.
        """
        typed = self.visit(node)
        if typed.family not in ("boolean", "null"):
            raise Untranslatable(f"{node.sql(dialect='postgres')} where a truth value is meant")
        return typed.sql

    def compare(self, node: exp.Expr) -> Typed:
        if isinstance(node.expression, exp.Any):
            return self._any(node)
        if isinstance(node.expression, exp.Anonymous) and node.expression.name.upper() == "ALL":
            return self._all(node, node.expression.expressions)
        operator = _COMPARISONS[type(node)]
        left, right = self._pair(self.visit(node.this), self.visit(node.expression))
        if operator not in ("=", "<>") and left.family in _EQUAL_ONLY:
            raise Untranslatable("an order of texts, which depends on the collation")
        return Typed(f"({left.sql} {operator} {right.sql})", "boolean")

    def _any(self, node: exp.Expr) -> Typed:
        if not isinstance(node, exp.EQ):
            raise Untranslatable("ANY with another comparison than =")
        return self._among(node.this, self._array(node.expression.this), negated=False)

    def _all(self, node: exp.Expr, lists: list[exp.Expr]) -> Typed:
        if not isinstance(node, exp.NEQ) or len(lists) != 1:
            raise Untranslatable("ALL with another comparison than <>")
        return self._among(node.this, self._array(lists[0]), negated=True)

    def _array(self, node: exp.Expr) -> list[Typed]:
        """The items of a list; a cast of the whole list may only name the type they have."""
        families = set()
        while isinstance(node, exp.Paren | exp.Cast):
            if isinstance(node, exp.Cast):
                kinds = node.args["to"].expressions
                families |= {CAST_FAMILIES.get(kind.this) for kind in kinds} or {None}
            node = node.this
        if not isinstance(node, exp.Array) or not node.expressions:
            raise Untranslatable(f"{node.sql(dialect='postgres')} where a list of values is meant")
        items = [self.visit(item) for item in node.expressions]
        if families and families != {item.family for item in items}:
            raise Untranslatable(f"{node.sql(dialect='postgres')} under a cast")
        return items

    def among(self, node: exp.Expr) -> Typed:
        if not node.expressions:
            raise Untranslatable("IN without a list")
        return self._among(node.this, [self.visit(item) for item in node.expressions], negated=False)

    def _among(self, left: exp.Expr, items: list[Typed], *, negated: bool) -> Typed:
        tested = self.visit(left)
        if tested.constant is not None:
            raise Untranslatable("a constant among other values")
        pairs = [self._pair(tested, item) for item in items]
        word = "NOT IN" if negated else "IN"
        return Typed(f"({pairs[0][0].sql} {word} ({', '.join(pair[1].sql for pair in pairs)}))", "boolean")

    def between(self, node: exp.Expr) -> Typed:
        tested = self.visit(node.this)
        low, high = (self._pair(tested, self.visit(node.args[end]))[1] for end in ("low", "high"))
        if tested.family in _EQUAL_ONLY:
            raise Untranslatable("an order of texts, which depends on the collation")
        return Typed(f"({tested.sql} BETWEEN {low.sql} AND {high.sql})", "boolean")

    def is_(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if right.family == "null" or (right.family == "boolean" and left.family == "boolean"):
            word = "IS NOT" if node.args.get("negate") else "IS"
            return Typed(f"({left.sql} {word} {right.sql})", "boolean")
        raise Untranslatable(node.sql(dialect="postgres"))

    def distinct(self, node: exp.Expr) -> Typed:
        left, right = self._pair(self.visit(node.this), self.visit(node.expression))
        word = "IS" if isinstance(node, exp.NullSafeEQ) else "IS NOT"
        return Typed(f"({left.sql} {word} {right.sql})", "boolean")

    def arithmetic(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.family != "integer" or right.family != "integer":
            raise Untranslatable("arithmetic on other numbers than integers")  # numeric is exact there, a double here
        return Typed(f"({left.sql} {_ARITHMETIC[type(node)]} {right.sql})", "integer")

    def concatenation(self, node: exp.Expr) -> Typed:
        left, right = self.visit(node.this), self.visit(node.expression)
        if left.family not in _TEXTS or right.family not in _TEXTS:
            raise Untranslatable("|| on other values than texts")
        return Typed(f"({left.sql} || {right.sql})", "text")

    def length(self, node: exp.Expr) -> Typed:
        return Typed(f"length({self._text(node.this)})", "integer")

    def fold(self, node: exp.Expr) -> Typed:
        typed = self.visit(node.this)
        if typed.family not in _TEXTS or not typed.ascii:
            raise Untranslatable(f"{node.sql(dialect='postgres')}, which SQLite does for ASCII letters only")
        return Typed(f"{'lower' if isinstance(node, exp.Lower) else 'upper'}({typed.sql})", "text", ascii=True)

    def trim(self, node: exp.Expr) -> Typed:
        position = str(node.args.get("position") or "").upper()
        name = {"": "trim", "BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}.get(position)
        characters = self._text(node.expression) if node.args.get("expression") else "' '"
        if name is None:
            raise Untranslatable(node.sql(dialect="postgres"))
        return Typed(f"{name}({self._text(node.this)}, {characters})", "text")

    def absolute(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        if inner.family not in NUMBERS:
            raise Untranslatable("abs of what is no number")
        return Typed(f"abs({inner.sql})", inner.family)

    def coalesce(self, node: exp.Expr) -> Typed:
        items = [self.visit(item) for item in (node.this, *node.expressions)]
        first = next((item for item in items if item.constant is None and item.family != "null"), None)
        if first is None:
            raise Untranslatable("coalesce of constants")
        if first.family == "decimal":
            raise Untranslatable("coalesce over decimals, which would lose their collation")
        same = all(item.form == first.form for item in items if item.constant is None and item.family != "null")
        first = first if same else replace(first, form="")
        listed = ", ".join(item.sql if item.family == "null" else self._pair(first, item)[1].sql for item in items)
        equal = all(item.same_equality for item in items)
        return Typed(f"coalesce({listed})", first.family, form=first.form, same_equality=equal)

    def _text(self, node: exp.Expr) -> str:
        typed = self.visit(node)
        if typed.family not in _TEXTS:
            raise Untranslatable(f"{node.sql(dialect='postgres')} where a text is meant")
        return typed.sql

    def _pair(self, left: Typed, right: Typed) -> tuple[Typed, Typed]:
        """Two values that can be compared, an untyped constant brought into its neighbour's stored form."""
        if right.constant is not None and left.constant is None:
            return self._padded(left), self._constant_beside(right, left)
        if left.constant is not None and right.constant is None:
            return self._constant_beside(left, right), self._padded(right)
        both = {left.family, right.family}
        if left.constant is not None and not both <= NUMBERS:
            raise Untranslatable("two constants beside each other")
        if both <= NUMBERS or (len(both) == 1 and both <= _ORDERED | _EQUAL_ONLY) or both <= _TEXTS:
            return self._padded(left), self._padded(right)
        if "null" in both and both <= {"null", *_ORDERED, *_EQUAL_ONLY}:
            return left, right
        raise Untranslatable(f"{left.family} compared with {right.family}")

    def _padded(self, typed: Typed) -> Typed:
        """PostgreSQL compares char(n) without its trailing blanks."""
        return Typed(f"rtrim({typed.sql}, ' ')", "bpchar") if typed.family == "bpchar" else typed

    def _constant_beside(self, constant: Typed, neighbour: Typed) -> Typed:
        assert constant.constant is not None  # noqa: S101 - both callers have looked
        family, text = neighbour.family, constant.constant
        if family in NUMBERS and constant.family in NUMBERS | {"unknown"}:
            if family == "numeric" and neighbour.form and not _is_integer(text):
                return Typed(stored(text, neighbour.form), family)
            return _number(text, "float" if "float" in (family, constant.family) else family)
        if family == "decimal" and constant.family in NUMBERS | {"unknown"} and _is_number(text):
            return Typed(stored(text, "decimal"), family)
        if constant.family not in (family, "unknown") and not {constant.family, family} <= _TEXTS | {"bpchar"}:
            raise Untranslatable(f"{family} compared with {constant.family}")
        if family == "bpchar":
            return Typed(literal(text.rstrip(" ")), family)
        if family in _TEXTS:
            return Typed(literal(text), family)
        if family in _ORDERED and neighbour.form:
            return Typed(stored(text, neighbour.form), family)
        raise Untranslatable(f"a constant beside {family}")


def _number(text: str, family: str) -> Typed:
    """A number's constant as SQL.

    Raises:
        Untranslatable: a double may not keep it apart from its neighbours.
    """
    if family == "float":
        return Typed(stored("0" if text == "-0" else text, "double"), family, constant=text)
    if _is_integer(text):
        if int(text) not in range(-(2**63), 2**63):
            raise Untranslatable(f"the constant {text}, which is no 64-bit integer")
        return Typed(text, family, constant=text)
    if not _is_number(text) or len(text.lstrip("-").replace(".", "").lstrip("0")) > _EXACT_DIGITS:
        raise Untranslatable(f"the constant {text}, which a double does not hold")
    return Typed(stored(text, "double"), family, constant=text)


def _is_integer(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 30


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", text) is not None
