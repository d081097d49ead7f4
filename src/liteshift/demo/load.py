"""An application's users: requests to the service all the time, each write remembered, to be looked for at the end."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from math import inf

from liteshift.demo.client import Answer, Client
from liteshift.demo.conversation import PARTIES

_USERS = 16
_VISIT = 20  # requests; who kept a connection for good would stay with the process that took most of them at first
_WRITES = 1 / 3
_NAMED = "user"  # what the names of their parties begin with
_SEARCHES = ("", "?type=customer&limit=20", "?type=vendor&limit=20&search=company", "?limit=5&include_inactive=true")


Parties = dict[int, tuple[str, bool]]
"""Parties by their number, each with its name and whether it is active."""


@dataclass(slots=True)
class Tally:
    """What became of the requests.

    Attributes:
        sent: requests that were sent.
        failed: requests that were not answered as they should be, in words.
        answered: when each was answered, on the monotonic clock, and the seconds it took.
        writes: writes that were acknowledged.
        parties: each party that was made, with the name and the state it was last acknowledged with.
    """

    sent: int = 0
    failed: list[str] = field(default_factory=list)
    answered: list[tuple[float, float]] = field(default_factory=list)
    writes: int = 0
    parties: Parties = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count another one's in."""
        self.sent += other.sent
        self.failed += other.failed
        self.answered += other.answered
        self.writes += other.writes
        self.parties |= other.parties

    def slowest(self, *, since: float = 0.0, until: float = inf) -> float:
        """Seconds that the slowest request took, of those that were answered between two moments."""
        return max((seconds for at, seconds in self.answered if since <= at < until), default=0.0)


class Load:
    """Users who send so many requests a second in all, a third of them writes, until they are told to stop.

    Each comes with a connection of its own, and with a new one from time to time.

    Args:
        port: where the service listens on the loopback interface.
        rate: requests a second.
    """

    def __init__(self, port: int, rate: float) -> None:
        self._end = threading.Event()
        self._tallies = [Tally() for _ in range(_USERS)]
        self._users = [
            threading.Thread(target=self._run, args=(number, tally, port, rate / _USERS), name=f"user-{number}")
            for number, tally in enumerate(self._tallies)
        ]

    def start(self) -> None:
        """Begin."""
        for user in self._users:
            user.start()

    def sent(self) -> int:
        """How many requests were sent so far."""
        return sum(tally.sent for tally in self._tallies)

    def stop(self) -> Tally:
        """End when the requests that are on their way are answered; what became of all."""
        self._end.set()
        whole = Tally()
        for user, tally in zip(self._users, self._tallies, strict=True):
            if user.ident is not None:
                user.join()
            whole.add(tally)
        return whole

    def _run(self, number: int, tally: Tally, port: int, rate: float) -> None:
        choice = random.Random(number)  # noqa: S311 - not for secrets
        mine: list[int] = []
        begin = time.monotonic() + choice.random() / rate
        with closing(Client("127.0.0.1", port)) as client:
            turn = 0
            while not self._end.wait(max(0.0, begin + turn / rate - time.monotonic())):
                turn += 1
                if turn % _VISIT == 0:
                    client.close()
                began = time.monotonic()
                tally.sent += 1
                try:
                    if choice.random() < _WRITES:
                        _write(client, tally, mine, f"{_NAMED} {number} party {turn}", choice)
                    else:
                        _read(client, mine, choice)
                except (OSError, UnexpectedAnswer) as error:
                    tally.failed.append(f"{type(error).__name__}: {error}")
                ended = time.monotonic()
                tally.answered.append((ended, ended - began))


class UnexpectedAnswer(Exception):
    """The service did not answer as it should; the request did not succeed."""


def shown(port: int) -> Parties:
    """The users' parties as the service shows them."""
    found: Parties = {}
    with closing(Client("127.0.0.1", port)) as client:
        path = f"{PARTIES}?search={_NAMED}&include_inactive=true&limit=1000"
        while path:
            answer = _expect(client.send("GET", path), 200)
            found |= {party["id"]: (party["name"], party["is_active"]) for party in answer.json()["parties"]}
            path = answer.next_page
    return found


def missing(tally: Tally, there: Parties) -> list[str]:
    """The acknowledged writes that are not there as they were acknowledged."""
    return [
        f"party {party}: {name!r}, active {active}, and found {there.get(party, 'nothing')}"
        for party, (name, active) in tally.parties.items()
        if there.get(party) != (name, active)
    ]


def doubled(tally: Tally, there: Parties) -> list[str]:
    """The parties that nobody was told of: a write that was done twice, where no request has failed."""
    return [f"party {party}: {name!r}" for party, (name, _) in there.items() if party not in tally.parties]


def _read(client: Client, mine: list[int], choice: random.Random) -> None:
    if mine and choice.random() < 0.5:
        _expect(client.send("GET", f"{PARTIES}/{choice.choice(mine)}"), 200)
    else:
        _expect(client.send("GET", f"{PARTIES}{choice.choice(_SEARCHES)}"), 200)


def _write(client: Client, tally: Tally, mine: list[int], name: str, choice: random.Random) -> None:
    """Make a party, rename one, or end one and bring it back; nobody else changes those of this user."""
    act = choice.random()
    if not mine or act < 0.5:
        kind = choice.choice(("customer", "vendor"))
        made = _expect(client.send("POST", PARTIES, {"name": name, "type": kind}), 201).json()
        mine.append(made["id"])
        tally.parties[made["id"]] = (name, True)
    elif act < 0.8:
        party = choice.choice(mine)
        _expect(client.send("PATCH", f"{PARTIES}/{party}", {"name": name}), 200)
        tally.parties[party] = (name, tally.parties[party][1])
    else:
        party = choice.choice(mine)
        was, active = tally.parties[party]
        verb = ("DELETE", f"{PARTIES}/{party}") if active else ("POST", f"{PARTIES}/{party}/restore")
        _expect(client.send(*verb), 200)
        tally.parties[party] = (was, not active)
    tally.writes += 1


def _expect(answer: Answer, status: int) -> Answer:
    if answer.status != status:
        raise UnexpectedAnswer(f"{answer.status} {answer.body[:300]!r}")
    return answer
