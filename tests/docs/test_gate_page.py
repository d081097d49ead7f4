"""The page on the gate: its commands are typed, its program runs, on PostgreSQL and then on SQLite."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from liteshift.keeper import Keeper
from liteshift.sqlite.connect import connect

PAGE = (Path(__file__).parents[2] / "docs" / "gate.md").read_text()
TABLE = "CREATE TABLE customers(id {}, name TEXT NOT NULL)"
MODEL = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_the_page_runs_on_both_sides(database: str, tmp_path: Path) -> None:
    parts = {name: str(value) for name, value in conninfo_to_dict(database).items()}
    url = URL.create("postgresql", parts["user"], parts.get("password"), parts["host"], int(parts["port"]))
    environment = {"DATABASE_URL": url.set(database=parts["dbname"]).render_as_string(hide_password=False)}
    with psycopg.connect(database) as server:
        server.execute(TABLE.format("serial PRIMARY KEY").encode())
    with closing(connect(tmp_path / "app.db")) as file:
        file.execute(TABLE.format("INTEGER PRIMARY KEY"))

    shell = f'liteshift() {{ {sys.executable} -m liteshift "$@"; }}\n{blocks("bash")}'
    subprocess.run(["bash", "-euc", shell], cwd=tmp_path, check=True)
    for side in ("postgresql", "sqlite"):
        with Keeper(tmp_path / "app.db.route") as keeper:
            keeper.drain(1e11)
            keeper.hold(seconds=60)
            keeper.switch(side)
        done = subprocess.run(
            [sys.executable, "-c", MODEL + blocks("python")],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout == f"{side} ['Ada']\n", done.stderr

    query = "SELECT name FROM customers ORDER BY id"
    with closing(connect(tmp_path / "app.db")) as file, psycopg.connect(database) as server:
        written = [("Ada Lovelace",), ("Grace",)]
        assert file.execute(query).fetchall() == server.execute(query.encode()).fetchall() == written
