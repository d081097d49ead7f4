"""A benchmark's section of a page."""

from __future__ import annotations


def replaced(page: str, name: str, section: str) -> str:
    """A page with the section of this name replaced, which stands between two markers.

    Raises:
        ValueError: the page has no markers.
    """
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page has no {first} and {last}")
    return f"{before}{first}\n{section}\n{last}{after}"
