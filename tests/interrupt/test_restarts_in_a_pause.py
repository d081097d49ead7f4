"""The source restarts while a switch holds the application's writes: all is undone or finished, and nothing is lost."""

from __future__ import annotations

import shlex
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.interrupt.test_switch_faults import _SECONDS, Walk, port_of, walking
from tests.interrupt.walk import are_alike, rows
from tests.proxy import Proxy

from liteshift.app.gate import Gate
from liteshift.phases import Phase
from liteshift.postgres.embedded import FAST, EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Restarts:
    """A source that is started anew, behind a proxy that stays where it is."""

    def __init__(self, server: EmbeddedServer, proxy: Proxy, walk: Walk) -> None:
        self._server, self._proxy, self._walk = server, proxy, walk

    def restart(self) -> None:
        self._proxy.cut()
        self._server.stop()
        self._server.start()
        self._proxy.lead_to(port_of(self._server.url()))

    @contextmanager
    def while_asked(self, verb: str) -> Iterator[None]:
        """Ask for a switch, and wait for the answer after the block; the application then lives on."""
        asked = self._walk.asks(verb)
        try:
            yield
        finally:
            asked.communicate(timeout=_SECONDS)
        self._walk.until(lambda: self._walk.keeper.route().state == "open")
        self._walk.sees_the_application_write()


def is_fenced(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT last_value > 1 FROM liteshift.closed").fetchone() == (True,)


@pytest.mark.soak
def test_restarts_in_a_pause(tmp_path: Path) -> None:
    folder = tmp_path / "move"
    folder.mkdir()
    hold, held = tmp_path / "hold", tmp_path / "held"
    hook = f"if [ -e {hold} ]; then touch {held}; while [ -e {hold} ]; do sleep 0.02; done; fi"
    hooks = [f"--on-{verb}={shlex.join(['sh', '-c', hook])}" for verb in ("cutover", "rollback")]
    with (
        EmbeddedServer.temporary(settings=FAST) as server,
        Proxy(port_of(server.url())) as proxy,
        walking(make_conninfo(server.url(), port=proxy.port), folder, "--pause", "60", *hooks) as walk,
    ):
        restarts, mover, gate = Restarts(server, proxy, walk), walk.mover, Gate(walk.mover.route)
        ways = (("cutover", Phase.FOLLOWING, Phase.REVERSING), ("rollback", Phase.REVERSING, Phase.FOLLOWING))
        for verb, stays, goes in ways:  # running writes are waited for
            with restarts.while_asked(verb), gate.writing():
                walk.until_draining()
                restarts.restart()
            mover.until(stays, goes)
            mover.bring(verb, goes)
        walk.says("verify")
        with closing(psycopg.connect(server.url())) as writer, restarts.while_asked("cutover"):
            # The fence is up, and waits for one who knows no gate. Who has written before the pause is waited for then.
            with gate.writing():
                walk.until_draining()
                writer.execute("INSERT INTO entry (customer, token, side) VALUES (1, 'unfinished', 'postgresql')")
            walk.until(lambda: is_fenced(server.url()))
            restarts.restart()
        mover.until(Phase.FOLLOWING, Phase.REVERSING)
        mover.bring("cutover", Phase.REVERSING)
        for verb, _, goes in reversed(ways):  # the point of no return is passed
            hold.touch()
            with restarts.while_asked(verb):
                walk.until(held.exists)
                restarts.restart()
                held.unlink(missing_ok=True)
                hold.unlink()
            mover.until(goes)
        walk.application.stop()
        gate.close()
        are_alike(server.url(), mover.file)
        assert "unfinished" not in {row[2] for row in rows(mover.file)["entry"]}
