"""What a live move makes on the source beside its slot, and takes away again: a schema with our few tables, replica
identities where the log could not tell which row was changed, and a publication.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from liteshift.catalog import Name
from liteshift.changes import Identity
from liteshift.errors import Locked, NoConnection, NotFit
from liteshift.plan import Plan, TablePlan
from liteshift.postgres.connect import label
from liteshift.postgres.patience import Wanted, patiently
from liteshift.stops import Stop, passing

SCHEMA = "liteshift"
TAG = "made by liteshift for a live move; liteshift abort or liteshift finalize removes it"
_OLDEST = 140000
_GENERATED_PUBLISHED = 180000  # from this version on the log may hold generated columns
_PATIENCE = 30.0  # seconds
_ALONE = 0x6C697465  # the advisory lock of whoever begins a move

_TABLES = """
CREATE TABLE IF NOT EXISTS liteshift.move (
  name text PRIMARY KEY, system text NOT NULL, timeline int4 NOT NULL, made_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX IF NOT EXISTS one_at_a_time ON liteshift.move ((true));
CREATE TABLE IF NOT EXISTS liteshift.fence (token text PRIMARY KEY, made_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS liteshift.identity (
  relation oid PRIMARY KEY, was "char" NOT NULL, index oid, became "char" NOT NULL)
"""
_HOLDERS = """
SELECT n.nspname, r.relname, t.relid::int8, t.relid::regclass::text, r.relkind = 'p', t.relid = r.oid,
       c.relreplident::text, pg_catalog.pg_get_replica_identity_index(t.relid)::oid::int8,
       EXISTS (SELECT FROM pg_catalog.pg_index i
                WHERE i.indrelid = t.relid AND i.indisprimary AND i.indimmediate AND i.indisvalid),
       (SELECT h.inhparent::int8 FROM pg_catalog.pg_inherits h
         WHERE h.inhrelid = pg_catalog.pg_get_replica_identity_index(t.relid)),
       c.relpersistence <> 'p',
       c.relreplident = 'i' AND EXISTS (
         SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a
             ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
          WHERE i.indexrelid = pg_catalog.pg_get_replica_identity_index(t.relid) AND a.attgenerated <> '')
  FROM unnest(%s::text[], %s::text[]) w(schema, name)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = w.name
 CROSS JOIN LATERAL (SELECT relid FROM pg_catalog.pg_partition_tree(r.oid) WHERE isleaf OR relid = r.oid
                      UNION SELECT r.oid) t
  JOIN pg_catalog.pg_class c ON c.oid = t.relid
 ORDER BY r.oid, t.relid <> r.oid, t.relid
"""
_RIGHTS = """
SELECT DISTINCT format('GRANT %%I TO %%I;', pg_catalog.pg_get_userbyid(c.relowner), current_user)
  FROM pg_catalog.pg_class c WHERE c.oid = ANY (%s) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
"""
_CREATE_RIGHT = """
SELECT format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user)
 WHERE NOT pg_catalog.has_database_privilege(current_database(), 'CREATE')
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A relation whose changes stand in the log under its own identity: a table, a partitioned one, or a leaf of it.

    Attributes:
        table: the table of the plan it belongs to.
        shown: its name as SQL text.
        index: its identity's index; None where it has none or needs none.
        keyed: it has a primary key that serves as an identity.
        parent_index: the index of the partitioned table that `index` is a part of.
        computed: a column of an index that was chosen for its identity is generated, and may not stand in the log.
    """

    table: Name
    oid: int
    shown: str
    partitioned: bool
    root: bool
    identity: Identity
    index: int | None
    keyed: bool
    parent_index: int | None
    unlogged: bool
    computed: bool

    @property
    def usable(self) -> bool:
        """Whether the log tells which row was changed."""
        return self.identity is Identity.FULL or (self.index is not None and not self.computed)


def holders(connection: psycopg.Connection[Any], tables: Sequence[TablePlan]) -> list[Holder]:
    """The relations behind a plan's tables, each table before its leaves."""
    names = [table.source for table in tables]
    rows = connection.execute(_HOLDERS, ([name.schema for name in names], [name.name for name in names])).fetchall()
    return [Holder(Name(a, b), c, d, e, f, Identity(g), *rest) for a, b, c, d, e, f, g, *rest in rows]


def changed_identities(found: Sequence[Holder]) -> list[tuple[Holder, Identity]]:
    """Which relations need another identity: a table and its leaves have to agree, as the log shows the leaves' old
    rows under the table's name.
    """
    changes: list[tuple[Holder, Identity]] = []
    root: Holder | None = None
    needed = Identity.DEFAULT
    for holder in found:
        if holder.root:
            root = holder
            needed = holder.identity if holder.usable else Identity.DEFAULT if holder.keyed else Identity.FULL
            fits = holder.usable
        else:
            assert root is not None  # noqa: S101 - each table comes before its leaves
            fits = holder.identity is Identity.FULL or (
                needed is not Identity.FULL
                and holder.identity is needed
                and holder.usable
                and (needed is Identity.DEFAULT or holder.parent_index == root.index)
            )
        if not fits:
            # A leaf can't be given an index by the name of its table's, and FULL serves as well.
            changes.append((holder, Identity.FULL if needed is Identity.INDEX else needed))
    return changes


def require(connection: psycopg.Connection[Any], name: str, plan: Plan) -> bool:
    """Whether generated columns are to be published, where nothing stands in the way of `establish`; only reads.

    Raises:
        NoConnection: no permission; the hint has the statements to have run.
        NotFit: the server or a table can't be followed.
        Locked: another move is going on from this database.
    """
    _require_alone(connection, name)
    _require_server(connection)
    _require_schema(connection)
    found = holders(connection, plan.tables)
    _require_rights(connection, found)
    _require_tables(plan, found)
    return _published_generated(connection, plan, found)


def establish(connection: psycopg.Connection[Any], name: str, plan: Plan, system: str, timeline: int) -> None:
    """Make all that is not there yet; see `liteshift.flow.Origin`.

    Raises:
        NoConnection, NotFit: as `require`.
        Locked: a table's lock was not free in time, or another move is going on from this database.
    """
    generated = require(connection, name, plan)
    found = holders(connection, plan.tables)
    _note(connection, name, system, timeline)
    passing(Stop.ESTABLISHING)
    for holder, identity in changed_identities(found):
        act = partial(_set_identity, connection, name, holder, identity)
        patiently(connection, Wanted(holder.shown, holder.shown), act, deadline=time.monotonic() + _PATIENCE)
    _publish(connection, name, plan, generated=generated)


def remove(connection: psycopg.Connection[Any], name: str) -> list[str]:
    """Take away what `establish` made, and nothing else; what there was."""
    removed = []
    known = has_schema(connection) and _one(connection, "SELECT count(*) FROM liteshift.move WHERE name = %s", name)
    ours = _one(
        connection,
        "SELECT count(*) FROM pg_catalog.pg_publication p WHERE pubname = %s"
        " AND pg_catalog.obj_description(p.oid, 'pg_publication') = %s",
        name,
        TAG,
    )
    if ours:
        connection.execute(sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(name)))
        removed.append(f"the publication {name}")
        passing(Stop.REMOVING)
    if not known:
        return removed
    # The publication is gone by now: where the identities go first, the application could not update any more.
    removed += _restore_identities(connection)
    connection.execute("DROP SCHEMA liteshift CASCADE")
    return [*removed, "the schema liteshift"]


def present(connection: psycopg.Connection[Any]) -> str | None:
    """The name of the move that has made something here; None where there is none."""
    if not has_schema(connection) or not _one(connection, "SELECT to_regclass('liteshift.move') IS NOT NULL"):
        return None
    name = _one(connection, "SELECT name FROM liteshift.move")
    return None if name is None else str(name)


def _require_alone(connection: psycopg.Connection[Any], name: str) -> None:
    if (other := present(connection)) not in (None, name):
        raise Locked(
            f"another live move, {other}, is going on from this database, and the two would share its fence",
            hint="End it first, where it was begun: liteshift abort SOURCE TARGET. Where its folder is lost:"
            f" liteshift abort --move {other} SOURCE TARGET.",
        )


def has_schema(connection: psycopg.Connection[Any]) -> bool:
    """Whether our schema is there, and ours."""
    found = _one(
        connection,
        "SELECT count(*) FROM pg_catalog.pg_namespace n WHERE nspname = %s"
        " AND pg_catalog.obj_description(n.oid, 'pg_namespace') = %s AND to_regclass('liteshift.move') IS NOT NULL",
        SCHEMA,
        TAG,
    )
    return bool(found)


def _require_server(connection: psycopg.Connection[Any]) -> None:
    where = label(connection.info.dsn)
    if connection.info.server_version < _OLDEST:
        version = connection.info.server_version // 10000
        raise NotFit(f"{where} is PostgreSQL {version}, which can't be followed", hint="Upgrade it to 14 or newer.")
    if _one(connection, "SELECT pg_is_in_recovery()"):
        raise NotFit(f"{where} is a standby, which can't publish its tables", hint="Name the primary as the source.")
    level = _one(connection, "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_level'")
    if level != "logical":
        raise NotFit(
            f"the wal_level of {where} is {level}, and its log does not tell which rows change",
            hint="Have a superuser run ALTER SYSTEM SET wal_level = 'logical'; and restart the server.",
        )


def _require_rights(connection: psycopg.Connection[Any], found: Sequence[Holder]) -> None:
    rows = [*connection.execute(_CREATE_RIGHT.encode()), *connection.execute(_RIGHTS, ([one.oid for one in found],))]
    if rows:
        statements = " ".join(str(statement) for (statement,) in rows)
        raise NoConnection(
            "no permission to publish the tables: that takes their owner's rights, and CREATE on the database",
            hint=f"Have a superuser run: {statements}",
        )


def _require_tables(plan: Plan, found: Sequence[Holder]) -> None:
    there = {holder.table for holder in found}
    if gone := [table.source for table in plan.tables if table.source not in there]:
        raise NotFit(f"the table {gone[0]} of the plan is gone", hint="Begin anew, with a new plan.")
    if unlogged := [holder.shown for holder in found if holder.unlogged]:
        raise NotFit(
            f"{unlogged[0]} is not logged, so nobody can follow its changes",
            hint=f"Run ALTER TABLE {unlogged[0]} SET LOGGED; or leave it out: --exclude.",
        )


def _published_generated(connection: psycopg.Connection[Any], plan: Plan, found: Sequence[Holder]) -> bool:
    """Whether generated columns have to stand in the log: where SQLite can't compute one, or in an identity FULL.

    Raises:
        NotFit: they have to, and can't.
    """
    changed = {holder.oid: identity for holder, identity in changed_identities(found)}
    full = {one.table for one in found if changed.get(one.oid, one.identity) is Identity.FULL}
    carried = {
        (table.source, column.source) for table in plan.tables for column in table.columns if not column.generated
    }
    version = connection.info.server_version
    needed = False
    for schema, name, column, kind in connection.execute(
        "SELECT n.nspname, c.relname, a.attname, a.attgenerated::text FROM pg_catalog.pg_attribute a"
        " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.attrelid = ANY (%s) AND a.attgenerated <> '' AND NOT a.attisdropped",
        ([one.oid for one in found if one.root],),
    ).fetchall():
        table = Name(schema, name)
        by_value = (table, column) in carried
        if by_value and (kind == "v" or version < _GENERATED_PUBLISHED):
            raise NotFit(
                f"{table}.{column} is generated, and SQLite can't compute it, so its values would have to come in the"
                " log, where this server does not put them",
                hint="Exclude the table from the live move, or make the column an ordinary one.",
            )
        if table in full and version >= _GENERATED_PUBLISHED and kind == "v":
            raise NotFit(
                f"{table} has no key, and {column} is a virtual generated column: PostgreSQL publishes no such table",
                hint="Give the table a primary key, or exclude it from the live move.",
            )
        needed = needed or by_value or (table in full and version >= _GENERATED_PUBLISHED)
    return needed


def _require_schema(connection: psycopg.Connection[Any]) -> None:
    there = _one(connection, "SELECT to_regnamespace('liteshift')::text") is not None
    if there and _one(connection, "SELECT obj_description(to_regnamespace('liteshift'), 'pg_namespace')") != TAG:
        raise NotFit(
            "the source has a schema named liteshift that liteshift has not made",
            hint="Rename that schema: ALTER SCHEMA liteshift RENAME TO ...;",
        )


def _note(connection: psycopg.Connection[Any], name: str, system: str, timeline: int) -> None:
    """Make the schema, with the move's name in it, or nothing: by the name `remove` knows what is ours."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ALONE,))
        _require_alone(connection, name)  # somebody else may have been a moment quicker
        if _one(connection, "SELECT to_regnamespace('liteshift')::text") is None:
            connection.execute("CREATE SCHEMA liteshift")
            connection.execute(sql.SQL("COMMENT ON SCHEMA liteshift IS {}").format(sql.Literal(TAG)))
        for statement in _TABLES.split(";"):
            connection.execute(statement.encode())
        connection.execute(
            "INSERT INTO liteshift.move (name, system, timeline) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (name, system, timeline),
        )


def _set_identity(connection: psycopg.Connection[Any], name: str, holder: Holder, identity: Identity) -> None:
    """Give a relation another identity, and remember what it was."""
    connection.execute(
        sql.SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(_relation(connection, holder.oid), _WORDS[identity])
    )
    connection.execute(
        "INSERT INTO liteshift.identity (relation, was, index, became) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (relation) DO UPDATE SET became = excluded.became",
        (holder.oid, holder.identity.value, holder.index, identity.value),
    )


_WORDS: dict[Identity, sql.SQL] = {
    Identity.DEFAULT: sql.SQL("DEFAULT"),
    Identity.NOTHING: sql.SQL("NOTHING"),
    Identity.FULL: sql.SQL("FULL"),
}


def _restore_identities(connection: psycopg.Connection[Any]) -> list[str]:
    """Give the identities back; those that somebody has changed since are left alone."""
    restored = []
    rows = connection.execute(
        """
        SELECT i.relation::int8, i.was::text, x.relname, i.relation::regclass::text, c.relreplident = i.became
          FROM liteshift.identity i JOIN pg_catalog.pg_class c ON c.oid = i.relation
          LEFT JOIN pg_catalog.pg_class x ON x.oid = i.index
        """
    ).fetchall()
    for oid, was, index, shown, untouched in rows:
        act = partial(_restore_identity, connection, oid, was, index, untouched)
        patiently(connection, Wanted(shown, shown), act, deadline=time.monotonic() + _PATIENCE)
        restored.append(f"the replica identity of {shown}")
    return restored


def _restore_identity(
    connection: psycopg.Connection[Any], oid: int, was: str, index: str | None, untouched: bool
) -> None:
    word: sql.Composable = _WORDS.get(Identity(was), _WORDS[Identity.NOTHING])
    if index is not None and was == Identity.INDEX:
        word = sql.SQL("USING INDEX {}").format(sql.Identifier(index))
    if untouched:
        connection.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(_relation(connection, oid), word))
    connection.execute("DELETE FROM liteshift.identity WHERE relation = %s", (oid,))


def _publish(connection: psycopg.Connection[Any], name: str, plan: Plan, *, generated: bool) -> None:
    fence = sql.SQL("{}").format(sql.Identifier(SCHEMA, "fence"))  # its token travels through the log
    tables = sql.SQL(", ").join([fence, *map(_only, plan.tables)])
    tag = _one(
        connection,
        "SELECT coalesce(pg_catalog.obj_description(oid, 'pg_publication'), '') FROM pg_catalog.pg_publication"
        " WHERE pubname = %s",
        name,
    )
    if tag is not None and tag != TAG:
        raise NotFit(
            f"the source has a publication {name} that liteshift has not made",
            hint=f'Drop it if nobody needs it: DROP PUBLICATION "{name}";',
        )
    own = sql.Identifier(name)
    with connection.transaction():
        if tag is not None:
            connection.execute(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(own, tables))
            return
        more = sql.SQL(", publish_generated_columns = stored" if generated and _can_publish(connection) else "")
        connection.execute(
            sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true{})").format(
                own, tables, more
            )
        )
        connection.execute(sql.SQL("COMMENT ON PUBLICATION {} IS {}").format(own, sql.Literal(TAG)))


def _can_publish(connection: psycopg.Connection[Any]) -> bool:
    return connection.info.server_version >= _GENERATED_PUBLISHED


def _only(table: TablePlan) -> sql.Composed:
    own = sql.Identifier(table.source.schema, table.source.name)
    return sql.SQL("{}" if table.partitioned else "ONLY {}").format(own)


def _relation(connection: psycopg.Connection[Any], oid: int) -> sql.Identifier:
    row = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.oid = %s",
        (oid,),
    ).fetchone()
    if row is None:
        raise NotFit("a table of the plan is gone", hint="Begin anew, with a new plan.")
    return sql.Identifier(*row)


def _one(connection: psycopg.Connection[Any], query: LiteralString, *parameters: object) -> Any:
    row = connection.execute(query, parameters or None).fetchone()
    return row[0] if row else None
