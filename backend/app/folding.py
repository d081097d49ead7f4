"""Names without regard to case, in any script, the same on every database."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """The form of a text in which two spellings that differ in case only are equal.

    Databases disagree on what upper and lower case are (SQLite knows ASCII only, PostgreSQL asks its locale), so the
    application folds the text itself, stores the result beside the name, and both databases compare plain characters.
    This is Unicode's canonical caseless matching, stored in the composed form.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
