"""Fills an empty table by making its pages, without SQLite: the native core does, SQLite then judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from liteshift import native
from liteshift.codec.copy_binary import decoder
from liteshift.ends import Unbuilt, Value
from liteshift.sqlite.faults import os_error
from liteshift.sqlite.library import dbapi


@dataclass(frozen=True, slots=True)
class Site:
    """An empty table that can be built.

    Attributes:
        root: its root page.
        key: which of its columns is the rowid; None where rows are only numbered.
        indexed: whether it has indexes that must be filled afterwards.
    """

    root: int
    key: int | None
    indexed: bool


def site(connection: dbapi.Connection, table: str, columns: Sequence[str], forms: Sequence[str]) -> Site | None:
    """Where and how a table can be built; None where only SQLite can fill it.

    Its rows must be what SQLite itself would have stored: so its columns' affinities have to suit their forms.
    """
    if native.CORE is None:
        return None
    kind = connection.execute("SELECT type, wr, strict FROM pragma_table_list(?) WHERE schema = 'main'", (table,))
    described = kind.fetchone()
    if described is None or described[:2] != ("table", 0):
        return None
    strict = bool(described[2])
    found = connection.execute("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
    if [name for name, _, _, hidden in found if not hidden] != list(columns) or len(found) != len(columns):
        return None  # a generated column is for SQLite to compute
    indexes = connection.execute("SELECT origin FROM pragma_index_list(?)", (table,)).fetchall()
    keys = [at for at, (_, _, pk, _) in enumerate(found) if pk]
    key = keys[0] if len(keys) == 1 and ("pk",) not in indexes else None
    if keys and key is None and ("pk",) not in indexes:
        return None
    for at, ((_, declared, _, _), form) in enumerate(zip(found, forms, strict=True)):
        if at != key and not _suits(form, affinity(declared, strict=strict)):
            return None
    if key is not None and forms[key] != "integer":
        return None
    root = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
    ).fetchone()
    return None if root is None else Site(int(root[0]), key, bool(indexes))


def build(
    path: Path,
    place: Site,
    forms: Sequence[str],
    pieces: Iterable[bytes],
    tell: Callable[[int], None],
) -> tuple[int, Sequence[Sequence[Value]]] | Unbuilt:
    """Build a table in a file that nobody has open.

    Args:
        tell: told how many rows have come.

    Returns:
        How many rows came, and those of them that are still to be inserted, being out of order; or why it was not
        built: the file is as it was.

    Raises:
        LiteshiftError: the file can't be written.
    """
    core = native.CORE
    try:
        columns = [decoder(form, core.knows) for form in forms]
        builder = core.TableBuilder(path, place.root, columns, place.key)
        try:
            for piece in pieces:
                tell(builder.feed(piece))
            rows: tuple[int, Sequence[Sequence[Value]]] = builder.finish()
        finally:
            builder.abandon()
    except core.Disordered:
        return Unbuilt.DISORDERED
    except core.Unfit:
        return Unbuilt.UNFIT
    except (ValueError, OverflowError):
        return Unbuilt.REFUSED  # a row that can't be carried: the definition's road says which, and why
    except OSError as error:
        raise os_error(error, f"{path} can't be written") from error
    return rows


def affinity(declared: str, *, strict: bool) -> str:
    """A column's affinity by its declared type (SQLite's datatype3.html, section 3.1)."""
    name = declared.upper()
    if strict:
        return "BLOB" if name == "ANY" else "INTEGER" if name == "INT" else name
    if "INT" in name:
        return "INTEGER"
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in name or not name:
        return "BLOB"
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def _suits(form: str, found: str) -> bool:
    """Whether the affinity leaves a form's values alone, or changes them as the core does."""
    match form.partition("(")[0]:
        case "double" | "real":
            return found == "REAL"
        case "integer" | "boolean" | "numeric" | "interval_micros":
            return found in ("INTEGER", "NUMERIC", "BLOB")
        case "text" | "uuid" | "money" | "decimal" | "jsonb_text":
            return found in ("TEXT", "BLOB")  # elsewhere a text that looks like a number becomes one
        case "json" | "jsonb":
            return found in ("NUMERIC", "BLOB")
        case _:
            return found != "REAL" or form.startswith(("date", "time"))
