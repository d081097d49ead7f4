"""Databases that sort their texts by a language."""

from __future__ import annotations

import os
from typing import Protocol

import psycopg
import pytest
from psycopg import sql

from liteshift import migration
from liteshift.plan import Choices, Finding, Severity
from liteshift.postgres.snapshot import PostgresSource


class Server(Protocol):
    """What the fixture gives."""

    admin_url: str

    def url(self, database: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


def test_the_order_of_a_database_is_named_where_texts_had_it(debian_server: Server) -> None:
    name = f"liteshift_icu_{os.getpid()}"
    create = "CREATE DATABASE {} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"
    with psycopg.connect(debian_server.admin_url, autocommit=True) as admin:
        try:
            admin.execute(sql.SQL(create).format(sql.Identifier(name)))
        except psycopg.Error as missing:
            pytest.skip(f"the server makes no such database: {missing}")
    url = debian_server.url(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE numbers (id int PRIMARY KEY)")
        connection.execute('CREATE TABLE bytewise (id int, a text COLLATE "C")')
        assert _collations(url) == []
        connection.execute("CREATE TABLE texts (id int PRIMARY KEY, a varchar(9)[])")
        (found,) = _collations(url)
        assert (found.severity, found.what) == (Severity.LOSS, "is no longer de-DE: texts sort by code point")
    debian_server.drop_database(name)


def test_an_order_by_code_point_is_no_loss(any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE texts (id int PRIMARY KEY, a text)")
    assert _collations(any_database) == []


def _collations(url: str) -> list[Finding]:
    found = migration.plan(PostgresSource(url), Choices()).findings
    return [item for item in found if item.kind == "collation"]
