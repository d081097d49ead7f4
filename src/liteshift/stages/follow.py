"""Follows the source: what its log tells is written into the file, whole transactions at a time, each exactly once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from liteshift.catalog import Name
from liteshift.changes import Shape
from liteshift.errors import LiteshiftError
from liteshift.flow import Applier, Stream
from liteshift.plan import Plan
from liteshift.position import Lsn
from liteshift.stages.intake import Intake
from liteshift.stages.routes import Key
from liteshift.stops import Stop, passing

_COMMIT_ROWS = 50_000  # after so many, or after so long, a transaction of ours ends with the next of the source's
_COMMIT_SECONDS = 0.2
_LINGER = 0.01  # seconds to wait for more, before a transaction ends early
_IDLE_SECONDS = 10.0  # how often the position is written down while the source does nothing that concerns us


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the file is behind: bytes of the source's log, and seconds since the commit that is being applied."""

    bytes: int
    seconds: float


class Follower:
    """Takes changes from the stream to the file. After an error, make a new one with a new stream.

    Args:
        plan: what stands for what.
        shapes: how the tables look on the source.
        stream: the source's log from the file's position on.
        applier: the file.
    """

    def __init__(self, plan: Plan, shapes: Mapping[Name, Shape], stream: Stream, applier: Applier) -> None:
        self._stream = stream
        self._applier = applier
        self._intake = Intake(plan, shapes, applier, any_bytes=stream.any_bytes)
        self._piece = b""
        self._at = 0
        self._limit: Lsn | None = None
        self._noted = time.monotonic()
        self._token = applier.token()

    @property
    def rejected(self) -> dict[str, int]:
        """How many rows of the source's tables are not in the file, as they can't be carried, where there are any."""
        return self._intake.rejected

    @property
    def position(self) -> Lsn:
        """Up to where all is durable in the file."""
        return self._applier.position

    @property
    def transactions(self) -> int:
        """How many of the source's it has seen."""
        return self._intake.transactions

    @property
    def rows(self) -> int:
        """How many changes of rows it has seen."""
        return self._intake.rows

    @property
    def touched(self) -> dict[Name, set[Key] | None]:
        """For each changed table the keys of the rows that were changed since this began, or was cleared, as PostgreSQL
        prints them in the key's order; None for a table that counts as changed in every row.
        """
        return self._intake.touched

    def lag(self) -> Lag:
        """How far behind it is."""
        intake = self._intake
        behind = intake.inside or intake.end is not None or self._has_more or self._stream.waiting
        seconds = max(0.0, time.time() - intake.seconds) if behind and intake.seconds else 0.0
        return Lag(max(0, self._stream.newest - self.position) if behind else 0, seconds)

    def step(self, seconds: float) -> bool:
        """Take what is there, and wait so long where nothing is; whether something came.

        Raises:
            NoConnection: the connection broke; follow anew from `position`.
            NotFit: a table is not as it was planned.
            DifferencesFound: the file does not have a row that was changed.
            NoSpace: the disk is full.
        """
        try:
            return self._step(seconds)
        except BaseException:
            self._applier.roll_back()
            raise

    def until(self, position: Lsn, *, seconds: float | None = None) -> bool:
        """Follow up to a position and not a transaction further; whether it was reached in time.

        The file then shows just what the source did at this position.

        Raises:
            LiteshiftError: the file is past it already.
        """
        if self.position > position or (self._intake.end or 0) > position:
            raise LiteshiftError(f"the file is past {position} already, at {self.position}")
        deadline = None if seconds is None else time.monotonic() + seconds
        self._limit = position
        try:
            if self._has_more:  # another limit may have left it
                self.step(0)
            while not self._is_at(position):
                if deadline is not None and time.monotonic() > deadline:
                    return False
                self.step(_LINGER)
            self._commit(position)
        finally:
            self._limit = None
        return True

    def until_token(self, token: str, *, seconds: float) -> bool:
        """Follow until a token that was put into the source's log is in the file; whether it came in time."""
        deadline = time.monotonic() + seconds
        while self._token != token:
            if time.monotonic() > deadline:
                return False
            self.step(min(_LINGER, seconds))
        return True

    @property
    def _has_more(self) -> bool:
        """Whether something was read and not taken yet."""
        return self._at < len(self._piece)

    def _is_at(self, position: Lsn) -> bool:
        if self._intake.inside:
            return False
        if self._has_more:
            return True  # only the limit leaves any
        end = self._intake.end or Lsn(0)
        return not self._stream.waiting and max(self._stream.reached, self.position, end) >= position

    def _step(self, seconds: float) -> bool:
        intake = self._intake
        came = self._has_more
        if not came:
            quiet = intake.end is None and not intake.inside
            self._piece, self._at = self._stream.read(seconds=seconds if quiet else min(seconds, _LINGER)), 0
            came = bool(self._piece)
        self._at = intake.take(self._piece, self._at, self._limit)
        if intake.inside:
            return came
        if intake.end is not None:
            due = intake.work.rows >= _COMMIT_ROWS or time.monotonic() > (intake.began or 0.0) + _COMMIT_SECONDS
            if due or intake.token is not None or not (came or self._stream.waiting):
                self._commit(max(intake.end, self._settled()))
        elif self._settled() > self.position and (self._stream.asked or self._is_note_due()):
            self._commit(self._settled())
        return came

    def _is_note_due(self) -> bool:
        return time.monotonic() > self._noted + _IDLE_SECONDS

    def _settled(self) -> Lsn:
        """Up to where the log holds nothing that has not been read, while nothing waits to be taken."""
        return Lsn(0) if self._has_more else self._stream.reached

    def _commit(self, position: Lsn) -> None:
        self._intake.work.flush()
        passing(Stop.FOLLOW_BEFORE_COMMIT)
        self._applier.commit(position, token=self._intake.token)
        passing(Stop.FOLLOW_COMMITTED)
        self._stream.confirm(position)
        passing(Stop.FOLLOW_CONFIRMED)
        self._token = self._intake.token or self._token
        self._intake.committed()
        self._intake.work.rows = 0
        self._noted = time.monotonic()
