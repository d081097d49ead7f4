"""What follows from what was found: pure functions, without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liteshift.assessment import (
    Check,
    ConstructUse,
    Decision,
    Effect,
    Effort,
    Level,
    Load,
    OddValues,
    State,
    TableFacts,
    Verdict,
    Workload,
    Writes,
)
from liteshift.catalog import Name
from liteshift.plan import Finding, Severity
from liteshift.survey import Activity, Oddity, ServerFacts, TableCounters
from liteshift.translate.readiness import checks
from liteshift.translate.verdict import verdict
from liteshift.translate.writing import writing

SERVER = ServerFacts(
    database="shop", version=180006, version_text="18.6", role="me", superuser=True, replication=True,
    create=True, wal_level="logical", slots=0, max_slots=10, senders=0, max_senders=10, keep_bytes=10 << 30,
    plugins=None, prepared=0, replica=False,
)  # fmt: skip
NAME = Name("public", "t")
TABLE = TableFacts(NAME, 10, 10, True, "", 8192, 8192, (), (), 100, 0, 0)
SILENT = Workload("", (), "", 0, 0, 0, 0, 0, 0, 0.0, ())
IDLE = Writes(Load.LIGHT, 0, 0, 3600, True, None, 0, 0, ())
READABLE = Check("SELECT", State.READY, "")


def judged(
    *findings: Finding, table: TableFacts = TABLE, workload: Workload = SILENT, writes: Writes = IDLE
) -> Verdict:
    return verdict(findings, (), (table,), (), READABLE, workload, writes)


def test_a_server_that_has_everything_is_ready() -> None:
    assert {check.state for check in checks(SERVER, (), ())} == {State.READY}


@pytest.mark.parametrize(
    ("change", "name", "state", "fix"),
    [
        ({"replica": True}, "the primary", State.MISSING, ()),
        ({"version": 130011}, "the server's version", State.MISSING, ()),
        ({"version": 160014}, "the server's version", State.ADVICE, ()),
        ({"version": 190000}, "the server's version", State.READY, ()),
        ({"wal_level": "minimal"}, "wal_level", State.MISSING, ("ALTER SYSTEM SET wal_level = 'logical';",)),
        ({"slots": 10}, "replication slots", State.MISSING, ("ALTER SYSTEM SET max_replication_slots = 12;",)),
        ({"max_senders": 0}, "WAL senders", State.MISSING, ("ALTER SYSTEM SET max_wal_senders = 2;",)),
        ({"plugins": "pgoutput, test_decoding"}, "the output plugin pgoutput", State.READY, ()),
        (
            {"plugins": "test_decoding, wal2json"},
            "the output plugin pgoutput",
            State.MISSING,
            (
                "ALTER SYSTEM SET output_plugin_libraries = 'pgoutput', 'test_decoding', 'wal2json';",
                "SELECT pg_reload_conf();",
            ),
        ),
        ({"prepared": 1}, "prepared transactions", State.MISSING, ()),
        ({"long": ("the process 7 (psql, me), open for 61 s",)}, "long transactions", State.ADVICE, ()),
        (
            {"superuser": False, "replication": False},
            "the role's REPLICATION",
            State.MISSING,
            ('ALTER ROLE "me" REPLICATION;',),
        ),
        (
            {"superuser": False, "create": False},
            "the right to publish the tables",
            State.MISSING,
            ('GRANT CREATE ON DATABASE "shop" TO "me";',),
        ),
    ],
)
def test_what_is_missing_is_named_with_the_statement_that_mends_it(
    change: dict[str, object], name: str, state: State, fix: tuple[str, ...]
) -> None:
    found = {check.name: check for check in checks(replace(SERVER, **change), (), ())}  # type: ignore[arg-type]
    assert found[name].state is state
    assert found[name].fix == fix
    assert {other.state for other in found.values() if other.name != name} == {State.READY}


@pytest.mark.parametrize("kept", [-1, 64 << 20])
def test_wal_kept_without_limit_or_too_little_is_advice(kept: int) -> None:
    found = {check.name: check for check in checks(replace(SERVER, keep_bytes=kept), (), ())}
    assert found["WAL kept for a slot"].state is State.ADVICE


def test_nothing_found_means_go() -> None:
    assert judged() == Verdict(Decision.GO, ())
    assert judged(Finding(Severity.NOTE, "table", "t", "is called x", "because")) == Verdict(Decision.GO, ())


def test_refusals_come_first_and_mean_no_go() -> None:
    odd = replace(TABLE, odd=(OddValues("f", Oddity.NAN, 3, {}, refused=True),))
    found = judged(Finding(Severity.REFUSAL, "unique index", "t.i", "can't be carried", "x", "drop it"), table=odd)
    assert found.decision is Decision.NO_GO
    assert [reason.level for reason in found.reasons] == [Level.STOP, Level.CHANGE]
    assert found.reasons[0].instead == "drop it"


def test_a_row_too_large_means_no_go() -> None:
    assert judged(table=replace(TABLE, oversize=1)).decision is Decision.NO_GO


def test_a_sample_says_at_least() -> None:
    odd = (OddValues("f", Oddity.INFINITY, 3, {}, refused=True),)
    assert judged(table=replace(TABLE, odd=odd)).reasons[0].what.startswith("3 rows")
    assert judged(table=replace(TABLE, odd=odd, whole=False)).reasons[0].what.startswith("at least 3 rows")


def test_control_characters_change_nothing() -> None:
    odd = (OddValues("f", Oddity.CONTROL, 3, {}, refused=False),)
    assert judged(table=replace(TABLE, odd=odd)).decision is Decision.GO


def test_sql_that_works_changes_nothing_and_other_sql_does() -> None:
    use = ConstructUse("RETURNING", Effect.WORKS, Effort.NONE, "the same", 1, 10, 0.5, ())
    assert judged(workload=replace(SILENT, uses=(use,))).decision is Decision.GO
    uses = (
        replace(use, title="LISTEN", effect=Effect.FAILS, effort=Effort.REDESIGN),
        replace(use, title="LIKE", effect=Effect.DIFFERS, effort=Effort.REWRITE),
        replace(use, title="COPY", effect=Effect.FAILS, effort=Effort.REWRITE),
        replace(use, title="ILIKE", effect=Effect.FAILS, effort=Effort.ORM),
    )
    found = judged(workload=replace(SILENT, uses=uses))
    assert found.decision is Decision.CHANGES
    assert [reason.what.split(": ")[1].split(" ")[0] for reason in found.reasons] == ["LISTEN", "LIKE", "COPY", "ILIKE"]


@pytest.mark.parametrize(
    ("commits", "rows", "load", "decision"),
    [
        (10**9, 3600, Load.LIGHT, Decision.GO),  # each writing transaction writes a row at least
        (3600 * 50, 10**9, Load.LIGHT, Decision.GO),
        (3600 * 500, 10**9, Load.BUSY, Decision.GO),
        (3600 * 5000, 10**9, Load.HEAVY, Decision.CHANGES),
    ],
)
def test_writing_is_weighed_against_one_writer(commits: int, rows: int, load: Load, decision: Decision) -> None:
    counters = Activity(commits, 3600.0, True, 0, (TableCounters(NAME, rows, 0, 0, 8192),))
    found = writing(counters, counters, 0.1)
    assert found.load is load
    assert found.now_transactions is None
    assert judged(writes=found).decision is decision


def test_what_happens_now_counts_too() -> None:
    before = Activity(0, 3600.0, True, 0, (TableCounters(NAME, 0, 0, 0, 8192),))
    after = Activity(9000, 3603.0, True, 0, (TableCounters(NAME, 9000, 0, 0, 8192),))
    found = writing(before, after, 3.0)
    assert (found.load, found.now_transactions) == (Load.HEAVY, 3000)
