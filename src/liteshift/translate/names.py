"""Names in SQLite: one namespace for tables, indexes and views, blind to the case of ASCII letters."""

from __future__ import annotations

from collections.abc import Iterable

from liteshift.catalog import Name

_KEPT = ("sqlite_", "liteshift_")


def fold(name: str) -> str:
    """The form in which SQLite compares names: it folds ASCII letters only."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)


class Namespace:
    """Gives every object a name of its own.

    `sales.order` is called `order` where all tables live in one schema, else `sales_order`; tables of `public` keep
    their bare names. What would collide gets `_2`, `_3` …; the prefix `sqlite_`, which SQLite keeps for itself, is led
    by an underscore.
    """

    def __init__(self, schemas: Iterable[str]) -> None:
        found = set(schemas)
        self._bare = found if len(found) == 1 else {"public"}
        self._taken: set[str] = set()

    def claim(self, name: Name) -> str:
        """A free name for an object, taken from now on."""
        wanted = name.name if name.schema in self._bare else f"{name.schema}_{name.name}"
        return self.claim_plain(wanted)

    def claim_plain(self, wanted: str) -> str:
        """A free name as near as can be to the wanted one."""
        return self.claim_column(f"_{wanted}" if fold(wanted).startswith(_KEPT) else wanted)

    def claim_column(self, base: str) -> str:
        """A free name for a column, which may begin as it likes."""
        name, number = base, 1
        while fold(name) in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(fold(name))
        return name
