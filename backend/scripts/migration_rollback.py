"""Back up the service's database, restore it, and look after the backups: a thin face of `liteshift backup`.

    python scripts/migration_rollback.py backup --db-path ./app.db
    python scripts/migration_rollback.py list
    python scripts/migration_rollback.py restore --backup-path ./migration_backups/backup_... --db-path ./app.db
    python scripts/migration_rollback.py verify --backup-path ./backup.db
    python scripts/migration_rollback.py cleanup --keep-count 5

A backup is made while the service runs, and so is a restore. `restore` also takes a plain-SQL PostgreSQL dump (.sql):
it rebuilds it as a SQLite file, or, where --db-path is a postgresql:// URL, loads it into that database.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from liteshift.cli.main import main as liteshift
from liteshift.cli.main import report_error
from liteshift.errors import LiteshiftError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import postgres_dump


def parse() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description="Back up the service's database, and restore it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument(
            "--backup-dir", default="./migration_backups", metavar="FOLDER", help="where the backups are"
        )
        return added

    backup = command("backup", "copy the database as it is now, and check the copy; the service may go on")
    backup.add_argument("--db-path", default="./app.db", metavar="FILE", help="the database (default: ./app.db)")

    command("list", "list the backups: size, age, rows, and whether they are good")

    verify = command("verify", "check a backup whole")
    verify.add_argument("--backup-path", required=True, metavar="FILE", help="the backup")

    restore = command("restore", "give the database the content of a backup; what it holds now is backed up first")
    restore.add_argument("--backup-path", required=True, metavar="FILE", help="the backup, or a PostgreSQL dump (.sql)")
    restore.add_argument(
        "--db-path", default="./app.db", metavar="FILE", help="the database (default: ./app.db), or a postgresql:// URL"
    )

    cleanup = command("cleanup", "delete old backups; the newest good one always stays")
    cleanup.add_argument("--keep-count", type=int, default=5, metavar="N", help="how many good ones stay (default: 5)")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit codes are liteshift's."""
    to = ["--to", arguments.backup_dir]
    match arguments.command:
        case "backup":
            call = ["create", arguments.db_path, *to]
        case "list":
            call = ["list", *to]
        case "verify":
            call = ["verify", arguments.backup_path]
        case "cleanup":
            call = ["prune", "--keep", str(arguments.keep_count), *to, "--yes"]
        case _:
            backup, database = Path(arguments.backup_path), arguments.db_path
            if database.startswith(("postgresql://", "postgres://")):
                postgres_dump.to_postgresql(backup, database)
                print(f"{backup} was loaded")
                return 0
            if backup.suffix == ".sql":
                return postgres_dump.to_sqlite(backup, Path(database), Path(arguments.backup_dir))
            call = ["restore", str(backup), database, *to, "--yes"]
    code: int = liteshift(["backup", *call], prog_name="liteshift", standalone_mode=False) or 0
    return code


if __name__ == "__main__":
    try:
        sys.exit(run(parse()))
    except LiteshiftError as error:
        report_error(error)
        sys.exit(error.exit_code)
