"""Compares the rows that were changed lately, by their keys, on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set

from liteshift.catalog import Name
from liteshift.codec.copy_text import decode, fields
from liteshift.codec.values import Unrepresentable, codec, lenient
from liteshift.errors import DifferencesFound
from liteshift.flow import Chosen, Control
from liteshift.plan import Plan, TablePlan
from liteshift.stages.verify import line_of

Key = tuple[str | None, ...]


def count_touched(plan: Plan, touched: Mapping[Name, Set[Key] | None], *, whole: int) -> int:
    """How many keys are to be compared.

    Args:
        touched: as `compare_touched` takes it.
        whole: as how many a table with a key counts in which too many rows were changed.
    """
    keyed = {table.source for table in plan.tables if table.key}
    return sum(len(keys) if keys is not None else whole * (name in keyed) for name, keys in touched.items())


def compare_touched(
    control: Control, reading: Chosen, plan: Plan, touched: Mapping[Name, Set[Key] | None]
) -> tuple[int, tuple[str, ...]]:
    """Compare the rows of these keys as both sides have them now.

    Args:
        touched: keys as PostgreSQL prints them, by the source's table; None for a table that has no key, or in which
            too many rows were changed.

    Returns:
        How many keys were compared, and which tables could not be compared by key.

    Raises:
        DifferencesFound: a row is not the same on both sides.
    """
    tables = {table.source: table for table in plan.tables}
    compared, passed_over = 0, []
    for name, keys in touched.items():
        if keys is None:
            passed_over.append(str(name))
        elif keys:
            _compare(control, reading, tables[name], sorted(keys, key=str))
            compared += len(keys)
    return compared, tuple(passed_over)


def _compare(control: Control, reading: Chosen, table: TablePlan, keys: list[Key]) -> None:
    codecs = [lenient(codec(column.form)) for column in table.columns]
    forms = {column.target: codec(column.form) for column in table.columns}
    stored = []
    for key in keys:
        try:
            stored.append(
                tuple(
                    None if text is None else forms[name].from_pg(text)
                    for name, text in zip(table.key, key, strict=True)
                )
            )
        except Unrepresentable:
            continue  # its row is among the rejected ones
    there: Counter[bytes] = Counter()
    for line in control.lines_of(table, keys):
        try:
            decode(codecs, line)
        except (Unrepresentable, UnicodeDecodeError):
            continue
        there[line] += 1
    names = [column.target for column in table.columns]
    here = Counter(line_of(codecs, row) for row in reading.rows_of(table.target, names, table.key, stored))
    if there != here:
        shown = sorted({_shown(table, line) for line in (there - here) + (here - there)})
        more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
        raise DifferencesFound(
            f"{table.source} is not the same on both sides: {'; '.join(shown[:5])}{more}",
            hint="Look at each difference: liteshift verify SOURCE TARGET",
        )


def _shown(table: TablePlan, line: bytes) -> str:
    texts = fields(line)
    pairs = zip(table.columns, texts, strict=True)
    return ", ".join(f"{column.source} = {text}" for column, text in pairs if column.target in table.key)
