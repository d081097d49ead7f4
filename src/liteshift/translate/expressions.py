"""PostgreSQL expressions in SQLite's words: an allow-list of constructs proved to mean the same on both.

The source's text is parsed, never pasted: what comes out is built from the tree, every name quoted and every constant
written anew. What is not on the list raises `Untranslatable`, and the plan names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from liteshift.codec.values import SqliteValue, Unrepresentable, codec
from liteshift.quoting import literal

_NUMBERS = {"integer", "numeric", "float"}
_TEXTS = {"text", "enum", "unknown"}
_ORDERED = _NUMBERS | {"decimal", "date", "time", "timestamp", "timestamptz", "bytea", "uuid", "boolean"}
_EQUAL_ONLY = {"text", "enum", "bpchar"}  # their order depends on PostgreSQL's collation


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


def translate_default(text: str, family: str, form: str) -> str:
    """A column's default, as what follows DEFAULT.

    Args:
        text: as PostgreSQL prints it.
        family: the column's family in the type table.
        form: the column's stored form.

    Raises:
        Untranslatable: a default that is not on the list.
    """
    tree = _unwrap(parse(text))
    if isinstance(tree, exp.CurrentTimestamp) or _function(tree) in ("now", "transaction_timestamp"):
        return _now(family)
    if isinstance(tree, exp.CurrentDate) and family == "date":
        return "(date('now'))"
    if isinstance(tree, exp.Uuid) or _function(tree) in ("gen_random_uuid", "uuid_generate_v4"):
        return _random_uuid(family, form)
    while isinstance(tree, exp.Cast):
        tree = _unwrap(tree.this)
    if isinstance(tree, exp.Null):
        return "NULL"
    constant = _constant(tree)
    if constant is None:
        raise Untranslatable(f"the default {text}")
    return _stored(constant, form)


def parse(text: str) -> exp.Expr:
    """PostgreSQL text as a tree.

    Raises:
        Untranslatable: it can't be parsed.
    """
    try:
        return sqlglot.parse_one(text, read="postgres")
    except (SqlglotError, RecursionError) as error:
        raise Untranslatable(f"{text} could not be parsed") from error


def _unwrap(tree: exp.Expr) -> exp.Expr:
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def _function(tree: exp.Expr) -> str:
    if isinstance(tree, exp.Dot):  # a name with its schema
        tree = tree.expression
    return tree.name.lower() if isinstance(tree, exp.Anonymous) and not tree.expressions else ""


def _now(family: str) -> str:
    """SQLite's clock has milliseconds; zeros keep the fixed width of the stored form."""
    if family in ("timestamp", "timestamptz"):
        return "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"
    if family == "date":
        return "(date('now'))"
    raise Untranslatable("the current time in a column that holds no time")


def _random_uuid(family: str, form: str) -> str:
    if family not in ("uuid", "text"):
        raise Untranslatable("a random uuid in a column that holds none")
    parts = ["hex(randomblob(4))", "hex(randomblob(2))", "'4' || substr(hex(randomblob(2)), 2)"]
    parts += ["substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)", "hex(randomblob(6))"]
    separator = " || " if form == "uuid" else " || '-' || "
    return f"(lower({separator.join(parts)}))"


def _constant(tree: exp.Expr) -> str | None:
    """The PostgreSQL text of a constant under casts and signs; None where it is no constant."""
    tree = _unwrap(tree)
    if isinstance(tree, exp.Cast):
        return _constant(tree.this)
    if isinstance(tree, exp.Boolean):
        return "t" if tree.this else "f"
    if isinstance(tree, exp.Neg) and (inner := _constant(tree.this)) is not None:
        return inner.removeprefix("-") if inner.startswith("-") else f"-{inner}"
    if isinstance(tree, exp.Literal):
        return str(tree.this)
    if isinstance(tree, exp.Array) and not tree.expressions:
        return "{}"
    return None


def _stored(text: str, form: str) -> str:
    """A constant as SQL text in the stored form of its type; it must come back as the number it was."""
    try:
        value = codec(form).from_pg({"true": "t", "false": "f"}.get(text, text) if form == "boolean" else text)
        if form.startswith("numeric") and Decimal(codec(form).to_pg(value)) != Decimal(text):
            raise Untranslatable(f"the constant {text}, which the column would round")
        return _sql(value)
    except Unrepresentable as error:
        raise Untranslatable(str(error)) from error
    except Untranslatable:
        raise
    except ValueError as error:
        raise Untranslatable(f"the constant {text!r}") from error


def _sql(value: SqliteValue) -> str:
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "9e999" if value > 0 else "-9e999"
    return literal(value) if isinstance(value, str) else repr(value)


_CAST_FAMILIES = {
    exp.DType.TEXT: "text",
    exp.DType.VARCHAR: "text",
    exp.DType.BPCHAR: "bpchar",
    exp.DType.CHAR: "bpchar",
    exp.DType.SMALLINT: "integer",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "integer",
    exp.DType.DECIMAL: "numeric",
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
        if not node.is_string:
            family = "integer" if text.isdigit() else "numeric"
            return Typed(_stored(text, "integer" if text.isdigit() else "double"), family, constant=text)
        return Typed(literal(text), "unknown", constant=text)

    def boolean(self, node: exp.Expr) -> Typed:
        return Typed("1" if node.this else "0", "boolean")

    def null(self, _: exp.Expr) -> Typed:
        return Typed("NULL", "null")

    def negative(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        if inner.family not in _NUMBERS:
            raise Untranslatable("a sign before what is no number")
        return Typed(f"(-{inner.sql})", inner.family, f"-{inner.constant}" if inner.constant else None)

    def cast(self, node: exp.Expr) -> Typed:
        inner = self.visit(node.this)
        kind = node.args["to"]
        family = _CAST_FAMILIES.get(kind.this)
        if inner.family == "unknown":
            if family is None:
                return inner  # a constant of an enum or a domain: it takes its neighbour's type
            return Typed(inner.sql, family, inner.constant)
        if family is None or kind.expressions:
            raise Untranslatable(f"the cast {node.sql(dialect='postgres')}")
        if family == inner.family or (family == "text" and inner.family == "enum"):
            return inner
        if inner.family == "bpchar" and family == "text":  # PostgreSQL drops the padding here
            return Typed(f"rtrim({inner.sql}, ' ')", "text")
        if inner.family == "integer" and family in ("numeric", "float"):
            return Typed(inner.sql, family, inner.constant)
        if inner.constant is not None and inner.family == "numeric" and family == "float":
            return Typed(inner.sql, family, inner.constant)
        if inner.family in ("numeric", "decimal") and family == "numeric":
            return inner
        raise Untranslatable(f"the cast {node.sql(dialect='postgres')}")

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

    def _array(self, node: exp.Expr) -> list[exp.Expr]:
        while isinstance(node, exp.Paren | exp.Cast):
            node = node.this
        if not isinstance(node, exp.Array) or not node.expressions:
            raise Untranslatable(f"{node.sql(dialect='postgres')} where a list of values is meant")
        return list(node.expressions)

    def among(self, node: exp.Expr) -> Typed:
        if not node.expressions:
            raise Untranslatable("IN without a list")
        return self._among(node.this, node.expressions, negated=False)

    def _among(self, left: exp.Expr, items: list[exp.Expr], *, negated: bool) -> Typed:
        tested = self.visit(left)
        pairs = [self._pair(tested, self.visit(item)) for item in items]
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
        if inner.family not in _NUMBERS:
            raise Untranslatable("abs of what is no number")
        return Typed(f"abs({inner.sql})", inner.family)

    def coalesce(self, node: exp.Expr) -> Typed:
        items = [self.visit(item) for item in (node.this, *node.expressions)]
        paired = [self._pair(items[0], item)[1] for item in items[1:]]
        if items[0].family == "decimal":
            raise Untranslatable("coalesce over decimals, which would lose their collation")
        return Typed(f"coalesce({', '.join(item.sql for item in (items[0], *paired))})", items[0].family)

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
        if both <= _NUMBERS or (len(both) == 1 and both <= _ORDERED | _EQUAL_ONLY) or both <= _TEXTS:
            return self._padded(left), self._padded(right)
        raise Untranslatable(f"{left.family} compared with {right.family}")

    def _padded(self, typed: Typed) -> Typed:
        """PostgreSQL compares char(n) without its trailing blanks."""
        return Typed(f"rtrim({typed.sql}, ' ')", "bpchar") if typed.family == "bpchar" else typed

    def _constant_beside(self, constant: Typed, neighbour: Typed) -> Typed:
        assert constant.constant is not None  # noqa: S101 - both callers have looked
        family, text = neighbour.family, constant.constant
        if family in _NUMBERS and constant.family in _NUMBERS | {"unknown"}:
            form = neighbour.form if family == "numeric" and neighbour.form else "double"
            return Typed(_stored(text, "integer" if text.lstrip("-").isdigit() else form), family)
        if family == "decimal" and constant.family in _NUMBERS | {"unknown"}:
            return Typed(_stored(text, "decimal"), family)
        if constant.family not in (family, "unknown") and not {constant.family, family} <= _TEXTS | {"bpchar"}:
            raise Untranslatable(f"{family} compared with {constant.family}")
        if family == "bpchar":
            return Typed(literal(text.rstrip(" ")), family)
        if family in _TEXTS:
            return Typed(literal(text), family)
        if family in _ORDERED:
            return Typed(_stored(text, neighbour.form), family)
        raise Untranslatable(f"a constant beside {family}")
