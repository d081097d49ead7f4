"""The route file: read whole or not at all, whoever replaces it meanwhile, and never guessed at."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liteshift.errors import LiteshiftError, NotInitialised, UsageError
from liteshift.route import Route, RouteFile, State, beside, gate_of, other

MOMENTS = st.floats(min_value=0, max_value=2**40, allow_nan=False) | st.integers(0, 2**40)
ROUTES = st.builds(Route, st.sampled_from(["postgresql", "sqlite"]), st.integers(0, 2**70)) | st.builds(
    Route,
    st.sampled_from(["postgresql", "sqlite"]),
    st.integers(0, 2**70),
    st.just(State.DRAINING),
    st.none() | MOMENTS,
)


@pytest.fixture
def file(tmp_path: Path) -> RouteFile:
    made = RouteFile(tmp_path / "app.db.route")
    assert made.create(Route("postgresql"))
    return made


def test_names() -> None:
    assert beside(Path("data/app.db")) == Path("data/app.db.route")
    assert gate_of(Path("data/app.db.route")) == Path("data/app.db.gate")
    assert (other("sqlite"), other("postgresql")) == ("postgresql", "sqlite")
    for wrong in ("app.db", "app.db.gate", "route"):
        with pytest.raises(UsageError, match="no name of a route file"):
            RouteFile(wrong)


@given(routes=st.lists(ROUTES, min_size=1, max_size=5))
@settings(deadline=None, max_examples=40)
def test_what_is_written_is_read(routes: list[Route]) -> None:
    with TemporaryDirectory() as folder:
        file = RouteFile(f"{folder}/app.db.route")
        file.create(routes[0])
        reader = RouteFile(file.path)
        for route in routes:
            file.replace(route)
            assert reader.read() == file.read() == route
            assert reader.read() is reader.read()
        assert [path.name for path in Path(folder).iterdir()] == ["app.db.route"]


@given(count=st.integers(2, 40))
@settings(deadline=None, max_examples=10)
def test_readers_see_one_route_after_the_other(count: int) -> None:
    """Whole routes only, in the order they were written, each thread, whether they share a reader or not."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(6) as pool:
        file = RouteFile(f"{folder}/app.db.route")
        file.create(Route("postgresql"))
        over = threading.Event()

        def read(reader: RouteFile) -> list[int]:
            seen = []
            while not over.is_set():
                route = reader.read()
                assert route.active == ("sqlite" if route.epoch % 2 else "postgresql")
                seen.append(route.epoch)
            return [*seen, reader.read().epoch]

        readers = [pool.submit(read, RouteFile(file.path)) for _ in range(3)]
        shared = RouteFile(file.path)
        readers += [pool.submit(read, shared) for _ in range(3)]
        for epoch in range(1, count):
            file.replace(Route("sqlite" if epoch % 2 else "postgresql", epoch))
        over.set()
        for each in readers:
            seen = each.result()
            assert seen == sorted(seen)
            assert seen[-1] == count - 1


def test_two_changes_at_once_are_not_taken_for_none(file: RouteFile) -> None:
    """The newer file may have the inode, the size, and on a coarse clock the time of the one before the last."""
    reader = RouteFile(file.path)
    for epoch in range(10, 90, 2):
        file.replace(Route("sqlite", epoch))
        assert reader.read().epoch == epoch
        before = file.path.stat()
        file.replace(Route("sqlite", epoch + 1))
        file.replace(Route("sqlite", epoch + 2))
        assert file.path.stat().st_size == before.st_size
        assert file.path.stat().st_mtime_ns > before.st_mtime_ns + 1
        assert reader.read().epoch == epoch + 2


def test_a_clock_set_back_makes_no_difference(file: RouteFile) -> None:
    os.utime(file.path, (2**32, 2**32))
    reader = RouteFile(file.path)
    reader.read()
    file.replace(Route("postgresql", 1))
    assert file.path.stat().st_mtime_ns > 2**32 * 10**9
    assert reader.read().epoch == 1


def test_one_of_many_makes_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: RouteFile(tmp_path / "a.route").create(Route("sqlite", n)), range(8)))
    assert made.count(True) == 1
    assert RouteFile(tmp_path / "a.route").read() == Route("sqlite", made.index(True))
    assert [path.name for path in tmp_path.iterdir()] == ["a.route"]


def test_there_is_none(tmp_path: Path) -> None:
    file = RouteFile(tmp_path / "app.db.route")
    for act in (file.read, lambda: file.replace(Route("sqlite"))):
        with pytest.raises(NotInitialised, match=r"there is no route file .*app\.db\.route") as caught:
            act()
        assert caught.value.hint == f"Type: liteshift gate create {file.path}"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "\0" * 90,
        "[" * 3000,
        '{"active": "sqlite"}',
        '{"active": "sqlite", "epoch": 1, "state": "open", "until": null, "more": 1}',
        '{"active": "mysql", "epoch": 1, "state": "open", "until": null}',
        '{"active": ["sqlite"], "epoch": 1, "state": "open", "until": null}',
        '{"active": "sqlite", "epoch": -1, "state": "open", "until": null}',
        '{"active": "sqlite", "epoch": true, "state": "open", "until": null}',
        '{"active": "sqlite", "epoch": 1.0, "state": "open", "until": null}',
        '{"active": "sqlite", "epoch": 1, "state": "closed", "until": null}',
        '{"active": "sqlite", "epoch": 1, "state": "open", "until": 5}',
        '{"active": "sqlite", "epoch": 1, "state": "draining", "until": NaN}',
        '{"active": "sqlite", "epoch": 1, "state": "draining", "until": "5"}',
        '{"active": "sqlite", "epoch": 1, "state": "draining", "until": false}',
    ],
)
def test_nonsense_is_never_guessed_at(file: RouteFile, content: str) -> None:
    file.read()
    file.path.write_text(content)
    with pytest.raises(LiteshiftError, match="makes no sense, so nothing says which database is live") as caught:
        file.read()
    assert "liteshift gate create --active" in str(caught.value.hint)
    file.replace(Route("sqlite", 7))
    assert file.read() == Route("sqlite", 7)


def test_bytes_that_are_no_text(file: RouteFile) -> None:
    file.path.write_bytes(b"\xff\xfe")
    with pytest.raises(LiteshiftError, match="makes no sense"):
        file.read()


def test_who_could_read_it_still_can(file: RouteFile) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(file.path, 1234, 2345)
    file.path.chmod(0o644)
    file.replace(Route("sqlite", 1))
    there = file.path.stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (1234, 2345, 0o644)


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    file = RouteFile(tmp_path / "nowhere" / "app.db.route")
    with pytest.raises(LiteshiftError, match="can't be written"):
        file.create(Route("sqlite"))


def test_what_a_killed_process_left_is_swept(file: RouteFile) -> None:
    left = file.path.with_name(".app.db.route.1.new")
    left.write_text("{")
    file.sweep()
    assert not left.exists()
    assert file.read() == Route("postgresql")
