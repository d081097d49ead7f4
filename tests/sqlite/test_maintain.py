"""Maintenance does its work beside readers and writers, and says what it did."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from liteshift.errors import Locked, NotInitialised
from liteshift.sqlite.connect import connect
from liteshift.sqlite.maintain import analyze, checkpoint, optimize, vacuum

if TYPE_CHECKING:
    from tests.sqlite.conftest import Content, Writer

    Reader = Callable[[Path], Content]


def test_a_checkpoint_empties_the_log(database: Path) -> None:
    with closing(connect(database)) as user:
        user.execute("UPDATE parent SET name = 'x'")
        done = checkpoint(database)
        assert done.frames == done.moved > 0
        assert done.log_bytes_before > 0
        assert done.log_bytes == 0


def test_a_checkpoint_waits_for_no_reader(database: Path, hold: Callable[[str], None]) -> None:
    with closing(connect(database)) as user:
        hold("read")
        user.execute("UPDATE parent SET name = 'x'")
        done = checkpoint(database)
        assert done.moved < done.frames
        assert done.log_bytes == done.log_bytes_before > 0


def test_a_checkpoint_beside_a_writer_loses_nothing(
    database: Path, start_writer: Callable[[], Writer], content: Reader
) -> None:
    writer = start_writer()
    for _ in range(10):
        checkpoint(database)
        writer.wait_for(writer.acknowledged + 10)
    acknowledged = writer.kill()
    assert [row[0] for row in content(database)["t"]][:acknowledged] == list(range(1, acknowledged + 1))


def test_a_vacuum_gives_pages_back_while_others_read(database: Path, content: Reader) -> None:
    with closing(connect(database)) as user:
        user.execute("DELETE FROM child WHERE id > 1")
        before = content(database)
        done = vacuum(database)
        assert done.bytes < done.bytes_before
        assert done.bytes == database.stat().st_size
        assert done.log_bytes == 0
        assert user.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert content(database) == before


def test_a_vacuum_beside_a_writer_loses_nothing(
    database: Path, start_writer: Callable[[], Writer], content: Reader
) -> None:
    writer = start_writer()
    vacuum(database)
    writer.wait_for(writer.acknowledged + 10)
    acknowledged = writer.kill()
    assert [row[0] for row in content(database)["t"]][:acknowledged] == list(range(1, acknowledged + 1))


def test_analyze_and_optimize_tell_what_they_measured(database: Path) -> None:
    done = analyze(database)
    assert (done.indexes, done.renewed) == (2, 2)  # parent, and child's index
    assert optimize(database).renewed == 0
    with closing(connect(database)) as user:
        user.execute("DELETE FROM child WHERE id > 5")
    assert analyze(database).renewed == 1


@pytest.mark.parametrize("act", [vacuum, analyze])
def test_a_held_database_is_named(database: Path, hold: Callable[[str], None], act: Callable[..., object]) -> None:
    hold("write")
    with pytest.raises(Locked) as caught:
        act(database, patience=0.1)
    assert caught.value.hint


@pytest.mark.parametrize("act", [vacuum, analyze, optimize, checkpoint])
def test_no_database(tmp_path: Path, act: Callable[..., object]) -> None:
    with pytest.raises(NotInitialised):
        act(tmp_path / "none.db")
    assert not list(tmp_path.iterdir())
