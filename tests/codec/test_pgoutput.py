"""The decoder reads what an encoder of the tests' own writes, and refuses everything else in one way."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteshift.catalog import Name
from liteshift.changes import (
    UNCHANGED,
    Begin,
    Commit,
    Delete,
    Event,
    Field,
    Fields,
    Identity,
    Insert,
    Message,
    Relation,
    RelationColumn,
    Truncate,
    Update,
)
from liteshift.codec.pgoutput import Decoder, Malformed
from liteshift.position import Lsn

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
positions = st.integers(0, 2**64 - 1).map(Lsn)
micros = st.integers(-(2**52), 2**52)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
fields = st.one_of(st.none(), st.just(UNCHANGED), texts)


def encoded_string(text: str) -> bytes:
    return text.encode() + b"\0"


def encoded_row(row: Fields) -> bytes:
    parts = [struct.pack("!H", len(row))]
    for field in row:
        if field is None:
            parts.append(b"n")
        elif field is UNCHANGED:
            parts.append(b"u")
        else:
            data = str(field).encode()
            parts.append(b"t" + struct.pack("!I", len(data)) + data)
    return b"".join(parts)


def encoded(event: Event, at: int = 0) -> bytes:
    match event:
        case Begin(final, _, xid):
            return b"B" + struct.pack("!QqI", final, at, xid)
        case Commit(end, _):
            return b"C" + struct.pack("!BQQq", 0, 0, end, at)
        case Message(prefix, content, transactional):
            head = b"M" + struct.pack("!BQ", transactional, 7) + encoded_string(prefix)
            return head + struct.pack("!I", len(content)) + content
        case Relation(oid, name, identity, columns):
            head = b"R" + struct.pack("!I", oid) + encoded_string(name.schema) + encoded_string(name.name)
            parts = [head, identity.encode(), struct.pack("!H", len(columns))]
            for column in columns:
                parts += [bytes([column.key]), encoded_string(column.name)]
                parts.append(struct.pack("!Ii", column.type_oid, column.typmod))
            return b"".join(parts)
        case Insert(relation, new):
            return b"I" + struct.pack("!I", relation.oid) + b"N" + encoded_row(new)
        case Update(relation, old, new, whole):
            before = b"" if old is None else (b"O" if whole else b"K") + encoded_row(old)
            return b"U" + struct.pack("!I", relation.oid) + before + b"N" + encoded_row(new)
        case Delete(relation, old, whole):
            return b"D" + struct.pack("!I", relation.oid) + (b"O" if whole else b"K") + encoded_row(old)
        case Truncate(relations, restart):
            oids = b"".join(struct.pack("!I", relation.oid) for relation in relations)
            return b"T" + struct.pack("!IB", len(relations), 2 if restart else 1) + oids


relations = st.builds(
    Relation,
    st.integers(1, 2**32 - 1),
    st.builds(Name, names, names),
    st.sampled_from(Identity),
    st.lists(
        st.builds(RelationColumn, names, st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1), st.booleans()),
        max_size=6,
    ).map(tuple),
)


@st.composite
def changes(draw: st.DrawFn) -> tuple[Relation, Event]:
    relation = draw(relations)
    row = st.tuples(*[fields for _ in relation.columns])
    new: tuple[Field, ...] = draw(row)
    old: tuple[Field, ...] | None = draw(st.one_of(st.none(), row))
    whole = draw(st.booleans())
    kind = draw(st.sampled_from("IUDT"))
    if kind == "I":
        return relation, Insert(relation, new)
    if kind == "U":
        return relation, Update(relation, old, new, whole and old is not None)
    if kind == "D":
        return relation, Delete(relation, new, whole)
    return relation, Truncate((relation,) * draw(st.integers(0, 3)), whole)


@given(changes())
def test_changes_of_a_described_table(change: tuple[Relation, Event]) -> None:
    relation, event = change
    decoder = Decoder()
    assert decoder.decode(encoded(relation)) == relation
    assert decoder.decode(encoded(event)) == event


@given(positions, micros, st.integers(0, 2**32 - 1), names, st.binary(max_size=50), st.booleans())
def test_events_without_a_table(
    position: Lsn, at: int, xid: int, prefix: str, content: bytes, transactional: bool
) -> None:
    seconds = 946_684_800 + at / 1_000_000
    decoder = Decoder()
    for event in (Begin(position, seconds, xid), Commit(position, seconds), Message(prefix, content, transactional)):
        assert decoder.decode(encoded(event, at)) == event


def test_what_tells_nothing() -> None:
    assert Decoder().decode(b"O" + struct.pack("!Q", 5) + b"elsewhere\0") is None
    assert Decoder().decode(b"Y" + struct.pack("!I", 5) + b"public\0mood\0") is None


@given(changes(), st.data())
def test_a_message_that_is_cut_off_or_goes_on(change: tuple[Relation, Event], data: st.DataObject) -> None:
    relation, event = change
    message = encoded(event)
    decoder = Decoder()
    decoder.decode(encoded(relation))
    with pytest.raises(Malformed):
        decoder.decode(message[: data.draw(st.integers(0, len(message) - 1))])
    with pytest.raises(Malformed):
        decoder.decode(message + b"\0")
    description = encoded(relation)
    with pytest.raises(Malformed):
        Decoder().decode(description[: data.draw(st.integers(0, len(description) - 1))])


@given(changes(), st.data())
def test_damaged_bytes_are_malformed_or_another_event(change: tuple[Relation, Event], data: st.DataObject) -> None:
    relation, event = change
    message = bytearray(encoded(event))
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    decoder = Decoder()
    decoder.decode(encoded(relation))
    try:
        decoder.decode(bytes(message))
    except Malformed as error:
        assert str(error)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind(message: bytes) -> None:
    try:
        Decoder().decode(message)
    except Malformed as error:
        assert str(error)


@pytest.mark.parametrize(
    "message", [b"", b"S\0\0\0\1\0", b"I" + struct.pack("!I", 9) + b"N\0\0"], ids=["empty", "streamed", "undescribed"]
)
def test_what_nobody_asked_for(message: bytes) -> None:
    with pytest.raises(Malformed):
        Decoder().decode(message)


def test_text_that_is_no_utf8_keeps_its_bytes() -> None:
    relation = Relation(1, Name("public", "t"), Identity.FULL, (RelationColumn("a", 25, -1, True),))
    decoder = Decoder()
    decoder.decode(encoded(relation))
    event = decoder.decode(b"I" + struct.pack("!I", 1) + b"N\0\1t" + struct.pack("!I", 2) + b"\xff\xc3")
    assert isinstance(event, Insert)
    assert str(event.new[0]).encode(errors="surrogateescape") == b"\xff\xc3"
