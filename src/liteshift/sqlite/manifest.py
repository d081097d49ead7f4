"""What is known about a backup: a small JSON file beside it, `<backup>.json`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from liteshift.durable import sync
from liteshift.errors import LiteshiftError
from liteshift.sqlite.files import make_private

_FORMAT = 1
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup as it was when it was made.

    Attributes:
        created_at: the moment, UTC, ISO 8601.
        source: the path of the database it was made from.
        sha256: of the backup file, in hex.
        bytes: the backup file's size.
        sqlite_version: of the library that made it.
        page_size: the database's, in bytes.
        rows: each table's number of rows.
        problems: what the check found; empty for a good backup.
        alembic_revision: what the schema was at, where Alembic is used.
        position: where the backup stands in the source's log, where liteshift follows one.
        format: of the manifest itself.
    """

    created_at: str
    source: str
    sha256: str
    bytes: int
    sqlite_version: str
    page_size: int
    rows: dict[str, int]
    problems: list[str]
    alembic_revision: str | None = None
    position: str | None = None
    format: int = _FORMAT


def manifest_path(backup: Path) -> Path:
    """Where a backup's manifest is."""
    return backup.with_name(f"{backup.name}.json")


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Write a new manifest; durable when this returns.

    Raises:
        OSError: it is there already, or can't be written.
    """
    path = manifest_path(backup)
    make_private(path)
    path.write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sync(path)


def read_manifest(backup: Path) -> Manifest | None:
    """The manifest beside a backup, or None where there is none.

    Raises:
        LiteshiftError: it can't be read, or is not what liteshift writes.
    """
    path = manifest_path(backup)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            text = file.read(_MOST_BYTES)
        return _parse(json.loads(text))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LiteshiftError(f"the manifest {path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise LiteshiftError(f"{path} is no manifest of ours: {error}") from error


def _parse(value: Any) -> Manifest:
    if not isinstance(value, dict) or value.get("format") != _FORMAT:
        raise ValueError(f"it is not in format {_FORMAT}")
    try:
        manifest = Manifest(**{field.name: value[field.name] for field in fields(Manifest)})
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    texts = (manifest.created_at, manifest.source, manifest.sha256, manifest.sqlite_version)
    sound = all(isinstance(text, str) for text in texts) and isinstance(manifest.bytes, int)
    sound = sound and isinstance(manifest.rows, dict) and all(isinstance(rows, int) for rows in manifest.rows.values())
    if not sound or not isinstance(manifest.problems, list):
        raise ValueError("its values are of the wrong kinds")
    return manifest
