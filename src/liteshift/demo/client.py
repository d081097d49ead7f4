"""A small HTTP client that keeps answers as they came, byte for byte, and says when two are equal."""

from __future__ import annotations

import json
import re
import select
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_TIME = re.compile(rb'"(created_at|updated_at)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
_TIMEOUT = 60.0  # seconds
_PIECE = 1 << 16
_NEXT = re.compile(r'<([^>]+)>; rel="next"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered: status, all headers but Date (in order of name), and the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """A header's value, empty where it was not sent."""
        return dict(self.headers).get(name, "")

    @property
    def next_page(self) -> str:
        """The path of the page that follows; empty on the last."""
        found = _NEXT.match(self.header("link"))
        return found.group(1) if found else ""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def same_as(self, other: Answer, *, since: datetime) -> bool:
        """Whether two answers are equal, byte for byte, but for times that the services made while they answered.

        Two services that are asked one after the other stamp new and changed rows with times of their own. So a
        `created_at` or `updated_at` since the first request counts as "now"; an older one was migrated, and counts.
        """
        return (self.status, self.headers) == (other.status, other.headers) and (
            _without_new_times(self.body, since) == _without_new_times(other.body, since)
        )


class Client:
    """One connection to a service, which speaks just as much HTTP/1.1 as the parties service does.

    The library's own takes several times as long for a request, and on a small machine the service would have to share
    its processors with that.
    """

    def __init__(self, host: str, port: int) -> None:
        self.url = f"http://{host}:{port}"
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def send(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request, with a JSON body where one is given.

        Raises:
            OSError: no connection, or it broke.
        """
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._address[0]}:{self._address[1]}\r\n"
        if body is not None:
            head += "Content-Type: application/json\r\n"
        if method != "GET":
            head += f"Content-Length: {len(content)}\r\n"
        try:
            connection = self._connected()
            connection.sendall(f"{head}\r\n".encode("ascii") + content)
            return self._answer(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _connected(self) -> socket.socket:
        """The connection, a new one where the service has closed it since the last answer."""
        if self._socket is not None and self._has_ended(self._socket):
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=_TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    @staticmethod
    def _has_ended(connection: socket.socket) -> bool:
        return bool(select.select([connection], [], [], 0)[0])  # nobody has asked anything, so what came is the end

    def _answer(self, connection: socket.socket) -> Answer:
        came = b""
        while (end := came.find(b"\r\n\r\n")) < 0:
            came += self._piece(connection)
        first, *lines = came[:end].decode("latin-1").split("\r\n")
        headers = sorted((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        said = dict(headers)
        length = said.get("content-length", "0" if first[9:12] == "204" else "")
        if not (first.startswith("HTTP/1.1 ") and first[9:12].isdigit() and length.isdigit()):
            raise ConnectionError(f"{self.url} does not speak as expected: {first!r}")
        after = end + 4 + int(length)
        while len(came) < after:
            came += self._piece(connection)
        if said.get("connection", "") == "close":
            self.close()
        body = came[end + 4 : after]
        return Answer(int(first[9:12]), tuple(header for header in headers if header[0] != "date"), body)

    def _piece(self, connection: socket.socket) -> bytes:
        piece = connection.recv(_PIECE)
        if not piece:
            raise ConnectionError(f"{self.url} broke off")
        return piece


def _without_new_times(body: bytes, since: datetime) -> bytes:
    begin = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()

    def mask(found: re.Match[bytes]) -> bytes:
        return b'"%s":"now"' % found[1] if found[2] >= begin else found[0]

    return _TIME.sub(mask, body)
