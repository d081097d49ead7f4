"""What is timed: units of work as an application does them, the same code on both databases."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from liteshift.bench.rows import DAYS, FIRST_DAY, INVOICES_EACH, Invoice, Party, Payment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement

    from liteshift.app.engines import Engines

    Unit = Callable[[], object]

WARM_UP = 3


class Operations:
    """The operations on one database.

    Args:
        engines: how to reach it.
        parties: how many it holds.
        threads: how many work at once in `concurrent_select`.

    Attributes:
        units: one unit of work of each operation, given where to take its keys from.
    """

    def __init__(self, engines: Engines, parties: int, threads: int) -> None:
        self._engines = engines
        self._parties = parties
        self._threads = threads
        self.units: Mapping[str, Callable[[Random], object]] = {
            "select": self._select,
            "insert": self._insert,
            "join": self._join,
            "join_all": self._join_all,
        }

    def measure(self, name: str, seconds: float, seed: int) -> tuple[list[float], float]:
        """Repeat an operation for some seconds: the seconds that each unit took, and how long all of them took."""
        random = Random(seed)  # noqa: S311 - the same keys on both sides
        if name == "select_in_transaction":
            with Session(self._engines.reader) as session:
                return _repeat(lambda: self._statement(session, random), seconds)
        if name == "concurrent_select":
            return self._concurrently(seconds, random)
        return _repeat(lambda: self.units[name](random), seconds)

    def _select(self, random: Random) -> Party | None:
        with Session(self._engines.reader) as session:
            return session.get(Party, random.randint(1, self._parties))

    def _statement(self, session: Session, random: Random) -> object:
        columns = select(Party.name, Party.type, Party.is_active, Party.created_at)
        return session.execute(columns.where(Party.id == random.randint(1, self._parties))).one()

    def _insert(self, random: Random) -> None:
        invoice = random.randint(1, self._parties * INVOICES_EACH)
        with Session(self._engines.writer) as session, session.begin():
            session.add(Payment(invoice_id=invoice, cents=100, paid_at=datetime.now(UTC).replace(tzinfo=None)))

    def _join(self, random: Random) -> object:
        first = FIRST_DAY + timedelta(days=random.randrange(DAYS - 7))
        return self._best_customers(Invoice.issued >= first, Invoice.issued < first + timedelta(days=7))

    def _join_all(self, _: Random) -> object:
        return self._best_customers()

    def _best_customers(self, *conditions: ColumnElement[bool]) -> list[tuple[object, ...]]:
        turnover = func.sum(Invoice.cents)
        best = (
            select(Party.id, Party.name, func.count(), turnover, func.max(Invoice.issued))
            .join(Invoice, Invoice.party_id == Party.id)
            .where(Party.type == "customer", Party.is_active.is_(True), *conditions)
            .group_by(Party.id, Party.name)
            .having(turnover > 1000)
            .order_by(turnover.desc(), Party.id)
            .limit(10)
        )
        with Session(self._engines.reader) as session:
            return [tuple(row) for row in session.execute(best)]

    def _concurrently(self, seconds: float, random: Random) -> tuple[list[float], float]:
        randoms = [Random(random.random()) for _ in range(self._threads)]  # noqa: S311
        with ThreadPoolExecutor(self._threads) as pool:
            done = list(pool.map(lambda own: _repeat(lambda: self._select(own), seconds), randoms))
        return [time for times, _ in done for time in times], max(elapsed for _, elapsed in done)


def _repeat(unit: Unit, seconds: float) -> tuple[list[float], float]:
    for _ in range(WARM_UP):
        unit()
    times: list[float] = []
    started = now = time.perf_counter()
    while now - started < seconds or not times:
        unit()
        before, now = now, time.perf_counter()
        times.append(now - before)
    return times, now - started
