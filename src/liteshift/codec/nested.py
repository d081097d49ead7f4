"""Arrays and composites as JSON, each value in them under the contract of its own type.

An array is a list, or `{"bounds": "[0:1]", "elements": [...]}` where its lower bounds aren't 1; a composite is an
object with its fields' names. A boolean is a boolean there, an integer a number, all else a string that keeps every
digit. An array within an array, which only a domain over arrays makes, is a string, as a list would be a dimension.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from liteshift.codec import arrays, records


@dataclass(frozen=True, slots=True)
class Inner:
    """The two directions between PostgreSQL's text of a value and what stands for it in JSON."""

    from_pg: Callable[[str], object]
    to_pg: Callable[[object], str]


Fields = Mapping[str, Inner]


def dumped(inner: Inner) -> tuple[Callable[[str], str], Callable[[object], str]]:
    """The two directions between PostgreSQL's text and the JSON text."""
    return lambda text: json.dumps(inner.from_pg(text), ensure_ascii=False), lambda value: inner.to_pg(_loaded(value))


def _loaded(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"JSON text expected, found {value!r}")
    return json.loads(value, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name that is there twice, of which every reader takes another value")
    return found


def as_string(to_pg: Callable[[Any], str]) -> Inner:
    """A value as the very text PostgreSQL prints: NaN, -0 and every digit are kept, and JSON has no bytes."""
    return Inner(str, lambda value: value if isinstance(value, str) else to_pg(_no_boolean(value)))


def as_stored(from_pg: Callable[[str], object], to_pg: Callable[[Any], str]) -> Inner:
    """A value as SQLite stores it: a number or a string."""
    return Inner(partial(_decoded, from_pg), lambda value: to_pg(_no_boolean(value)))


def _decoded(from_pg: Callable[[str], object], text: str) -> object:
    value = from_pg(text)
    return value.decode() if isinstance(value, bytes) else value


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"no boolean expected, found {value!r}")
    return value


def boolean() -> Inner:
    """A boolean; SQLite's own functions write 1 and 0 for it."""
    return Inner(lambda text: text == "t", _boolean_to_pg)


def _boolean_to_pg(value: object) -> str:
    if value in (True, False):
        return "t" if value else "f"
    raise ValueError(f"a boolean expected, found {value!r}")


def array(element: Inner, delimiter: str) -> Inner:
    """An array of elements; the delimiter is their type's."""
    return Inner(partial(_array_from_pg, element, delimiter), partial(_array_to_pg, element, delimiter))


def _array_from_pg(element: Inner, delimiter: str, text: str) -> object:
    bounds, items = arrays.split(text, delimiter)
    elements = arrays.convert(items, element.from_pg)
    return {"bounds": bounds, "elements": elements} if bounds else elements


def _array_to_pg(element: Inner, delimiter: str, value: object) -> str:
    bounds = ""
    if isinstance(value, dict):
        bounds, value = value["bounds"], value["elements"]
    return arrays.join(bounds, _array_texts(element, value), delimiter)


def _array_texts(element: Inner, items: object) -> arrays.Nested:
    if not isinstance(items, list):
        raise ValueError(f"a list expected, found {items!r}")
    return [
        _array_texts(element, item) if isinstance(item, list) else None if item is None else element.to_pg(item)
        for item in items
    ]


def composite(fields: Fields) -> Inner:
    """A composite of fields."""
    return Inner(partial(_composite_from_pg, fields), partial(_composite_to_pg, fields))


def _composite_from_pg(fields: Fields, text: str) -> object:
    texts = records.split(text, len(fields))
    return {
        name: None if field is None else inner.from_pg(field)
        for (name, inner), field in zip(fields.items(), texts, strict=True)
    }


def _composite_to_pg(fields: Fields, value: object) -> str:
    if not isinstance(value, dict) or value.keys() != fields.keys():
        raise ValueError(f"an object with {', '.join(fields)} expected, found {value!r}")
    found = [None if value[name] is None else inner.to_pg(value[name]) for name, inner in fields.items()]
    return records.join(found)
