"""How the tables of a live move look on the source at a moment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import psycopg

from liteshift.catalog import Name
from liteshift.changes import Shape
from liteshift.errors import BEGIN_ANEW, NotFit
from liteshift.plan import Plan

_SHAPES = """
SELECT n.nspname, c.relname, c.oid::int8,
       (SELECT json_object_agg(a.attname, json_build_array(
                 a.atttypid::int8, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod)))
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT string_agg(concat_ws(' ', l.oid, pg_catalog.pg_relation_filenode(l.oid), l.relpersistence), ','
                          ORDER BY l.oid)
          FROM pg_catalog.pg_class l
         WHERE l.oid = c.oid AND l.relkind = 'r'
            OR l.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid) WHERE isleaf)),
       EXISTS (SELECT FROM pg_catalog.pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u') AND k.condeferrable),
       EXISTS (SELECT FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
                WHERE p.pubname = %s AND r.prrelid = c.oid)
  FROM unnest(%s::text[], %s::text[]) w(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
"""


def read_shapes(connection: psycopg.Connection[Any], name: str, plan: Plan) -> Mapping[Name, Shape]:
    """Look at a plan's tables.

    Args:
        name: the move's name.

    Raises:
        NotFit: a table or a column is no longer as the plan has it, or no longer published.
    """
    names = [table.source for table in plan.tables]
    rows: list[Any] = connection.execute(
        _SHAPES, (name, [one.schema for one in names], [one.name for one in names])
    ).fetchall()
    found = {Name(schema, table): rest for schema, table, *rest in rows}
    shapes = {}
    for table in plan.tables:
        if table.source not in found:
            raise NotFit(f"the table {table.source} of the plan is gone", hint=BEGIN_ANEW)
        oid, columns, storage, deferrable, published = found[table.source]
        planned = {column.source: column.source_type for column in table.columns}
        _require_columns(table.source, planned, {column: shape[2] for column, shape in columns.items()})
        if not published:
            raise NotFit(f"{table.source} is not in the publication {name} any more", hint=BEGIN_ANEW)
        digest = hashlib.sha256((storage or "").encode()).hexdigest()[:16]
        types = {column: (int(kind), int(modifier)) for column, (kind, modifier, _) in columns.items()}
        shapes[table.source] = Shape(oid, types, deferrable, digest)
    return shapes


def _require_columns(table: Name, planned: Mapping[str, str], found: Mapping[str, str]) -> None:
    for column, kind in found.items():
        if column not in planned:
            raise NotFit(f"the column {column} of {table} is new, and the plan does not know it", hint=BEGIN_ANEW)
        if planned[column] != kind:
            raise NotFit(f"the column {column} of {table} is {kind} now, and was {planned[column]}", hint=BEGIN_ANEW)
    if gone := planned.keys() - found.keys():
        raise NotFit(f"the column {min(gone)} of {table} is gone", hint=BEGIN_ANEW)
