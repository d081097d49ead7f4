"""Bad backups are seen, and the last good one is never thrown away."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.errors import UsageError
from liteshift.sqlite.backup import create
from liteshift.sqlite.connect import connect
from liteshift.sqlite.shelf import Backup, backups, remove, surplus, verify


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def change_a_row(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("DELETE FROM child")


SPOILERS: dict[str, Callable[[Path], object]] = {
    "a bit": flip_a_bit,
    "half of it": lambda path: os.truncate(path, path.stat().st_size // 2),
    "some of it": lambda path: os.truncate(path, path.stat().st_size - 100),
    "all of it": lambda path: os.truncate(path, 0),
    "more of it": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "a row": change_a_row,
    "another file": lambda path: path.write_text("no database " * 1000),
    "a journal": lambda path: path.with_name(path.name + "-journal").write_bytes(b"x" * 1000),
    "a log": lambda path: path.with_name(path.name + "-wal").write_bytes(b"x" * 1000),
    "no JSON": lambda path: path.with_name(path.name + ".json").write_text("{"),
    "other JSON": lambda path: path.with_name(path.name + ".json").write_text('{"format": 1, "rows": 7}'),
    "deep JSON": lambda path: path.with_name(path.name + ".json").write_text("[" * 100000),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_a_spoilt_backup_is_bad(database: Path, tmp_path: Path, name: str) -> None:
    made = create(database, tmp_path / "b")
    SPOILERS[name](made.path)
    assert verify(made.path).problems
    assert [one.good for one in backups(tmp_path / "b")] == [False]


@pytest.mark.parametrize("name", ["half of it", "some of it", "all of it", "another file", "a journal"])
def test_without_a_manifest_much_is_still_seen(database: Path, tmp_path: Path, name: str) -> None:
    made = create(database, tmp_path / "b")
    made.path.with_name(made.path.name + ".json").unlink()
    assert verify(made.path).good
    assert verify(made.path).rows == 5000
    assert backups(tmp_path / "b")[0].manifest is None
    SPOILERS[name](made.path)
    assert verify(made.path).problems


def test_links_are_bad(database: Path, tmp_path: Path) -> None:
    made = create(database, tmp_path / "b")
    link = tmp_path / "b" / "backup_20240101_120000_app.db"
    link.symlink_to(made.path)
    assert "link" in verify(link).problems[0]
    link.unlink()
    link.hardlink_to(made.path)
    assert "link" in verify(link).problems[0]
    link.unlink()
    link.mkdir()
    assert verify(link).problems


def test_any_database_can_be_verified(database: Path) -> None:
    with closing(connect(database)) as connection:  # in use, with a log
        connection.execute("INSERT INTO t VALUES (1, 'x')")
        found = verify(database)
    assert found.good
    assert found.rows == 5001
    with pytest.raises(UsageError):
        verify(database.with_name("none.db"))


def test_what_is_listed(database: Path, tmp_path: Path) -> None:
    assert backups(tmp_path / "none") == []
    made = create(database, tmp_path / "b")
    for other in ("notes.txt", "backup_app.db", "backup_20240101_120000_app.db.json", "backup_20241399_120000_app.db"):
        (tmp_path / "b" / other).write_text("")
    old = tmp_path / "b" / "backup_20240101_120000_app.db"
    old.write_bytes(made.path.read_bytes())
    first, second = backups(tmp_path / "b")
    assert (first.path, second.path) == (made.path, old)
    assert second.created_at == datetime(2024, 1, 1, 12, tzinfo=UTC)


def shelf(verdicts: list[bool], database: str = "app") -> list[Backup]:
    """Backups of these verdicts, the newest first."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        Backup(Path(f"{database}{age}"), start - timedelta(days=age), database, 1, 1, () if good else ("bad",), None)
        for age, good in enumerate(verdicts)
    ]


@pytest.mark.parametrize(
    ("verdicts", "keep", "goes"),
    [
        ([True, True, True], 2, [2]),
        ([True, True, True], 3, []),
        ([True, True, True], 9, []),
        ([False, True], 1, []),
        ([False, False, True], 2, []),
        ([True, False, False], 1, [1, 2]),
        ([False, True, False, True, True], 2, [4]),
        ([False, False], 1, []),
        ([], 1, []),
    ],
)
def test_what_may_go(verdicts: list[bool], keep: int, goes: list[int]) -> None:
    found = shelf(verdicts)
    assert surplus(found, keep) == [found[age] for age in goes]


@given(st.lists(st.booleans()), st.lists(st.booleans()), st.integers(1, 5))
def test_the_newest_good_ones_of_each_database_stay(mine: list[bool], others: list[bool], keep: int) -> None:
    found = shelf(mine) + shelf(others, "other")
    old = surplus(found, keep)
    for database, verdicts in (("app", mine), ("other", others)):
        stay = [one for one in found if one.database == database and one not in old]
        assert sum(one.good for one in stay) == min(keep, sum(verdicts))
        newest_good = [one for one in found if one.database == database and one.good][:keep]
        assert all(one in stay for one in newest_good)


def test_none_kept_is_refused() -> None:
    with pytest.raises(UsageError):
        surplus([], 0)


def test_removing_takes_the_manifest_along(database: Path, tmp_path: Path) -> None:
    made = create(database, tmp_path / "b")
    remove(made)
    assert not list((tmp_path / "b").iterdir())
