"""Databases in other encodings than UTF-8."""

from __future__ import annotations

import json
import os
from contextlib import closing
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from psycopg import sql

from liteshift import migration
from liteshift.errors import LiteshiftError
from liteshift.plan import Choices
from liteshift.postgres.snapshot import PostgresSource
from liteshift.progress import silent
from liteshift.reports import MigrateReport
from liteshift.sqlite.connect import connect
from liteshift.sqlite.target import SqliteTarget

_numbers = count(1)


class Server(Protocol):
    """What the fixture gives."""

    admin_url: str

    def url(self, database: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


def _database(server: Server, encoding: str) -> tuple[str, str]:
    name = f"liteshift_{encoding.lower()}_{os.getpid()}_{next(_numbers)}"
    statement = sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0")
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute(statement.format(sql.Identifier(name), sql.Literal(encoding)))
    return name, server.url(name)


def _migrate(source: str, path: Path) -> MigrateReport:
    return migration.migrate(
        PostgresSource(source), SqliteTarget(path), Choices(),
        rejects=path.with_suffix(".rejects"), overwrite=False, progress=silent,
    )  # fmt: skip


def test_our_queries_are_ascii() -> None:
    for file in (files("liteshift.postgres") / "sql").iterdir():
        assert file.read_bytes().isascii(), f"{file.name} can't be sent to a server of every encoding"


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_JP"])
def test_texts_and_names_arrive_whatever_the_encoding(any_server: Server, tmp_path: Path, encoding: str) -> None:
    word = "日本" if encoding == "EUC_JP" else "Éß"
    name, url = _database(any_server, encoding)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_encoding = 'UTF8'")
        connection.execute(f"CREATE TABLE \"{word}\" (id int PRIMARY KEY, a text CHECK (a <> '{word}?'))".encode())
        connection.execute(f"INSERT INTO \"{word}\" VALUES (1, '{word}'), (2, '')".encode())
    report = _migrate(url, tmp_path / "a.db")
    assert report.verdict.equal and report.rejected == 0
    with closing(connect(tmp_path / "a.db")) as file:
        assert file.execute(f'SELECT a FROM "{word}"').fetchall() == [(word,), ("",)]
    any_server.drop_database(name)


def test_what_is_no_utf8_is_rejected(any_server: Server, tmp_path: Path) -> None:
    name, url = _database(any_server, "SQL_ASCII")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
        connection.execute(rb"INSERT INTO t VALUES (1, 'ok'), (2, E'\xff\xfe'), (3, E'\xc3\xa9')")
    report = _migrate(url, tmp_path / "a.db")
    assert report.verdict.equal and (report.rows, report.rejected) == (2, 1)
    (reject,) = [json.loads(line) for line in (tmp_path / "a.rejects").read_text().splitlines()]
    assert reject["table"] == "public.t" and "UTF-8" in reject["reason"]
    with closing(connect(tmp_path / "a.db")) as file:
        assert file.execute("SELECT a FROM t").fetchall() == [("ok",), ("é",)]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b'CREATE TABLE "bad\xff" (id int)')
    with pytest.raises(LiteshiftError, match="UTF8"):
        _migrate(url, tmp_path / "b.db")
    any_server.drop_database(name)
