"""What is changed on the source's schema while the file follows: named before a cutover, and forgotten once undone."""

from __future__ import annotations

import psycopg
from tests.interrupt.walk import Mover, Operator, leftovers

from liteshift.phases import Phase

CHANGES = (
    ("CREATE TABLE fresh (i int)", "DROP TABLE fresh", "the table public.fresh is new"),
    (
        "CREATE UNIQUE INDEX one_name ON customer (name)",
        "DROP INDEX one_name",
        "the unique index one_name of public.customer is new",
    ),
    (
        "ALTER TABLE customer ADD CONSTRAINT rich CHECK (balance >= 0)",
        "ALTER TABLE customer DROP CONSTRAINT rich",
        "the check rich of public.customer is new",
    ),
    (
        "ALTER TABLE customer ALTER balance SET DEFAULT 7",
        "ALTER TABLE customer ALTER balance SET DEFAULT 0",
        "DEFAULT 7",
    ),
    (
        "ALTER TABLE entry ALTER token DROP NOT NULL",
        "ALTER TABLE entry ALTER token SET NOT NULL",
        "the column token of public.entry is text now, and was text NOT NULL",
    ),
    (
        "ALTER TABLE entry DROP CONSTRAINT entry_customer_fkey",
        "ALTER TABLE entry ADD CONSTRAINT entry_customer_fkey FOREIGN KEY (customer) REFERENCES customer"
        " ON DELETE CASCADE NOT VALID",  # the same to every row that is written from now on
        "the foreign key entry_customer_fkey of public.entry is gone",
    ),
)
UNSEEN = (
    "CREATE UNLOGGED TABLE scratch (i int)",
    "CREATE INDEX by_name ON customer (name)",
    "ANALYZE",
    "CREATE SCHEMA apart",
    "CREATE VIEW named AS SELECT name FROM customer",
)


def _place(told: str) -> int:
    return next(at for at, (_, _, named) in enumerate(CHANGES) if named in told)


def test_changes_of_the_schema(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in (*UNSEEN, *(change for change, _, _ in CHANGES)):
            owner.execute(statement.encode())
        owner.execute("CREATE TEMP TABLE passing (i int)")
        seen = operator.gets("status", "app.db")["now"]["changed"]
        assert len(seen) == len(CHANGES)
        for (_, _, named), one in zip(CHANGES, sorted(seen, key=_place), strict=True):
            assert named in one
        shown = " ".join(operator.types("status", "app.db").stdout.split())
        assert "a cutover refuses the table public.fresh is new;" in shown
        refused = operator.types("cutover", "--yes", "--skip-backup", "app.db")
        assert refused.returncode == 13, refused.stderr
        said = " ".join(refused.stderr.split())
        for _, _, named in CHANGES:
            assert named in said
        assert said.count(";") == len(CHANGES) - 1
        assert "--accept-changes" in said
        assert mover.phase() is Phase.FOLLOWING
        for _, undo, _ in CHANGES:
            owner.execute(undo.encode())
        assert operator.gets("status", "app.db")["now"]["changed"] == []
        done = operator.gets("cutover", "--yes", "--skip-backup", "app.db")
        assert (done["epoch"], done["changes"]) == (1, [])
        assert operator.gets("status", "app.db")["now"]["changed"] == []
        owner.execute("CREATE TABLE fresh (i int)")
        assert operator.gets("status", "app.db")["now"]["changed"] == ["the table public.fresh is new"]
        done = operator.gets("rollback", "--yes", "app.db")
        assert (done["epoch"], done["changes"]) == (2, [])
        assert operator.types("cutover", "--yes", "--skip-backup", "app.db").returncode == 13
        done = operator.gets("cutover", "--yes", "--skip-backup", "--accept-changes", "app.db")
        assert (done["epoch"], done["changes"]) == (3, ["the table public.fresh is new"])
    assert operator.types("finalize", "--yes", "app.db").returncode == 0
    assert leftovers(url) == []
