"""Compares both sides of a table at once by the native core, which only finds whether all rows are equal.

The source sends COPY BINARY, whose bytes are hashed as they come. SQLite reads its rows meanwhile, and the core encodes
each value back into those bytes. Where the sums are not equal, the definition has to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from liteshift import native
from liteshift.codec.copy_binary import wire
from liteshift.codec.values import codec
from liteshift.ends import Digest, Rows, Snapshot
from liteshift.plan import TablePlan


def equal_rows(snapshot: Snapshot, rows: Rows, table: TablePlan, tell: Callable[[int], None]) -> int | None:
    """How many rows both sides have, where they are equal; None where that is for the definition to judge.

    Args:
        tell: told how many of the source's rows have come.
    """
    core = native.CORE
    if core is None:
        native.insist()
        return None
    if not table.columns:
        return None
    forms = [column.form for column in table.columns]
    digest = core.Digest([form if core.encodes(form) else codec(form).to_pg for form in forms])
    asked = [(column.source, wire(column.form, column.source_type)) for column in table.columns]
    with ThreadPoolExecutor(1, "liteshift-verify") as pool:
        target = pool.submit(rows.digest, table.target, [column.target for column in table.columns], digest)
        try:
            with closing(snapshot.binary(table.source, asked, with_children=table.partitioned)) as pieces:
                sent = _feed(digest, pieces, target, tell)
            if sent is None or not target.result():
                return None
        except BaseException:
            digest.end()  # leaving the pool waits for its thread
            raise
    try:
        source, _, equal = digest.finish()
    except ValueError:
        return None  # the server's bytes make no sense: its text will say more
    return int(source) if equal and source == sent else None


def _feed(
    digest: Digest, pieces: Generator[bytes, None, int], target: Future[bool], tell: Callable[[int], None]
) -> int | None:
    """Take the source's whole COPY; how many rows the server says it sent, None where the rest is of no use."""
    try:
        while not (target.done() and (target.exception() or not target.result())):
            tell(digest.feed(next(pieces)))
    except StopIteration as end:
        return int(end.value)
    except ValueError:
        digest.end()
    return None
