"""SQLite judges the page builder: each table is built both ways, and every record must be the same to its last byte."""

from __future__ import annotations

import shutil
import struct
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from liteshift import native
from liteshift.ends import Unbuilt
from liteshift.sqlite.build import Site, affinity, site
from liteshift.sqlite.fill import audit, fill, known
from liteshift.sqlite.library import dbapi
from liteshift.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

pytestmark = pytest.mark.skipif(native.CORE is None, reason="the native core is not installed")

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = struct.pack(">h", -1)
FORMS = ("integer", "boolean", "double", "real", "text", "bytea", "uuid", "date", "time", "timestamp", "json")
PAGE_SIZES = [512, 1024, 4096, 65536]


def field(form: str, value: Value) -> bytes:
    """A value as PostgreSQL sends it."""
    match form, value:
        case _, None:
            return struct.pack(">i", -1)
        case "integer", int():
            sent = struct.pack(">q", value)
        case "boolean", int():
            sent = struct.pack(">?", value)
        case "double", float():
            sent = struct.pack(">d", value)
        case "bytea", bytes():
            sent = value
        case _, str():
            sent = value.encode()
        case _:
            raise AssertionError(form)
    return struct.pack(">i", len(sent)) + sent


def stream(forms: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """A whole COPY."""
    parts = [HEAD]
    for row in rows:
        parts.append(struct.pack(">h", len(row)))
        parts.extend(field(form, value) for form, value in zip(forms, row, strict=True))
    return b"".join((*parts, END))


def payloads(path: Path, table: str) -> list[tuple[int, bytes]]:
    """Every record of a table as it stands in the file, by a reader of our own."""
    data = path.read_bytes()
    size = struct.unpack(">H", data[16:18])[0]
    size = 65536 if size == 1 else size
    usable = size - data[20]
    with closing(dbapi.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()

    def varint(at: int) -> tuple[int, int]:
        value = 0
        for count in range(8):
            value = value << 7 | data[at + count] & 0x7F
            if data[at + count] < 0x80:
                return value, at + count + 1
        return value << 8 | data[at + 8], at + 9

    def walk(number: int) -> Iterable[tuple[int, bytes]]:
        start = (number - 1) * size
        kind, cells = data[start], struct.unpack(">H", data[start + 3 : start + 5])[0]
        pointers = start + (12 if kind == 5 else 8)
        for at in range(cells):
            cell = start + struct.unpack(">H", data[pointers + 2 * at : pointers + 2 * at + 2])[0]
            if kind == 5:
                yield from walk(struct.unpack(">I", data[cell : cell + 4])[0])
                continue
            length, cell = varint(cell)
            rowid, cell = varint(cell)
            rowid = rowid - 2**64 if rowid >= 2**63 else rowid
            local = length
            if length > usable - 35:
                least = (usable - 12) * 32 // 255 - 23
                local = least + (length - least) % (usable - 4)
                local = local if local <= usable - 35 else least
            record = data[cell : cell + local]
            page = struct.unpack(">I", data[cell + local : cell + local + 4])[0] if local < length else 0
            while page:
                here = (page - 1) * size
                record += data[here + 4 : here + usable]
                page = struct.unpack(">I", data[here : here + 4])[0]
            yield rowid, record[:length]
        if kind == 5:
            yield from walk(struct.unpack(">I", data[start + 8 : start + 12])[0])

    return list(walk(root))


@dataclass(frozen=True)
class Shape:
    """A table, and its columns' forms."""

    create: str
    columns: tuple[str, ...]
    forms: tuple[str, ...]


KEYED = Shape(
    "CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a BIGINT, ok BOOLEAN, f FLOAT, s VARCHAR(9), b BLOB, d DATETIME)",
    ("id", "a", "ok", "f", "s", "b", "d"),
    ("integer", "integer", "boolean", "double", "text", "bytea", "json"),
)
KEYLESS = Shape("CREATE TABLE t (s TEXT, f FLOAT)", ("s", "f"), ("text", "double"))
STRICT = Shape(
    "CREATE TABLE t (f REAL, id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, s TEXT, n ANY) STRICT",
    ("f", "id", "s", "n"),
    ("double", "integer", "text", "integer"),
)
UNIQUE = Shape(
    "CREATE TABLE t (s TEXT NOT NULL, n BIGINT NOT NULL, x TEXT, PRIMARY KEY (s, n), UNIQUE (n, x))",
    ("s", "n", "x"),
    ("text", "integer", "text"),
)
WIDE = Shape(
    f"CREATE TABLE t ({', '.join(f'c{at} BIGINT' for at in range(300))})",
    tuple(f"c{at}" for at in range(300)),
    ("integer",) * 300,
)
SHAPES = {"keyed": KEYED, "keyless": KEYLESS, "strict": STRICT, "unique": UNIQUE, "wide": WIDE}

EDGES = [0, 1, -1, 127, 128, -128, -129, 2**15, 2**23, 2**31, 2**47 - 1, 2**47, -(2**47), -(2**47) - 1, 2**63 - 1]
INTEGERS = st.sampled_from([*EDGES, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
DOUBLES = (
    st.floats(allow_nan=False) | st.sampled_from(EDGES).map(float) | st.integers(-(10**18), 10**18).map(float)
).filter(lambda value: value != 0 or str(value) == "0.0")
LONG = st.tuples(st.integers(0, 140_000), st.integers(1, 9)).map(lambda t: "é1"[t[1] % 2] * (t[0] // t[1]))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "integer": INTEGERS,
    "boolean": st.integers(0, 1),
    "double": DOUBLES,
    "text": TEXTS | LONG,
    "bytea": st.binary(max_size=40) | LONG.map(str.encode),
    "json": st.just('{"a": 1}'),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[tuple[Value, ...]]]:
    """The name of a shape, and rows in their key's order."""
    name = draw(st.sampled_from(sorted(SHAPES)))
    shape = SHAPES[name]
    row = st.tuples(*[st.none() | VALUES[form] for form in shape.forms])
    rows = draw(st.lists(row, max_size=12))
    repeat = draw(st.sampled_from([1, 1, 3, 100])) if name != "wide" else draw(st.sampled_from([1, 9]))
    made: list[tuple[Value, ...]] = []
    keys = (
        sorted(draw(st.sets(INTEGERS, min_size=len(rows) * repeat, max_size=len(rows) * repeat)))
        if ("id" in shape.columns and repeat < 100)
        else list(range(-5, len(rows) * repeat))
    )
    for number, values in enumerate(rows * repeat):
        changed = dict(zip(shape.columns, values, strict=True))
        if "id" in changed:
            changed["id"] = keys[number]
        if name == "unique":
            changed |= {"s": f"{values[0] or ''}"[:200], "n": number * 7 % 10_007}
        made.append(tuple(changed.values()))
    return name, made


def begin(path: Path, page_size: int, create: str) -> None:
    with closing(dbapi.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute("CREATE TABLE other (x)")
        connection.execute("INSERT INTO other VALUES ('left alone')")
        connection.execute(create)


def place(path: Path, shape: Shape) -> Site:
    with closing(dbapi.connect(path)) as connection:
        found = site(connection, "t", shape.columns, shape.forms)
    assert found is not None
    return found


def feed(builder: Any, data: bytes | Iterable[bytes], cut: int = 1 << 20) -> None:
    pieces = (data[at : at + cut] for at in range(0, len(data), cut)) if isinstance(data, bytes) else data
    for piece in pieces:
        builder.feed(piece)


def built(path: Path, shape: Shape, data: bytes, cut: int = 1 << 20) -> Sequence[Sequence[Value]] | Unbuilt:
    """Build the table; the rows that are still to be inserted."""
    core, found = native.CORE, place(path, shape)
    pages = core.Pages(path)
    builder = pages.table(found.root, list(shape.forms), found.key)
    try:
        feed(builder, data, cut)
        _, aside = builder.finish()
    except ValueError as error:
        builder.abandon()
        return Unbuilt.DISORDERED if isinstance(error, core.Disordered) else Unbuilt.REFUSED
    finally:
        pages.close()
    indexed(path)
    return [row for part in aside for row in core.unpack(part, found.key)]


def contents(path: Path) -> bytes:
    """All of a file but its change counters."""
    data = bytearray(path.read_bytes())
    data[24:28] = data[92:96] = bytes(4)
    return bytes(data)


def indexed(path: Path) -> None:
    """Fill the table's indexes, and let SQLite's own check judge them."""
    with closing(dbapi.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM pragma_index_list('t')")]
        indexes = [index for name in names if (index := known(connection, "t", name))]
    assert len(indexes) == len(names)
    assert fill(path, indexes, lambda _: None) == []
    assert audit(path, indexes) == []


def inserted(path: Path, shape: Shape, rows: Sequence[Sequence[Value]]) -> None:
    with closing(dbapi.connect(path)) as connection:
        marks = ", ".join("?" * len(shape.columns))
        connection.executemany(f"INSERT INTO t VALUES ({marks})", rows)
        connection.commit()


def judge(path: Path, rows: int) -> None:
    """SQLite finds nothing wrong, reads it, and goes on writing."""
    with closing(dbapi.connect(path, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (rows,)
        assert connection.execute("SELECT x FROM other").fetchall() == [("left alone",)]
        connection.execute("CREATE TABLE later AS SELECT * FROM t")
        connection.execute("DELETE FROM t WHERE rowid % 2 = 0")
        connection.execute("INSERT INTO other SELECT hex(zeroblob(3000)) FROM t LIMIT 50")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("VACUUM")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@settings(max_examples=examples(60), deadline=None)
@given(tables(), st.sampled_from(PAGE_SIZES), st.integers(1, 5000))
def test_a_table_built_both_ways_is_the_same(
    table: tuple[str, list[tuple[Value, ...]]], page_size: int, cut: int
) -> None:
    shape, rows = SHAPES[table[0]], table[1]
    with TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.db", Path(folder) / "theirs.db"
        begin(ours, page_size, shape.create)
        shutil.copy(ours, theirs)
        assert built(ours, shape, stream(shape.forms, rows), cut) == []
        inserted(theirs, shape, rows)
        assert payloads(ours, "t") == payloads(theirs, "t")
        judge(ours, len(rows))


@pytest.mark.parametrize("page_size", [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])
def test_every_size_of_record_around_the_limits(tmp_path: Path, page_size: int) -> None:
    """One record of every length near where overflow begins, and near where a further overflow page begins."""
    shape = Shape("CREATE TABLE t (s TEXT)", ("s",), ("text",))
    marks = [page_size - 35, *(page_size - 35 + times * (page_size - 4) for times in (1, 2)), page_size // 8]
    lengths = [length for mark in marks for length in range(max(mark - 12, 0), mark + 12)]
    rows = [("x" * length,) for length in lengths]
    ours, theirs = tmp_path / "ours.db", tmp_path / "theirs.db"
    begin(ours, page_size, shape.create)
    shutil.copy(ours, theirs)
    assert built(ours, shape, stream(shape.forms, rows)) == []
    inserted(theirs, shape, rows)
    assert payloads(ours, "t") == payloads(theirs, "t")
    judge(ours, len(rows))


@pytest.mark.parametrize("rows", [0, 1, 2, *range(5400, 5500, 7), 30_000])
def test_interior_pages_have_two_children_at_least(tmp_path: Path, rows: int) -> None:
    """Around the numbers of rows where a level of the tree is just full; leaves hold two rows here."""
    shape = Shape("CREATE TABLE t (s TEXT)", ("s",), ("text",))
    begin(tmp_path / "t.db", 512, shape.create)
    assert built(tmp_path / "t.db", shape, stream(shape.forms, [("x" * 200,)] * rows)) == []
    judge(tmp_path / "t.db", rows)


@pytest.mark.parametrize("children", range(1, 140))
def test_every_number_of_children(tmp_path: Path, children: int) -> None:
    shape = Shape("CREATE TABLE t (s TEXT)", ("s",), ("text",))
    begin(tmp_path / "t.db", 512, shape.create)
    assert built(tmp_path / "t.db", shape, stream(shape.forms, [("x" * 400,)] * children)) == []
    judge(tmp_path / "t.db", children)


def test_rows_a_little_out_of_order_get_into_order(tmp_path: Path) -> None:
    rows: list[tuple[Value, ...]] = [(n ^ 1023, n, 1, 0.5, "s" * 50, b"b", "{}") for n in range(100_000)]
    begin(tmp_path / "t.db", 4096, KEYED.create)
    assert built(tmp_path / "t.db", KEYED, stream(KEYED.forms, rows)) == []
    with closing(dbapi.connect(tmp_path / "t.db")) as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == sorted(rows)
    judge(tmp_path / "t.db", 100_000)


def test_rows_far_out_of_order_are_given_back(tmp_path: Path) -> None:
    late: list[tuple[Value, ...]] = [(n, 1, 1, 1.0, "late", b"b", "{}") for n in (7, 5, -(2**63))]
    rows: list[tuple[Value, ...]] = [(n, n, 1, 0.5, "s" * 50, b"b", "{}") for n in range(10, 100_000)]
    begin(tmp_path / "t.db", 4096, KEYED.create)
    assert built(tmp_path / "t.db", KEYED, stream(KEYED.forms, rows + late)) == late
    judge(tmp_path / "t.db", len(rows))


def test_two_rows_of_one_key_are_for_sqlite_to_refuse(tmp_path: Path) -> None:
    rows: list[tuple[Value, ...]] = [(n, n, 1, 0.5, "s", b"b", "{}") for n in (5, 6, 5)]
    begin(tmp_path / "t.db", 4096, KEYED.create)
    assert built(tmp_path / "t.db", KEYED, stream(KEYED.forms, rows)) is Unbuilt.REFUSED


def test_too_many_rows_out_of_order_leave_the_file_as_it_was(tmp_path: Path) -> None:
    rows = [(n, n, 1, 0.5, "s" * 1000, b"b", "{}") for n in range(20_000, 0, -1)]
    begin(tmp_path / "t.db", 4096, KEYED.create)
    before = contents(tmp_path / "t.db")
    assert built(tmp_path / "t.db", KEYED, stream(KEYED.forms, rows)) is Unbuilt.DISORDERED
    assert contents(tmp_path / "t.db") == before


@pytest.mark.parametrize(
    ("part", "after"),
    [(slice(-1), b""), (slice(None), b"x"), (slice(300), b""), (slice(0), b""), (slice(19, None), b"")],
)
def test_a_stream_that_is_none_leaves_the_file_as_it_was(tmp_path: Path, part: slice, after: bytes) -> None:
    data = stream(KEYLESS.forms, [("x" * 100, 1.5)] * 100)[part] + after
    begin(tmp_path / "t.db", 512, KEYLESS.create)
    before = contents(tmp_path / "t.db")
    assert built(tmp_path / "t.db", KEYLESS, data) is Unbuilt.REFUSED
    assert contents(tmp_path / "t.db") == before


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_hostile_bytes_are_an_error_or_rows(data: st.DataObject) -> None:
    forms = data.draw(st.lists(st.sampled_from([*FORMS, "numeric(2)"]), min_size=1, max_size=4))
    fields = data.draw(st.lists(st.binary(max_size=24), max_size=len(forms) + 1))
    row = struct.pack(">h", len(forms)) + b"".join(
        struct.pack(">i", len(item) + data.draw(st.sampled_from([0, 0, 0, 1, -2]))) + item for item in fields
    )
    try:
        rows = native.CORE.decode(forms, HEAD + row + END)
    except ValueError:
        return
    assert len(rows) == 1


def test_the_lock_byte_page_is_left_alone(tmp_path: Path) -> None:
    """A file of more than a gibibyte, most of it a hole."""
    path = tmp_path / "large.db"
    shape = Shape("CREATE TABLE t (b BLOB)", ("b",), ("bytea",))
    begin(path, 65536, shape.create)
    lock_page = 2**30 // 65536 + 1
    blob = bytes(5_000_000)
    rows = 220  # 1.02 GiB of overflow pages: the lock-byte page falls into a chain

    def pieces() -> Iterable[bytes]:
        yield HEAD
        for _ in range(rows):
            yield struct.pack(">h", 1) + field("bytea", blob)
        yield END

    pages, found = native.CORE.Pages(path), place(path, shape)
    builder = pages.table(found.root, list(shape.forms), found.key)
    feed(builder, pieces())
    assert builder.finish() == (rows, [])
    pages.close()
    assert path.stat().st_size > 2**30 + 10 * 65536
    with path.open("rb") as file:
        file.seek((lock_page - 1) * 65536)
        assert not any(file.read(65536))
    with closing(dbapi.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*), sum(length(b)) FROM t").fetchone() == (rows, rows * len(blob))


AFFINITIES = [
    *(
        "",
        "INT",
        "BIGINT",
        "CHARINT",
        "VARCHAR(9)",
        "CLOB",
        "TEXT",
        "BLOB",
        "FLOAT",
        "REAL",
        "DOUBLE PRECISION",
        "DATE",
    ),
    *("DATETIME", "NUMERIC(5)", "BOOLEAN", "JSON", "STRING", "FLOATING POINT", "XBLOB", "DECIMAL"),
]


@pytest.mark.parametrize("declared", AFFINITIES)
def test_affinity_is_sqlites(declared: str) -> None:
    with closing(dbapi.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t (c {declared})")
        connection.execute("INSERT INTO t VALUES ('1.0'), (1), (1.5), (x'31')")
        kinds = tuple(kind for (kind,) in connection.execute("SELECT typeof(c) FROM t"))
        one = connection.execute("SELECT '1.0' = c FROM t WHERE rowid = 1").fetchone()
    expected = {
        "TEXT": ("text", "text", "text", "blob"),
        "BLOB": ("text", "integer", "real", "blob"),
        "REAL": ("real", "real", "real", "blob"),
        "INTEGER": ("integer", "integer", "real", "blob"),
        "NUMERIC": ("integer", "integer", "real", "blob"),
    }
    assert one is not None
    assert kinds == expected[affinity(declared, strict=False)]
