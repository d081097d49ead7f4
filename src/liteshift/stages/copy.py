"""Copies every row of the plan into the staging file, then makes the indexes and checks the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from liteshift.codec.copy_binary import wire
from liteshift.codec.copy_text import decode, fields
from liteshift.codec.values import Unrepresentable, codec
from liteshift.ends import Snapshot, Staging, Unbuilt, Value
from liteshift.errors import LiteshiftError, NotFit
from liteshift.plan import ColumnPlan, Plan, TablePlan
from liteshift.progress import Progress, Step
from liteshift.reports import CopiedTable, Reject

_TELL_EVERY = 2000  # rows


def copy_rows(
    snapshot: Snapshot, plan: Plan, staging: Staging, progress: Progress, reject: Callable[[Reject], None]
) -> tuple[CopiedTable, ...]:
    """Copy every table.

    Args:
        snapshot: the source at one moment.
        plan: what to copy.
        staging: an empty file.
        progress: told about rows as they come.
        reject: told about each row that can't be carried; the copy goes on.
    """
    staging.execute(table.create for table in plan.tables)
    copied = []
    for table in plan.tables:
        started = time.monotonic()
        stored = [column for column in table.columns if not column.generated]  # SQLite computes the others
        rejected, road = 0, "native"
        count = _build(snapshot, table, stored, staging, progress)
        if count is None:
            rows, road = _TableCopy(table, progress, reject), "python"
            lines = snapshot.lines(table.source, [column.source for column in stored], with_children=table.partitioned)
            staging.load(table.target, [column.target for column in stored], rows.values(lines))
            count, rejected = rows.count, rows.rejected
        if table.sequence is not None:
            staging.set_sequence(table.target, table.sequence)
        copied.append(CopiedTable(str(table.source), table.target, count, rejected, time.monotonic() - started, road))
    return tuple(copied)


def _build(
    snapshot: Snapshot, table: TablePlan, stored: Sequence[ColumnPlan], staging: Staging, progress: Progress
) -> int | None:
    """Let the native core build the table; how many rows it has, or None where it has none yet."""
    columns, forms = [column.target for column in stored], [column.form for column in stored]
    if not staging.can_build(table.target, columns, forms):
        return None
    name, total = str(table.source), table.rows if table.rows >= 0 else None
    progress(Step("copy", name, 0, total))
    asked = [(column.source, wire(column.form, column.source_type)) for column in stored]
    key = [column.source for column in stored if column.target in table.key]
    for order in ([], key):  # a heap that was updated is not in order, and sorting costs
        pieces = snapshot.binary(table.source, asked, with_children=table.partitioned, order=order)
        with closing(pieces):
            count = staging.build(
                table.target, columns, forms, pieces, lambda rows: progress(Step("copy", name, rows, total))
            )
        if count is not Unbuilt.DISORDERED:
            break
    if isinstance(count, Unbuilt):
        return None
    progress(Step("copy", name, count, count))
    return count


def make_indexes(plan: Plan, staging: Staging, progress: Progress) -> None:
    """Make every index, after the rows."""
    statements = [(table.target, statement) for table in plan.tables for statement in table.indexes]
    for done, (target, statement) in enumerate(statements, start=1):
        staging.execute([statement])
        progress(Step("index", target, done, len(statements)))


def make_triggers(plan: Plan, staging: Staging) -> None:
    """Make every trigger, when nothing is written any more."""
    staging.execute(statement for table in plan.tables for statement in table.triggers)


def check_file(staging: Staging, rejected: int) -> tuple[str, ...]:
    """SQLite's own checks of the whole file.

    Args:
        staging: the loaded file.
        rejected: how many rows were left out; their children may point nowhere.

    Returns:
        Rows without their parent, which only rejected rows excuse.

    Raises:
        LiteshiftError: the file is not sound.
        NotFit: rows point nowhere though none was rejected.
    """
    unsound, orphans = staging.check()
    if unsound:
        raise LiteshiftError(f"the new file is not sound: {'; '.join(unsound[:5])}")
    if orphans and not rejected:
        raise NotFit(
            f"rows break a foreign key that the source takes for valid: {'; '.join(orphans[:5])}",
            hint="They were written past it, as by a restore without triggers: mend them on the source, or drop the key"
            " there and add it again as NOT VALID, which leaves it out. liteshift assess --deep counts them all.",
        )
    return tuple(orphans)


class _TableCopy:
    """One table's rows on their way, counted."""

    def __init__(self, table: TablePlan, progress: Progress, reject: Callable[[Reject], None]) -> None:
        self.count = 0
        self.rejected = 0
        self._table = table
        self._columns = [column for column in table.columns if not column.generated]
        self._codecs = [codec(column.form) for column in self._columns]
        self._progress = progress
        self._reject = reject

    def values(self, lines: Iterator[bytes]) -> Iterator[Sequence[Value]]:
        """Each line's row as SQLite will hold it; what can't be carried is rejected and passed over."""
        codecs, name = self._codecs, str(self._table.source)
        total = self._table.rows if self._table.rows >= 0 else None
        self._progress(Step("copy", name, 0, total))
        for line in lines:
            try:
                row = decode(codecs, line)
            except (Unrepresentable, UnicodeDecodeError):
                self.rejected += 1
                self._reject(self._explain(line))
                continue
            self.count += 1
            if self.count % _TELL_EVERY == 0:
                self._progress(Step("copy", name, self.count, total))
            yield row
        self._progress(Step("copy", name, self.count, self.count))

    def _explain(self, line: bytes) -> Reject:
        """Which row it is, and which value can't be carried."""
        name = str(self._table.source)
        number: dict[str, str | None] = {"row": str(self.count + self.rejected)}
        try:
            texts = fields(line)
        except UnicodeDecodeError:
            return Reject(name, number, "", "its text is not UTF-8")
        pairs = list(zip(self._columns, texts, strict=True))
        key = {column.source: text for column, text in pairs if column.target in self._table.key} or number
        for own, (column, text) in zip(self._codecs, pairs, strict=True):
            try:
                if text is not None:
                    own.from_pg(text)
            except Unrepresentable as error:
                return Reject(name, key, column.source, str(error))
        raise AssertionError("a row was rejected for no reason")
