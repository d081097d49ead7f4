"""Many small statements in one go: libpq's pipeline mode, with each statement prepared once.

psycopg's own pipelines take several times as long per statement, which is what the way back is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import pq

Tag = TypeVar("Tag")

# So few that the server's answers always fit what the network holds, while we are still sending.
_BATCH = 256
_MOST_PREPARED = 400


class Failed(Exception, Generic[Tag]):
    """A statement failed, or changed another number of rows than one; the transaction is over.

    Attributes:
        tag: its tag.
        result: what the server said.
    """

    def __init__(self, tag: Tag, result: pq.abc.PGresult) -> None:
        super().__init__()
        self.tag = tag
        self.result = result


class Pipeline(Generic[Tag]):
    """Sends statements that each must change one row, or any number where the tag is None.

    After `Failed` the transaction is over; `abandon` makes the connection good again.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._pgconn = connection.pgconn
        self._prepared: dict[str, bytes] = {}
        self._sent: list[tuple[Tag | None, bool]] = []

    def enter(self) -> None:
        """Begin to send; nothing else may use the connection until `leave`."""
        self._pgconn.nonblocking = 0
        self._pgconn.enter_pipeline_mode()
        self.order("DEALLOCATE ALL")  # what an earlier pipeline has prepared on this connection

    def leave(self) -> None:
        """Take all answers, and let others use the connection again.

        Raises:
            Failed: as the answers say.
        """
        self._take()
        self._pgconn.exit_pipeline_mode()
        self._pgconn.nonblocking = 1

    def abandon(self) -> None:
        """Pass over all answers that still come, and let others use the connection again, to end the transaction."""
        self._sent.clear()
        nothing = 0
        while nothing < 2:  # once is between two answers
            result = self._pgconn.get_result()
            if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
                break
            nothing = nothing + 1 if result is None else 0
        self._pgconn.exit_pipeline_mode()
        self._pgconn.nonblocking = 1

    def run(self, text: str, parameters: Sequence[str | None], tag: Tag) -> None:
        """Send a statement with its parameters as texts; its answer is looked at later.

        Raises:
            Failed: an answer to this one, or to one before it.
        """
        name = self._prepared.get(text)
        if name is None:
            if len(self._prepared) >= _MOST_PREPARED:
                self.order("DEALLOCATE ALL")
                self._prepared.clear()
            name = self._prepared[text] = f"liteshift_{len(self._prepared)}".encode()
            self._pgconn.send_prepare(name, text.encode())
            self._sent.append((tag, False))
        values = [None if one is None else one.encode() for one in parameters]
        self._pgconn.send_query_prepared(name, values)
        self._sent.append((tag, True))
        if len(self._sent) >= _BATCH:
            self._take()

    def order(self, text: str) -> None:
        """Send a statement without parameters that may change any number of rows."""
        self._pgconn.send_query_params(text.encode(), None)
        self._sent.append((None, False))

    def flush(self) -> None:
        """Wait for all answers.

        Raises:
            Failed: as they say.
        """
        self._take()

    def _take(self) -> None:
        if not self._sent:
            return
        self._pgconn.pipeline_sync()
        for tag, counts in self._sent:
            result = self._pgconn.get_result()
            if result is None:
                raise psycopg.OperationalError(self._pgconn.get_error_message())
            bad = result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
            if bad or (counts and result.command_tuples != 1):
                raise Failed(tag, result)
            if self._pgconn.get_result() is not None:
                raise psycopg.OperationalError("a statement gave two answers")
        self._sent.clear()
        sync = self._pgconn.get_result()
        if sync is None or sync.status != pq.ExecStatus.PIPELINE_SYNC:
            raise psycopg.OperationalError(self._pgconn.get_error_message())


def require_line(pgconn: pq.abc.PGconn) -> None:
    """Tell an answer of the server's from one that libpq gives where the connection broke.

    Raises:
        psycopg.OperationalError: it broke.
    """
    if pgconn.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError(pgconn.get_error_message())
