"""Loads a plain-SQL PostgreSQL dump: into PostgreSQL, or by way of an embedded PostgreSQL into a SQLite file.

A dump is a program, and may come from anywhere. So psql runs it in restricted mode, where no line of it reaches the
shell or another file; and where the server is ours, it runs as a role that owns one database and nothing else.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from liteshift.errors import LiteshiftError, UsageError
from liteshift.postgres.embedded import EmbeddedServer, wheel_binaries

VERSION = 18  # the newest: it reads the dumps of all before it

_IDENTIFIER = rb'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
_ROLE = re.compile(
    rb"^(?:ALTER .* OWNER TO|GRANT .* TO|REVOKE .* FROM|ALTER DEFAULT PRIVILEGES FOR ROLE) ("
    + _IDENTIFIER
    + rb")[;,\s]"
)
_RESTRICT = re.compile(rb"\\restrict (\w+)\s*")


def to_postgresql(dump: Path, url: str) -> None:
    """Load a dump into a database of the user's: all of it, or nothing.

    Raises:
        UsageError: it is no whole plain-SQL dump.
        LiteshiftError: PostgreSQL refused it, or can't be reached.
    """
    _refuse_unfit(dump)
    _feed(dump, url)


def to_sqlite(dump: Path, database: Path, folder: Path) -> int:
    """Rebuild a dump as a SQLite database, whose content before goes into a backup.

    Returns:
        liteshift's exit code: 3 where all rows were carried, but something else of the database could not be.

    Raises:
        UsageError: it is no whole plain-SQL dump.
        LiteshiftError: PostgreSQL refused it.
    """
    _refuse_unfit(dump)
    if not database.parent.is_dir():
        raise UsageError(f"there is no folder {database.parent}")
    with (
        tempfile.TemporaryDirectory(prefix=".rebuilding-", dir=database.parent) as work,
        EmbeddedServer.temporary(binaries=wheel_binaries(VERSION)) as server,
    ):
        url = _database_of_a_nobody(server, sorted(_roles_in(dump)))
        _feed(dump, url)
        rebuilt = Path(work) / "rebuilt.db"
        code = _liteshift(["migrate", str(rebuilt)], LITESHIFT_SOURCE=url)
        if code in (0, 3):
            restore = ["backup", "restore", str(rebuilt), str(database), "--to", str(folder), "--yes"]
            code = _liteshift(restore) or code
        return code


def _refuse_unfit(dump: Path) -> None:
    if not dump.is_file():
        raise UsageError(f"there is no dump {dump}")
    with dump.open("rb") as file:
        head = file.read(1000)
        file.seek(max(0, dump.stat().st_size - 1000))
        tail = file.read()
    if head.startswith(b"PGDMP"):
        raise UsageError(
            f"{dump} is in pg_dump's custom format, not plain SQL",
            hint=f"Turn it into SQL first: pg_restore --file={dump.with_suffix('.plain.sql')} {dump}",
        )
    if b"-- PostgreSQL database dump" in head and b"-- PostgreSQL database dump complete" not in tail:
        raise UsageError(f"{dump} is cut off: pg_dump's last line is missing", hint="Look for a whole copy of it.")


def _database_of_a_nobody(server: EmbeddedServer, roles: Sequence[str]) -> str:
    """A database whose owner may do no more than own it; the URL for that owner.

    The roles that the dump names are made beside it, `postgres` too, which here is nobody special.
    """
    bootstrap, password = server.url(), secrets.token_urlsafe(24)
    with psycopg.connect(bootstrap, autocommit=True) as connection:
        _execute(connection, "CREATE ROLE keeper SUPERUSER LOGIN PASSWORD {}", sql.Literal(password))
    keeper = make_conninfo(bootstrap, user="keeper", password=password)
    with psycopg.connect(keeper, autocommit=True) as connection:
        _execute(connection, "ALTER ROLE postgres RENAME TO once_postgres")
        _execute(connection, "CREATE ROLE restorer LOGIN PASSWORD {}", sql.Literal(password))
        _execute(connection, "CREATE DATABASE restored OWNER restorer TEMPLATE template0")
        for role in map(sql.Identifier, roles):
            _execute(connection, "CREATE ROLE {}", role)
            _execute(connection, "GRANT {} TO restorer", role)
    with psycopg.connect(keeper, dbname="restored", autocommit=True) as connection:
        # Only who may create things in a schema can be made the owner of something there.
        _execute(connection, "GRANT ALL ON DATABASE restored TO PUBLIC")
        _execute(connection, "GRANT ALL ON SCHEMA public TO PUBLIC")
        _execute(connection, "ALTER DEFAULT PRIVILEGES FOR ROLE restorer GRANT ALL ON SCHEMAS TO PUBLIC")
    return make_conninfo(bootstrap, user="restorer", password=password, dbname="restored")


def _execute(connection: psycopg.Connection, statement: LiteralString, *parts: sql.Composable) -> None:
    connection.execute(sql.SQL(statement).format(*parts))


def _roles_in(dump: Path) -> set[str]:
    roles = set()
    with dump.open("rb") as file:
        for line in file:
            if found := _ROLE.match(line):
                name = found[1].decode(errors="replace")
                roles.add(name[1:-1].replace('""', '"') if name.startswith('"') else name)
    return roles - {"restorer", "keeper", "once_postgres", "public", "PUBLIC"}


def _feed(dump: Path, conninfo: str) -> None:
    """Let psql run a dump in one transaction and in restricted mode.

    Raises:
        LiteshiftError: a statement failed; nothing was changed.
    """
    info = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    environment = dict(os.environ)
    if "password" in info:  # everybody can read a command line
        environment["PGPASSWORD"] = info.pop("password")
    psql = [str(wheel_binaries(VERSION) / "psql"), "--no-psqlrc", "--quiet", "--no-password"]
    psql += ["--set", "ON_ERROR_STOP=1", "--output", os.devnull, "--dbname", make_conninfo(**info), "--file", "-"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(psql, stdin=subprocess.PIPE, stderr=log, env=environment)
        try:
            with suppress(BrokenPipeError), cast("IO[bytes]", process.stdin) as pipe:  # psql stops at the first error
                pipe.writelines(_restricted(dump))
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        log.seek(0)
        errors = log.read().decode(errors="replace").splitlines()
    if code:
        reason = next((line for line in errors if "error" in line.lower()), " ".join(errors))
        raise LiteshiftError(
            f"{dump} was not loaded, and nothing was changed: {reason.removeprefix('psql:<stdin>:')}",
            hint="Restore into an empty database; a dump made with --no-owner --no-privileges needs no roles.",
        )


def _restricted(dump: Path) -> Iterator[bytes]:
    """The dump in restricted mode, which takes the place of the one that newer pg_dumps ask for, and in a transaction.

    COMMIT comes last, so that an end before it, whatever the reason, undoes everything.
    """
    yield b"\\restrict " + secrets.token_hex(16).encode() + b"\nBEGIN;\n"
    key = None
    at_the_head = True
    with dump.open("rb") as file:
        for line in file:
            if at_the_head and (found := _RESTRICT.fullmatch(line)):
                key = found[1]
            elif key is None or line.split() != [b"\\unrestrict", key]:
                at_the_head = at_the_head and (not line.strip() or line.startswith(b"--"))
                yield line
    yield b"\nCOMMIT;\n"


def _liteshift(arguments: Sequence[str], **environment: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "liteshift", *arguments], env={**os.environ, **environment}, check=False
    ).returncode
