"""The way of values: printed by the server, stored in SQLite, read back, and given to the server again.

They go into a real table, are printed by the server under our session settings, decoded, stored in the real SQLite
column of each profile, read back from there, encoded, and given to the server again, whose binary form of both must be
equal to the last bit.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import psycopg
from psycopg import sql
from tests.oracle.samples import LIBXML, TYPES, Sample, never

from liteshift import native
from liteshift.codec.copy_binary import decoder, wire
from liteshift.codec.copy_text import decode, encode, fields
from liteshift.codec.values import Unrepresentable, codec
from liteshift.plan import Choices, Plan, Profile, TablePlan
from liteshift.postgres.connect import connect
from liteshift.postgres.schema import read_catalog
from liteshift.sqlite.digest import digest, offer
from liteshift.sqlite.functions import register
from liteshift.sqlite.library import dbapi
from liteshift.translate.planner import make_plan

if TYPE_CHECKING:
    from liteshift.value import Value


class Server(Protocol):
    """What the fixtures give."""

    name: str
    contrib: bool

    def create_database(self, name: str) -> str: ...

    def drop_database(self, name: str) -> None: ...


@dataclass
class Tally:
    """What became of generated values.

    Attributes:
        generated: how many the server was given; each is stored in every profile.
        equal: how often one came back to the server as it was, to the bit.
        refused: how often one was refused, with the reason.
        changed: those that were neither, in words: silent changes.
        values: the texts, each once.
    """

    generated: int = 0
    equal: int = 0
    refused: int = 0
    changed: list[str] = field(default_factory=list)
    values: set[str] = field(default_factory=set)

    def add(self, other: Tally) -> None:
        """Count both as one."""
        self.generated += other.generated
        self.equal += other.equal
        self.refused += other.refused
        self.changed += other.changed
        self.values |= other.values


class Oracle:
    """A database with a table per type, and a second one to read the values back into."""

    def __init__(self, info: str, samples: dict[str, Sample]) -> None:
        self._writer = psycopg.connect(info, autocommit=True)
        extensions = {item.contrib for item in samples.values() if item.contrib}
        for extension in sorted(extensions - {LIBXML}):
            self._writer.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
        self._writer.execute(TYPES)
        self._names = {kind: f"t{number}" for number, kind in enumerate(samples)}
        for kind, name in self._names.items():
            for table in (name, f"{name}_back"):
                self._writer.execute(f"CREATE UNLOGGED TABLE {table} (id integer PRIMARY KEY, v {kind})".encode())
        self._reader = connect(info)
        catalog = read_catalog(self._reader)
        self.plans = {profile: _tables(make_plan(catalog, Choices(profile))) for profile in Profile}

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    def table(self, kind: str, profile: Profile) -> TablePlan:
        return self.plans[profile][self._names[kind]]

    def printed(self, kind: str, values: list[str]) -> list[bytes]:
        """The lines that COPY sends for some values, each with its number."""
        name = self._names[kind]
        self._fill(name, [f"{number}\t{_escaped(value)}\n" for number, value in enumerate(values)])
        return self._copied(f"COPY (SELECT id, v FROM public.{name} ORDER BY id) TO STDOUT")

    def binary(self, kind: str, table: TablePlan) -> list[bytes]:
        """The same values in COPY's binary format as the native core asks for them: a stream for each."""
        asked = [
            sql.SQL(wire(column.form, column.source_type)).format(sql.Identifier(column.source))
            for column in table.columns
        ]
        query = sql.SQL("COPY (SELECT {} FROM public.{} ORDER BY id) TO STDOUT (FORMAT binary)").format(
            sql.SQL(", ").join(asked), sql.Identifier(self._names[kind])
        )
        stream = self._copied(query.as_string(self._reader))
        head, end = stream[0][:19], stream[-1]
        return [head + row + end for row in (stream[0][19:], *stream[1:-1])]

    def given_back(self, kind: str, lines: list[bytes]) -> list[int]:
        """The numbers of those lines that, read by the server again, are not the very same values, to the bit."""
        name = self._names[kind]
        numbers = [int(line.split(b"\t")[0]) for line in lines]
        self._fill(f"{name}_back", [line.decode() for line in lines])
        pairs = zip(numbers, self._binary(name, numbers), self._binary(f"{name}_back", numbers), strict=True)
        return [number for number, there, back in pairs if there != back]

    def _binary(self, name: str, numbers: list[int]) -> list[bytes]:
        """The rows in COPY's binary format; the last one with the stream's end."""
        chosen = ",".join(map(str, numbers)) or "-1"
        query = f"COPY (SELECT id, v FROM public.{name} WHERE id IN ({chosen}) ORDER BY id) TO STDOUT (FORMAT binary)"
        stream = self._copied(query)
        return [b"".join(stream[:1]), *stream[1:-1]] if numbers else []

    def _copied(self, query: str) -> list[bytes]:
        with self._reader.cursor() as cursor, cursor.copy(query.encode()) as copy:
            return [bytes(line) for line in copy]

    def _fill(self, name: str, lines: list[str]) -> None:
        with self._writer.transaction(), self._writer.cursor() as cursor:
            cursor.execute(f"TRUNCATE {name}".encode())
            with cursor.copy(f"COPY {name} FROM STDIN".encode()) as copy:
                copy.write("".join(lines).encode())


def _tables(plan: Plan) -> dict[str, TablePlan]:
    return {table.source.name: table for table in plan.tables}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def check(oracle: Oracle, sample: Sample, values: list[str]) -> Tally:
    """The law, for a batch of values, in every profile: what became of them.

    Raises:
        AssertionError: a value was refused that SQLite can hold, or the two roads differ on it.
    """
    tally = Tally(generated=len(values), values=set(values))
    lines = oracle.printed(sample.type, values)
    assert len(lines) == len(values)
    for profile in Profile:
        table = oracle.table(sample.type, profile)
        codecs = [codec(column.form) for column in table.columns]
        rows: list[tuple[Value, ...]] = []
        carried: list[bytes] = []
        by_django = profile is Profile.DJANGO and sample.refused_by_django is not never
        refused = sample.refused_by_django if by_django else sample.refused
        for line in lines:
            text = fields(line)[1]
            assert text is not None
            try:
                row = decode(codecs, line)
            except Unrepresentable as reason:
                assert refused(text), f"{text[:80]!r} was refused: {reason}"
                assert str(reason)
                tally.refused += 1
                continue
            assert not refused(text), f"{text[:80]!r} was not refused, but became {row[1]!r}"
            rows.append(row)
            carried.append(line)
        if native.CORE is not None:
            streams = oracle.binary(sample.type, table)
            check_native(streams, table, lines)
            kept = set(carried)
            check_digest([stream for stream, line in zip(streams, lines, strict=True) if line in kept], table, rows)
        read = [encode(codecs, there) for there in _through_sqlite(table, rows)]
        other = set(oracle.given_back(sample.type, read))
        for number, (line, back) in enumerate(zip(carried, read, strict=True)):
            if back != line or int(line.split(b"\t")[0]) in other:
                tally.changed.append(
                    f"{profile}: {line[:80]!r} became {rows[number][1]!r} and comes back as {back[:80]!r}"
                )
            else:
                tally.equal += 1
    refused_everywhere = oracle.given_back(sample.type, lines)
    assert not refused_everywhere, f"the server reads its own text of {sample.type} as another value"
    return tally


def check_native(streams: list[bytes], table: TablePlan, lines: list[bytes]) -> None:
    """The native core gives the definition's values and refuses what the definition refuses."""
    columns = [decoder(column.form, native.CORE.knows) for column in table.columns]
    codecs = [codec(column.form) for column in table.columns]
    numeric = table.columns[1].form.startswith("numeric")  # the core does not print the number that it refuses
    for stream, line in zip(streams, lines, strict=True):
        try:
            expected: object = decode(codecs, line)
        except Unrepresentable as reason:
            expected = "more than 15 digits" if numeric and "15 digits" in str(reason) else str(reason)
        try:
            (found,) = native.CORE.decode(columns, stream)
        except (native.CORE.Refused, Unrepresentable) as reason:
            found = "more than 15 digits" if numeric and "15 digits" in str(reason) else str(reason)
        assert repr(found) == repr(expected), f"{line[:80]!r} as {table.columns[1].form}"


def check_digest(streams: list[bytes], table: TablePlan, rows: list[tuple[Value, ...]]) -> None:
    """What SQLite holds is encoded back into the very bytes that the server sent."""
    if not rows:
        return
    forms = [column.form for column in table.columns]
    made = native.CORE.Digest([form if native.CORE.encodes(form) else codec(form).to_pg for form in forms])
    head, end = streams[0][:19], streams[0][-2:]
    made.feed(b"".join([head, *(stream[19:-2] for stream in streams), end]))
    offer()
    with closing(_filled(table, rows)) as connection:
        equal = digest(connection, table.target, [column.target for column in table.columns], made) and made.finish()[2]
    if not equal:
        assert len(rows) > 1, f"{rows[0][1]!r} as {forms[1]} is not encoded back"
        half = len(rows) // 2
        check_digest(streams[:half], table, rows[:half])
        check_digest(streams[half:], table, rows[half:])
        raise AssertionError(f"rows as {forms[1]} are encoded back one by one, but not together")


def _through_sqlite(table: TablePlan, rows: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    """The rows as a real table made by the plan's statement holds them, its checks switched on."""
    with closing(_filled(table, rows)) as connection:
        return connection.execute(f'SELECT * FROM "{table.target}" ORDER BY id').fetchall()


def _filled(table: TablePlan, rows: list[tuple[Value, ...]]) -> dbapi.Connection:
    connection = dbapi.connect(":memory:", isolation_level=None)
    register(connection)
    connection.execute(table.create)
    connection.executemany(f'INSERT INTO "{table.target}" VALUES (?, ?)', rows)
    return connection
