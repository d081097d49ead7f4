"""Reads a slot's log over the streaming replication protocol (PostgreSQL manual, "Streaming Replication Protocol").

A thread of its own talks to the server, so that it hears from us however long a change takes to apply; what has come
waits in memory, up to a limit, past which the server waits.
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from struct import Struct
from typing import Any

import psycopg
from psycopg import pq

from liteshift.errors import LiteshiftError, NoConnection
from liteshift.position import Lsn
from liteshift.postgres.connect import translate_error

_MOST_WAITING = 16 << 20  # bytes
_PIECE = 1000  # messages
_LOOK = 0.2  # seconds; how often the thread looks whether it is to end
_REPORT = 1.0  # seconds between two status updates; also asks how far the server is
_SILENCE = 120.0  # seconds without a word, though we ask every second, after which a connection counts as broken
_GOODBYE = 2.0  # seconds
_EPOCH = 946_684_800

_KEEPALIVE = Struct("!xQqB")
_STATUS = Struct("!cQQQqB")
_HEADER = 25  # of XLogData: its kind, two positions and a time
_XLOG, _ALIVE = b"wk"
_ENDED = -1


class PostgresStream:
    """See `liteshift.flow.Stream`.

    Args:
        connection: a walsender's, which has just answered START_REPLICATION.
        position: where it starts; all before it is durable.
        where: what to call it in messages.
        any_bytes: see `liteshift.flow.Stream`.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], position: Lsn, where: str, *, any_bytes: bool = False
    ) -> None:
        self.newest = position
        self.reached = Lsn(0)
        self.asked = False
        self.any_bytes = any_bytes
        self._connection = connection
        self._where = where
        self._durable = position
        self._passed = Lsn(0)
        self._pieces: deque[tuple[list[bytes], int, Lsn]] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._failure: LiteshiftError | None = None
        self._ending = False
        self._due = False
        self._heard = self._reported = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="liteshift-tail", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> bool:
        """Whether a read would find something at once."""
        return bool(self._pieces)

    def read(self, *, seconds: float) -> Sequence[bytes]:
        """The messages that are there; waits so long for the first; empty where none came.

        Raises:
            NoConnection: the connection broke; open a new stream at the last durable position.
            NotFit: the slot is gone, or its log was removed.
        """
        with self._changed:
            if not self._pieces and self._failure is None:
                self._changed.wait(seconds)
            if self._pieces:
                messages, size, self.reached = self._pieces.popleft()
                self._waiting -= size
                self._changed.notify_all()
                return messages
            if self._failure is not None:
                raise self._failure
        return ()

    def confirm(self, position: Lsn) -> None:
        """Tell the source that all up to a position is durable on our side; it may forget it."""
        self._durable = max(self._durable, position)
        self._due, self.asked = self.asked, False

    def close(self) -> None:
        """Tell the source what is durable, and let go of the slot."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        try:
            self._feed()
            self._say_goodbye()
        except psycopg.Error as error:
            self._fail(translate_error(error, self._where))
        except LiteshiftError as error:
            self._fail(error)
        except BaseException as error:
            self._fail(LiteshiftError(f"reading the log of {self._where} failed: {error!r}"))
            raise

    def _fail(self, failure: LiteshiftError) -> None:
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def _feed(self) -> None:
        pgconn = self._connection.pgconn
        messages: list[bytes] = []
        size, dry = 0, 0
        while not self._ending:
            length, data = pgconn.get_copy_data(1)
            if length > 0:
                dry = 0
                kind = data[0]
                if kind == _XLOG:
                    messages.append(bytes(data[_HEADER:]))
                    size += length
                elif kind == _ALIVE:
                    self._hear(data)
                if kind == _XLOG and len(messages) < _PIECE:
                    continue
            elif length < 0:
                self._end(length)
            if messages or length > 0:
                self._hand_over(messages, size)
                messages, size = [], 0
            self._report_if_due()
            if length == 0:
                dry += 1
                self._await_data(dry)
            self._await_room()

    def _hear(self, data: Any) -> None:
        """A keepalive: how far the server is, with all that was to be sent before it sent."""
        position, _, reply = _KEEPALIVE.unpack_from(data)
        self.newest = max(self.newest, Lsn(position))
        self._passed = Lsn(position)
        self.asked = self.asked or bool(reply)

    def _hand_over(self, messages: list[bytes], size: int) -> None:
        self._heard = time.monotonic()
        with self._changed:
            if self._pieces and not self._pieces[-1][0]:
                self._pieces.pop()  # it held a keepalive's position only, and here is a newer one
            self._pieces.append((messages, size, self._passed))
            self._waiting += size
            self._changed.notify_all()

    def _await_data(self, dry: int) -> None:
        """Wait for bytes, not for ever. With TLS, some may be in the library while the socket is silent: ask twice."""
        pgconn = self._connection.pgconn
        if dry > 2 and not select.select([pgconn.socket], [], [], _LOOK)[0]:
            if time.monotonic() > self._heard + _SILENCE:
                raise NoConnection(
                    f"{self._where} has been silent for {_SILENCE:.0f} seconds", hint="Look whether the network is up."
                )
            return
        pgconn.consume_input()

    def _await_room(self) -> None:
        """Let the server wait while too much is waiting here; it hears from us meanwhile."""
        while self._waiting > _MOST_WAITING and not self._ending:
            with self._changed:
                self._changed.wait(_REPORT)
            self._heard = time.monotonic()
            self._report_if_due()

    def _report_if_due(self) -> None:
        now = time.monotonic()
        if self._due or now > self._reported + _REPORT:
            self._due, self._reported = False, now
            self._report(ask=True)

    def _report(self, *, ask: bool) -> None:
        """Standby status update: all three positions are what is durable here."""
        position, micros = self._durable, int((time.time() - _EPOCH) * 1_000_000)
        pgconn = self._connection.pgconn
        pgconn.put_copy_data(_STATUS.pack(b"r", position, position, position, micros, ask))
        deadline = time.monotonic() + _SILENCE
        while pgconn.flush():
            if time.monotonic() > deadline:
                raise NoConnection(f"{self._where} takes nothing", hint="Look whether the network is up.")
            readable, _, _ = select.select([pgconn.socket], [pgconn.socket], [], _LOOK)
            if readable:
                pgconn.consume_input()

    def _end(self, length: int) -> None:
        """The server has ended the stream: with an error, or because it shuts down."""
        pgconn = self._connection.pgconn
        result = pgconn.get_result() if length == _ENDED else None
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result)
        raise NoConnection(
            f"{self._where} ended the stream", hint="The same command goes on from where it was, once the server is up."
        )

    def _say_goodbye(self) -> None:
        """Leave in an orderly way, so that the slot is free at once; if that takes too long, just hang up."""
        pgconn = self._connection.pgconn
        with suppress(psycopg.Error, LiteshiftError):
            self._report(ask=False)
            pgconn.put_copy_end()
            deadline = time.monotonic() + _GOODBYE
            while time.monotonic() < deadline:
                pgconn.flush()
                if pgconn.get_copy_data(1)[0] < 0:
                    break
                if select.select([pgconn.socket], [], [], _LOOK)[0]:
                    pgconn.consume_input()
