"""SQLAlchemy sessions behind the gate: on whichever database is live, with no word about it in the application.

    gated = GatedEngines(Gate("app.db.route"), {"postgresql": "postgresql://…", "sqlite": "sqlite:///app.db"})

    with gated.writing() as session:  # committed before the gate is let go
        session.add(Order(…))
    with gated.reading() as session:
        orders = session.scalars(select(Order)).all()

`gated_async` has the same for asyncio.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from liteshift.app.engines import POOL, Engines, PoolSettings, make_engines, side_of
from liteshift.app.gate import Passage
from liteshift.errors import UsageError
from liteshift.route import SIDES, State, other
from liteshift.sqlite.guard import FOLLOWS
from liteshift.sqlite.witnesses import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from liteshift.app.gate import Gate
    from liteshift.route import Route, Side
    from liteshift.sqlite.connect import Preset

__all__ = ["GatedEngines", "is_fenced"]

FENCED = "25006"
FENCE_SCHEMA = "liteshift"

Done = TypeVar("Done")
log = logging.getLogger("liteshift.app")


def is_fenced(error: BaseException) -> bool:
    """Whether a write was refused because the application lives elsewhere, or is about to.

    Args:
        error: SQLAlchemy's, or the driver's.
    """
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if getattr(cause, "sqlstate", None) == FENCED:
        # A read-only server or transaction has this code as well, but another origin.
        return cause.diag.schema_name == FENCE_SCHEMA or f"{FENCE_SCHEMA}." in (cause.diag.context or "")
    return getattr(cause, "sqlite_errorname", "").startswith("SQLITE_CONSTRAINT") and str(cause).endswith(
        (REFUSED, FOLLOWS)
    )


class GatedEngines:
    """The engines of both sides, each opened when it is first used, and sessions on the side that is live.

    Args:
        gate: the gate of the application's route.
        urls: the database of each side.
        preset: SQLite's settings.
        pool: see PoolSettings.
        echo: log every statement.
        sessions: what makes the sessions, `sessionmaker()` when None.
        prepare: called with each side's engines before they are used; what it returns is used.

    Raises:
        UsageError: a side has no URL, or one of the other kind.
    """

    def __init__(
        self,
        gate: Gate,
        urls: Mapping[Side, str],
        *,
        preset: Preset = "fast",
        pool: PoolSettings = POOL,
        echo: bool = False,
        sessions: sessionmaker[Session] | None = None,
        prepare: Callable[[Side, Engines], Engines] | None = None,
    ) -> None:
        check_urls(urls)
        self.gate = gate
        self._urls = dict(urls)
        self._settings: dict[str, Any] = {"preset": preset, "pool": pool, "echo": echo, "create": False}
        self._sessions = sessions or sessionmaker()
        self._prepare = prepare
        self._engines: dict[Side, Engines] = {}
        gate.watch(DrainWatcher(self._warm_meanwhile))

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session on the live side's writer; committed at the end of the block, rolled back when the block raises.

        Raises:
            GateTimeout: the pause was longer than the gate's patience; the block did not run.
        """
        while True:
            # A connection first, then the gate: who waits for a connection must not hold up a switch. And who has to
            # wait at the gate has no connection, for readers may want it.
            side = self.gate.reading()
            with self.engines(side).writer.connect() as connection:
                passage = Passage(self.gate)
                try:
                    if passage.enters() and passage.side == side:
                        with self._sessions(bind=connection) as session, session.begin():
                            yield session
                        return
                finally:
                    passage.leave()
            with self.gate.writing():
                pass

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session on the reader of the side that is live now; never waits at the gate."""
        with self._sessions(bind=self.engines(self.gate.reading()).reader) as session:
            yield session

    def write(self, work: Callable[[Session], Done]) -> Done:
        """Do a piece of work in a `writing` session, and give back what it returns.

        Where the fence refused it, it was rolled back whole, and is done once more, behind the gate: so let it do
        nothing but work on its session.

        Raises:
            GateTimeout: as `writing`.
        """
        try:
            with self.writing() as session:
                return work(session)
        except DBAPIError as error:
            if not is_fenced(error):
                raise
        with self.writing() as session:
            return work(session)

    def engines(self, side: Side) -> Engines:
        """A side's engines, live or not."""
        found = self._engines.get(side)
        if found is None:
            made = make_engines(self._urls[side], **self._settings)
            if self._prepare is not None:
                made = self._prepare(side, made)
            found = self._engines.setdefault(side, made)  # of two threads one comes first
        return found

    def warm(self, side: Side) -> None:
        """Open a connection of each kind, so that the first to use that side need not wait for it."""
        engines = self.engines(side)
        with engines.writer.connect(), engines.reader.connect():
            pass

    def dispose(self) -> None:
        """Close the connections that nobody is using."""
        for engines in list(self._engines.values()):
            engines.dispose()

    def _warm_meanwhile(self, side: Side) -> None:
        threading.Thread(target=self._try_to_warm, args=[side], daemon=True).start()

    def _try_to_warm(self, side: Side) -> None:
        try:
            self.warm(side)
        except Exception as error:
            say_unreachable(side, error)


def check_urls(urls: Mapping[Side, str]) -> None:
    """See that each side has a URL of its kind.

    Raises:
        UsageError: it has not.
    """
    for side in SIDES:
        if side not in urls:
            raise UsageError(f"{side} has no URL", hint="Name a database of each side: postgresql and sqlite.")
        if side_of(urls[side]) != side:
            raise UsageError(f"the URL for {side} names a database of {side_of(urls[side])}")


class DrainWatcher:
    """Says which side lies across, when a drain begins: it can be warmed while the writes wait anyway."""

    def __init__(self, warm: Callable[[Side], None]) -> None:
        self._warm = warm

    def moved(self, before: Route, now: Route) -> None:
        """The route says something else."""
        if now.state is State.DRAINING and before.state is not State.DRAINING:
            self._warm(other(now.active))

    def waited(self, seconds: float, *, entered: bool) -> None:
        """A write had to wait."""


def say_unreachable(side: Side, error: Exception) -> None:
    """Log that a side could not be warmed; whoever needs it will hear it again."""
    log.warning("the other side, %s, can't be reached: %s", side, error)
