"""Try the way back for real: backup, change, restore, compare; damaged and missing files too.

    python scripts/test_rollback.py

Everything happens in a temporary folder. Each check is printed; the exit code is 1 when one failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from liteshift.sqlite.connect import connect

BACKEND = Path(__file__).resolve().parent.parent

Rows = list[tuple[Any, ...]]


class Trial:
    """A folder with a database of the service's, and the rollback script to play with."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        self.database = folder / "app.db"
        self.backups = folder / "migration_backups"
        shutil.copyfile(template, self.database)

    def rollback(self, *arguments: str) -> bool:
        """Run the script from the folder, as a user would; whether it says that it succeeded."""
        script = str(BACKEND / "scripts" / "migration_rollback.py")
        return not subprocess.run(
            [sys.executable, script, *arguments], cwd=self.folder, capture_output=True, check=False
        ).returncode

    def backup(self) -> Path:
        """Make a backup, and return it."""
        before = set(self.backups.glob("backup_*.db"))
        if not self.rollback("backup", "--db-path", "./app.db"):
            raise RuntimeError("no backup was made")
        (made,) = set(self.backups.glob("backup_*.db")) - before
        return made

    def restore(self, backup: Path) -> bool:
        """Restore a backup; whether that succeeded."""
        return self.rollback("restore", "--backup-path", str(backup), "--db-path", "./app.db")

    def rows(self) -> Rows:
        """Everything in the database."""
        with closing(connect(self.database, read_only=True)) as connection:
            return connection.execute("SELECT * FROM parties ORDER BY id").fetchall()

    def change(self) -> None:
        """Do what a rollback has to undo: change a row, delete some, add a table."""
        with closing(connect(self.database)) as connection:
            connection.executescript(
                "BEGIN IMMEDIATE; UPDATE parties SET name = 'changed' WHERE id = 1; DELETE FROM parties WHERE id > 100;"
                "CREATE TABLE mistake (id INTEGER PRIMARY KEY); COMMIT;"
            )


def make(database: Path) -> None:
    """A database of the service's with some rows."""
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{database}", "DATABASE_TYPE": "sqlite"}
    for command in (["-m", "alembic", "upgrade", "head"], ["scripts/seed_parties.py", "--count", "500"]):
        subprocess.run([sys.executable, *command], cwd=BACKEND, env=environment, capture_output=True, check=True)


def backup_change_restore(trial: Trial) -> bool:
    """backup, change, restore: every row is back, and nothing else"""
    before = trial.rows()
    backup = trial.backup()
    trial.change()
    changed = trial.rows()
    with closing(connect(trial.database)) as open_all_the_time:
        restored = trial.restore(backup)
        seen = open_all_the_time.execute("SELECT count(*) FROM parties").fetchone()
        tables = open_all_the_time.execute("SELECT count(*) FROM sqlite_master WHERE name = 'mistake'").fetchone()
    return changed != before and restored and trial.rows() == before and seen == (len(before),) and tables == (0,)


def restore_saves_what_it_replaces(trial: Trial) -> bool:
    """what a restore replaces is in a safety backup, and comes back from it"""
    backup = trial.backup()
    trial.change()
    changed = trial.rows()
    there = set(trial.backups.glob("backup_*.db"))
    trial.restore(backup)
    (safety,) = set(trial.backups.glob("backup_*.db")) - there
    return trial.restore(safety) and trial.rows() == changed


def restore_to_a_new_file(trial: Trial) -> bool:
    """a lost database is made anew from its backup"""
    before = trial.rows()
    backup = trial.backup()
    for path in trial.folder.glob("app.db*"):
        path.unlink()
    return trial.restore(backup) and trial.rows() == before


def refuse_damaged(trial: Trial) -> bool:
    """a backup with one byte changed is refused, and the database stays as it is"""
    backup = trial.backup()
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 1
    backup.write_bytes(content)
    before = trial.rows()
    verified = trial.rollback("verify", "--backup-path", str(backup))
    return not verified and not trial.restore(backup) and trial.rows() == before


def refuse_cut_off(trial: Trial) -> bool:
    """a backup that was cut off is refused, and the database stays as it is"""
    backup = trial.backup()
    backup.write_bytes(backup.read_bytes()[:-4096])
    before = trial.rows()
    return not trial.restore(backup) and trial.rows() == before


def refuse_no_database(trial: Trial) -> bool:
    """a file that is no database is refused, and the database stays as it is"""
    other = trial.folder / "notes.db"
    other.write_text("no database\n" * 1000)
    before = trial.rows()
    return not trial.restore(other) and trial.rows() == before


def refuse_missing(trial: Trial) -> bool:
    """a missing backup and a missing database are named, and nothing is made"""
    restored = trial.restore(trial.folder / "missing.db")
    backed_up = trial.rollback("backup", "--db-path", "./missing.db")
    return not restored and not backed_up and not list(trial.folder.glob("missing*"))


def cleanup_keeps_the_good_one(trial: Trial) -> bool:
    """cleanup never removes the only good backup"""
    good = trial.backup()
    for year in (2098, 2099):
        (trial.backups / f"backup_{year}0101_000000_app.db").write_bytes(b"damaged")
    cleaned = trial.rollback("cleanup", "--keep-count", "1")
    return cleaned and good.exists() and trial.restore(good)


def cleanup_keeps_the_newest(trial: Trial) -> bool:
    """cleanup keeps as many as it is told, the newest"""
    newest = trial.backup()
    older = [trial.backups / f"backup_{year}0101_000000_app.db" for year in (2001, 2002, 2003)]
    for path in older:
        shutil.copyfile(newest, path)
    cleaned = trial.rollback("cleanup", "--keep-count", "2")
    return cleaned and sorted(trial.backups.glob("backup_*.db")) == [older[-1], newest]


CHECKS: tuple[Callable[[Trial], bool], ...] = (
    backup_change_restore,
    restore_saves_what_it_replaces,
    restore_to_a_new_file,
    refuse_damaged,
    refuse_cut_off,
    refuse_no_database,
    refuse_missing,
    cleanup_keeps_the_good_one,
    cleanup_keeps_the_newest,
)


def main() -> int:
    """Run every check in a folder of its own."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="rollback-") as work:
        template = Path(work) / "template.db"
        make(template)
        for check in CHECKS:
            folder = Path(work) / check.__name__
            folder.mkdir()
            try:
                passed, why = check(Trial(folder, template)), ""
            except Exception as error:
                passed, why = False, f" ({type(error).__name__}: {error})"
            failed += not passed
            print(f"{'ok  ' if passed else 'FAIL'} {check.__doc__}{why}", flush=True)
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
