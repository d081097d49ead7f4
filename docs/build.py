"""Writes the generated pages: `values.md` from the type table, `cli.md` from the commands' own help.

`python docs/build.py` writes them; `python docs/build.py --check` fails where they are out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from liteshift.catalog import Field, Name, PgType, TypeKind
from liteshift.cli.main import main as cli
from liteshift.plan import Profile
from liteshift.translate.typemap import AS_TEXT, SCALARS, Target, target

DOCS = Path(__file__).parent


def _base(name: str) -> PgType:
    return PgType(0, Name("pg_catalog", name), TypeKind.BASE)


def _rows() -> list[tuple[str, PgType, int]]:
    mood = PgType(0, Name("public", "mood"), TypeKind.ENUM, labels=("sad", "happy"))
    fields = (Field("street", _base("text"), -1), Field("since", _base("date"), -1))
    address = PgType(0, Name("public", "address"), TypeKind.COMPOSITE, fields=fields)
    rows = [(name, _base(name), -1) for name in SCALARS]
    rows += [
        ("varchar", _base("varchar"), -1),
        ("varchar(200)", _base("varchar"), 204),
        ("char(3)", _base("bpchar"), 7),
        ("numeric(10,2)", _base("numeric"), ((10 << 16) | 2) + 4),
        ("numeric(20,6)", _base("numeric"), ((20 << 16) | 6) + 4),
        ("numeric", _base("numeric"), -1),
        ("an enum (sad, happy)", mood, -1),
        ("integer[]", PgType(0, Name("pg_catalog", "_int4"), TypeKind.ARRAY, base=_base("int4")), -1),
        ("timestamptz[]", PgType(0, Name("pg_catalog", "_timestamptz"), TypeKind.ARRAY, base=_base("timestamptz")), -1),
        ("a composite (street text, since date)", address, -1),
        ("a range", PgType(0, Name("pg_catalog", "int4range"), TypeKind.RANGE), -1),
        ("citext", PgType(0, Name("public", "citext"), TypeKind.BASE, extension="citext"), -1),
    ]
    return rows + [(name, _base(name), -1) for name in AS_TEXT]


def _collate(one: Target) -> str:
    return f"COLLATE {one.collation}" if one.collation else ""


def _by_profile(texts: list[str]) -> str:
    """What holds for the first profile, and for the others where it is something else."""
    first, *others = texts
    different = zip(list(Profile)[1:], others, strict=True)
    return "; ".join([first, *(f"{name}: {one or 'none'}" for name, one in different if one != first)])


def values() -> str:
    """The page of the value contract."""
    lines = [
        "# What each type becomes",
        "",
        "Generated from the type table (`src/liteshift/translate/typemap.py`) by `python docs/build.py`.",
        "",
        "A value's stored form is one that comes back to PostgreSQL unchanged; the column *form* names the codec in",
        "`src/liteshift/codec/values.py`. A domain becomes its base type with its rules. What a form can't hold is",
        "rejected by name, row by row: NaN and -0 in a float, infinity, BC and years past 9999 in a date or timestamp,",
        "24:00:00 in a time, text that is not UTF-8. How an ORM reads these forms is on [a page of its own](orm.md).",
        "",
        "| PostgreSQL | sqlalchemy | django | plain (STRICT) | form | checks | lost |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for title, kind, typmod in _rows():
        targets = [target(kind, typmod, profile) for profile in Profile]
        declared = " | ".join(f"{one.declared} {_collate(one)}".rstrip() for one in targets)
        form = _by_profile([one.form for one in targets])
        checks = _by_profile([" and ".join(f"`{check.replace('{}', 'c')}`" for check in one.checks) for one in targets])
        lost = _by_profile([one.loss or "nothing" for one in targets])
        lines.append(f"| {title} | {declared} | {form} | {checks} | {lost} |")
    return "\n".join(lines) + "\n"


def _help(command: click.Command, path: str) -> list[str]:
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
    lines = [f"## {path}", "", "```text", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                lines += _help(child, f"{path} {name}")
    return lines


def commands() -> str:
    """The page of the command line."""
    head = [
        "# The command line",
        "",
        "Generated from the commands' own help by `python docs/build.py`.",
        "",
        "A source is a PostgreSQL URL, a conninfo string or `service=NAME`, or the environment's `LITESHIFT_SOURCE`.",
        "A password on the command line is refused: every user of the machine could read it there. Options can stand",
        "in a `liteshift.toml` in the folder you work in, for all commands or under `[migrate]` and so on.",
        "",
        "| exit code | meaning |",
        "| --- | --- |",
        "| 0 | done |",
        "| 1 | an error |",
        "| 2 | the call is wrong |",
        "| 3 | done, with losses or rejected rows that were not accepted |",
        "| 10 | there is nothing there yet to work on |",
        "| 11 | another run or a writer holds it |",
        "| 12 | no connection, or no permission |",
        "| 13 | the source can't be moved as it is |",
        "| 14 | verify found differences |",
        "| 15 | no space on the disk |",
        "| 16 | interrupted, and resumable |",
        "| 130 | stopped by a signal; what was begun has been undone |",
        "",
    ]
    return "\n".join(head + _help(cli, "liteshift")).rstrip() + "\n"


PAGES = {"values.md": values, "cli.md": commands}


def main() -> None:
    """Write the pages, or with --check compare them."""
    check = "--check" in sys.argv[1:]
    stale = [name for name, page in PAGES.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != page()]
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python docs/build.py")
    for name in stale:
        (DOCS / name).write_text(PAGES[name]())


if __name__ == "__main__":
    main()
