"""Which questions the rows of a table must answer: what the value contract refuses, and what is good to know of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from liteshift.catalog import Column, Name, PgType, Table, TypeKind
from liteshift.codec import arrays, records
from liteshift.codec.decimals import EXACT_DIGITS
from liteshift.codec.values import Unrepresentable, codec
from liteshift.plan import ColumnPlan, Profile, TablePlan
from liteshift.survey import Oddity, Probe, TableQuestion
from liteshift.translate.readiness import sql_name, sql_table
from liteshift.translate.typemap import target

_SAMPLE_ROWS = 100_000
_SAMPLE_BYTES = 256 << 20

# How PostgreSQL prints one value of each kind; what its codec refuses is looked for in the rows.
_DATES = {
    Oddity.INFINITY: "infinity",
    Oddity.BEFORE_CHRIST: "0044-03-15 BC",
    Oddity.PAST_9999: "10000-01-01",
}
_TIMESTAMPS = {
    Oddity.INFINITY: "infinity",
    Oddity.BEFORE_CHRIST: "0044-03-15 00:00:00 BC",
    Oddity.PAST_9999: "10000-01-01 00:00:00",
}
_FLOATS = {Oddity.NAN: "NaN", Oddity.NEGATIVE_ZERO: "-0"}
_SPECIMENS: dict[str, dict[Oddity, str]] = {
    "float4": _FLOATS,
    "float8": _FLOATS,
    "numeric": {Oddity.NAN: "NaN", Oddity.PAST_15_DIGITS: "1234567890123456"},
    "date": _DATES,
    "time": {Oddity.HOUR_24: "24:00:00"},
    "timestamp": _TIMESTAMPS,
    "timestamptz": _TIMESTAMPS,
}
_TEXTS = ("text", "varchar", "bpchar", "name", "citext")
_LONG = ("json", "xml")
_NESTED = (TypeKind.ARRAY, TypeKind.COMPOSITE)
_TO_TELL = (Oddity.CONTROL, Oddity.NOT_ASCII)


def question(table: Table, plan: TablePlan, folded: Collection[str], encoding: str, *, deep: bool) -> TableQuestion:
    """What to ask of a table's rows.

    Args:
        table: the table.
        plan: what its columns become.
        folded: its columns whose unique rule folds case.
        encoding: the database's encoding.
        deep: read all of it, whatever its size.
    """
    probes: list[Probe] = []
    texts, blobs, packed, numerics = [], [], [], []
    for column, planned in zip(table.columns, plan.columns, strict=True):
        if planned.generated:
            continue  # computed, here as there
        base = _base(column.type)
        probes += _probes(column, planned, base, column.name in folded, encoding)
        if base.kind in _NESTED or (base.kind is not TypeKind.ENUM and base.name.name in ("jsonb", "hstore")):
            packed.append(column.name)
        elif base.name.name in (*_TEXTS, *_LONG):
            texts.append(column.name)
        elif base.name.name == "bytea":
            blobs.append(column.name)
        elif base.name.name == "numeric" and not planned.form.startswith("numeric("):
            numerics.append(column.name)
    sources = {column.target: column.source for column in plan.columns}
    return TableQuestion(
        table=table.name,
        with_children=table.partitioned,
        key=tuple(sources[name] for name in plan.key) if encoding != "SQL_ASCII" else (),  # it may not be readable
        probes=tuple(probes),
        texts=tuple(texts),
        blobs=tuple(blobs),
        packed=tuple(packed),
        numerics=tuple(numerics),
        percent=None if deep else _percent(table),
    )


def fitting(table: Name, column: str, before: int, after: int) -> str:
    """The statement that gives a numeric column a type which SQLite keeps as a number; empty where none does."""
    if not before + after or before + after > EXACT_DIGITS:
        return ""
    kind = f"numeric({EXACT_DIGITS}, {after})"
    return f"ALTER TABLE {sql_table(table)} ALTER COLUMN {sql_name(column)} TYPE {kind};"


def is_refused(oddity: Oddity) -> bool:
    """Whether a row with such a value can't be carried; probes are made only where the codec says so."""
    return oddity not in _TO_TELL


def _probes(column: Column, plan: ColumnPlan, base: PgType, is_folded: bool, encoding: str) -> list[Probe]:
    if base.kind in _NESTED:
        return [
            Probe(column.name, oddity, steps)
            for steps, leaf in _leaves(base, ())
            for oddity, text in _specimens(leaf).items()
            if _refuses(plan.form, _wrapped(base, steps, text))
        ]
    found = [
        Probe(column.name, oddity)
        for oddity, text in _specimens(base).items()
        if _refuses(plan.form, text) and not (oddity is Oddity.PAST_15_DIGITS and _is_short(column))
    ]
    if base.kind is TypeKind.BASE and base.name.name in _TEXTS:
        found.append(Probe(column.name, Oddity.CONTROL))
        if is_folded:
            found.append(Probe(column.name, Oddity.NOT_ASCII))
        if encoding == "SQL_ASCII":
            found.append(Probe(column.name, Oddity.NOT_UTF8))
    return found


def _leaves(kind: PgType, steps: tuple[str | None, ...]) -> Iterator[tuple[tuple[str | None, ...], PgType]]:
    """What stands in a value of a type, and the steps to it."""
    base = _base(kind)
    if base.kind is TypeKind.ARRAY and base.base is not None:
        yield from _leaves(base.base, (*steps, None))
    elif base.kind is TypeKind.COMPOSITE:
        for field in base.fields:
            yield from _leaves(field.type, (*steps, field.name))
    else:
        yield steps, base


def _wrapped(kind: PgType, steps: Sequence[str | None], text: str) -> str:
    """A value of a type as PostgreSQL prints it, with a text at the end of some steps, and NULL elsewhere."""
    base = _base(kind)
    if not steps:
        return text
    if base.kind is TypeKind.ARRAY and base.base is not None:
        return arrays.join("", [_wrapped(base.base, steps[1:], text)], base.base.delimiter)
    return records.join(
        [_wrapped(field.type, steps[1:], text) if field.name == steps[0] else None for field in base.fields]
    )


def _specimens(base: PgType) -> dict[Oddity, str]:
    return _SPECIMENS.get(base.name.name, {}) if base.name.schema == "pg_catalog" else {}


def _refuses(form: str, text: str) -> bool:
    try:
        codec(form).from_pg(text)
    except Unrepresentable:
        return True
    except (ValueError, KeyError):
        return False
    return False


def _is_short(column: Column) -> bool:
    """Whether a numeric column's type has no room for more digits than a double keeps."""
    return target(column.type, column.typmod, Profile.SQLALCHEMY).family == "numeric"


def _base(kind: PgType) -> PgType:
    while kind.kind is TypeKind.DOMAIN and kind.base:
        kind = kind.base
    return kind


def _percent(table: Table) -> float | None:
    """How much of a table a sample reads; None for all of a small one."""
    by_rows = _SAMPLE_ROWS / table.rows if table.rows > _SAMPLE_ROWS else 1.0
    by_bytes = _SAMPLE_BYTES / table.bytes if table.bytes > _SAMPLE_BYTES else 1.0
    part = min(by_rows, by_bytes)
    return round(100 * part, 6) if part < 1 else None
