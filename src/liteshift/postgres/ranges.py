"""Cuts a table into ranges of its heap's pages, each of them worth a while of copying."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from liteshift.catalog import Name
from liteshift.ends import Range

BYTES = 64 << 20
"""A range's size on the source's disk, TOAST included."""

_EACH = 4  # ranges for each of several connections
_TID_RANGE_SCAN = 140000  # before that, a range would cost a scan of the whole table

# A role may read a partition through its root alone, and a policy of its own would hide rows.
_HEAPS = """
SELECT n.nspname, c.relname,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8,
       pg_catalog.pg_table_size(c.oid),
       c.relkind = 'r' AND m.amname = 'heap' AND NOT c.relrowsecurity
         AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  FROM pg_catalog.pg_class r
  JOIN pg_catalog.pg_class c
    ON c.oid = r.oid AND r.relkind <> 'p'
    OR %s AND c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(r.oid) WHERE isleaf)
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
 WHERE r.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = %s) AND r.relname = %s
 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of a heap: from the first, up to but without the second; to the end where that is None."""

    heap: Name
    start: int
    end: int | None


def ranges(
    connection: psycopg.Connection[Any], table: Name, *, with_children: bool, keyed: bool, after: str, jobs: int
) -> Sequence[Range] | None:
    """See `liteshift.ends.Snapshot.ranges`."""
    if after == "" and _whole(connection, with_children, keyed):
        return [Range()]
    heaps = connection.execute(_HEAPS, (with_children, table.schema, table.name)).fetchall()
    fit = bool(heaps) and all(heap[4] for heap in heaps)
    size = sum(size for _, _, _, size, _ in heaps)
    if after == "":
        if not fit or size < (2 * BYTES if jobs == 1 else BYTES):
            return [Range()]
        first = None
    else:
        schema, name, end = json.loads(after)
        first = (Name(schema, name), end)
        if not fit or first[0] not in [Name(*heap[:2]) for heap in heaps]:
            return None
    return list(_cut(heaps, first, BYTES if jobs == 1 else _shared(size, jobs)))


def _whole(connection: psycopg.Connection[Any], with_children: bool, keyed: bool) -> bool:
    """Whether it can't be cut: the order of the leaves is not that of the key."""
    return connection.info.server_version < _TID_RANGE_SCAN or (with_children and keyed)


def _shared(size: int, jobs: int) -> int:
    """So small that all have about as much to do, and so large that each is worth a COPY."""
    return max(BYTES // 4, min(BYTES, size // (_EACH * jobs)))


def _cut(heaps: Sequence[tuple[Any, ...]], first: tuple[Name, int | None] | None, worth: int) -> Iterator[Range]:
    for schema, name, blocks, size, _ in heaps:
        heap, start = Name(schema, name), 0
        if first is not None:
            if heap < first[0] or (heap == first[0] and first[1] is None):
                continue
            start = first[1] or 0 if heap == first[0] else 0
        step = max(1, blocks * worth // max(size, 1))
        while start + 2 * step <= blocks:
            yield _range(Pages(heap, start, start + step))
            start += step
        yield _range(Pages(heap, start, None))  # whatever is there: it may have grown


def _range(pages: Pages) -> Range:
    return Range(json.dumps([pages.heap.schema, pages.heap.name, pages.end]), pages)


def within(pages: Pages) -> sql.Composable:
    """The condition that a row stands in these pages."""
    start = sql.SQL("ctid >= {}").format(sql.Literal(f"({pages.start},0)"))
    if pages.end is None:
        return start
    return sql.SQL("{} AND ctid < {}").format(start, sql.Literal(f"({pages.end},0)"))
