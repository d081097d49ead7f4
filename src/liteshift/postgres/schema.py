"""Reads the source's catalog: one query per file in `sql/`, put together into the words of `catalog`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from liteshift.catalog import (
    Catalog,
    Column,
    Constraint,
    ConstraintKind,
    Field,
    Index,
    IndexKey,
    Name,
    OtherObject,
    PgType,
    Reference,
    Sequence,
    Table,
    Trigger,
    TypeKind,
    View,
)

Row = dict[str, Any]


def read_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """The whole schema, as the connection's transaction sees it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        answers = {name: _ask(cursor, name) for name in ("database", "tables", "columns", "constraints", "indexes")}
        answers |= {name: _ask(cursor, name) for name in ("types", "sequences", "triggers", "views", "others")}
        for row in answers["sequences"]:
            if row["last_value"] is None and row["readable"]:
                row["start"] = _first_value(cursor, row)
    database = answers["database"][0]
    tables = _tables(answers)
    others = [_other(row) for row in answers["others"]] + _other_triggers(answers)
    return Catalog(
        database=database["database"],
        server_version=database["server_version"],
        encoding=database["encoding"],
        tables=tables,
        views=_views(answers),
        sequences=tuple(_sequence(row) for row in answers["sequences"]),
        others=tuple(others),
        collation=database["collation"],
        large_objects=database["large_objects"],
        comments=database["comments"],
        granted=database["granted"],
    )


@cache
def _query(name: str) -> LiteralString:
    return (files(__package__) / "sql" / f"{name}.sql").read_text()


def _ask(cursor: psycopg.Cursor[Row], name: str) -> list[Row]:
    return cursor.execute(_query(name)).fetchall()


def _first_value(cursor: psycopg.Cursor[Row], row: Row) -> int:
    """What a sequence that was never called, or was set back, will give first."""
    name = sql.Identifier(row["schema"], row["name"])
    found: int = cursor.execute(sql.SQL("SELECT last_value FROM {}").format(name)).fetchall()[0]["last_value"]
    return found


def _types(rows: list[Row]) -> Mapping[int, PgType]:
    by_oid = {row["oid"]: row for row in rows}

    @cache
    def make(oid: int) -> PgType:
        row = by_oid[oid]
        base = make(row["base"]) if row["base"] in by_oid else None
        return PgType(
            oid=oid,
            name=Name(row["schema"], row["name"]),
            kind=TypeKind(row["kind"]),
            base=base,
            extension=row["extension"],
            delimiter=row["delimiter"],
            typmod=row["typmod"],
            labels=tuple(row["labels"] or ()),
            not_null=row["not_null"],
            default=row["default"],
            checks=tuple((name, text) for name, text in row["checks"] or ()),
            fields=tuple(Field(name, make(kind), *others) for name, kind, *others in row["fields"] or ()),
        )

    return {oid: make(oid) for oid in by_oid}


def _tables(answers: Mapping[str, list[Row]]) -> tuple[Table, ...]:
    types = _types(answers["types"])
    columns: dict[int, list[Column]] = defaultdict(list)
    constraints: dict[int, list[Constraint]] = defaultdict(list)
    indexes: dict[int, list[Index]] = defaultdict(list)
    triggers: dict[int, list[Trigger]] = defaultdict(list)
    for row in answers["columns"]:
        columns[row["table"]].append(_column(row, types))
    for row in answers["constraints"]:
        if not row["inherited"]:
            constraints[row["table"]].append(_constraint(row))
    for row in answers["indexes"]:
        indexes[row["table"]].append(_index(row))
    for row in answers["triggers"]:
        triggers[row["table"]].append(_trigger(row))
    rows = {row["oid"]: row for row in answers["tables"]}
    partitions: dict[int, list[Row]] = defaultdict(list)
    for row in rows.values():
        if row["partition"]:
            partitions[_root(row, rows)].append(row)

    def make(row: Row) -> Table:
        oid = row["oid"]
        below = tuple(make(partition) for partition in partitions[oid])
        parents = [] if row["partition"] else row["parents"] or []
        return Table(
            name=Name(row["schema"], row["name"]),
            columns=tuple(columns[oid]),
            constraints=tuple(constraints[oid]),
            indexes=tuple(indexes[oid]),
            triggers=tuple(triggers[oid]),
            rows=sum(max(partition.rows, 0) for partition in below) if row["partitioned"] else row["rows"],
            bytes=row["bytes"] + sum(partition.bytes for partition in below),
            partitioned=row["partitioned"],
            partitions=below,
            gaps=row["gaps"],
            parents=tuple(Name(rows[oid]["schema"], rows[oid]["name"]) for oid in parents if oid in rows),
            row_security=row["row_security"],
            unlogged=row["unlogged"],
            replica_identity=row["replica_identity"],
            replica_columns=tuple(row["replica_columns"] or ()),
        )

    return tuple(make(row) for row in rows.values() if not row["partition"])


def _views(answers: Mapping[str, list[Row]]) -> tuple[View, ...]:
    types = _types(answers["types"])
    columns: dict[int, list[Column]] = defaultdict(list)
    for row in answers["columns"]:
        columns[row["table"]].append(_column(row, types))
    return tuple(
        View(Name(row["schema"], row["name"]), tuple(columns[row["oid"]]), row["definition"], row["updatable"])
        for row in answers["views"]
    )


def _root(row: Row, rows: Mapping[int, Row]) -> int:
    while row["partition"]:
        row = rows[row["parents"][0]]
    oid: int = row["oid"]
    return oid


def _column(row: Row, types: Mapping[int, PgType]) -> Column:
    sequence = Name(row["sequence_schema"], row["sequence_name"]) if row["sequence_name"] else None
    return Column(
        name=row["name"],
        type=types[row["type"]],
        typmod=row["typmod"],
        type_text=row["type_text"],
        not_null=row["not_null"],
        default=row["default"],
        generated=row["generated"],
        identity=row["identity"],
        sequence=sequence,
        collation=row["collation"],
        fuzzy=row["fuzzy"],
        sorted=row["sorted"],
    )


def _constraint(row: Row) -> Constraint:
    reference = None
    if row["kind"] == "foreign key":
        reference = Reference(
            table=Name(row["ref_schema"], row["ref_table"]),
            columns=tuple(row["ref_columns"]),
            on_update=row["on_update"],
            on_delete=row["on_delete"],
            match_full=row["match_full"],
            delete_columns=tuple(row["delete_columns"]),
        )
    return Constraint(
        name=row["name"],
        kind=ConstraintKind(row["kind"]),
        columns=tuple(row["columns"]),
        definition=row["definition"],
        expression=row["expression"],
        reference=reference,
        deferrable=row["deferrable"],
        deferred=row["deferred"],
        validated=row["validated"],
        enforced=row["enforced"],
        nulls_not_distinct=row["nulls_not_distinct"],
    )


def _index(row: Row) -> Index:
    keys = tuple(
        IndexKey(
            column=key["column"],
            expression=key["expression"],
            descending=key["descending"],
            nulls_first=key["nulls_first"],
            collation=key["collation"],
            own_equality=key["own_equality"],
        )
        for key in row["keys"]
        if not key["included"]
    )
    return Index(
        name=row["name"],
        method=row["method"],
        unique=row["unique"],
        keys=keys,
        definition=row["definition"],
        included=tuple(key["column"] for key in row["keys"] if key["included"]),
        predicate=row["predicate"],
        nulls_not_distinct=row["nulls_not_distinct"],
        valid=row["valid"],
    )


def _trigger(row: Row) -> Trigger:
    return Trigger(
        name=row["name"],
        before=row["before"],
        row=row["row"],
        events=tuple(row["events"]),
        columns=tuple(row["columns"]),
        condition=row["condition"],
        enabled=row["enabled"],
        language=row["language"],
        source=row["source"],
        argument=row["argument"],
        definition=row["definition"],
    )


def _sequence(row: Row) -> Sequence:
    owner = (Name(row["owner_schema"], row["owner_table"]), row["owner_column"]) if row["owner_table"] else None
    return Sequence(
        name=Name(row["schema"], row["name"]),
        start=row["start"],
        increment=row["increment"],
        last_value=row["last_value"],
        readable=row["readable"],
        owner=owner,
    )


def _other_triggers(answers: Mapping[str, list[Row]]) -> list[OtherObject]:
    """The triggers that stand on views and on single partitions."""
    roots = {row["oid"] for row in answers["tables"] if not row["partition"]}
    return [
        OtherObject(
            "trigger", Name(row["schema"], row["name"]), Name(row["schema"], row["table_name"]), row["definition"]
        )
        for row in answers["triggers"]
        if row["table"] not in roots
    ]


def _other(row: Row) -> OtherObject:
    table = Name(row["table_schema"], row["table_name"]) if row["table_name"] else None
    return OtherObject(row["kind"], Name(row["schema"], row["name"]), table, row["definition"])
