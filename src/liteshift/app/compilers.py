"""How SQLAlchemy's statements are written for a migrated file: declared types, exact decimals, the clock.

A decimal that no double holds is exact text in a column with the collation DECIMAL (`app.functions`). Text knows no
arithmetic, so `+`, `-`, `*` and sum() become functions that are exact, and whatever is compared or sorted carries the
collation. Numbers of up to 15 digits stay doubles, and arithmetic brings them back to their decimal: 0.1 + 0.2 is 0.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Text, types
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteTypeCompiler
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, FunctionFilter, Grouping

from liteshift.app.types import Processor, is_exact, written
from liteshift.codec import decimals

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # the stored form of a time; SQLite's clock has milliseconds
_ARITHMETIC = {operators.add: "decimal_add", operators.sub: "decimal_sub", operators.mul: "decimal_mul"}
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
        if bindparam._is_crud and not isinstance(bindparam.type, Written):
            finish = written(self._engine_type(bindparam.type))
            if finish is not None:
                bindparam = bindparam._with_binary_element_type(Written(bindparam.type, finish))
        return super().visit_bindparam(bindparam, *arguments, **words)

    def visit_binary(self, binary: Any, override_operator: Any = None, *arguments: Any, **words: Any) -> Any:
        operator = override_operator or binary.operator
        if self._is_decimal(binary) and operator in _ARITHMETIC:
            parts = ", ".join(self.process(side, **words) for side in (binary.left, binary.right))
            text = f"{_ARITHMETIC[operator]}({parts})"
            return f"({text} COLLATE DECIMAL)" if self._is_exact(binary) else f"CAST({text} AS NUMERIC)"
        if self._is_exact(binary.left) or self._is_exact(binary.right):
            if operator in _ARITHMETIC or operator in _INEXACT:
                raise CompileError(f"SQLite can't work out {binary} exactly: do it in Python, or cast to Float first")
            if operators.is_comparison(operator):
                binary = self._by_value(binary)
        return super().visit_binary(binary, override_operator, *arguments, **words)

    def visit_neg_unary_operator(self, unary: Any, operator: Any, **words: Any) -> Any:
        if self._is_exact(unary.element):
            return f"(decimal_sub('0', {self.process(unary.element, **words)}) COLLATE DECIMAL)"
        return self._generate_generic_unary_operator(unary, "-", **words)

    def visit_case(self, clause: Any, **words: Any) -> Any:
        text = super().visit_case(clause, **words)
        return f"{text} COLLATE DECIMAL" if self._is_exact(clause) else text

    def visit_function(self, func: Any, *arguments: Any, unfinished: bool = False, **words: Any) -> str:
        text = super().visit_function(func, *arguments, **words)
        return text if unfinished else self._finished(func, text)

    def visit_over(self, over: Any, **words: Any) -> Any:
        return self._finished(over.element, super().visit_over(over, unfinished=True, **words))

    def visit_funcfilter(self, funcfilter: Any, unfinished: bool = False, **words: Any) -> Any:
        text = super().visit_funcfilter(funcfilter, unfinished=True, **words)
        return text if unfinished else self._finished(funcfilter, text)

    def visit_sum_func(self, func: Any, **words: Any) -> str:
        name = "sum" if self._of_column(func) or not self._is_decimal(func) else "decimal_sum"
        return f"{name}{self.function_argspec(func, **words)}"

    def visit_now_func(self, fn: Any, **words: Any) -> str:
        return _NOW

    def visit_current_timestamp_func(self, fn: Any, **words: Any) -> str:
        return _NOW

    def visit_localtimestamp_func(self, func: Any, **words: Any) -> str:
        return _NOW

    def _finished(self, element: Any, text: str) -> str:
        """A function's result as a stored value of its type."""
        func = element.func if isinstance(element, FunctionFilter) else element
        if self._is_exact(func):
            return f"{text} COLLATE DECIMAL"
        if getattr(func, "name", "").lower() != "sum" or not self._is_decimal(func):
            return text
        scale = getattr(self._engine_type(func.type), "scale", None) or 0
        return f"round({text}, {scale})" if self._of_column(func) else f"CAST({text} AS NUMERIC)"

    def _of_column(self, func: Any) -> bool:
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

    def _by_value(self, binary: Any) -> Any:
        """A comparison of texts under the collation, which a column brings along."""
        left, right = self._as_text(binary.left), self._as_text(binary.right)
        if not isinstance(left, Column | BindParameter):
            left = left.collate("DECIMAL")
        return BinaryExpression(left, right, binary.operator, type_=binary.type, modifiers=binary.modifiers)

    def _as_text(self, side: Any) -> Any:
        expanding = isinstance(side, BindParameter) and side.expanding
        number = isinstance(getattr(side, "type", None), types.Integer | types.Numeric | types.Float)
        return side.cast(Text) if number and not expanding and not self._is_exact(side) else side


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
