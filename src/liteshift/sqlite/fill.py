"""Fills the indexes of tables whose pages were built: the native core sorts and builds those it knows, SQLite the rest.

An index that SQLite made beside the empty table is empty still. One over expressions, or of some rows only, or under a
collation that the core does not know, SQLite builds anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from liteshift import native
from liteshift.sqlite.build import rowid_column
from liteshift.sqlite.faults import os_error
from liteshift.sqlite.library import dbapi

MEMORY = 96 << 20  # bytes to sort in, all threads together
_THREADS = 4
_LOOK = 0.2  # seconds
_COLLATIONS = {"BINARY": False, "NOCASE": True}


@dataclass(frozen=True, slots=True)
class Index:
    """An index that the core can build.

    Attributes:
        root: its root page; `table_root` is its table's.
        parts: its columns: each one's place in the table (None for the rowid), whether it descends, whether NOCASE.
    """

    table: str
    name: str
    table_root: int
    root: int
    parts: tuple[tuple[int | None, bool, bool], ...]
    unique: bool


def known(connection: dbapi.Connection, table: str, name: str) -> Index | None:
    """An index as the core takes it; None where only SQLite can build it."""
    if native.CORE is None:
        return None
    found = connection.execute(
        'SELECT "unique", partial FROM pragma_index_list(?) WHERE name = ?', (table, name)
    ).fetchone()
    hidden = connection.execute("SELECT 1 FROM pragma_table_xinfo(?) WHERE hidden", (table,)).fetchone()
    roots = connection.execute(
        "SELECT (SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?),"
        " (SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND name = ?)",
        (table, name),
    ).fetchone()
    rowids = connection.execute("SELECT 1 FROM pragma_table_list(?) WHERE schema = 'main' AND wr = 0", (table,))
    if found is None or found[1] or hidden or None in roots or rowids.fetchone() is None:
        return None
    rowid = rowid_column(connection, table)
    parts = []
    for cid, descending, collation in connection.execute(
        'SELECT cid, "desc", coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno', (name,)
    ).fetchall():
        if cid < -1 or collation.upper() not in _COLLATIONS:
            return None
        column = None if cid in (-1, rowid) else int(cid)
        parts.append((column, bool(descending), _COLLATIONS[collation.upper()]))
    return Index(table, name, int(roots[0]), int(roots[1]), tuple(parts), bool(found[0]))


def fill(path: Path, indexes: Sequence[Index], tell: Callable[[Index], None]) -> list[Index]:
    """Fill them, several at the same time, while SQLite has the file closed.

    Args:
        tell: told of each one that is done, in this thread.

    Returns:
        Those that SQLite must judge: two rows have one key, or something is not as the core expects.
    """
    left = []

    def one(pages: Any, index: Index, memory: int, stop: _Stop) -> bool:
        parts = list(index.parts)
        try:
            pages.fill(index.table_root, index.root, parts, index.unique, memory, path.parent, stop)
        except (native.CORE.Refused, native.CORE.Unfit):
            return False
        return True

    for index, filled in _all(path, indexes, one):
        if filled:
            tell(index)
        else:
            left.append(index)
    return left


def audit(path: Path, indexes: Sequence[Index]) -> list[str]:
    """What is wrong with indexes, read page by page while SQLite has the file closed; empty for nothing."""

    def one(pages: Any, index: Index, _: int, stop: _Stop) -> str | None:
        found: str | None = pages.audit(index.table_root, index.root, list(index.parts), index.unique, stop)
        return found

    return [f"the index {index.name}: {wrong}" for index, wrong in _all(path, indexes, one) if wrong]


class _Stopped(Exception):
    pass


class _Stop:
    """Told by the core how far a thread has come; raises there once the others have ended."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self, _: int) -> None:
        if self.wanted:
            raise _Stopped


T = TypeVar("T")


def _all(
    path: Path, indexes: Sequence[Index], work: Callable[[Any, Index, int, _Stop], T]
) -> Iterator[tuple[Index, T]]:
    """Do something with each index, in a few threads; each result as it comes."""
    if not indexes:
        return
    threads, stop = min(_THREADS, os.cpu_count() or 1, len(indexes)), _Stop()
    try:
        pages = native.CORE.Pages(path)
        with ThreadPoolExecutor(threads) as pool:
            try:
                jobs = {pool.submit(work, pages, index, MEMORY // threads, stop): index for index in indexes}
                waiting = set(jobs)
                while waiting:
                    done, waiting = wait(waiting, timeout=_LOOK, return_when=FIRST_COMPLETED)
                    for job in done:
                        yield jobs[job], job.result()
            except BaseException:
                stop.wanted = True
                pool.shutdown(cancel_futures=True)
                raise
        pages.close()
    except OSError as error:
        raise os_error(error, f"{path} can't be written") from error
