"""How a column is asked for in PostgreSQL's COPY BINARY, so that the native core knows its bytes by its form alone.

Casts cost the server time, so a type that has its form's own bytes goes without. What has no bytes of its own here
comes as the text that its output function prints: `concat` calls that function, where a cast to text calls what the
type likes (`inet` prints another text, `char(n)` drops blanks).
"""

from __future__ import annotations

from collections.abc import Callable

from liteshift.codec.values import codec
from liteshift.value import Value

AS_IT_IS = "{}"
CAST = "{}::pg_catalog.text"
AS_TEXT = "CASE WHEN pg_catalog.num_nulls({0}) = 0 THEN pg_catalog.concat({0}) END"

_CASTS = {
    "integer": "{}::pg_catalog.int8",
    "boolean": "{}::pg_catalog.bool",
    "double": "{}::pg_catalog.float8",
    "real": "{}::pg_catalog.float4",
    "bytea": "{}::pg_catalog.bytea",
    "uuid": "{}::pg_catalog.uuid",
    "date": "{}::pg_catalog.date",
    "time": "{}::pg_catalog.time",
    "timestamp": "{}::pg_catalog.timestamp",
    "timestamptz": "{}::pg_catalog.timestamptz",
    "numeric": "{}::pg_catalog.numeric",
}
_OWN_BYTES = {
    "integer": ("smallint", "integer", "bigint"),
    "boolean": ("boolean",),
    "double": ("double precision",),
    "real": ("real",),
    "text": ("text", "character varying", "character"),
    "bytea": ("bytea",),
    "uuid": ("uuid",),
    "date": ("date",),
    "time": ("time without time zone",),
    "timestamp": ("timestamp without time zone",),
    "timestamptz": ("timestamp with time zone",),
    "numeric": ("numeric",),
    "json": ("json",),
}
_CAST_PRINTS = ("jsonb", "numeric", "interval")
"""Types whose cast to text is their output function."""


def wire(form: str, source_type: str) -> str:
    """The SQL expression for a column, with `{}` or `{0}` where its quoted name goes.

    Args:
        form: the stored form.
        source_type: the column's type as PostgreSQL prints it.
    """
    name = form.partition("(")[0].removesuffix("_short")
    bare, _, rest = source_type.partition("(")
    plain = bare + rest.partition(")")[2]  # `timestamp(3) without time zone`, `numeric(5,2)`
    if plain in _OWN_BYTES.get(name, ()):
        return AS_IT_IS
    return _CASTS.get(name, CAST if plain in _CAST_PRINTS else AS_TEXT)


def decoder(form: str, known: Callable[[str], bool]) -> str | Callable[[str], Value]:
    """What the native core decodes a column with: the form's name where it knows it, else the definition."""
    return form if known(form) else codec(form).from_pg
