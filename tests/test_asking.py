"""Requests to the process that runs a move: done once, answered, and forgotten where whoever asked is gone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from liteshift.asking import Answer, Asking, Request
from liteshift.errors import LiteshiftError, Locked

if TYPE_CHECKING:
    from pathlib import Path

ASKER = """
import sys, time
from pathlib import Path
from liteshift.asking import Asking, Request
asking = Asking(Path(sys.argv[1]))
asking.ask(Request("1", "cutover", {}))
print(flush=True)
time.sleep(60)
"""


def test_one_at_a_time_and_answered(tmp_path: Path) -> None:
    asker, runner = Asking(tmp_path), Asking(tmp_path)
    assert runner.asked() is None
    asker.ask(Request("1", "cutover", {"pause": 0.5}))
    assert runner.asked() == Request("1", "cutover", {"pause": 0.5})
    with pytest.raises(Locked):
        Asking(tmp_path).ask(Request("2", "rollback", {}))
    runner.answer(Answer("1", report="cutover-1.json"))
    assert not runner.is_asked()
    assert asker.await_answer("1", lambda: None, lambda: True).report == "cutover-1.json"
    Asking(tmp_path).ask(Request("3", "rollback", {}))
    assert list(tmp_path.glob(".request*")) == []


def test_what_a_runner_had_begun_is_gone_on_with_by_the_next(tmp_path: Path) -> None:
    asker = Asking(tmp_path)
    asker.ask(Request("1", "cutover", {}))
    assert Asking(tmp_path).asked() == Asking(tmp_path).asked() == Request("1", "cutover", {})


@pytest.mark.parametrize("begun", [False, True])
def test_whoever_is_gone_asks_for_nothing_any_more(tmp_path: Path, begun: bool) -> None:
    runner = Asking(tmp_path)
    with subprocess.Popen([sys.executable, "-c", ASKER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert runner.is_asked()
        if begun:
            assert runner.asked() is not None
        process.kill()
    assert not runner.is_asked()
    assert runner.asked() is None


def test_what_a_crash_of_the_machine_has_left_is_asked_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"number": "1", "verb": "finalize", "options": {}}))
    assert Asking(tmp_path).asked() is None


def test_nobody_waits_for_a_runner_that_is_gone(tmp_path: Path) -> None:
    asker = Asking(tmp_path)
    asker.ask(Request("1", "cutover", {}))
    with pytest.raises(LiteshiftError, match="ended before it answered"):
        asker.await_answer("1", lambda: None, lambda: False)
    assert not asker.is_asked()
