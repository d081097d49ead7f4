"""PostgreSQL's SQL cut into tokens (PostgreSQL manual, 4.1), for looking at a statement without its constants."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<text>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
      |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<name>(?:[uU]&)?"(?:[^"]|"")*(?:"|\Z))
    |(?P<parameter>\$\d+)
    |(?P<number>\.?\d(?:[\w.]|(?<=[eE])[+-])*)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<operator>::|(?:(?!--|/\*)[-+*/<>=~!@\#%^&|`?])+)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_LIST = re.compile(r"(\bIN \( '')(?: , '')+", re.IGNORECASE)
_MANY = re.compile(r"\(\s*(?:…|\$\d+)(?:\s*,\s*(?:…|\$\d+))+\s*\)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without its constants and comments.

    Attributes:
        skeleton: its tokens in capitals with single spaces between: `''` for a text, `0` for a number, `"…"` for a
            quoted name.
        shown: as it was written, on one line, with `…` for each constant.
        plain: its tokens for a parser, with `''` for constants and parameters, and one for all in an IN.
    """

    skeleton: str
    shown: str
    plain: str


def read(text: str) -> Statement:
    """Cut a statement into tokens; any text gives some."""
    skeleton: list[str] = []
    shown: list[str] = []
    plain: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None  # noqa: S101 - the last branch takes any character
        kind, word, at = match.lastgroup, match[0], match.end()
        if kind == "tag":
            kind = "text"
        if kind == "comment":
            at, kind = _comment_end(text, at), "space"
        if kind == "space":
            if shown and shown[-1] != " ":
                shown.append(" ")
            continue
        if kind == "operator":
            word = _operator(word)
            at = match.start() + len(word)
        skeleton.append({"text": "''", "number": "0", "name": '"…"'}.get(kind or "", word.upper()))
        plain.append("''" if kind in ("text", "parameter") else "0" if kind == "number" else word)
        shown.append("…" if kind in ("text", "number") else word)
    return Statement(" ".join(skeleton), _MANY.sub("(…)", "".join(shown)).strip(), _LIST.sub(r"\1", " ".join(plain)))


def _comment_end(text: str, at: int) -> int:
    """Past a comment and the comments inside it."""
    depth = 1
    while depth:
        opening, closing = text.find("/*", at), text.find("*/", at)
        if closing < 0:
            return len(text)
        if 0 <= opening < closing:
            depth, at = depth + 1, opening + 2
        else:
            depth, at = depth - 1, closing + 2
    return at


def _operator(word: str) -> str:
    """An operator of several characters ends in a sign only if it holds one of the rarer characters."""
    while len(word) > 1 and word[-1] in "+-" and not set(word) & set("~!@#%^&|`?"):
        word = word[:-1]
    return word
