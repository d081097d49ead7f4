"""The source is away at the worst moment: what the application needs for its writes is done without it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from secrets import token_hex
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.interrupt.test_restarts_in_a_pause import is_fenced
from tests.interrupt.test_switch_faults import _SECONDS, Walk, port_of, walking
from tests.interrupt.walk import Operator, are_alike, leftovers, write
from tests.proxy import Proxy

from liteshift.app.gate import Gate
from liteshift.asking import Request
from liteshift.phases import Phase
from liteshift.postgres.embedded import FAST, EmbeddedServer
from liteshift.sqlite.connect import connect
from liteshift.stops import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Away:
    """A walk whose source can go, and come back."""

    def __init__(self, server: EmbeddedServer, proxy: Proxy, walk: Walk, url: str) -> None:
        self.walk, self.mover, self.url = walk, walk.mover, url
        self.operator = Operator(url, walk.mover.file.parent)
        self._server, self._proxy = server, proxy

    def goes(self) -> None:
        self._proxy.cut()
        self._server.stop()

    def comes_back(self) -> None:
        self._server.start()
        self._proxy.lead_to(port_of(self._server.url()))

    def is_killed(self, stop: Stop, verb: str) -> None:
        """The process that moves, at a stop point of what it is asked for."""
        self.mover.kill()
        self.mover.start(stop)
        self.walk.until(self.mover.workdir.is_run)
        self.mover.workdir.asking.ask(Request(token_hex(4), verb, {"skip_backup": True}))
        assert self.mover.ended() < 0

    def begins_in_vain(self) -> None:
        """The next run says that the source is away; the application lives on the file by then, and writes."""
        self.mover.start()
        assert self.mover.ended() == 12
        route = self.walk.keeper.route()
        assert (route.active, route.state, self.mover.phase()) == ("sqlite", "open", Phase.REVERSING)
        self.walk.sees_the_application_write()

    def refuses(self, *words: str) -> str:
        """What a command says that can't reach the source."""
        done = self.operator.types(*words, "--yes", "app.db")
        assert done.returncode == 12, done.stderr
        return done.stderr


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    with (
        EmbeddedServer.temporary(settings=FAST) as server,
        Proxy(port_of(server.url())) as proxy,
        lives_on(make_conninfo(server.url(), port=proxy.port), tmp_path) as (walk, url),
    ):
        yield Away(server, proxy, walk, url)


@contextmanager
def lives_on(url: str, tmp_path: Path) -> Iterator[tuple[Walk, str]]:
    folder = tmp_path / "move"
    folder.mkdir()
    with walking(url, folder, "--pause", "3") as walk:
        yield walk, url


def test_a_rollback_that_was_killed_is_undone_and_the_move_may_end(away: Away) -> None:
    away.mover.bring("cutover", Phase.REVERSING)
    away.is_killed(Stop.ROLLBACK_REFUSING, "rollback")
    away.goes()
    away.begins_in_vain()
    assert "still there" in away.refuses("finalize")
    away.walk.sees_the_application_write()
    with closing(connect(away.mover.file)) as file:
        assert file.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'liteshift%'").fetchone() == (0,)
    away.comes_back()
    assert away.operator.types("finalize", "--yes", "app.db").returncode == 0
    assert leftovers(away.url) == []


def test_a_cutover_that_was_killed_is_finished_and_gone_on_with(away: Away) -> None:
    away.is_killed(Stop.CUTOVER_ARMED, "cutover")
    away.goes()
    away.begins_in_vain()
    away.comes_back()
    away.mover.start()
    away.mover.until(Phase.REVERSING)
    with away.walk.application.resting():
        are_alike(away.url, away.mover.file)
    away.goes()
    assert "still there" in away.refuses("finalize")  # asked of the process that runs, and tries to reach the source
    assert away.mover.ended() == 12
    away.walk.sees_the_application_write()
    away.comes_back()


def test_a_file_that_is_given_up_takes_writes(away: Away) -> None:
    with away.walk.application.resting():
        away.mover.kill()
        away.goes()
        assert "still there" in away.refuses("abort")
        write(away.mover.file, "sqlite", "here", 35)
        away.comes_back()
    assert away.operator.types("abort", "--yes", "app.db").returncode == 0
    assert leftovers(away.url) == []


def test_a_server_that_says_nothing_within_the_pause_of_a_cutover_that_nobody_else_runs(
    database: str, tmp_path: Path
) -> None:
    with (
        Proxy(port_of(database)) as proxy,
        lives_on(make_conninfo(database, port=proxy.port), tmp_path) as (walk, _),
    ):
        walk.mover.bring("cutover", Phase.REVERSING)
        walk.mover.bring("rollback", Phase.FOLLOWING)
        walk.mover.kill()
        gate = Gate(walk.mover.route)
        with psycopg.connect(database) as foreign:
            with gate.writing():
                asked = walk.asks("cutover")
                walk.until_draining()
                foreign.execute("INSERT INTO loose VALUES ('open')")
            gate.close()
            walk.until(lambda: is_fenced(database))
            proxy.freeze()
        walk.until(lambda: walk.keeper.route().state == "open")
        assert is_fenced(database)
        proxy.cut()
        _, said = asked.communicate(timeout=_SECONDS)
        assert (asked.returncode, walk.mover.phase()) == (12, Phase.FOLLOWING), said
        assert not is_fenced(database)
        walk.sees_the_application_write()
