"""The one way to connect: read-only unless a verb writes, with the session settings the value contract is made for."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import conninfo, sql

from liteshift.errors import LiteshiftError, NoConnection, UsageError

# What PostgreSQL prints depends on these; the codecs read what it prints under them.
SESSION = {
    "application_name": "liteshift",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "datestyle": "ISO, YMD",
    "default_transaction_read_only": "on",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "intervalstyle": "iso_8601",
    "lc_monetary": "C",
    "lock_timeout": "10s",
    "row_security": "off",  # a policy that would hide rows is an error, not a smaller table
    "search_path": "",  # every name PostgreSQL prints comes with its schema
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "synchronize_seqscans": "off",  # from the first page: rows written in their key's order come in it
    "timezone": "UTC",
    "xmloption": "content",
}
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_USER_TIMEOUT = {"tcp_user_timeout": 30_000}  # milliseconds in which the other end has to take what we sent
_CONNECT_TIMEOUT = 10  # seconds, where nobody has said another
_TRIALS = 50  # of the first statements, against a timeout of the role's own
_GOING_DOWN = ("57P01", "57P02", "57P03")  # shut down, crashed, starting up
_REPLICATION_HINT = (
    "Give the role the right, ALTER ROLE ... REPLICATION (on a managed server its own role for this, such as"
    " rds_replication), and see that pg_hba.conf lets it in."
)


def resolve(source: str | None) -> str:
    """The conninfo that a user's source stands for.

    Args:
        source: a URL, a conninfo string, `service=NAME`, or None for the environment's LITESHIFT_SOURCE.

    Raises:
        UsageError: none is given, it can't be read, or an argument holds a password.
    """
    given = source or os.environ.get("LITESHIFT_SOURCE")
    if not given:
        raise UsageError(
            "no source is given", hint="Name a PostgreSQL URL, or put it in the environment as LITESHIFT_SOURCE."
        )
    given = given.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        parts = conninfo.conninfo_to_dict(given)
    except psycopg.ProgrammingError as error:
        raise UsageError(
            "the source can't be read as a PostgreSQL URL or conninfo string",
            hint="It looks like postgresql://user@host:5432/database, or service=NAME.",
        ) from error
    if source and parts.get("password"):
        raise UsageError(
            "the source holds a password, which every user of this machine can read in the list of processes",
            hint="Put the URL in the environment as LITESHIFT_SOURCE, or the password in PGPASSWORD or ~/.pgpass.",
        )
    return given


def label(info: str) -> str:
    """What to call a source in messages: host, port and database, never a user's password."""
    parts = conninfo.conninfo_to_dict(info)
    if "service" in parts:
        return f"service {parts['service']}"
    host = parts.get("host") or os.environ.get("PGHOST") or "local socket"
    port = f":{parts['port']}" if parts.get("port") else ""
    database = parts.get("dbname") or os.environ.get("PGDATABASE") or parts.get("user") or ""
    return f"{host}{port}/{database}"


def connect(info: str, *, writes: bool = False) -> psycopg.Connection[tuple[object, ...]]:
    """A connection in autocommit mode with our settings.

    Args:
        writes: whether its transactions may write, for the verbs that change something on the source.

    Raises:
        NoConnection: the server can't be reached or refuses; the message holds no password.
    """
    # What we write must outlive a crash of the server, whatever the role's setting: we forget our own copy of it.
    if writes:
        settings = {"default_transaction_read_only": "off", "synchronous_commit": "on"}
        return _connect(info, settings, **_KEEPALIVES, **_USER_TIMEOUT)
    return _connect(info, {})


@contextmanager
def bounded(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Cut a connection where the block takes longer: whatever waits for a server that says nothing fails then."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:

        def cut() -> None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def connect_walsender(info: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that speaks the replication protocol beside SQL, with our settings and no parameters in queries.

    Raises:
        NoConnection: the server can't be reached or refuses; the message holds no password.
    """
    # What waits for locks here is the making of a slot; its caller knows how long it may.
    return _connect(info, {"lock_timeout": "0"}, replication="database", **_KEEPALIVES)


def _connect(info: str, settings: Mapping[str, str], **more: Any) -> psycopg.Connection[tuple[object, ...]]:
    if "connect_timeout" not in conninfo.conninfo_to_dict(info) and "PGCONNECT_TIMEOUT" not in os.environ:
        more["connect_timeout"] = _CONNECT_TIMEOUT
    try:
        connection = psycopg.connect(info, autocommit=True, prepare_threshold=None, **more)
    except psycopg.OperationalError as error:
        hint = (
            _REPLICATION_HINT
            if "wal sender" in str(error).lower() or "replication" in str(error)
            else _hint(str(error))
        )
        raise NoConnection(f"no connection to {label(info)}: {_reason(error)}", hint=hint) from None
    try:
        _choose(connection, {**SESSION, **settings})
        with suppress(psycopg.errors.InsufficientPrivilege):  # only a superuser chooses the language of messages
            connection.execute("SET lc_messages = 'C'")
    except psycopg.Error as error:
        connection.close()
        raise translate_error(error, label(info)) from error
    return connection


def _choose(connection: psycopg.Connection[tuple[object, ...]], settings: Mapping[str, str]) -> None:
    """Give the session its settings.

    A role may have a timeout so short that it strikes before we can lift it, or just as we have: so more than once.
    """
    chosen = [  # without parameters, which a walsender does not know
        sql.SQL("pg_catalog.set_config({}, {}, false)").format(sql.Literal(name), sql.Literal(value))
        for name, value in settings.items()
    ]
    for trial in range(_TRIALS):
        try:
            connection.execute("SET statement_timeout = 0")
            connection.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(chosen)))
            return
        except psycopg.errors.QueryCanceled:
            if trial == _TRIALS - 1:
                raise


def translate_error(error: psycopg.Error, where: str) -> LiteshiftError:
    """A server's error in our words; its text names objects, never values of rows."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return NoConnection(
            f"no permission on {where}: {_reason(error)}",
            hint="Grant SELECT on the tables and USAGE on their schemas, or connect as their owner.",
        )
    if is_broken(error):
        return NoConnection(f"the connection to {where} broke: {_reason(error)}", hint="Run the same command again.")
    return LiteshiftError(f"{where} answered: {_reason(error)}")


def is_broken(error: psycopg.Error) -> bool:
    """Whether the connection is gone, and not just a statement refused: the network's fault, or the server is going."""
    state = error.sqlstate
    return isinstance(error, psycopg.OperationalError) and (
        state is None or state.startswith("08") or state in _GOING_DOWN
    )


def _reason(error: psycopg.Error) -> str:
    primary = error.diag.message_primary
    if primary:
        return primary
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Is the server running")]  # libpq's hint; ours says it, too
    return told[-1] if told else type(error).__name__


def _hint(text: str) -> str:
    if "password" in text:
        return "Put the right password in PGPASSWORD or ~/.pgpass, or the whole URL in LITESHIFT_SOURCE."
    if "does not exist" in text:
        return "Look at the name; psql -l lists the databases."
    return "Look whether the server runs and listens there: pg_isready -h HOST -p PORT."
