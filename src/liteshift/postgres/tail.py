"""Reads a slot's log over the streaming replication protocol (PostgreSQL manual, "Streaming Replication Protocol").

A thread of its own talks to the server, so that it hears from us however long a change takes to apply; what has come
waits in memory, up to a limit, past which the server waits.
"""

from __future__ import annotations

import select
import threading
import time
from collections import deque
from contextlib import suppress
from struct import Struct
from typing import Any

import psycopg
from psycopg import pq

from liteshift import native
from liteshift.errors import LiteshiftError, NoConnection
from liteshift.position import Lsn
from liteshift.postgres.connect import translate_error
from liteshift.postgres.libpq import addresses

_MOST_WAITING = 16 << 20  # bytes
_PIECE = 256 << 10  # bytes
_LOOK = 0.05  # seconds; how often the thread looks whether it is to end
_REPORT = 1.0  # seconds between two status updates; also asks how far the server is
_SILENCE = 120.0  # seconds without a word, though we ask every second, after which a connection counts as broken
_GOODBYE = 2.0  # seconds
_EPOCH = 946_684_800

_KEEPALIVE = Struct("!xQqB")
_STATUS = Struct("!cQQQqB")
_HEADER = 25  # of XLogData: its kind, two positions and a time
_LENGTH = Struct("!I")
_XLOG, _ALIVE = b"wk"


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
        self._pieces: deque[tuple[bytes, Lsn]] = deque()
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

    def read(self, *, seconds: float) -> bytes:
        """The messages that are there, each after its length in four bytes; waits so long for the first.

        Raises:
            NoConnection: the connection broke; open a new stream at the last durable position.
            NotFit: the slot is gone, or its log was removed.
        """
        with self._changed:
            if not self._pieces and self._failure is None:
                self._changed.wait(seconds)
            if self._pieces:
                piece, self.reached = self._pieces.popleft()
                self._waiting -= len(piece)
                self._changed.notify_all()
                return piece
            if self._failure is not None:
                raise self._failure
        return b""

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
        while not self._ending:
            piece, alive, ended = self._pull()
            if alive is not None:
                position, asked = alive
                self.newest = max(self.newest, Lsn(position))
                self._passed = Lsn(position)
                self.asked = self.asked or asked
            if piece or alive is not None:
                self._hand_over(piece)
            elif time.monotonic() > self._heard + _SILENCE:
                raise NoConnection(
                    f"{self._where} has been silent for {_SILENCE:.0f} seconds", hint="Look whether the network is up."
                )
            if ended:
                self._end()
            self._report_if_due()
            self._await_room()

    def _pull(self) -> tuple[bytes, tuple[int, bool] | None, bool]:
        """The messages that are there; a keepalive that came after them; whether the stream has ended."""
        pgconn = self._connection.pgconn
        functions, pointer = addresses() if native.CORE else None, getattr(pgconn, "pgconn_ptr", None)
        if functions is None or pointer is None:
            return _pulled(pgconn)
        try:
            found: tuple[bytes, tuple[int, bool] | None, bool] = native.CORE.tail(
                pointer, functions, pgconn.socket, _PIECE, int(_LOOK * 1000)
            )
        except OSError as error:
            raise psycopg.OperationalError(pgconn.get_error_message()) from error
        return found

    def _hand_over(self, piece: bytes) -> None:
        self._heard = time.monotonic()
        with self._changed:
            if self._pieces and not self._pieces[-1][0]:
                self._pieces.pop()  # it held a keepalive's position only, and here is a newer one
            self._pieces.append((piece, self._passed))
            self._waiting += len(piece)
            self._changed.notify_all()

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

    def _end(self) -> None:
        """The server has ended the stream: with an error, or because it shuts down."""
        result = self._connection.pgconn.get_result()
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


def _pulled(pgconn: pq.abc.PGconn) -> tuple[bytes, tuple[int, bool] | None, bool]:
    """What `native.CORE.tail` does, with a Python call per message."""
    parts: list[bytes] = []
    size, dry = 0, 0
    while size < _PIECE:
        length, data = pgconn.get_copy_data(1)
        if length > 0:
            dry = 0
            kind = data[0]
            if kind == _XLOG:
                parts += (_LENGTH.pack(length - _HEADER), bytes(data[_HEADER:]))
                size += length
            elif kind == _ALIVE:
                position, _, asked = _KEEPALIVE.unpack_from(data)
                return b"".join(parts), (position, bool(asked)), False
        elif length < 0:
            return b"".join(parts), None, True
        else:
            dry += 1
            # With TLS, bytes may wait inside the library while the socket is silent: ask twice, then wait.
            if dry > 2 and (parts or not select.select([pgconn.socket], [], [], _LOOK)[0]):
                break
            pgconn.consume_input()
    return b"".join(parts), None, False
