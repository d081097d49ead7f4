"""SQLAlchemy's contract: one set of models, on PostgreSQL and on the migrated file, gives the same objects and rows."""

from __future__ import annotations

import asyncio
import enum
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    ColumnElement,
    Computed,
    Date,
    DateTime,
    Double,
    Engine,
    Enum,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    case,
    cast,
    create_engine,
    func,
    insert,
    literal,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import CompileError, IntegrityError, OperationalError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import NullPool

from liteshift.app.engines import make_async_engines, make_engines, make_tool_engine


class Colour(enum.Enum):
    """In no alphabetical order, as PostgreSQL sorts it."""

    RED = "r"
    GREEN = "g"
    BLUE = "b"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class Thing(Base):
    """A column of every type."""

    __tablename__ = "things"
    __table_args__ = (
        CheckConstraint("small >= -32768 AND small <> 13", name="small_unlucky"),
        CheckConstraint("exact >= -99999999999999", name="exact_floor"),
        CheckConstraint("native_enum IN ('RED', 'GREEN', 'BLUE')", name="known_colour"),
        Index("ix_things_exact_day", "exact", "day"),
        Index(None, "price", postgresql_where=text("flag"), sqlite_where=text("flag")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    uuid = mapped_column(Uuid)
    uuid_text = mapped_column(Uuid(as_uuid=False))
    moment = mapped_column(DateTime(timezone=True), index=True)
    wall_clock = mapped_column(DateTime)
    day = mapped_column(Date)
    clock = mapped_column(Time)
    clock_there = mapped_column(Time(timezone=True))
    span = mapped_column(Interval)
    price = mapped_column(Numeric(10, 2))
    whole = mapped_column(Numeric(12))
    exact = mapped_column(Numeric(20, 6))
    huge = mapped_column(Numeric(40, 3))
    any_numeric = mapped_column(Numeric)
    as_float = mapped_column(Numeric(10, 2, asdecimal=False))
    ratio = mapped_column(Float)
    double = mapped_column(Double)
    single = mapped_column(Float(24))
    real = mapped_column(REAL)
    native_enum = mapped_column(Enum(Colour, name="colour"))
    text_enum = mapped_column(Enum("x", "yy", name="letters", native_enum=False, create_constraint=True))
    json = mapped_column(JSON)
    jsonb = mapped_column(postgresql.JSONB)
    either_json = mapped_column(JSON().with_variant(postgresql.JSONB(), "postgresql"))
    blob = mapped_column(LargeBinary)
    flag = mapped_column(Boolean, server_default=true())
    small = mapped_column(SmallInteger, default=0)
    integer = mapped_column(Integer)
    big = mapped_column(BigInteger)
    short = mapped_column(String(50))
    unlimited = mapped_column(String)
    fixed = mapped_column(CHAR(4))
    long = mapped_column(Text)
    integers = mapped_column(ARRAY(Integer))
    matrix = mapped_column(ARRAY(Float, dimensions=2))
    moments = mapped_column(postgresql.ARRAY(DateTime(timezone=True)))
    amounts = mapped_column(postgresql.ARRAY(Numeric(20, 6)))
    words = mapped_column(postgresql.ARRAY(Text))
    blobs = mapped_column(ARRAY(LargeBinary))
    flags = mapped_column(ARRAY(Boolean))
    uuids = mapped_column(ARRAY(Uuid))
    pg_uuid = mapped_column(postgresql.UUID(as_uuid=True))
    pg_moment = mapped_column(postgresql.TIMESTAMP(timezone=True))
    pg_span = mapped_column(postgresql.INTERVAL)
    pg_blob = mapped_column(postgresql.BYTEA)
    pg_double = mapped_column(postgresql.DOUBLE_PRECISION)
    pg_enum = mapped_column(postgresql.ENUM("low", "high", name="height"))
    made_at = mapped_column(DateTime(timezone=True), server_default=func.now())


class Node(Base):
    """Points at itself, and is unique among its siblings."""

    __tablename__ = "nodes"
    __table_args__ = (
        UniqueConstraint("parent_id", "name"),
        Index("uq_nodes_name_roots", "name", unique=True, postgresql_where=text("parent_id IS NULL"),
              sqlite_where=text("parent_id IS NULL")),
        CheckConstraint("id <> parent_id", name="own_parent"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id", ondelete="CASCADE"))
    children: Mapped[list[Node]] = relationship(order_by="Node.name", passive_deletes=True)


class Document(Base):
    """Known by a UUID."""

    __tablename__ = "documents"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lines: Mapped[list[Line]] = relationship(order_by="Line.number", cascade="all, delete-orphan")


class Line(Base):
    """Known by a pair, one of it another's key."""

    __tablename__ = "lines"

    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 6), unique=True)


class Note(Base):
    """Points at a pair; its own key is a small integer."""

    __tablename__ = "notes"
    __table_args__ = (
        ForeignKeyConstraint(["document_id", "number"], ["lines.document_id", "lines.number"], onupdate="CASCADE",
                             deferrable=True, initially="DEFERRED"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    document_id: Mapped[UUID | None]
    number: Mapped[int | None] = mapped_column(SmallInteger)
    doubled: Mapped[int | None] = mapped_column(Computed("number * 2", persisted=True))


# ---- the rows -----------------------------------------------------------------------------------------------------

ZONE, WEST = timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))
NASTY: dict[str, list[Any]] = {
    "moment": [
        datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2024, 2, 29, 12, 0, 0, 1, UTC), datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), datetime(1969, 12, 31, 23, 59, 59, 500000, UTC),
        datetime(2024, 2, 29, 17, 30, tzinfo=ZONE), datetime(2024, 1, 1, 0, 30, tzinfo=ZONE),
    ],
    "wall_clock": [datetime(2024, 3, 31, 2, 30), datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)],
    "day": [date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29), date(1970, 1, 1)],
    "clock": [time(0), time(23, 59, 59, 999999), time(12, 30, 0, 500000), time(12, 30)],
    "clock_there": [time(1, 2, 3, 400000, UTC), time(23, 59, tzinfo=ZONE), time(0, tzinfo=WEST)],
    "span": [
        timedelta(0), timedelta(microseconds=-1), timedelta(days=-3, hours=5), timedelta(hours=30),
        timedelta(days=999, microseconds=999999), timedelta(days=-700_000), timedelta(days=3_000_000),
    ],
    "price": [Decimal(value) for value in ("0.10", "0.30", "-0.01", "99999999.99", "-99999999.99", "0", "1", "10")],
    "whole": [Decimal("999999999999"), Decimal(-5), Decimal(0)],
    "exact": [Decimal(value) for value in ("0.10", "12345678901234.567891", "9", "10", "-1.000001", "0", "-0.000001")],
    "huge": [Decimal("9" * 37 + ".999"), Decimal("-9007199254740993.001"), Decimal("9007199254740992.999"), Decimal(2)],
    "any_numeric": [Decimal(value) for value in ("1.10", "1.1", "0.1000000000000000001", "1e30", "-7", "NaN", "9")],
    "as_float": [0.1, 12.25, -3.5],
    "ratio": [0.1, 1e308, -1e-308, 5e-324, float("inf"), float("-inf"), 0.1 + 0.2, 2.0**53 + 2, 3.0],
    "single": [0.1, 16777216.0, -1e-30, 3.0, 0.3],
    "native_enum": list(Colour),
    "text_enum": ["x", "yy"],
    "json": [1.0, 2, None, "1.0", "", [], {}, {"b": 1, "a": [None, 1.5, "é😀"]}, True, 2**60, 1e300, [[1]], "null"],
    "blob": [b"", b"\0", bytes(range(256)), b"text"],
    "flag": [True, False],
    "small": [-32768, 32767, 0],
    "integer": [-(2**30), 2**30 - 1, 0],
    "big": [-(2**63), 2**63 - 1, 2**53 + 1, 0],
    "short": ["", " ", "a ", "a", "A", "ä", "日本語", "😀", "' \" \\ % _", "\t\n\r", "z" * 50],
    "fixed": ["ab", "abcd", "", "é"],
    "integers": [[], [1, None, -5], [2**31 - 1]],
    "matrix": [[[0.1, 1e300], [-2.5, 3.0]]],
    "moments": [[datetime(2024, 2, 29, 12, 0, tzinfo=UTC), None, datetime(2024, 1, 1, 0, 0, 0, 5, ZONE)]],
    "amounts": [[Decimal("0.10"), Decimal("12345678901234.567891")], [None]],
    "words": [["", "a,b", "NULL", '"', "\\", "é"], [None, " "]],
    "blobs": [[b"", b"\0\xff"]],
    "flags": [[True, None, False]],
    "uuids": [[UUID(int=1)]],
    "pg_enum": ["high", "low"],
}  # fmt: skip
ALIKE = {
    "double": "ratio", "pg_double": "ratio", "real": "single", "jsonb": "json", "either_json": "json", "long": "short",
    "unlimited": "short", "pg_blob": "blob", "pg_span": "span", "pg_moment": "moment",
}  # fmt: skip
SIZE = 40


def rows() -> list[dict[str, Any]]:
    """Every nasty value, and as many others."""
    random = Random(4)
    columns: dict[str, list[Any]] = {name: list(values) for name, values in NASTY.items()}
    columns |= {name: list(NASTY[like]) for name, like in ALIKE.items()}
    for _ in range(SIZE):
        columns["moment"].append(datetime.fromtimestamp(random.uniform(-6e10, 2e11), UTC))
        columns["exact"].append(Decimal(random.randrange(-(10**19), 10**20)).scaleb(-6))
        columns["price"].append(Decimal(random.randrange(-(10**9), 10**10)).scaleb(-2))
        columns["double"].append(random.uniform(-1e9, 1e9))
        columns["span"].append(timedelta(microseconds=random.randrange(-(10**17), 10**17)))
    identifiers = [UUID(int=random.getrandbits(128), version=4) for _ in range(SIZE)]
    identifiers[0] = UUID("12345678901234567890123456789012")  # a number, to an affinity
    made = []
    for number in range(SIZE):
        row = {name: values[number] if number < len(values) else None for name, values in columns.items()}
        row |= {"uuid": identifiers[number], "uuid_text": str(identifiers[number]), "pg_uuid": identifiers[number]}
        made.append(row | {"flag": number % 2 == 0})
    return made


def fill(engine: Engine) -> None:
    """Through the ORM; the last ids are given and taken back."""
    with Session(engine) as session:
        session.add_all(Thing(**row) for row in rows())
        root = Node(
            name="root", children=[Node(name="a", children=[Node(name="root")]), Node(name="b"), Node(name="é")]
        )
        lines = [Line(number=number, amount=Decimal(10) ** number) for number in (1, 2, 10)]
        session.add_all([root, Document(id=UUID(int=3), lines=lines)])
        session.flush()
        session.add_all([Note(document_id=UUID(int=3), number=2), Note()])
        last = [Thing(short="gone"), Node(name="gone")]
        session.add_all(last)
        session.flush()
        for item in last:
            session.delete(item)
        session.commit()


@dataclass(frozen=True)
class Move:
    """The two sides, and the plan that stood between them."""

    postgres: Engine
    sqlite: Engine
    file: Path
    plan: dict[str, Any]

    def both(self, statement: Any) -> list[Any]:
        """A statement's rows on PostgreSQL, after seeing that SQLite has the same."""
        there, here = (list(self.run(engine, statement)) for engine in (self.postgres, self.sqlite))
        assert repr(here) == repr(there)  # NaN equals itself here, and 1.10 is not 1.1
        return there

    @staticmethod
    def run(engine: Engine, statement: Any) -> list[Any]:
        with Session(engine) as session:
            return [tuple(row) for row in session.execute(statement)]


def revisions(folder: Path, engine: Engine, *texts: str) -> Config:
    """Alembic with these revisions, on a database."""
    (folder / "versions").mkdir(exist_ok=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    for number, revision in enumerate(texts):
        (folder / "versions" / f"revision_{number}.py").write_text(revision)
    config = Config(attributes={"engine": engine, "metadata": Base.metadata})
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    return config


ENVIRONMENT = """
from alembic import context
from liteshift.app.revisions import keep_last_ids

engine, metadata = (context.config.attributes[name] for name in ("engine", "metadata"))
keep = keep_last_ids(engine)
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True,
        on_version_apply=keep,
    )
    with context.begin_transaction():
        context.run_migrations()
"""
FIRST = """
from alembic import context, op

revision, down_revision = "0001", None

def upgrade():
    context.config.attributes["metadata"].create_all(op.get_bind())
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"

def upgrade():
    op.add_column("documents", sa.Column("title", sa.String(20), nullable=False, server_default="none"))
    with op.batch_alter_table("things") as batch:
        batch.alter_column("short", existing_type=sa.String(50), type_=sa.String(80))
        batch.add_column(sa.Column("rate", sa.Numeric(30, 10), server_default="0"))
        batch.create_index("ix_things_rate", ["rate"])
    with op.batch_alter_table("lines", recreate="always") as batch:
        batch.create_check_constraint("positive", "amount > '0'")

def downgrade():
    with op.batch_alter_table("lines", recreate="always") as batch:
        batch.drop_constraint("positive", type_="check")
    with op.batch_alter_table("things") as batch:
        batch.drop_index("ix_things_rate")
        batch.drop_column("rate")
        batch.alter_column("short", existing_type=sa.String(80), type_=sa.String(50))
    op.drop_column("documents", "title")
"""


@pytest.fixture(scope="module")
def move(
    source: str, tmp_path_factory: pytest.TempPathFactory, migrate: Callable[..., dict[str, Any]]
) -> Iterator[Move]:
    """The models on PostgreSQL, made by their first revision, filled, and moved."""
    postgres = make_engines(_url(source))
    command.upgrade(revisions(tmp_path_factory.mktemp("revisions"), postgres.writer, FIRST), "0001")
    fill(postgres.writer)
    file = tmp_path_factory.mktemp("sqlalchemy") / "app.db"
    plan = migrate(source, file, "sqlalchemy")
    sqlite = make_engines(f"sqlite:///{file}")
    yield Move(postgres.writer, sqlite.reader, file, plan)
    postgres.dispose()
    sqlite.dispose()


def _url(conninfo: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{parts['dbname']}"


# ---- reading ------------------------------------------------------------------------------------------------------

COLUMNS = list(Thing.__table__.columns)
UNEQUAL = {"json"}  # PostgreSQL's json knows no equality
UNORDERED = {"json", "jsonb", "either_json", "native_enum", "pg_enum", "clock_there", "moments", "amounts", "words"}
UNORDERED |= {"integers", "matrix", "blobs", "flags", "uuids"}
INEXACT = {"as_float", "single", "real"}  # what PostgreSQL prints of a float is not always what it compares with
NO_EXTREMES = {"uuid", "uuid_text", "pg_uuid", "flag", "blob", "pg_blob"}  # in PostgreSQL 16


def test_the_objects_are_equal(move: Move) -> None:
    statement = select(*COLUMNS).order_by(Thing.id)
    assert len(move.both(statement)) == SIZE
    with Session(move.postgres) as there, Session(move.sqlite) as here:
        for one, other in zip(
            *(session.scalars(select(Thing).order_by(Thing.id)) for session in (there, here)), strict=True
        ):
            for column in COLUMNS:
                expected, found = getattr(one, column.key), getattr(other, column.key)
                assert type(found) is type(expected), column.key
                assert repr(found) == repr(expected) or found == expected, column.key
                if isinstance(expected, Decimal):
                    assert str(found) == str(expected)
                if isinstance(expected, datetime | time):
                    assert (found.tzinfo is None) == (expected.tzinfo is None)
        for session in (there, here):
            root = session.scalars(select(Node).where(Node.parent_id.is_(None))).one()
            assert [child.name for child in root.children] == ["a", "b", "é"]
            document = session.get_one(Document, UUID(int=3))
            assert [(line.number, int(line.amount)) for line in document.lines] == [(1, 10), (2, 100), (10, 10**10)]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.key)
def test_filters_find_the_same_rows(move: Move, column: Any) -> None:
    by_id = select(Thing.id).order_by(Thing.id)
    move.both(by_id.where(column.is_(None)))
    found = move.both(select(column).where(column.is_not(None)).order_by(Thing.id))
    if column.key in UNEQUAL:
        return
    values = [literal(value, column.type) for (value,) in found]
    for value in values:
        rows = move.both(by_id.where(column == value))
        assert rows or column.key in INEXACT
    if "json" not in column.key:
        move.both(by_id.where(column.in_([value for (value,) in found[::2]])))
        move.both(by_id.where(column.not_in([value for (value,) in found[:3]])))
    if column.key in UNORDERED:
        return
    for value in values[:12]:
        move.both(by_id.where(column < value))
        move.both(by_id.where(column >= value))
        move.both(by_id.where(column.between(value, values[-1])))
    move.both(select(column).order_by(column.nulls_first(), Thing.id))
    move.both(select(column).order_by(column.desc().nulls_last(), Thing.id).limit(5))
    move.both(select(column, func.count()).where(column.is_not(None)).group_by(column).order_by(func.count(), column))
    if column.key not in NO_EXTREMES:
        move.both(select(func.min(column), func.max(column)))


def test_json_by_path(move: Move) -> None:
    column = Thing.either_json
    move.both(select(Thing.id).where(column["b"].as_integer() == 1))
    move.both(select(Thing.id).where(column[("a", 1)].as_float() == 1.5))
    assert move.both(select(Thing.id, column["a"][2].as_string()).where(column["b"].is_not(None))) == [(8, "é😀")]


# ---- arithmetic ---------------------------------------------------------------------------------------------------

ID = Thing.id
NUMBERS = [Thing.price, Thing.whole, Thing.exact, Thing.huge]
SOME = Thing.id.between(1, 20)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda column: column.key)
def test_decimals_are_exact_in_expressions(move: Move, number: Any) -> None:
    some = SOME & number.is_not(None)
    expressions: list[ColumnElement[Any]] = [
        *(number + Decimal("0.2"), number - number, number * 3, -number, number * Decimal("1.5") + 1),
        *(case((ID > 3, number), else_=Decimal(0)), func.coalesce(number, 0)),
        *(cast(number, Numeric(50, 8)), cast(number, Numeric(50, 1))),
    ]
    for expression in expressions:
        found = move.run(move.sqlite, select(expression).where(some).order_by(ID))
        assert found == move.run(move.postgres, select(expression).where(some).order_by(ID)), expression
        for threshold in (0, Decimal("9.5"), Decimal("-0.3"), 10):
            move.both(select(ID).where(some, expression > threshold).order_by(ID))
            move.both(select(ID).where(some, expression == threshold).order_by(ID))
        move.both(select(ID).where(some).order_by(expression, ID))
        move.both(select(ID).where(some).order_by(expression.label("it").desc(), ID))
    for total in (
        func.sum(number),
        func.min(number),
        func.max(number),
        func.sum(number.distinct()),
        func.sum(number * 2),
    ):
        for having in (total > 5, total <= Decimal("9.5")):
            move.both(
                select(Thing.flag, func.count()).where(some).group_by(Thing.flag).having(having).order_by(Thing.flag)
            )
        assert move.run(move.sqlite, select(total).where(some)) == move.run(move.postgres, select(total).where(some))
        move.both(select(Thing.flag).where(some).group_by(Thing.flag).order_by(total))
    running = func.sum(number).over(order_by=ID, rows=(-1, 0))
    assert move.run(move.sqlite, select(running).where(some)) == move.run(move.postgres, select(running).where(some))
    filtered = func.sum(number).filter(number > 1)
    assert move.run(move.sqlite, select(filtered)) == move.run(move.postgres, select(filtered))
    none = select(func.sum(number)).where(ID < 0)
    assert move.both(none) == [(None,)]


def test_decimals_beside_other_numbers(move: Move) -> None:
    for one in NUMBERS:
        for other in (*NUMBERS, Thing.small, Thing.any_numeric):
            move.both(select(ID).where(one < other).order_by(ID))
            move.both(select(ID).where(one + other > 10).order_by(ID))
        largest = select(func.max(one)).scalar_subquery()
        move.both(select(ID).where(largest > 9, one == largest).order_by(ID))
    inner = select(ID, (Thing.exact * 2).label("twice")).subquery()
    move.both(select(inner.c.twice).where(inner.c.twice > 9).order_by(inner.c.twice))


@pytest.mark.parametrize("expression", [Thing.exact / 3, Thing.exact % 2, Thing.exact * Thing.ratio])
def test_what_can_not_be_exact_is_not_done(move: Move, expression: Any) -> None:
    with pytest.raises(CompileError, match="exactly"):
        move.run(move.sqlite, select(expression))


# ---- writing ------------------------------------------------------------------------------------------------------


@pytest.fixture
def writer(move: Move, tmp_path: Path) -> Engine:
    """The migrated file, in a copy that may be written."""
    shutil.copy(move.file, tmp_path / "app.db")
    return make_tool_engine(f"sqlite:///{tmp_path / 'app.db'}")


def test_inserts_and_updates_go_on(move: Move, writer: Engine) -> None:
    with Session(writer) as session:
        things = [Thing(**row) for row in rows()]
        session.add_all([*things, Node(name="new"), Note(), Document(id=UUID(int=4))])
        session.commit()
        assert [thing.id for thing in things] == list(range(SIZE + 2, 2 * SIZE + 2))  # one id was given and is gone
        assert session.scalars(select(Node.id).where(Node.name == "new")).one() == 7
        assert session.scalars(select(func.max(Note.id))).one() == 3
        assert abs(datetime.now(UTC) - things[0].made_at) < timedelta(minutes=10)
        assert session.scalars(select(Note.doubled).where(Note.number == 2)).one() == 4
        for thing in things:
            thing.short = "changed"
        session.commit()
    unlike = {"id", "short", "made_at"}
    columns = [column for column in COLUMNS if column.key not in unlike]
    written = move.run(writer, select(*columns).where(Thing.short == "changed").order_by(Thing.id))
    assert repr(written) == repr(move.run(move.sqlite, select(*columns).order_by(Thing.id)))
    assert repr(written) == repr(move.run(move.postgres, select(*columns).order_by(Thing.id)))
    with writer.connect() as connection:  # written as the migration wrote: a way back stays open
        names = [column.name for column in columns if column.name != "json"]
        listed = ", ".join(f'"{name}", typeof("{name}")' for name in names)
        query = f"SELECT {listed} FROM things WHERE (short IS 'changed') = ? ORDER BY id"
        mine, theirs = (connection.exec_driver_sql(query, (side,)).all() for side in (True, False))
        assert mine == theirs


def test_what_is_written_is_rounded_as_postgresql_does(move: Move, writer: Engine) -> None:
    row = {
        "price": Decimal("0.125"),
        "whole": Decimal("2.5"),
        "exact": Decimal("-0.0000005"),
        "single": 1 / 3,
        "real": 0.7,
    }
    read = select(*(getattr(Thing, name) for name in row)).where(Thing.short == "rounded")
    answers = []
    for engine in (move.postgres, writer):
        with Session(engine) as session:
            session.add(Thing(short="rounded", **row))
            session.flush()
            answers.append(session.execute(read).all())
            assert session.scalars(select(func.count()).where(Thing.price == Decimal("0.13"))).one() == 1
    assert repr(answers[0]) == repr(answers[1])
    assert answers[0][0].exact == Decimal("-0.000001")


def test_upserts(move: Move, writer: Engine) -> None:
    row = {"id": 1, "price": Decimal("0.125"), "either_json": 2.5, "exact": Decimal(3)}
    read = select(Thing.price, Thing.either_json, Thing.exact, Thing.fixed).where(Thing.id == 1)
    answers = []
    for engine, kind in ((move.postgres, postgresql.insert), (writer, sqlite.insert)):
        with engine.connect() as connection:
            new = kind(Thing).values(row)
            changes = {"price": Decimal("0.375"), "either_json": 1.0, "exact": new.excluded.exact, "fixed": "x"}
            connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=changes))
            answers.append(repr(connection.execute(read).all()))
            connection.rollback()
    assert answers[0] == answers[1]


def test_sums_stay_exact_in_updates(move: Move, writer: Engine) -> None:
    some = (Thing.price < 100) & (Thing.exact.is_(None) | Thing.exact.between(1, 10**13))
    answers: list[list[Any]] = [[], []]
    for engine, said in zip((move.postgres, writer), answers, strict=True):
        with Session(engine) as session:
            for change in (
                {Thing.exact: Thing.exact + Decimal("0.1"), Thing.price: Thing.price + Decimal("0.20")},
                {Thing.exact: Thing.exact * Decimal("1.0000005"), Thing.price: Thing.price * Decimal("1.175")},
                {"whole": Thing.price * 3, "price": None, "exact": Thing.price},
            ):
                session.execute(update(Thing).where(some).values(change))
                said += session.execute(select(Thing.id, Thing.exact, Thing.price, Thing.whole).order_by(Thing.id))
                said += session.execute(select(Thing.id).where(Thing.price == Decimal("0.30")).order_by(Thing.id))
            session.rollback()
    assert repr(answers[0]) == repr(answers[1])


BROKEN: list[tuple[type[Base], dict[str, Any]]] = [
    (Thing, {"small": 13}),
    (Thing, {"exact": Decimal("-99999999999999.000001")}),
    (Thing, {"short": "x" * 51}),
    (Thing, {"short": "a\0b"}),
    (Thing, {"flag": 2}),
    (Node, {"id": 1, "name": "twice"}),
    (Node, {"name": "a", "parent_id": 1}),
    (Node, {"name": "root"}),
    (Node, {"id": 77, "name": "own", "parent_id": 77}),
    (Node, {"name": "orphan", "parent_id": 12345}),
    (Line, {"document_id": UUID(int=3), "number": 1, "amount": Decimal(7)}),
    (Line, {"document_id": UUID(int=3), "number": 9, "amount": Decimal("100.00")}),
    (Line, {"document_id": UUID(int=9), "number": 1, "amount": Decimal(7)}),
    (Line, {"document_id": UUID(int=3), "number": 9, "amount": None}),
    (Note, {"document_id": UUID(int=3), "number": 77}),
    (Thing, {"exact": Decimal("1e14")}),
    (Thing, {"price": Decimal("99999999.995")}),
    (Thing, {"ratio": float("nan")}),
    (Thing, {"text_enum": "zz"}),
]


@pytest.mark.parametrize(("model", "values"), BROKEN)
def test_rules_bite(writer: Engine, model: type[Base], values: dict[str, Any]) -> None:
    with Session(writer) as session, pytest.raises((IntegrityError, StatementError)):
        session.add(model(**values))
        session.commit()


def test_cascades(writer: Engine) -> None:
    with Session(writer) as session:
        session.delete(session.scalars(select(Node).where(Node.parent_id.is_(None))).one())
        session.commit()
        assert session.scalars(select(func.count()).select_from(Node)).one() == 0
        session.execute(text("UPDATE lines SET number = 4 WHERE number = 2"))
        assert session.scalars(select(Note.number).where(Note.number.is_not(None))).one() == 4


def test_the_plan_names_what_is_lost(move: Move) -> None:
    lost = {finding["subject"] for finding in move.plan["findings"] if finding["severity"] != "note"}
    named = [
        *(
            "span",
            "pg_span",
            "exact",
            "huge",
            "any_numeric",
            "native_enum",
            "pg_enum",
            "clock_there",
            "integers",
            "matrix",
        ),
        *("moments", "amounts", "words", "blobs", "flags", "uuids"),
    ]
    assert lost == {f"public.things.{name}" for name in named} | {"public.lines.amount"}


# ---- Alembic ------------------------------------------------------------------------------------------------------


def test_alembic_finds_no_difference(move: Move, tmp_path: Path) -> None:
    command.check(revisions(tmp_path, move.sqlite, FIRST))
    assert move.both(text("SELECT version_num FROM alembic_version")) == [("0001",)]


def test_revisions_go_on(move: Move, writer: Engine, tmp_path: Path) -> None:
    migrations = make_tool_engine(f"sqlite:///{tmp_path / 'app.db'}", foreign_keys=False)
    config = revisions(tmp_path, migrations, FIRST, SECOND)
    everything = select(*COLUMNS).order_by(Thing.id)
    with pytest.warns(UserWarning, match="Unnamed CHECK constraint"):  # the rules of the value contract go
        command.upgrade(config, "0002")
    assert repr(move.run(writer, everything)) == repr(move.both(everything))
    with Session(writer) as session:
        session.add(Thing(short="z" * 80, exact=Decimal("12345678901234.567891")))
        session.commit()
        session.execute(text("UPDATE things SET rate = '20.5' WHERE id = 1"))
        session.execute(text("UPDATE things SET rate = '3.5' WHERE id = 2"))
        assert session.scalars(text("SELECT id FROM things WHERE rate > '0' ORDER BY rate")).all() == [2, 1]
        assert session.scalars(select(func.max(Thing.id))).one() == SIZE + 2  # one id was given and is gone
        session.rollback()
    for broken in (Thing(small=13), Line(document_id=UUID(int=3), number=7, amount=Decimal(-1))):
        with Session(writer) as session, pytest.raises(IntegrityError):
            session.add(broken)
            session.commit()
    with writer.begin() as connection:
        connection.execute(text("DELETE FROM things WHERE short LIKE 'zzzz%' AND id > 40"))
    command.downgrade(config, "0001")
    (tmp_path / "versions" / "revision_1.py").unlink()
    command.check(config)
    assert repr(move.run(writer, everything)) == repr(move.both(everything))


# ---- other engines ------------------------------------------------------------------------------------------------


def test_the_async_engines_read_the_same(move: Move) -> None:
    statement = select(*COLUMNS).order_by(Thing.id)

    async def read() -> list[Any]:
        engines = make_async_engines(f"sqlite:///{move.file}")
        async with engines.reader.connect() as connection:
            rows = [tuple(row) for row in await connection.execute(statement)]
        await engines.dispose()
        return rows

    assert repr(asyncio.run(read())) == repr(move.both(statement))


def test_sqlalchemys_own_engine_says_what_it_can_not_do(writer: Engine, tmp_path: Path) -> None:
    stock = create_engine(f"sqlite:///{tmp_path / 'app.db'}", poolclass=NullPool)
    with stock.begin() as connection:
        assert connection.scalar(select(Thing.moment).where(Thing.id == 1)) == datetime(2024, 2, 29, 12)
        assert connection.scalars(select(Thing.id).where(Thing.price == Decimal("0.30"))).all() == [2]
        for number in (Thing.exact, Thing.any_numeric):
            with pytest.raises(TypeError, match="real number"):
                connection.scalar(select(number).where(Thing.id == 1))
        line = insert(Line).values(document_id=UUID(int=3), number=20, amount=Decimal("0.5"))
        for statement in (select(Thing.id).order_by(Thing.exact), line):
            with pytest.raises(OperationalError, match="no such collation sequence: DECIMAL"):
                connection.execute(statement)
