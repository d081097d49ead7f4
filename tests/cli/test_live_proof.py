"""What a switch leaves for the owner's files, also where it was killed, and where rows were left behind."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import psycopg
from tests.interrupt.walk import SCHEMA, Mover, Operator

from liteshift.phases import Phase

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_verb_after_a_kill_answers_with_the_proof(moved: tuple[str, Mover, Operator]) -> None:
    _, mover, operator = moved
    for verb, stop, epoch in (
        ("cutover", "cutover-armed", 1),
        ("rollback", "rollback-disarmed", 2),
        ("cutover", "cutover-done", 3),
    ):
        mover.kill()
        mover.start(stop)
        while not mover.workdir.is_run():
            pass
        first = operator.types(verb, "--yes", "app.db")
        assert mover._process is not None
        assert mover._process.wait(60) == -signal.SIGKILL, first.stderr
        if stop != "cutover-done":
            assert operator.gets("status", "app.db")["resume"] == f"finishes the {verb}"
            assert f"finishes the {verb}" in operator.types("status", "app.db").stdout
        again = operator.gets(verb, "--yes", "app.db")
        assert (again["kind"], again["epoch"], len(again["token"])) == (verb, epoch, 32)
        assert again["interrupted"] is (stop != "cutover-done")
        assert (again["pause"] is None) is again["interrupted"]
        assert again["verified_rows"] >= 250
        assert operator.gets(verb, "--yes", "app.db") == again
        page = (mover.workdir.path / f"{verb}-{epoch}.html").read_text()
        assert ("by the next run" in page) is again["interrupted"]
        mover.start()


def test_a_proof_names_what_was_left_behind(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as source:
        source.execute(SCHEMA.encode())
    mover, operator = Mover(database, tmp_path, gate=False), Operator(database, tmp_path)
    try:
        mover.start()
        mover.until(Phase.FOLLOWING)
        with psycopg.connect(database, autocommit=True) as source:
            source.execute("INSERT INTO loose VALUES ('never', 'infinity')")
        proof = operator.gets("cutover", "--yes", "--skip-backup", "--accept-rejects", "app.db")
        assert (proof["left_behind"], proof["verified_rows"]) == ({"public.loose": 1}, 270)
        page = (mover.workdir.path / "cutover-1.html").read_text()
        assert "the same rows but for 1 that SQLite" in page
        assert "public.loose: 1" in page
        operator.gets("rollback", "--yes", "app.db")
        page = (mover.workdir.path / "rollback-2.html").read_text()
        assert "came through the log" not in page
        assert "public.loose: 1" in page
    finally:
        mover.close()


def test_a_proof_names_the_changes_that_were_accepted(moved: tuple[str, Mover, Operator]) -> None:
    url, mover, operator = moved
    with psycopg.connect(url, autocommit=True) as source:
        source.execute('ALTER TABLE customer ADD CONSTRAINT "<b>" CHECK (balance >= 0)')
        source.execute("CREATE TABLE fresh (i int)")
    proof = operator.types("cutover", "--yes", "--skip-backup", "--accept-changes", "app.db")
    assert proof.returncode == 0, proof.stderr
    assert "the table public.fresh is new" in " ".join(proof.stdout.split())
    filed = operator.gets("cutover", "--yes", "app.db")
    assert filed["changes"] == ["the table public.fresh is new", "the check <b> of public.customer is new"]
    page = (mover.workdir.path / "cutover-1.html").read_text()
    assert "the table public.fresh is new; the check &lt;b&gt; of public.customer is new" in page
    operator.gets("rollback", "--yes", "app.db")
    assert "since the plan" not in (mover.workdir.path / "rollback-2.html").read_text()
    mover.kill()
    mover.start("cutover-armed")
    while not mover.workdir.is_run():
        pass
    operator.types("cutover", "--yes", "--skip-backup", "--accept-changes", "app.db")
    again = operator.gets("cutover", "--yes", "app.db")
    assert (again["interrupted"], again["changes"]) == (True, filed["changes"])
    assert "the table public.fresh is new" in (mover.workdir.path / "cutover-3.html").read_text()
