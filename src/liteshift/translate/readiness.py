"""What the live move will need of the server, what of it is there, and the statements that bring the rest.

A plain `liteshift migrate` needs none of this: only SELECT on the tables and sequences, and USAGE on their schemas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from liteshift.assessment import Check, State
from liteshift.catalog import Name, Table
from liteshift.plan import TablePlan
from liteshift.quoting import quote
from liteshift.survey import Rights, ServerFacts

_OLDEST = 14  # pgoutput streams a large transaction before its end from this version on
_GENERATED_PUBLISHED = 180000
_PATCHED = {14: 24, 15: 19, 16: 15, 17: 11, 18: 6}  # the releases of August 2026
_LITTLE_WAL = 1 << 30
_RESTART = "restart the server; on a managed one its control panel has this setting"


def checks(
    server: ServerFacts, rights: Iterable[Rights], tables: Sequence[Table], plans: Sequence[TablePlan] = ()
) -> tuple[Check, ...]:
    """Every check, in the order in which one would mend what is missing.

    Args:
        server: what the server allows.
        rights: what the role may do.
        tables: the tables of the move.
        plans: what they become.
    """
    by_name = {right.name: right for right in rights if not right.sequence}
    own = [by_name[table.name] for table in tables if table.name in by_name]
    sequences = [right for right in rights if right.sequence]
    return (
        _primary(server),
        _version(server),
        _wal_level(server),
        _places("replication slots", "max_replication_slots", server.slots, server.max_slots),
        _places("WAL senders", "max_wal_senders", server.senders, server.max_senders),
        _plugin(server),
        _kept_wal(server),
        _prepared(server),
        _long(server),
        _replication(server),
        readable(server, [*own, *sequences]),
        _publication(server, own),
        _identities(tables),
        _logged(tables),
        _generated(server, tables, plans),
    )


def readable(server: ServerFacts, rights: Sequence[Rights]) -> Check:
    """Whether the role may read every table and sequence: all that a plain move needs."""
    role = sql_name(server.role)
    closed = sorted({right.name.schema for right in rights if not right.usage})
    unread = [right for right in rights if not right.select]
    hidden = [right.name for right in rights if right.hidden and right.select]
    fix = [f"GRANT USAGE ON SCHEMA {sql_name(schema)} TO {role};" for schema in closed]
    fix += [
        f"GRANT SELECT ON {'SEQUENCE ' if right.sequence else ''}{sql_table(right.name)} TO {role};" for right in unread
    ]
    fix += [f"ALTER ROLE {role} BYPASSRLS;"] if hidden else []
    name = "SELECT on the tables and sequences"
    if not fix:
        return Check(name, State.READY, f"{server.role} may read each of them")
    parts = [
        (len(unread), "can't be read"),
        (sum(not right.usage for right in rights), "stand in schemas closed to it"),
        (len(hidden), "hide rows by row level security"),
    ]
    found = ", ".join(f"{count} of {len(rights)} {what}" for count, what in parts if count)
    return Check(name, State.MISSING, found, f"{server.role} must see every row", tuple(fix))


def sql_name(name: str) -> str:
    """A name as PostgreSQL text on one line: what does not print is written as PostgreSQL's Unicode escapes."""
    if name.isprintable():
        return quote(name)
    escaped = "".join(c if c.isprintable() and c != "\\" else "\\\\" if c == "\\" else f"\\+{ord(c):06X}" for c in name)
    return "U&" + quote(escaped)


def sql_table(name: Name) -> str:
    """A table's name as PostgreSQL text on one line."""
    return f"{sql_name(name.schema)}.{sql_name(name.name)}"


def _primary(server: ServerFacts) -> Check:
    if server.replica:
        return Check("the primary", State.MISSING, "a standby", "a publication is made on the primary: connect there")
    return Check("the primary", State.READY, "not a standby")


def _version(server: ServerFacts) -> Check:
    major, minor = divmod(server.version, 10000)
    name = "the server's version"
    if major < _OLDEST:
        return Check(name, State.MISSING, server.version_text, f"PostgreSQL {_OLDEST} or newer")
    patched = _PATCHED.get(major)
    if patched is not None and minor < patched:
        needed = f"{major}.{patched} or newer, which mends known faults"
        return Check(name, State.ADVICE, server.version_text, needed)
    return Check(name, State.READY, server.version_text)


def _wal_level(server: ServerFacts) -> Check:
    if server.wal_level == "logical":
        return Check("wal_level", State.READY, "logical")
    fix = ("ALTER SYSTEM SET wal_level = 'logical';",)
    return Check("wal_level", State.MISSING, server.wal_level, "logical", fix, _RESTART)


def _places(name: str, setting: str, used: int, most: int) -> Check:
    found = f"{used} of {most} in use"
    if used < most:
        return Check(name, State.READY, found)
    fix = (f"ALTER SYSTEM SET {setting} = {used + 2};",)
    return Check(name, State.MISSING, found, "one that is free", fix, _RESTART)


def _plugin(server: ServerFacts) -> Check:
    name = "the output plugin pgoutput"
    if server.plugins is None:
        return Check(name, State.READY, "part of the server")
    allowed = [part.strip().strip('"') for part in server.plugins.split(",")]
    if "pgoutput" in allowed:
        return Check(name, State.READY, "allowed by output_plugin_libraries")
    listed = ", ".join(f"'{part}'" for part in ["pgoutput", *(part for part in allowed if part.isidentifier())])
    fix = (f"ALTER SYSTEM SET output_plugin_libraries = {listed};", "SELECT pg_reload_conf();")
    return Check(name, State.MISSING, "not in output_plugin_libraries", "pgoutput among them", fix)


def _kept_wal(server: ServerFacts) -> Check:
    name = "WAL kept for a slot"
    if server.keep_bytes is None:
        return Check(name, State.READY, "without a limit")
    fix = ("ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';", "SELECT pg_reload_conf();")
    if server.keep_bytes < 0:
        needed = "a limit below the free disk space, as a move that stands still can fill the disk"
        return Check(name, State.ADVICE, "without a limit", needed, fix)
    found = f"{server.keep_bytes >> 20:,} MiB"
    if server.keep_bytes < _LITTLE_WAL:
        return Check(name, State.ADVICE, found, "1 GiB or more, as a slot that falls further behind is lost", fix)
    return Check(name, State.READY, found)


def _prepared(server: ServerFacts) -> Check:
    name = "prepared transactions"
    if not server.prepared:
        return Check(name, State.READY, "none")
    needed = "none: making a slot waits for every transaction to end (pg_prepared_xacts lists them)"
    return Check(name, State.MISSING, f"{server.prepared} not ended", needed)


def _long(server: ServerFacts) -> Check:
    name = "long transactions"
    if not server.long:
        return Check(name, State.READY, "none has been open for a minute")
    needed = (
        "none: making a slot, and a cutover before its pause, wait for each to end; pg_terminate_backend(PID) ends one"
    )
    return Check(name, State.ADVICE, f"{len(server.long)}, the oldest of {server.long[0]}", needed)


def _replication(server: ServerFacts) -> Check:
    if server.superuser or server.replication:
        return Check("the role's REPLICATION", State.READY, f"{server.role} has it")
    fix = (f"ALTER ROLE {sql_name(server.role)} REPLICATION;",)
    then = "a managed server has a role for this instead: grant rds_replication, say"
    return Check("the role's REPLICATION", State.MISSING, f"{server.role} lacks it", "it", fix, then)


def _publication(server: ServerFacts, tables: Sequence[Rights]) -> Check:
    name = "the right to publish the tables"
    foreign = [right for right in tables if not right.owner]
    if server.superuser or (server.create and not foreign):
        return Check(name, State.READY, f"{server.role} may create a publication and owns the tables")
    found = [] if server.create else [f"{server.role} can't create in the database"]
    found += [f"{server.role} does not own {len(foreign)} of {len(tables)} tables"] if foreign else []
    fix = []
    if not server.create:
        fix.append(f"GRANT CREATE ON DATABASE {sql_name(server.database)} TO {sql_name(server.role)};")
    owners = sorted({right.owner_name for right in foreign})
    fix += [f"GRANT {sql_name(owner)} TO {sql_name(server.role)};" for owner in owners]
    return Check(name, State.MISSING, ", ".join(found), "CREATE on the database, and the owner's rights", tuple(fix))


def _identities(tables: Sequence[Table]) -> Check:
    """By what the log tells which row was changed; a live move gives one to each table that has none, for its time."""
    name = "replica identities"
    lacking = [holder for table in tables for holder in _without_identity(table)]
    if not lacking:
        return Check(name, State.READY, "each table has one")
    found = f"missing on {len(lacking)}, such as {lacking[0].name}: migrate --live gives them one, and takes it back"
    return Check(name, State.READY, f"{found}; without a key the server logs whole rows meanwhile")


def _without_identity(table: Table) -> list[Table]:
    return [
        holder
        for holder in (table.leaves if table.partitioned else (table,))
        if holder.replica_identity == "nothing"
        or (holder.replica_identity == "default" and not (holder.primary_key or table.primary_key))
    ]


def _generated(server: ServerFacts, tables: Sequence[Table], plans: Sequence[TablePlan]) -> Check:
    """Generated columns do not stand in the log of older servers, so SQLite has to compute each."""
    name = "generated columns"
    stored = {(plan.source, column.source) for plan in plans for column in plan.columns if not column.generated}
    needed = [
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if column.generated is not None and (table.name, column.name) in stored
    ]
    if not needed:
        return Check(name, State.READY, "SQLite computes each that there is")
    if server.version >= _GENERATED_PUBLISHED:
        return Check(name, State.READY, "SQLite can't compute each, but the log has the values of stored ones")
    instead = "PostgreSQL 18, whose log has its values; or exclude the table, or make it an ordinary column"
    return Check(name, State.MISSING, f"SQLite can't compute {', '.join(needed)}", instead)


def _logged(tables: Sequence[Table]) -> Check:
    unlogged = [table.name for table in tables if table.unlogged]
    if not unlogged:
        return Check("logged tables", State.READY, "all are")
    fix = tuple(f"ALTER TABLE {sql_table(name)} SET LOGGED;" for name in unlogged)
    return Check("logged tables", State.MISSING, f"{len(unlogged)} unlogged", "changes stand in the WAL", fix)
