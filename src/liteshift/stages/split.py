"""One big table over several connections: each brings a range of the heap, and the parts become one tree."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing

from liteshift.ends import Builder, Part, Range, Snapshot, Unbuildable
from liteshift.plan import TablePlan
from liteshift.progress import Progress, Step
from liteshift.stages import stream
from liteshift.stages.at_once import LOOK
from liteshift.stages.stream import Stream


class Split:
    """A table on its way in parts.

    A part is joined when all parts before it are. So what is joined is at any time the table's beginning, from which a
    later run can go on, over however many connections.

    Args:
        ranges: the table's, in the heap's order; they are begun in that order too.
        builder: of the table.
        rows: how many an earlier run has brought.
        ahead: how many parts may be under way, or wait in memory to be joined.

    Attributes:
        started: when the first part was begun, by the monotonic clock.
    """

    def __init__(self, table: TablePlan, ranges: Sequence[Range], builder: Builder, rows: int, ahead: int) -> None:
        self.started = 0.0
        self._table = table
        self._ranges = ranges
        self._builder = builder
        self._ahead = ahead
        self._turn = threading.Condition()  # to join, and for all that follows
        self._ended = dict[int, tuple[Part, int]]()
        self._joined = 0
        self._unkept = 0  # bytes
        self._left = len(ranges)
        self._failed: Unbuildable | None = None
        self._counting = threading.Lock()
        self._rows = [rows] + [0] * len(ranges)

    def copy(self, number: int, snapshot: Snapshot, progress: Progress) -> bool:
        """Copy a range, as soon as it is not too far ahead; whether none is left, so that the table can be ended."""
        try:
            self._wait(number, progress)
            self._bring(number, Stream(snapshot, self._table), progress)
        except Unbuildable as error:
            with self._turn:
                self._failed = self._failed or error
                self._turn.notify_all()
        with self._turn:
            self._left -= 1
            return not self._left

    def end(self, progress: Progress) -> int:
        """Finish the table; how many rows it has.

        Raises:
            Unbuildable: it can't be done; the table is empty, and its pages are free.
        """
        try:
            if self._failed is not None:
                raise Unbuildable(self._failed.why) from self._failed
            rows = self._builder.finish()
        except Unbuildable:
            self._builder.abandon()
            for part, _ in self._ended.values():
                part.abandon()
            raise
        progress(Step("copy", str(self._table.source), rows, rows))
        return rows

    def _wait(self, number: int, progress: Progress) -> None:
        with self._turn:
            self.started = self.started or time.monotonic()
            while self._failed is None and number >= self._joined + self._ahead:
                self._turn.wait(LOOK)
                self._tell(number, 0, progress)

    def _bring(self, number: int, source: Stream, progress: Progress) -> None:
        part, size = self._builder.part(number), 0
        try:
            with closing(source.within(self._ranges[number])) as pieces:
                for piece in pieces:
                    if self._failed is not None:
                        raise Unbuildable(self._failed.why)
                    self._tell(number, part.feed(piece), progress)
                    size += len(piece)
            self._tell(number, part.end(), progress)
        except Unbuildable:
            part.abandon()
            raise
        with self._turn:
            self._ended[number] = (part, size)
            try:
                self._join()
            except Unbuildable as error:
                self._failed = error  # before another thread has its turn
            self._turn.notify_all()

    def _join(self) -> None:
        while self._failed is None and self._joined in self._ended:
            part, size = self._ended[self._joined]
            part.join()
            del self._ended[self._joined]
            self._joined += 1
            self._unkept += size
            if self._unkept > stream.KEEP_EVERY and self._joined < len(self._ranges):
                self._builder.keep(self._ranges[self._joined - 1].name, in_order=False)
                self._unkept = 0

    def _tell(self, number: int, rows: int, progress: Progress) -> None:
        with self._counting:  # so that the count never falls
            self._rows[number + 1] = rows
            total = self._table.rows if self._table.rows >= 0 else None
            progress(Step("copy", str(self._table.source), sum(self._rows), total))
