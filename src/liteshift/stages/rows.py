"""Looks at the rows of each table for an assessment: what they hold, and what they will take."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from liteshift.assessment import LongNumeric, OddValues, TableFacts
from liteshift.catalog import Catalog, Name, Table
from liteshift.codec.copy_text import decode
from liteshift.codec.values import Unrepresentable, codec
from liteshift.ends import Survey
from liteshift.errors import LiteshiftError, NoConnection
from liteshift.plan import TablePlan
from liteshift.survey import Probe, Rights, TableAnswer, TableCounters, TableQuestion
from liteshift.translate.facts import doubtful_texts
from liteshift.translate.prediction import table_bytes
from liteshift.translate.probes import fitting, is_refused, question
from liteshift.value import Value

_SAMPLE_ROWS = 10_000
_SAMPLE_BYTES = 16 << 20
_KEY_LENGTH = 80

Row = Sequence[Value]


@dataclass(frozen=True, slots=True)
class Pace:
    """How many seconds a row took on its way: sent by the server to this process, and decoded in Python."""

    sent: float = 0.0
    decoded: float = 0.0


class RowReader:
    """Reads tables one by one, and remembers how fast.

    Args:
        survey: the source under our questions.
        catalog: its schema.
        rights: what the role may read.
        counters: how large each table is, and how much is written to it.
        deep: read every row.

    Attributes:
        paces: how fast the rows of each table came; one without rows has none.
    """

    def __init__(
        self,
        survey: Survey,
        catalog: Catalog,
        rights: Sequence[Rights],
        counters: Sequence[TableCounters],
        *,
        deep: bool,
    ) -> None:
        self._survey = survey
        self._encoding = catalog.encoding
        self._rights = {right.name: right for right in rights}
        self._counters = {one.table: one for one in counters}
        self._deep = deep
        self._folded: dict[Name, list[str]] = defaultdict(list)
        for table, column in doubtful_texts(catalog):
            self._folded[table.name].append(column)
        self.paces: dict[Name, Pace] = {}

    def read(self, table: Table, plan: TablePlan) -> TableFacts:
        """What one table's rows say; why it could not be read, if so.

        Raises:
            NoConnection: the connection broke.
        """
        asked = question(table, plan, self._folded[table.name], self._encoding, deep=self._deep)
        unread = _closed(self._rights.get(table.name))
        answer: TableAnswer | None = None
        sample: Sequence[Row] = ()
        if not unread:
            try:
                answer = self._survey.table(asked)
                sample = self._sample(asked, plan, max(table.rows, answer.rows), table.bytes)
            except NoConnection:
                raise
            except LiteshiftError as error:
                unread = error.message
        rows = _rows(table, asked, answer)
        counters = self._counters.get(table.name, TableCounters(table.name, 0, 0, 0, table.bytes))
        return TableFacts(
            name=table.name,
            rows=rows,
            read=answer.rows if answer else 0,
            whole=answer is not None and asked.percent is None,
            unread=unread,
            bytes=counters.bytes,
            predicted=table_bytes(table, plan, max(rows, 0), sample),
            odd=_odd(asked, answer) if answer else (),
            numerics=_numerics(asked, answer) if answer else (),
            widest=answer.widest if answer else 0,
            oversize=answer.oversize if answer else 0,
            written=counters.written,
        )

    def _sample(self, asked: TableQuestion, plan: TablePlan, rows: int, size: int) -> Sequence[Row]:
        """Some rows as SQLite will hold them; those that can't be carried are left out."""
        if not rows:
            return ()
        most = max(1, min(_SAMPLE_ROWS, _SAMPLE_BYTES * rows // max(size, 1)))
        part = replace(asked, percent=round(100 * most / rows, 6) if rows > 2 * most else None)
        columns = [column for column in plan.columns if not column.generated]
        codecs = [codec(column.form) for column in columns]
        started, taken = time.monotonic(), list[Row]()
        lines = self._survey.sample(part, [column.source for column in columns], rows=most)
        came = time.monotonic()
        for line in lines:
            try:
                taken.append(decode(codecs, line))
            except (Unrepresentable, UnicodeDecodeError):
                continue
        if lines:
            self.paces[plan.source] = Pace((came - started) / len(lines), (time.monotonic() - came) / len(lines))
        return taken


def _closed(right: Rights | None) -> str:
    if right is None or (right.usage and right.select and not right.hidden):
        return ""
    if not right.usage:
        return "its schema is closed to this role"
    return "this role has no SELECT on it" if not right.select else "row level security hides rows from this role"


def _rows(table: Table, asked: TableQuestion, answer: TableAnswer | None) -> int:
    if answer is None:
        return table.rows
    if asked.percent is None:
        return answer.rows
    return table.rows if table.rows >= 0 else round(answer.rows * 100 / asked.percent)


def _odd(asked: TableQuestion, answer: TableAnswer) -> tuple[OddValues, ...]:
    return tuple(
        OddValues(_place(probe), probe.oddity, count, _key(asked, example), is_refused(probe.oddity))
        for probe, count, example in zip(asked.probes, answer.counts, answer.examples, strict=True)
        if count
    )


def _place(probe: Probe) -> str:
    """A column, or a composite's field in it."""
    return ".".join([probe.column, *(step for step in probe.steps if step is not None)])


def _key(asked: TableQuestion, example: str | None) -> dict[str, str]:
    """A row's key by column, long texts cut."""
    texts = json.loads(example) if example else []
    return {name: text[:_KEY_LENGTH] for name, text in zip(asked.key, texts, strict=False)}


def _numerics(asked: TableQuestion, answer: TableAnswer) -> tuple[LongNumeric, ...]:
    return tuple(
        LongNumeric(column, before, after, fitting(asked.table, column, before, after))
        for column, (before, after) in zip(asked.numerics, answer.digits, strict=True)
    )
