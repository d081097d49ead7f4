"""How SQLAlchemy's statements are written for a migrated file: declared types, exact decimals, the clock.

A decimal that no double holds is exact text in a column with the collation DECIMAL (`app.functions`). Text knows no
arithmetic, so `+`, `-`, `*` and sum() become functions that are exact, and whatever is compared or sorted carries the
collation. Numbers of up to 15 digits stay doubles, and arithmetic brings them back to their decimal: 0.1 + 0.2 is 0.3.
An expression is one or the other by its SQLAlchemy type; where both meet, the one is brought into the other's form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Function, collate, type_coerce, types
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteTypeCompiler
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, Case, FunctionFilter, Grouping, Null

from liteshift.app.types import Processor, is_exact, written
from liteshift.codec import decimals

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # the stored form of a time; SQLite's clock has milliseconds
_ARITHMETIC = {operators.add: "decimal_add", operators.sub: "decimal_sub", operators.mul: "decimal_mul"}
_CHOOSING = ("coalesce", "ifnull", "nullif")
_INEXACT = (operators.truediv, operators.floordiv, operators.mod)


class Written(types.UserDefinedType[Any]):
    """A type whose values are finished before they are written into a column."""

    cache_ok = True

    def __init__(self, kind: TypeEngine[Any], finish: Processor) -> None:
        self.kind = kind
        self.finish = finish

    def bind_processor(self, dialect: Dialect) -> Processor:
        """The stored value, finished."""
        store = self.kind.dialect_impl(dialect).bind_processor(dialect)
        return lambda value: self.finish(store(value) if store else value)


class Compiler(SQLiteCompiler):
    """Queries and changes."""

    def visit_bindparam(self, bindparam: Any, *arguments: Any, **words: Any) -> Any:
        if bindparam._is_crud or words.get("is_upsert_set"):
            bindparam = self._written(bindparam)
        return super().visit_bindparam(bindparam, *arguments, **words)

    def visit_binary(self, binary: Any, override_operator: Any = None, *arguments: Any, **words: Any) -> Any:
        operator = override_operator or binary.operator
        if operator in _ARITHMETIC and self._is_decimal(binary):
            parts = ", ".join(self.process(side, **words) for side in (binary.left, binary.right))
            text = f"{_ARITHMETIC[operator]}({parts})"
            return f"({text} COLLATE DECIMAL)" if self._is_exact(binary) else f"CAST({text} AS NUMERIC)"
        exact = self._is_exact(binary.left) or self._is_exact(binary.right)
        if exact and (operator in _ARITHMETIC or operator in _INEXACT):
            raise CompileError(f"SQLite can't work out {binary} exactly: do it in Python, or cast to Float first")
        if operators.is_comparison(operator) and operator is not operators.json_getitem_op:
            binary = self._comparable(binary, exact)
        return super().visit_binary(binary, override_operator, *arguments, **words)

    def visit_neg_unary_operator(self, unary: Any, operator: Any, **words: Any) -> Any:
        if self._is_exact(unary.element):
            return f"(decimal_sub('0', {self.process(unary.element, **words)}) COLLATE DECIMAL)"
        return self._generate_generic_unary_operator(unary, "-", **words)

    def visit_case(self, clause: Any, **words: Any) -> Any:
        exact = self._is_exact(clause)
        whens = [(when, self._in_form(then, exact)) for when, then in clause.whens]
        default = None if clause.else_ is None else self._in_form(clause.else_, exact)
        text = super().visit_case(Case(*whens, value=clause.value, else_=default), **words)
        return f"{text} COLLATE DECIMAL" if exact else text

    def visit_update(self, update_stmt: Any, *arguments: Any, **words: Any) -> Any:
        """What is worked out for a column of decimals is rounded to its scale, as PostgreSQL does."""
        if update_stmt._values:
            update_stmt = update_stmt._clone()
            update_stmt._values = {key: self._fitted(key, value) for key, value in update_stmt._values.items()}
        return super().visit_update(update_stmt, *arguments, **words)

    def visit_cast(self, cast: Any, **words: Any) -> Any:
        kind = self._engine_type(cast.type)
        if not isinstance(kind, types.Numeric) or kind.precision is None:
            return super().visit_cast(cast, **words)
        text = f"decimal_round({self.process(cast.clause, **words)}, {kind.scale or 0})"
        return f"({text} COLLATE DECIMAL)" if is_exact(kind) else f"CAST({text} AS NUMERIC)"

    def visit_function(self, func: Any, *arguments: Any, unfinished: bool = False, **words: Any) -> str:
        if func.name.lower() in _CHOOSING:
            choices = [self._in_form(choice, self._is_exact(func)) for choice in func.clauses]
            func = Function(func.name, *choices, type_=func.type)
        text = super().visit_function(func, *arguments, **words)
        return text if unfinished else self._finished(func, text)

    def visit_over(self, over: Any, **words: Any) -> Any:
        return self._finished(over.element, super().visit_over(over, unfinished=True, **words))

    def visit_funcfilter(self, funcfilter: Any, unfinished: bool = False, **words: Any) -> Any:
        text = super().visit_funcfilter(funcfilter, unfinished=True, **words)
        return text if unfinished else self._finished(funcfilter, text)

    def visit_sum_func(self, func: Any, **words: Any) -> str:
        name = "sum" if self._of_doubles(func) or not self._is_decimal(func) else "decimal_sum"
        return f"{name}{self.function_argspec(func, **words)}"

    def visit_now_func(self, fn: Any, **words: Any) -> str:
        return _NOW

    def visit_current_timestamp_func(self, fn: Any, **words: Any) -> str:
        return _NOW

    def visit_localtimestamp_func(self, func: Any, **words: Any) -> str:
        return _NOW

    def visit_json_getitem_op_binary(self, binary: Any, operator: Any, *arguments: Any, **words: Any) -> Any:
        # `->` is NULL where there is nothing, as in PostgreSQL; SQLAlchemy's own words say JSON's null there.
        if isinstance(binary.type, types.JSON):
            return f"({self.process(binary.left, **words)} -> {self.process(binary.right, **words)})"
        return super().visit_json_getitem_op_binary(binary, operator, *arguments, **words)

    def visit_json_path_getitem_op_binary(self, binary: Any, operator: Any, *arguments: Any, **words: Any) -> Any:
        return self.visit_json_getitem_op_binary(binary, operator, *arguments, **words)

    def _written(self, bindparam: Any) -> Any:
        """A parameter as a column stores it."""
        finish = None if isinstance(bindparam.type, Written) else written(self._engine_type(bindparam.type))
        return bindparam._with_binary_element_type(Written(bindparam.type, finish)) if finish else bindparam

    def _fitted(self, key: Any, value: Any) -> Any:
        kind = self._engine_type(key.type) if isinstance(key, Column) else None
        worked_out = isinstance(kind, types.Numeric) and not isinstance(value, BindParameter | Null)
        return sql_cast(value, kind) if worked_out and kind is not None else value

    def _finished(self, element: Any, text: str) -> str:
        """A function's result in the form of its type."""
        func = element.func if isinstance(element, FunctionFilter) else element
        if self._is_exact(func):
            return f"{text} COLLATE DECIMAL"
        if getattr(func, "name", "").lower() != "sum" or not self._is_decimal(func):
            return text
        scale = getattr(self._engine_type(func.type), "scale", None) or 0
        return f"round({text}, {scale})" if self._of_doubles(func) else f"CAST({text} AS NUMERIC)"

    def _of_doubles(self, func: Any) -> bool:
        """Whether a sum is of a column of doubles, which SQLite does well enough, and fast."""
        (argument,) = func.clauses
        return isinstance(argument, Column) and not self._is_exact(func)

    def _engine_type(self, kind: TypeEngine[Any]) -> TypeEngine[Any]:
        impl: Any = kind.dialect_impl(self.dialect)
        while isinstance(impl, types.TypeDecorator):
            impl = impl.type_engine(self.dialect)
        found: TypeEngine[Any] = impl
        return found

    def _is_decimal(self, element: Any) -> bool:
        """Whether a value is a decimal by its type, and no Float is part of it."""
        sides = (element.left, element.right) if isinstance(element, BinaryExpression) else ()
        floats = any(isinstance(self._engine_type(side.type), types.Float) for side in sides)
        return not floats and isinstance(self._engine_type(element.type), types.Numeric)

    def _is_exact(self, element: Any) -> bool:
        """Whether a value is an exact decimal, that is to say text."""
        while isinstance(element, Grouping):
            element = element.element
        if isinstance(element, BinaryExpression) and element.operator in _ARITHMETIC and self._is_decimal(element):
            return self._is_exact(element.left) or self._is_exact(element.right)
        kind = getattr(element, "type", None)
        return kind is not None and is_exact(self._engine_type(kind))

    def _comparable(self, binary: Any, exact: bool) -> Any:
        """A comparison in one form: of exact decimals under the collation, which a column brings along."""
        left, right = binary.left, binary.right
        if isinstance(left, Column) and isinstance(left.type, types.JSON) and isinstance(right, BindParameter):
            right = self._written(right)
        if exact:
            left, right = self._in_form(left, True), self._in_form(right, True)
            if not isinstance(left, Column | BindParameter):
                left = collate(type_coerce(left, types.Text()), "DECIMAL")
        if left is binary.left and right is binary.right:
            return binary
        return BinaryExpression(left, right, binary.operator, type_=binary.type, modifiers=binary.modifiers)

    def _in_form(self, side: Any, exact: bool) -> Any:
        """A number as exact text, or as a double."""
        number = isinstance(getattr(side, "type", None), types.Integer | types.Numeric | types.Float)
        if not number or self._is_exact(side) == exact or (isinstance(side, BindParameter) and side.expanding):
            return side
        if not exact and isinstance(side, BindParameter):
            return side._with_binary_element_type(types.Float())
        return sql_cast(side, types.Text() if exact else types.Float())


class TypeCompiler(SQLiteTypeCompiler):
    """Declared types: what the migration declares, for each type of SQLAlchemy's and the common ones of PostgreSQL's.

    Where PostgreSQL has one type for several of SQLAlchemy's, they have one name here, so that comparing the models
    with the file finds no difference.
    """

    def visit_NUMERIC(self, type_: Any, **words: Any) -> str:  # noqa: N802 - SQLAlchemy's names
        if is_exact(type_):
            return f"{decimals.declared(type_.precision, type_.scale)} COLLATE DECIMAL"
        return f"NUMERIC({type_.precision}, {type_.scale or 0})"

    visit_DECIMAL = visit_NUMERIC  # noqa: N815

    def visit_FLOAT(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return "FLOAT"

    visit_REAL = visit_DOUBLE = visit_DOUBLE_PRECISION = visit_FLOAT  # noqa: N815

    def visit_INTEGER(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return "INTEGER"

    def visit_BIGINT(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return _integer("BIGINT", **words)

    def visit_SMALLINT(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return _integer("SMALLINT", **words)

    def visit_TIMESTAMP(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return "DATETIME"

    visit_INTERVAL = visit_TIMESTAMP  # noqa: N815

    def visit_TIME(self, type_: Any, **words: Any) -> Any:  # noqa: N802
        return "TEXT" if type_.timezone else super().visit_TIME(type_, **words)

    def visit_UUID(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return "CHAR(32)"

    def visit_CHAR(self, type_: Any, **words: Any) -> str:  # noqa: N802
        text = super().visit_CHAR(type_, **words)
        return text if type_.collation else f"{text} COLLATE RTRIM"

    def visit_CITEXT(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return "TEXT COLLATE NOCASE"

    def visit_JSONB(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return "JSON"

    visit_ARRAY = visit_JSONB  # noqa: N815

    def visit_BYTEA(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return "BLOB"

    def visit_ENUM(self, type_: Any, **words: Any) -> str:  # noqa: N802
        return f"VARCHAR({max(map(len, type_.enums), default=0)})"

    def visit_enum(self, type_: Any, **words: Any) -> str:
        return self.visit_ENUM(type_) if type_.native_enum else super().visit_enum(type_, **words)


def _integer(name: str, type_expression: Any = None, **_: Any) -> str:
    """SQLite's integers are all of one kind; a table's row number must be called INTEGER."""
    column = isinstance(type_expression, Column) and type_expression.table is not None
    return name if column and type_expression.table.primary_key.columns.keys() != [type_expression.key] else "INTEGER"
