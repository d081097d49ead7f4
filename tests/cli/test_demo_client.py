"""The demonstration's small HTTP client, against a service that answers in whatever pieces it likes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from liteshift.demo.client import Client

ANSWER = b"HTTP/1.1 201 Created\r\nDate: now\r\nB: 2\r\na:  1 \r\nContent-Length: 5\r\n\r\n[1,2]"
HEADERS = (("a", "1"), ("b", "2"), ("content-length", "5"))

Serve = Callable[[socket.socket], None]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def client(listener: socket.socket) -> Iterator[Client]:
    with closing(Client("127.0.0.1", listener.getsockname()[1])) as client:
        yield client


def serving(listener: socket.socket, *answers: list[bytes]) -> Callable[[], list[bytes]]:
    """Answer each connection's one request with these pieces, and close it; what was asked."""
    asked: list[bytes] = []

    def run() -> None:
        for pieces in answers:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                asked.append(connection.recv(1 << 16))
                for piece in pieces:
                    connection.sendall(piece)

    thread = threading.Thread(target=run)
    thread.start()

    def ended() -> list[bytes]:
        thread.join(60)
        return asked

    return ended


def test_an_answer_in_single_bytes(listener: socket.socket, client: Client) -> None:
    asked = serving(listener, [ANSWER[at : at + 1] for at in range(len(ANSWER))])
    answer = client.send("POST", "/x", {"é": 1})
    assert (answer.status, answer.headers, answer.body, answer.json()) == (201, HEADERS, b"[1,2]", [1, 2])
    (request,) = asked()
    assert request.startswith(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1:")
    assert request.endswith(b'Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{"\\u00e9": 1}')


def test_a_connection_that_the_service_has_closed_is_made_anew(listener: socket.socket, client: Client) -> None:
    asked = serving(listener, [ANSWER], [ANSWER])
    client.send("GET", "/1")
    while client._socket is not None and not client._has_ended(client._socket):
        pass
    assert client.send("GET", "/2").status == 201
    assert [request.split()[1] for request in asked()] == [b"/1", b"/2"]


@pytest.mark.parametrize(
    "pieces", [[], [ANSWER[:30]], [ANSWER[:-1]], [b"SSH-2.0\r\n\r\n"], [ANSWER.replace(b": 5", b": x")]]
)
def test_what_breaks_off_or_is_no_answer_is_an_error(
    listener: socket.socket, client: Client, pieces: list[bytes]
) -> None:
    asked = serving(listener, pieces, [ANSWER])
    with pytest.raises(ConnectionError):
        client.send("GET", "/x")
    assert client.send("GET", "/x").status == 201
    asked()


def test_without_content(listener: socket.socket, client: Client) -> None:
    asked = serving(listener, [b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"])
    assert client.send("DELETE", "/x").body == b""
    assert client._socket is None
    assert asked()[0].endswith(b"Content-Length: 0\r\n\r\n")
