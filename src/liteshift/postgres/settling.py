"""Writes that can be done in any order, within a transaction: each as soon as nothing stands in its way any more.

Every write changes exactly the row that it is about, and only if that is as it was before, so all orders that work come
to the same. What no order does is done in another way: a row that holds what another one is to get steps aside, and
rows that point at each other go in one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq

from liteshift.postgres.pipeline import Failed, require_line
from liteshift.writes import Texts, Write

_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_MAY_PASS = ("22", "23")  # classes of errors that a row's values, or other rows, lead to
_Place = tuple[str, str]  # relation and ctid
_Stuck = list[tuple[Write, pq.abc.PGresult]]


class Settling:
    """Does writes in whatever order they can be done.

    Args:
        connection: within a transaction, which is as good after `Failed` as before.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._pgconn = connection.pgconn
        self._first: dict[int, Write] = {}  # what a step of another way was to do at first

    def run(self, writes: Sequence[Write]) -> None:
        """Do all of them.

        Raises:
            Failed: one that can't be done, whatever comes first, and what the server said.
        """
        # What comes must not point yet at a row that has to go first.
        self._settle([write for write in writes if write.old is not None])
        self._settle([write for write in writes if write.old is None])

    def _settle(self, writes: Sequence[Write]) -> None:
        waiting = list(writes)
        places = {id(write): place for place, write in enumerate(writes)}
        while waiting:
            stuck = [(write, result) for write in waiting if (result := self._try(write)) is not None]
            before, waiting = len(waiting), [write for write, _ in stuck]
            if len(waiting) == before:
                stuck.sort(key=lambda one: places.get(id(one[0]), -1))
                waiting = self._aside(stuck) or self._together(stuck)
            waiting.reverse()  # where each waits for the next, this does in one go what took a go for each

    def _try(self, write: Write) -> pq.abc.PGresult | None:
        """Do a write if it can be done; else what the server said."""
        self._order("SAVEPOINT liteshift")
        result = self._ask(write.statement.text, write.parameters)
        if result.status in _DONE and result.command_tuples == 1:
            self._order("RELEASE SAVEPOINT liteshift")
            return None
        self._give_up(write, result)
        return result

    def _aside(self, stuck: _Stuck) -> list[Write]:
        """Let rows step aside; what is left to do then, or nothing where none could."""
        left: list[Write] = []
        moved = False
        for write, said in stuck:
            if not _is_in_the_way(said):
                left.append(write)
                continue
            if self._try(write) is None:
                moved = True
                continue
            rest = next((way[1:] for way in write.ways if self._try(way[0]) is None), None)
            if rest is None:
                left.append(write)
                continue
            moved = True
            left += rest
            self._first.update((id(step), self._first.get(id(write), write)) for step in rest)
        return left if moved else []

    def _together(self, stuck: _Stuck) -> list[Write]:
        """Remove rows that point at each other, and at which nothing else does, in one statement; what is left then.

        Whatever a foreign key would do to the rows that point at one of them finds them gone as well.

        Raises:
            Failed: there are none.
        """
        places: dict[_Place, Write] = {}
        blamed = stuck[0]
        for write, result in stuck:
            if write.statement.find:
                found = self._places(write, write.statement.find, write.parameters)
                places.update(dict.fromkeys(found, write))
                blamed = blamed if found else (write, result)
        results = {id(write): result for write, result in stuck}
        pointing = {
            place: {other for query in write.statement.pointing for other in self._places(write, query, place)}
            for place, write in places.items()
        }
        held = False
        while stay := [place for place in places if not pointing[place] <= places.keys()]:
            if not held:  # the others stay because of these
                write = places[stay[0]]
                held, blamed = True, (write, results[id(write)])
            for place in stay:
                del places[place]
        if not places:
            write, result = blamed
            raise Failed(write if result.status in _DONE else self._first.get(id(write), write), result)
        self._remove(list(places), blamed[0])
        gone = {id(write) for write in places.values()}
        return [write for write, _ in stuck if id(write) not in gone]

    def _remove(self, places: Sequence[_Place], blamed: Write) -> None:
        by_relation: dict[str, list[str]] = {}
        for relation, place in places:
            by_relation.setdefault(relation, []).append(place)
        parts, rows = list[str](), list[str]()
        for number, relation in enumerate(by_relation, start=1):  # as PostgreSQL quotes them
            gone = f"DELETE FROM ONLY {relation} WHERE ctid = ANY (${number}::tid[])"  # noqa: S608 - quoted by regclass
            parts.append(f"d{number} AS ({gone} RETURNING 1)")
            rows.append(f"SELECT 1 FROM d{number}")  # noqa: S608 - our own name
        arrays = ["{" + ",".join(f'"{place}"' for place in some) + "}" for some in by_relation.values()]
        self._order("SAVEPOINT liteshift")
        result = self._ask(f"WITH {', '.join(parts)} {' UNION ALL '.join(rows)}", arrays)
        if result.status not in _DONE or result.ntuples != len(places):
            self._give_up(blamed, result)
            raise Failed(blamed, result)
        self._order("RELEASE SAVEPOINT liteshift")

    def _places(self, write: Write, query: str, parameters: Texts) -> list[_Place]:
        result = self._ask(query, parameters)
        if result.status not in _DONE:
            raise Failed(write, result)
        rows = range(result.ntuples)
        return [(_text(result.get_value(row, 0)), _text(result.get_value(row, 1))) for row in rows]

    def _give_up(self, write: Write, result: pq.abc.PGresult) -> None:
        """Undo what a write has done so far.

        Raises:
            Failed: it has met what does not pass by itself, such as a lock of somebody else's.
        """
        if result.status not in _DONE and _state(result)[:2] not in _MAY_PASS:
            raise Failed(write, result)
        self._order("ROLLBACK TO SAVEPOINT liteshift")
        self._order("RELEASE SAVEPOINT liteshift")

    def _ask(self, text: str, parameters: Sequence[str | None]) -> pq.abc.PGresult:
        values = [None if one is None else one.encode() for one in parameters]
        result = self._pgconn.exec_params(text.encode(), values)
        require_line(self._pgconn)
        return result

    def _order(self, text: str) -> None:
        result = self._pgconn.exec_(text.encode())
        require_line(self._pgconn)
        if result.status not in _DONE:
            raise psycopg.errors.error_from_result(result)


def _text(value: bytes | None) -> str:
    return bytes(value or b"").decode()


def _is_in_the_way(result: pq.abc.PGresult) -> bool:
    """Whether it is another row that stands in the way."""
    return _state(result)[:2] == "23" or result.status in _DONE


def _state(result: pq.abc.PGresult) -> str:
    return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
