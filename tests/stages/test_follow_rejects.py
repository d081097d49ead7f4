"""Rows that can't be carried: written down, counted, and carried once they are mended on the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.stages.live import Live, copied
from tests.stages.roads import ROADS, taking

from liteshift.errors import DifferencesFound
from liteshift.reports import Reject
from liteshift.sqlite.connect import connect
from liteshift.sqlite.guard import passing_guards
from liteshift.stages.follow import Follower

SCHEMA = """
CREATE TABLE kept (id int PRIMARY KEY, f float8, at timestamp, t text);
ALTER TABLE kept ALTER t SET STORAGE EXTERNAL;
INSERT INTO kept VALUES (1, 'NaN', '2024-01-01', repeat('large', 2000)), (2, 2, '2024-01-02', repeat('large', 2000));
CREATE TABLE keyless (f float8, t text);
INSERT INTO keyless VALUES ('NaN', 'a'), (1, 'b'), (1, 'b');
CREATE TABLE whole (id int PRIMARY KEY, f float8, t text);
ALTER TABLE whole REPLICA IDENTITY FULL;
ALTER TABLE whole ALTER t SET STORAGE EXTERNAL;
INSERT INTO whole VALUES (1, 'NaN', repeat('large', 2000)), (2, 2, repeat('large', 2000));
"""

INDEXED = """
CREATE TABLE indexed (id int PRIMARY KEY, b int NOT NULL, a text NOT NULL, f float8, UNIQUE (a, b) INCLUDE (f));
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_a_b_f_key;
INSERT INTO indexed VALUES (1, 10, 'x', 'NaN'), (2, 20, 'x', 'NaN'), (3, 30, 'y', 'NaN'), (4, 40, 'z', 4);
"""


def rejects(live: Live) -> Sequence[Reject]:
    with live.target.applier() as applier:
        return applier.rejects()


def after(live: Live, *statements: str) -> list[tuple[str, dict[str, str | None], str]]:
    """What is rejected once these are followed; all else is equal.

    A row that waits for a value could be carried as it is now, so verify says that it is missing.
    """
    live.execute(*statements)
    verdict = live.catch_up()
    found = rejects(live)
    waiting = [reject.key for reject in found if "write it anew" in reject.reason]
    assert [one.key for table in verdict.tables for one in table.differences] == waiting
    assert sum(table.rejected for table in verdict.tables) == len(found) - len(waiting)
    return [(reject.table.removeprefix("public."), dict(reject.key), reject.column) for reject in found]


@pytest.fixture(params=ROADS, autouse=True)
def road(request: pytest.FixtureRequest) -> Iterator[str]:
    with taking(request.param):
        yield request.param


def test_rows_that_cannot_be_carried(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    one, whole = ("kept", {"id": "1"}, "f"), ("whole", {"id": "1"}, "f")
    start = [one, ("keyless", {"row": "1"}, "f"), whole]
    assert after(live) == start
    # A row is mended, and comes with all its values, or waits for those that the log left out.
    assert after(live, "UPDATE kept SET f = 1 WHERE id = 1")[-1] == ("kept", {"id": "1"}, "t")
    assert ("kept", {"id": "1"}, "t") not in after(live, "UPDATE kept SET t = t || '' WHERE id = 1")
    assert whole not in after(live, "UPDATE whole SET f = 1 WHERE id = 1")  # here the log has the row before
    assert after(live, "UPDATE keyless SET f = 3 WHERE t = 'a'") == []
    # A row becomes one that can't be carried, changes its key, and goes.
    assert after(live, "UPDATE kept SET at = 'infinity' WHERE id = 2") == [("kept", {"id": "2"}, "at")]
    assert after(live, "UPDATE kept SET id = 20 WHERE id = 2") == [("kept", {"id": "20"}, "at")]
    assert after(live, "DELETE FROM kept WHERE id = 20") == []
    assert after(live, "INSERT INTO kept VALUES (3, 'NaN', NULL, NULL)", "INSERT INTO keyless VALUES ('NaN', 'c')") == [
        ("kept", {"id": "3"}, "f"),
        ("keyless", {}, "f"),
    ]
    assert after(live, "UPDATE keyless SET t = 'd' WHERE f = 'NaN'", "DELETE FROM keyless WHERE f = 'NaN'") == [
        ("kept", {"id": "3"}, "f")
    ]
    assert after(live, "INSERT INTO kept VALUES (4, 'NaN', NULL, NULL)", "TRUNCATE kept") == []
    with closing(connect(tmp_path / "app.db")) as file:
        assert file.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_rows_that_the_log_tells_by_another_index_than_their_key(any_database: str, tmp_path: Path) -> None:
    live = copied(any_database, tmp_path / "app.db", INDEXED)
    one, two, three = [("indexed", {"b": f"{n}0", "a": a}, "f") for n, a in ((1, "x"), (2, "x"), (3, "y"))]
    assert after(live) == [one, two, three]
    assert after(live, "UPDATE indexed SET f = 1 WHERE id = 1") == [two, three]
    moved = ("indexed", {"b": "21", "a": "x"}, "f")
    assert after(live, "UPDATE indexed SET b = 21 WHERE id = 2") == [three, moved]
    assert after(live, "DELETE FROM indexed WHERE id = 3") == [moved]
    assert after(live, "UPDATE indexed SET f = 'NaN' WHERE id = 4")[1:] == [("indexed", {"b": "40", "a": "z"}, "f")]
    assert after(live, "DELETE FROM indexed") == []


def test_rejects_are_taken_back_with_their_transaction(database: str, tmp_path: Path) -> None:
    live = copied(database, tmp_path / "app.db", SCHEMA)
    with closing(passing_guards(lambda: connect(tmp_path / "app.db"))) as file:
        file.execute("DELETE FROM kept WHERE id = 2")  # the file does not have it any more: the stream stops there
    live.execute("INSERT INTO kept VALUES (5, 'NaN', NULL, NULL); DELETE FROM kept WHERE id = 2")
    with live.target.applier() as applier, live.origin.stream("liteshift_test", applier.position) as stream:
        follower = Follower(live.plan, live.origin.shapes("liteshift_test", live.plan), stream, applier)
        with pytest.raises(DifferencesFound, match="deleted where id = 2"):
            follower.until_token("none", seconds=20)
    assert len(rejects(live)) == 3
