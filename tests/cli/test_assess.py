"""`liteshift assess` as it is typed: how it ends, what it prints, and what its page holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

Run = Callable[..., subprocess.CompletedProcess[str]]

HOSTILE = "<script>alert(1)</script>\"'&\n\x1b[31m\u202e"
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "h1", "h2", "h3", "p"),
    *("dl", "div", "dt", "dd", "ol", "ul", "li", "span", "i", "b", "small", "code", "pre", "table", "thead", "tbody"),
    *("tr", "th", "td", "svg", "title", "rect", "details", "summary"),
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def liteshift(database: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "liteshift", "assess", *arguments]
        env = os.environ | {"LITESHIFT_SOURCE": database} | environment
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    return liteshift


@pytest.fixture
def hostile(database: str) -> str:
    """A database in which every name is meant to do harm where it is shown."""
    name, quoted = sql.Identifier(HOSTILE), sql.Identifier(f"{HOSTILE}2")
    with psycopg.connect(database, autocommit=True) as connection:
        for text in (
            "CREATE SCHEMA {0}",
            "CREATE TABLE {0}.{0} ({0} numeric, {1} timestamp, CONSTRAINT {0} CHECK ({0} > 0 OR {0} < {0}))",
            "INSERT INTO {0}.{0} VALUES (1.5, 'infinity')",
            "CREATE FUNCTION {0}.{0}() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE VIEW {0}.{1} AS SELECT {0}.{0}() AS {0}",
            "CREATE TYPE {0}.mood AS ENUM ('<b>', 'x')",
            "CREATE TABLE {0}.{2} ({0} text PRIMARY KEY, at timestamp)",
            "INSERT INTO {0}.{2} VALUES ('<img src=x onerror=alert(1)>\x1b[2J', 'infinity')",
        ):
            connection.execute(sql.SQL(text).format(name, quoted, sql.Identifier(f"{HOSTILE}3")))
    return database


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "rect"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_page_is_whole_and_asks_for_nothing(run: Run, hostile: str, tmp_path: Path) -> None:
    done = run(hostile, "--html", "a.html")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "a.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.tags <= TAGS
    assert not any(name.startswith("on") or name in ("src", "href", "style") for name in page.attributes)
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import|https?:", text)
    assert all(c.isprintable() or c == "\n" for c in text)
    shown = "".join(page.text)
    assert "Go, with these changes" in shown
    assert "<script>alert(1)</script>\"'&\\n\\x1b[31m\\u202e" in shown
    assert "<img src=x onerror=alert(1)>\\x1b[2J" in shown


def test_names_do_not_control_the_terminal(run: Run, hostile: str) -> None:
    done = run(hostile)
    assert done.returncode == 0
    assert all(c.isprintable() or c == "\n" for c in done.stdout + done.stderr)
    assert "GO WITH THESE CHANGES" in done.stdout


def test_one_json_document(run: Run, hostile: str) -> None:
    done = run(hostile, "--json")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["type"] == "assessment"
    assert found["verdict"]["decision"] == "go with these changes"
    assert {reason["level"] for reason in found["verdict"]["reasons"]} == {"change", "advice"}
    assert {fact["name"] for fact in found["tables"]} == {f"{HOSTILE}.{HOSTILE}", f"{HOSTILE}.{HOSTILE}3"}


def test_no_password_is_shown(run: Run, database: str, tmp_path: Path) -> None:
    password = psycopg.conninfo.conninfo_to_dict(database)["password"]
    assert isinstance(password, str)
    done = run(database, "--html", "a.html", "--json")
    assert password not in done.stdout + done.stderr + (tmp_path / "a.html").read_text()


def test_no_go_ends_with_13_and_is_shown_nevertheless(run: Run, database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id int PRIMARY KEY, at tstzrange UNIQUE)")
    done = run(database, "--html", "a.html")
    assert done.returncode == 13
    assert "NO-GO" in done.stdout
    assert "can't be moved as it is" in done.stderr
    assert "No-go" in (tmp_path / "a.html").read_text()
    done = run(database, "--json")
    assert done.returncode == 13
    assert json.loads(done.stdout)["verdict"]["decision"] == "no-go"
    assert json.loads(done.stderr)["code"] == 13
    assert run(database, "--exclude", "public.t").returncode == 13  # nothing is left to move


def test_options_choose_what_is_looked_at(run: Run, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE a (id int PRIMARY KEY)")
        connection.execute("CREATE TABLE b (at tstzrange UNIQUE)")
    done = run(database, "--include", "public.a", "--profile", "django", "--deep", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["profile"], found["deep"]) == ("django", True)
    assert [one["name"] for one in found["tables"]] == ["public.a"]
    assert run(database, "--include", "nothing.*").returncode == 2


def test_says_why_a_page_can_not_be_written(run: Run, database: str) -> None:
    done = run(database, "--html", "no/such/folder/a.html")
    assert done.returncode == 1
    assert "can't be written" in done.stderr


def test_without_a_server_it_ends_with_12(run: Run) -> None:
    assert run("postgresql://postgres@127.0.0.1:1/x", "--json").returncode == 12
