"""Fills empty tables by making their pages, without SQLite: the native core does, SQLite then judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from liteshift import native
from liteshift.codec.copy_binary import decoder
from liteshift.ends import Kept, Unbuildable, Unbuilt
from liteshift.sqlite.faults import os_error
from liteshift.sqlite.halfway import Entry, Halfway
from liteshift.sqlite.library import dbapi
from liteshift.value import Value

_ROAD = "native"
_ROOM = 1 << 24
"""How many rows a part of a table may have, where rows are only numbered; the heap's ranges have fewer."""


@dataclass(frozen=True, slots=True)
class Site:
    """An empty table that can be built.

    Attributes:
        root: its root page.
        forms: its columns' stored forms.
        key: which of its columns is the rowid; None where rows are only numbered.
    """

    root: int
    forms: tuple[str, ...]
    key: int | None


def site(connection: dbapi.Connection, table: str, columns: Sequence[str], forms: Sequence[str]) -> Site | None:
    """Where and how a table can be built; None where only SQLite can fill it.

    Its rows must be what SQLite itself would have stored: so its columns' affinities have to suit their forms.
    """
    if native.CORE is None:
        native.insist()
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
    key = rowid_column(connection, table)
    if key is None and ("pk",) not in indexes and any(pk for _, _, pk, _ in found):
        return None
    for at, ((_, declared, _, _), form) in enumerate(zip(found, forms, strict=True)):
        if at != key and not _suits(form, affinity(declared, strict=strict)):
            return None
    if key is not None and forms[key] != "integer":
        return None
    root = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
    ).fetchone()
    return None if root is None else Site(int(root[0]), tuple(forms), key)


def rowid_column(connection: dbapi.Connection, table: str) -> int | None:
    """Which column of a table is its rowid."""
    found = connection.execute(
        "SELECT cid FROM pragma_table_xinfo(?1) WHERE pk"
        " AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')",
        (table,),
    ).fetchall()
    return int(found[0][0]) if len(found) == 1 else None


class PageBuilding:
    """See `liteshift.ends.Building`.

    Attributes:
        forsaken: a table whose pages an earlier run made was begun anew, and nobody gives those pages back.
    """

    def __init__(self, half: Halfway, sites: Mapping[str, Site], pages: Any) -> None:
        self._half = half
        self._sites = sites
        self._pages = pages
        self.forsaken = False

    def builder(self, table: str) -> PageBuilder:
        """Begin with a table, or go on where an earlier run stopped."""
        core, site = native.CORE, self._sites[table]
        entry = self._half.tables.get(table)
        mark = self._half.kept(entry.mark) if entry and entry.mark else None
        columns = [decoder(form, core.knows) for form in site.forms]
        with _told(self._half):
            builder = self._pages.table(site.root, columns, site.key, mark)
            highest = core.marked(mark)[2] if mark is not None else None

        def part(number: int) -> PagePart:
            with _told(self._half):
                built = self._pages.part(columns, site.key, (highest or 0) + number * _ROOM)
            return PagePart(self._half, builder, built)

        return PageBuilder(self, self._half, table, builder, part, resumed=mark is not None)


class PageBuilder:
    """See `liteshift.ends.Builder`."""

    def __init__(
        self,
        building: PageBuilding,
        half: Halfway,
        table: str,
        builder: Any,
        part: Callable[[int], PagePart],
        *,
        resumed: bool,
    ) -> None:
        self._building = building
        self._half = half
        self._table = table
        self._builder = builder
        self._part = part
        self._resumed = resumed
        self._done = False

    def feed(self, piece: bytes) -> int:
        """Take the next piece; how many rows have come."""
        with _told(self._half):
            return int(self._builder.feed(piece))

    def part(self, number: int) -> PagePart:
        """Begin with a part of the table."""
        return self._part(number)

    def keep(self, after: str, *, in_order: bool) -> None:
        """Let a later run go on from here."""
        with _told(self._half):
            mark = self._builder.mark()
            _, rows, highest = native.CORE.marked(mark)
            kept = Kept(rows, False, _ROAD, after, highest if in_order else None)
            self._half.note(self._table, Entry(kept, self._half.keep(mark)), at_once=True)

    def finish(self) -> int:
        """All rows have come; how many."""
        with _told(self._half):
            rows, aside = self._builder.finish()
            self._done = True
            entry = Entry(Kept(rows, True, _ROAD), aside=tuple(self._half.keep(part) for part in aside))
            self._half.note(self._table, entry)
        return int(rows)

    def abandon(self) -> None:
        """Leave the table empty."""
        if not self._done:
            self._done = True
            # First of all no record names its pages any more, for others may write them then.
            self._half.note(self._table, None)
            self._builder.abandon()
            self._building.forsaken |= self._resumed


class PagePart:
    """See `liteshift.ends.Part`."""

    def __init__(self, half: Halfway, whole: Any, built: Any) -> None:
        self._half = half
        self._whole = whole
        self._built = built

    def feed(self, piece: bytes) -> int:
        """Take the next piece; how many rows of the part have come."""
        with _told(self._half):
            return int(self._built.feed(piece))

    def end(self) -> int:
        """All its rows have come; how many."""
        with _told(self._half):
            return int(self._built.end())

    def join(self) -> None:
        """Put it after all that came so far of its table."""
        with _told(self._half):
            self._whole.join(self._built)

    def abandon(self) -> None:
        """Let others have its pages; once it is joined, this does nothing."""
        self._built.abandon()


@contextmanager
def building(half: Halfway, sites: Mapping[str, Site], roots: Sequence[int]) -> Iterator[PageBuilding]:
    """Have the file's pages, while SQLite does not.

    Args:
        roots: those of all trees, the schema's among them.
    """
    with _told(half):
        pages = native.CORE.Pages(half.file)
    made = PageBuilding(half, sites, pages)
    yield made  # a move that is interrupted leaves the file as it is, for `recovered`
    with _told(half):
        pages.close()
        if made.forsaken:
            native.CORE.Pages.recover(half.file, roots, [], []).close()


def recovered(half: Halfway, keep: Sequence[int], empty: Sequence[int]) -> None:
    """Bring a file that a killed process left into order: trees to keep, and trees to empty, by their roots.

    Raises:
        Unbuildable: it is damaged.
    """
    marks = [native.CORE.marked(half.kept(entry.mark))[0] for entry in half.tables.values() if entry.mark]
    with _told(half):
        native.CORE.Pages.recover(half.file, keep, empty, [page for pages in marks for page in pages]).close()


def packed(half: Halfway, entry: Entry, key: int | None) -> Iterator[Sequence[Value]]:
    """The rows of a table that are still to be inserted."""
    for name in entry.aside:
        yield from native.CORE.unpack(half.kept(name), key)


@contextmanager
def _told(half: Halfway) -> Iterator[None]:
    core = native.CORE
    try:
        yield
    except core.Disordered as error:
        raise Unbuildable(Unbuilt.DISORDERED) from error
    except core.Unfit as error:
        raise Unbuildable(Unbuilt.UNFIT) from error
    except (
        ValueError,
        OverflowError,
    ) as error:  # a row that can't be carried: the definition's road says which, and why
        raise Unbuildable(Unbuilt.REFUSED) from error
    except OSError as error:
        raise os_error(error, f"{half.file} can't be written") from error


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
