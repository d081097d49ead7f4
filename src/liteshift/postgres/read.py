"""Rows as COPY sends them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql


def copy_out(connection: psycopg.Connection[Any], query: sql.Composable) -> sql.Composed:
    """The COPY of a query's rows, as UTF-8.

    A database in SQL_ASCII holds bytes of any kind. They are sent as they are, for whoever reads them to reject row by
    row what is no UTF-8; the server would end the whole COPY there.
    """
    encoding = "SQL_ASCII" if connection.info.parameter_status("server_encoding") == "SQL_ASCII" else "UTF8"
    return sql.SQL("COPY /* liteshift */ ({}) TO STDOUT (ENCODING {})").format(query, sql.Literal(encoding))
