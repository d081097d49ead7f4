"""Random changes on whichever side is live, and switches at random: both sides are equal whenever they are compared."""

from __future__ import annotations

import os
import tempfile
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tests.walk.test_walk import Walk

from liteshift.live import ending
from liteshift.phases import Phase
from liteshift.plan import Choices
from liteshift.postgres.slot import PostgresOrigin

SCHEMA = """
CREATE TABLE parent (id serial PRIMARY KEY, name text UNIQUE, at timestamptz, amount numeric(10, 2), big numeric);
CREATE TABLE child (a int, b text, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE,
                    f float8, j jsonb, u uuid, raw bytea, PRIMARY KEY (a, b));
CREATE TABLE heap (word text, flag boolean);
"""
NUMBERS = st.integers(1, 12)
WORDS = st.sampled_from(["", " ", "a", "A", "a ", "ä", "\\", "'", '"', "\t", "long " * 2000, "𝄞"])


class Server(Protocol):
    """What the fixture gives."""

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


class Machine(RuleBasedStateMachine):
    """A live move under random hands."""

    server: Server
    _numbers = count()

    @initialize()
    def begin(self) -> None:
        self.name = f"machine_{os.getpid()}_{next(self._numbers)}"
        self.url = self.server.create_database(self.name)
        with psycopg.connect(self.url, autocommit=True) as source:
            source.execute(SCHEMA.encode())
        self.folder = tempfile.TemporaryDirectory()
        self.walk = Walk(self.url, Path(self.folder.name), Choices())
        self.walk.copy()

    @property
    def on_sqlite(self) -> bool:
        return self.walk.move.page.phase is Phase.REVERSING

    def do(self, *statements: str) -> None:
        (self.walk.on_sqlite if self.on_sqlite else self.walk.on_postgresql)(list(statements))

    @rule(number=NUMBERS, word=WORDS, cents=st.integers(-(10**9), 10**9))
    def insert_parent(self, number: int, word: str, cents: int) -> None:
        big = "'0.10'" if self.on_sqlite else "0.10"
        self.do(f"INSERT INTO parent (name, amount, big) VALUES ({text(word)} || '{number}', {cents}/100.0, {big})")

    @rule(number=NUMBERS, word=WORDS, parent=NUMBERS)
    def insert_child(self, number: int, word: str, parent: int) -> None:
        raw = "x'00ff'" if self.on_sqlite else "'\\x00ff'"
        unique = "'" + "0" * 31 + "1'" if self.on_sqlite else "'00000000-0000-0000-0000-000000000001'"
        self.do(
            f"INSERT INTO child (a, b, parent, f, j, u, raw)"
            f" VALUES ({number}, {text(word)}, {parent}, 0.1, '{{\"k\": [1, 2.50]}}', {unique}, {raw})"
        )

    @rule(number=NUMBERS, word=WORDS)
    def update_child(self, number: int, word: str) -> None:
        self.do(f"UPDATE child SET b = {text(word)}, f = f * 3 WHERE a = {number}")

    @rule(number=NUMBERS, step=st.integers(-3, 100))
    def move_parent(self, number: int, step: int) -> None:
        self.do(f"UPDATE parent SET id = id + {step}, amount = amount + 1 WHERE id = {number}")

    @rule(number=NUMBERS)
    def delete_parent(self, number: int) -> None:
        self.do(f"DELETE FROM parent WHERE id = {number}")

    @rule(word=WORDS, times=st.integers(1, 3))
    def insert_heap(self, word: str, times: int) -> None:
        flag = "1" if self.on_sqlite else "true"
        self.do(*[f"INSERT INTO heap VALUES ({text(word)}, {flag})"] * times)

    @rule(word=WORDS)
    def change_heap(self, word: str) -> None:
        self.do(f"UPDATE heap SET flag = NULL WHERE word = {text(word)}")

    @rule(word=WORDS)
    def delete_heap(self, word: str) -> None:
        self.do(f"DELETE FROM heap WHERE word = {text(word)}")

    @rule()
    def delete_all_children(self) -> None:
        self.do("DELETE FROM child")

    @precondition(lambda self: self.on_sqlite)
    @rule(number=NUMBERS, word=WORDS)
    def replace(self, number: int, word: str) -> None:
        self.do(f"INSERT OR REPLACE INTO parent (id, name) VALUES ({number}, {text(word)})")

    @precondition(lambda self: not self.on_sqlite)
    @rule()
    def truncate(self) -> None:
        self.do("TRUNCATE heap")

    @rule()
    def switch(self) -> None:
        self.walk.ask("rollback" if self.on_sqlite else "cutover")

    @rule()
    def compare(self) -> None:
        self.walk.are_equal()

    def teardown(self) -> None:
        if not hasattr(self, "walk"):
            return
        try:
            self.walk.are_equal()
        finally:
            end: Any = ending.finalize if self.on_sqlite else ending.abort
            try:
                end(self.walk.move)
            finally:
                PostgresOrigin(self.url).remove("liteshift_walk")
                self.server.drop_database(self.name)
                self.folder.cleanup()


def text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def run(server: Server, examples: int, steps: int) -> None:
    Machine.server = server
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=examples < 10,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_random_hands(server: Server) -> None:
    run(server, 3, 25)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_random_hands_for_long(server: Server) -> None:
    run(server, 200, 60)
