"""The demonstration's load keeps its pace: what is due is sent, if late, and a stall shifts nothing behind it."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from liteshift.demo.load import Load, Tally, doubled, missing, shown

RATE = 200.0
USERS = 16
BODY = b'{"id":1,"parties":[{"id":1,"name":"user 1 party 1","is_active":true}]}'
OK, MADE = (
    b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (what, len(BODY), BODY) for what in (b"200 OK", b"201 Made")
)


class Service(socketserver.ThreadingTCPServer):
    """A service that answers everything at once, but while it is held."""

    daemon_threads = True
    held = threading.Lock()


class Handler(socketserver.BaseRequestHandler):
    """Answers one request after the other."""

    def handle(self) -> None:
        while request := self.request.recv(1 << 16):
            with Service.held:
                pass
            self.request.sendall(MADE if request.startswith(b"POST /api/parties HTTP") else OK)


@pytest.fixture
def port() -> Iterator[int]:
    with Service(("127.0.0.1", 0), Handler) as service:
        threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True).start()
        yield service.server_address[1]
        service.shutdown()


def test_what_is_due_is_sent_and_no_more(port: int) -> None:
    load, began = Load(port, RATE), time.monotonic()

    def is_up_to_date() -> bool:
        due = RATE * (time.monotonic() - began)
        sent = load.sent()
        assert sent <= RATE * (time.monotonic() - began) + USERS
        return sent >= due - USERS

    load.start()
    try:
        for stall in (0.0, 0.5):
            with Service.held:
                time.sleep(stall)
            deadline = time.monotonic() + 30
            while not (is_up_to_date() and load.sent() > USERS):
                assert time.monotonic() < deadline, "it never makes up for the stall"
                time.sleep(0.01)
    finally:
        tally = load.stop()
    assert tally.failed == []
    assert tally.sent == len(tally.answered)
    assert tally.slowest() > 0.4


def test_a_write_that_is_not_there_as_it_was_acknowledged_is_missing(port: int) -> None:
    tally = Tally(parties={1: ("user 1 party 1", True)})
    there = shown(port)
    assert (missing(tally, there), doubled(tally, there)) == ([], [])
    for party, acknowledged in ((1, ("user 1 party 2", True)), (1, ("user 1 party 1", False)), (2, ("user 1", True))):
        assert len(missing(Tally(parties={party: acknowledged}), there)) == 1
    assert len(doubled(Tally(), there)) == 1
