"""The benchmark, in miniature: that it measures and tells, not how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from liteshift import children
from liteshift.app.engines import make_engines, make_tool_engine
from liteshift.bench.operations import Operations
from liteshift.bench.rows import Party, fill
from liteshift.postgres.embedded import EmbeddedServer

if TYPE_CHECKING:
    from pathlib import Path

SIDES = ("postgresql", "sqlite")


def run(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "liteshift", "bench", "--rows", "1000", "--seconds", "0.1", *options]
    env = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(folder.iterdir())
    return done.stdout


def test_it_measures_both_sides(tmp_path: Path) -> None:
    *progress, report = map(json.loads, run(tmp_path, "--json").splitlines())
    assert {line["type"] for line in progress} == {"progress"}
    assert report["type"] == "report"
    assert (report["parties"], report["invoices"], report["durability"]) == (1000, 3000, "durable")
    assert "TCP" in report["transport"]
    assert report["postgresql"]["fsync"] == report["postgresql"]["synchronous_commit"] == "on"
    assert (report["sqlite"]["journal_mode"], report["sqlite"]["synchronous"]) == ("wal", "2")
    assert set(report["machine"]) >= {"date", "cpu", "cores", "memory_bytes", "system", "file_system", "python"}
    names = [operation["name"] for operation in report["operations"]]
    assert names == ["select", "select_in_transaction", "insert", "join", "join_all", "concurrent_select"]
    for operation in report["operations"]:
        assert operation["ratio"] > 0
        for side in SIDES:
            times = operation[side]
            assert 0 < times["median_ms"] <= times["p99_ms"]
            assert times["per_second"] > 0
            assert len(times["round_medians_ms"]) == report["rounds"]
    memory = report["memory"]
    assert memory["server"] > 1_000_000
    assert min(memory["postgresql_client"], memory["sqlite_client"]) > 1_000_000


@pytest.mark.soak
def test_it_prints_a_table_and_what_was_the_same(tmp_path: Path) -> None:
    printed = run(tmp_path, "--durability", "relaxed")
    for text in ("INSERT of a row, with commit", "8 threads", "all processes of the server", "together"):
        assert text in printed
    assert "synchronous_commit=off" in printed
    assert "synchronous=1" in printed
    assert "\x1b" not in printed


def test_both_sides_answer_the_same(tmp_path: Path) -> None:
    with EmbeddedServer.temporary() as server:
        source, file = server.create_database("bench"), f"sqlite:///{tmp_path}/bench.db"
        with make_tool_engine(source).begin() as connection:
            fill(connection, 1000)
        command = ["-m", "liteshift", "migrate", f"{tmp_path}/bench.db"]
        children.run(command, folder=tmp_path, env=children.environment(LITESHIFT_SOURCE=source))
        answers = [ask(url) for url in (source, file)]
    assert answers[0] == answers[1]
    assert 0 < len(answers[0]["join"]) <= len(answers[0]["join_all"]) == 10


def ask(url: str) -> dict[str, Any]:
    engines = make_engines(url)
    units = Operations(engines, parties=1000, threads=1).units
    found = {name: units[name](Random(7)) for name in ("select", "join", "join_all")}
    party = found["select"]
    assert isinstance(party, Party)
    engines.dispose()
    return {**found, "select": (party.id, party.name, party.type, party.is_active, party.created_at)}
