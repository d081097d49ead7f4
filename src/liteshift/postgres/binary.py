"""Reads a COPY in PostgreSQL's binary format, in large pieces."""

from __future__ import annotations

import select
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import pq

from liteshift import native
from liteshift.pace import Pace
from liteshift.postgres.libpq import addresses

_PIECE = 1 << 20  # bytes
_LOOK = 0.1  # seconds
_ENDED = -1


def binary_copy(connection: psycopg.Connection[Any], query: bytes, pace: Pace) -> Generator[bytes, None, int]:
    """The stream of a `COPY … TO STDOUT (FORMAT binary)`, cut anywhere.

    Whoever closes the generator early cancels the COPY; the transaction goes on.

    Returns:
        How many rows the server says it sent.

    Raises:
        psycopg.Error: what the server, or the connection, says.
    """
    pgconn = connection.pgconn
    connection.execute("SAVEPOINT binary_copy")
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        # Bytes of any kind are sent as they are, for the reader to refuse; the server would end the whole COPY there.
        connection.execute("SET LOCAL client_encoding TO 'SQL_ASCII'")
    result = pgconn.exec_(query)
    if result.status != pq.ExecStatus.COPY_OUT:
        raise psycopg.errors.error_from_result(result)
    try:
        for piece in _pieces(pgconn):
            yield piece
            pace.spend(len(piece))
    except (GeneratorExit, KeyboardInterrupt):
        _cancel(pgconn)
        if pgconn.status == pq.ConnStatus.OK:
            connection.execute("ROLLBACK TO SAVEPOINT binary_copy; RELEASE SAVEPOINT binary_copy")
        raise
    failure, sent = None, -1
    while answer := pgconn.get_result():
        if answer.status == pq.ExecStatus.COMMAND_OK:
            sent = answer.command_tuples or 0
        elif answer.status == pq.ExecStatus.FATAL_ERROR:
            failure = answer
    if pgconn.status != pq.ConnStatus.OK:
        raise psycopg.OperationalError(pgconn.get_error_message())
    if failure is not None:
        raise psycopg.errors.error_from_result(failure)
    connection.execute(
        "ROLLBACK TO SAVEPOINT binary_copy; RELEASE SAVEPOINT binary_copy"
    )  # it wrote nothing, and this takes back the setting
    return sent


def _pieces(pgconn: pq.abc.PGconn) -> Iterator[bytes]:
    functions = addresses() if native.CORE else None
    pointer = getattr(pgconn, "pgconn_ptr", None)  # psycopg publishes it, but not in its typing
    if functions is None or pointer is None:
        yield from _pulled(pgconn)
        return
    ended = False
    try:
        while not ended:
            piece, ended = native.CORE.drain(pointer, functions, pgconn.socket, _PIECE)
            yield piece
    except OSError as error:
        raise psycopg.OperationalError(pgconn.get_error_message()) from error


def _pulled(pgconn: pq.abc.PGconn) -> Iterator[bytes]:
    """The same with a Python call per row."""
    size = 0
    while size != _ENDED:
        rows, length = [], 0
        while length < _PIECE:
            size, row = pgconn.get_copy_data(1)
            if size > 0:
                rows.append(row)
                length += size
            elif size == _ENDED:
                break
            else:
                select.select([pgconn.socket], [], [], _LOOK)  # returns to Python now and then, for signals
                pgconn.consume_input()
        if rows:
            yield b"".join(rows)


def _cancel(pgconn: pq.abc.PGconn) -> None:
    """End the COPY, which may have sent all its rows already, and take its results."""
    with suppress(psycopg.Error):  # such as: no COPY in progress
        if pgconn.get_copy_data(1)[0] != _ENDED:
            pgconn.get_cancel().cancel()
        while pgconn.get_copy_data(0)[0] != _ENDED:
            pass
    while pgconn.status == pq.ConnStatus.OK and pgconn.get_result():
        pass
