"""A small HTTP client that keeps answers as they came, byte for byte, and says when two are equal."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from typing import Any

_TIME = re.compile(rb'"(created_at|updated_at)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
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
    """One connection to a service."""

    def __init__(self, host: str, port: int) -> None:
        self.url = f"http://{host}:{port}"
        self._connection = HTTPConnection(host, port, timeout=60)

    def send(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request, with a JSON body where one is given.

        Raises:
            OSError: no connection, or it broke.
        """
        content = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
            response = self._connection.getresponse()
            headers = sorted((name.lower(), value) for name, value in response.getheaders() if name.lower() != "date")
            return Answer(response.status, tuple(headers), response.read())
        except HTTPException as error:
            self._connection.close()
            raise ConnectionError(f"{self.url} broke off: {error}") from error
        except OSError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _without_new_times(body: bytes, since: datetime) -> bytes:
    begin = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()

    def mask(found: re.Match[bytes]) -> bytes:
        return b'"%s":"now"' % found[1] if found[2] >= begin else found[0]

    return _TIME.sub(mask, body)
