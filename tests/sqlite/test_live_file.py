"""Nothing of ours drops the locks of a database that the same process has open.

Told with Python's own SQLite: since 3.51 SQLite looks after itself there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from liteshift.sqlite.connect import connect

# One process has the database open and looks after it; another comes and goes, and would take the log for abandoned
# if the first one's locks were gone; then the first one writes on, and dies.
SCRIPT = """
import os, signal, subprocess, sys
from pathlib import Path
from liteshift.sqlite.backup import create
from liteshift.sqlite.connect import connect
from liteshift.sqlite.health import health
from liteshift.sqlite.maintain import analyze, checkpoint, optimize, vacuum
from liteshift.sqlite.restore import restore
from liteshift.sqlite.shelf import backups, verify

database, folder = Path(sys.argv[1]), Path(sys.argv[2])
application = connect(database, preset="durable")
application.execute("CREATE TABLE t(i)")
application.execute("INSERT INTO t VALUES (0)")


def read_the_file():
    with open(database, "rb") as file:
        file.read()


acts = {
    "nothing": lambda: None,
    "read the file": read_the_file,
    "create": lambda: create(database, folder),
    "verify": lambda: verify(database),
    "health": lambda: health(database),
    "checkpoint": lambda: checkpoint(database),
    "vacuum": lambda: vacuum(database),
    "analyze": lambda: analyze(database),
    "optimize": lambda: optimize(database),
    "restore": lambda: restore(create(database, folder).path, database, folder),
    "list": lambda: (create(database, folder), backups(folder)),
}
acts[sys.argv[3]]()
come_and_go = "import sys; from liteshift.sqlite.library import dbapi; c = dbapi.connect(sys.argv[1]); " \\
    "c.execute('SELECT * FROM t').fetchall(); c.close()"
subprocess.run([sys.executable, "-c", come_and_go, str(database)], check=True)
for i in range(1, 101):
    application.execute("INSERT INTO t VALUES (?)", (i,))
os.kill(os.getpid(), signal.SIGKILL)
"""

VERSION = "import sqlite3; print(*sqlite3.sqlite_version_info)"
STDLIB = tuple(map(int, subprocess.check_output([sys.executable, "-c", VERSION], text=True).split()))


def rows_after(act: str, tmp_path: Path) -> int:
    database = tmp_path / "app.db"
    command = [sys.executable, "-c", SCRIPT, str(database), str(tmp_path / "b"), act]
    done = subprocess.run(command, env={**os.environ, "LITESHIFT_SQLITE": "stdlib"}, check=False)
    assert done.returncode == -signal.SIGKILL
    with closing(connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (rows,) = connection.execute("SELECT count(*) FROM t").fetchone()
    return int(rows)


@pytest.mark.parametrize(
    "act",
    ["nothing", "create", "verify", "health", "checkpoint", "vacuum", "analyze", "optimize", "restore", "list"],
)
def test_every_acknowledged_commit_is_there(act: str, tmp_path: Path) -> None:
    assert rows_after(act, tmp_path) == 101


@pytest.mark.skipif(STDLIB >= (3, 51), reason="this SQLite notices that its locks are gone")
def test_the_experiment_would_show_it(tmp_path: Path) -> None:
    assert rows_after("read the file", tmp_path) < 101
