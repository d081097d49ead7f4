"""Defaults: constants as the column stores them, the current time, a random uuid."""

from __future__ import annotations

from sqlglot import expressions as exp

from liteshift.catalog import PgType, TypeKind
from liteshift.translate.expressions import CAST_FAMILIES, NUMBERS, Untranslatable, parse, stored
from liteshift.translate.typemap import precision_and_scale


def translate_default(text: str, family: str, form: str, source: PgType | None = None, typmod: int = -1) -> str:
    """A column's default, as what follows DEFAULT.

    Args:
        text: as PostgreSQL prints it.
        family: the column's family in the type table.
        form: the column's stored form.
        source: the column's type; what is assigned to it may be padded or rounded.
        typmod: the type's modifier.

    Raises:
        Untranslatable: a default that is not on the list.
    """
    while source is not None and source.kind is TypeKind.DOMAIN:
        typmod = source.typmod if typmod < 0 else typmod
        source = source.base
    base = source.name.name if source else ""
    tree = _unwrap(parse(text))
    if (isinstance(tree, exp.CurrentTimestamp) and not tree.this) or _function(tree) == "transaction_timestamp":
        return _now(family, form, typmod if 0 <= typmod < 3 and base.startswith("timestamp") else 6)
    if isinstance(tree, exp.CurrentDate) and family == "date":
        return "(date('now'))"
    if isinstance(tree, exp.Uuid) or _function(_without_schema(tree)) in ("gen_random_uuid", "uuid_generate_v4"):
        return _random_uuid(family, form)
    if isinstance(tree, exp.Null) or (isinstance(tree, exp.Cast) and isinstance(_unwrap(tree.this), exp.Null)):
        return "NULL"
    constant = _constant(tree, form)
    if constant is None or isinstance(tree, exp.Boolean) != (family == "boolean"):
        raise Untranslatable(text)
    return stored(_assigned(constant, base, typmod), form)


def _assigned(text: str, base: str, typmod: int) -> str:
    """What a column of a type with a modifier keeps of a constant: char(n) pads it.

    Raises:
        Untranslatable: it would be rounded, cut or refused.
    """
    if typmod < 0:
        return text
    fraction = len(text.rstrip("0").partition(".")[2])
    if base == "bpchar":
        text, fits = text.ljust(typmod - 4), len(text) <= typmod - 4
    elif base == "varchar":
        fits = len(text) <= typmod - 4
    elif base == "numeric":
        fits = fraction <= precision_and_scale(typmod)[1]
    elif base in ("time", "timestamp"):
        fits = fraction <= typmod
    elif base in ("timetz", "timestamptz", "interval"):
        fits = "." not in text
    elif base == "bit":
        fits = len(text) == typmod
    elif base == "varbit":
        fits = len(text) <= typmod
    else:
        fits = text == "{}"  # the modifier is that of an array's elements
    if not fits:
        raise Untranslatable(f"the constant {text!r}, which the column would store as another")
    return text


def _unwrap(tree: exp.Expr) -> exp.Expr:
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def _without_schema(tree: exp.Expr) -> exp.Expr:
    return tree.expression if isinstance(tree, exp.Dot) else tree


def _function(tree: exp.Expr) -> str:
    return tree.name.lower() if isinstance(tree, exp.Anonymous) and not tree.expressions else ""


def _now(family: str, form: str, digits: int) -> str:
    """SQLite's clock has milliseconds; zeros keep the fixed width of the stored form."""
    if family == "date":
        return "(date('now'))"
    if family not in ("timestamp", "timestamptz"):
        raise Untranslatable("the current time in a column that holds no time")
    now = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    if digits == 0:
        now = "strftime('%Y-%m-%d %H:%M:%S.000000', 'now')"
    elif digits < 3:
        now = f"substr({now}, 1, {20 + digits}) || '{'0' * (6 - digits)}'"
    return f"(replace({now}, '.000000', ''))" if form.endswith("_short") else f"({now})"


def _random_uuid(family: str, form: str) -> str:
    if family not in ("uuid", "text"):
        raise Untranslatable("a random uuid in a column that holds none")
    parts = ["hex(randomblob(4))", "hex(randomblob(2))", "'4' || substr(hex(randomblob(2)), 2)"]
    parts += ["substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)", "hex(randomblob(6))"]
    separator = " || " if form == "uuid" else " || '-' || "
    return f"(lower({separator.join(parts)}))"


def _constant(tree: exp.Expr, form: str) -> str | None:
    """The PostgreSQL text of a constant under casts and signs; None where it is no constant, or a cast changes it."""
    tree = _unwrap(tree)
    if isinstance(tree, exp.Boolean):
        return "t" if tree.this else "f"
    if isinstance(tree, exp.Literal):
        return str(tree.this)
    if isinstance(tree, exp.Array) and not tree.expressions:
        return "{}"
    if isinstance(tree, exp.Neg):
        inner = _constant(tree.this, form)
        return inner and (inner[1:] if inner.startswith("-") else f"-{inner}")
    if not isinstance(tree, exp.Cast) or not isinstance(tree.args["to"], exp.DataType):
        return None
    kind, inner_tree = tree.args["to"], _unwrap(tree.this)
    if (kind.expressions and kind.this != exp.DType.ARRAY) or (kind.this == exp.DType.FLOAT and form != "real"):
        return None
    own, below = CAST_FAMILIES.get(kind.this), _constant_family(inner_tree)
    widens = below == own or (below == "integer" and own in NUMBERS) or (below == "numeric" and own == "float")
    return _constant(inner_tree, form) if below in ("unknown", "array") or widens else None


def _constant_family(tree: exp.Expr) -> str | None:
    """What kind of value stands under a cast."""
    if isinstance(tree, exp.Literal):
        return "unknown" if tree.is_string else "integer" if str(tree.this).isdigit() else "numeric"
    if isinstance(tree, exp.Neg):
        return _constant_family(_unwrap(tree.this))
    if isinstance(tree, exp.Array):
        return "array"
    return CAST_FAMILIES.get(tree.args["to"].this) if isinstance(tree, exp.Cast) else None
