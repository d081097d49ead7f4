"""pgoutput's messages in text format (PostgreSQL manual, "Logical Replication Message Formats"), protocol 1.

Protocol 1 sends a transaction when it has been committed, so every message stands between a Begin and its Commit; what
newer protocols add (transactions in progress, two-phase commit) is asked for by nobody here, and refused.
"""

from __future__ import annotations

from struct import Struct
from struct import error as TooShort  # noqa: N812 - the name says what it means here
from typing import TYPE_CHECKING

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
from liteshift.position import Lsn

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH = 946_684_800  # 2000-01-01, PostgreSQL's day zero, in seconds since 1970
_RESTART_IDENTITY = 2

_BEGIN = Struct("!QqI")
_COMMIT = Struct("!BQQq")
_COLUMN = Struct("!Ii")
_MESSAGE = Struct("!BQ")
_INT16 = Struct("!H")
_INT32 = Struct("!I")

_NULL, _SAME, _TEXT = b"nut"
_KEY, _OLD, _NEW = b"KON"


class Malformed(ValueError):
    """Bytes that are no message of the protocol that was asked for."""


def message_at(piece: bytes, at: int) -> tuple[bytes, int]:
    """The message at a place in a piece of the log, where each stands after its length, and the place after it.

    Raises:
        Malformed: it is cut off.
    """
    length = int.from_bytes(piece[at : at + 4])
    end = at + 4 + length
    if at + 4 > len(piece) or end > len(piece):
        raise Malformed("a piece of the log is cut off")
    return piece[at + 4 : end], end


class Decoder:
    """Reads one stream's messages; the tables that it has described are remembered for the changes that follow.

    Text that is no UTF-8, which only a database in SQL_ASCII sends, comes with surrogate escapes.
    """

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}
        self._readers: dict[int, Callable[[bytes], Event | None]] = {
            ord("B"): _begin,
            ord("C"): _commit,
            ord("D"): self._delete,
            ord("I"): self._insert,
            ord("M"): _message,
            ord("O"): _nothing,  # where a transaction came from before: of no meaning to us
            ord("R"): self._relation,
            ord("T"): self._truncate,
            ord("U"): self._update,
            ord("Y"): _nothing,  # a type's name: its columns come as text all the same
        }

    def decode(self, message: bytes) -> Event | None:
        """One message; None where it tells nothing.

        Raises:
            Malformed: it is cut off, or no message.
        """
        if not message:
            raise Malformed("an empty message")
        reader = self._readers.get(message[0])
        if reader is None:
            raise Malformed(f"a message of the unknown kind {message[:1]!r}")
        try:
            return reader(message)
        except (TooShort, IndexError) as error:
            raise Malformed(f"a message of the kind {message[:1]!r} is cut off") from error

    def _relation(self, message: bytes) -> Relation:
        (oid,) = _INT32.unpack_from(message, 1)
        schema, at = _string(message, 5)
        name, at = _string(message, at)
        try:
            identity = Identity(chr(message[at]))
        except ValueError:
            raise Malformed(f"the table {name} has an unknown replica identity") from None
        (count,) = _INT16.unpack_from(message, at + 1)
        at += 3
        columns = []
        for _ in range(count):
            key = bool(message[at] & 1)
            column, at = _string(message, at + 1)
            type_oid, typmod = _COLUMN.unpack_from(message, at)
            at += 8
            columns.append(RelationColumn(column, type_oid, typmod, key))
        _end(message, at)
        relation = Relation(oid, Name(schema or "pg_catalog", name), identity, tuple(columns))
        self._relations[oid] = relation
        return relation

    def _insert(self, message: bytes) -> Insert:
        relation = self._known(message, 1)
        _expect(message, 5, _NEW)
        new, at = _fields(message, 6, relation)
        _end(message, at)
        return Insert(relation, new)

    def _update(self, message: bytes) -> Update:
        relation, at = self._known(message, 1), 5
        old: Fields | None = None
        whole = message[5] == _OLD
        if whole or message[5] == _KEY:
            old, at = _fields(message, 6, relation)
        _expect(message, at, _NEW)
        new, at = _fields(message, at + 1, relation)
        _end(message, at)
        return Update(relation, old, new, whole)

    def _delete(self, message: bytes) -> Delete:
        relation = self._known(message, 1)
        whole = message[5] == _OLD
        if not whole:
            _expect(message, 5, _KEY)
        old, at = _fields(message, 6, relation)
        _end(message, at)
        return Delete(relation, old, whole)

    def _truncate(self, message: bytes) -> Truncate:
        (count,) = _INT32.unpack_from(message, 1)
        _end(message, 6 + 4 * count)
        relations = tuple(self._known(message, 6 + 4 * at) for at in range(count))
        return Truncate(relations, bool(message[5] & _RESTART_IDENTITY))

    def _known(self, message: bytes, at: int) -> Relation:
        (oid,) = _INT32.unpack_from(message, at)
        relation = self._relations.get(oid)
        if relation is None:
            raise Malformed(f"a change to the table {oid}, which was not described before")
        return relation


def _begin(message: bytes) -> Begin:
    final, micros, xid = _BEGIN.unpack_from(message, 1)
    _end(message, 1 + _BEGIN.size)
    return Begin(Lsn(final), seconds_of(micros), xid)


def _commit(message: bytes) -> Commit:
    _, _, end, micros = _COMMIT.unpack_from(message, 1)
    _end(message, 1 + _COMMIT.size)
    return Commit(Lsn(end), seconds_of(micros))


def _message(message: bytes) -> Message:
    flags, _ = _MESSAGE.unpack_from(message, 1)
    prefix, at = _string(message, 1 + _MESSAGE.size)
    (length,) = _INT32.unpack_from(message, at)
    _end(message, at + 4 + length)
    return Message(prefix, message[at + 4 :], bool(flags & 1))


def _nothing(_: bytes) -> None:
    return None


def _fields(message: bytes, at: int, relation: Relation) -> tuple[Fields, int]:
    """A row's values from a place on, and the place after them."""
    (count,) = _INT16.unpack_from(message, at)
    at += 2
    if count != len(relation.columns):
        raise Malformed(f"a row of {count} values for the {len(relation.columns)} columns of {relation.name}")
    fields: list[Field] = []
    length_at = _INT32.unpack_from
    for _ in range(count):
        kind = message[at]
        if kind == _TEXT:
            (length,) = length_at(message, at + 1)
            at += 5 + length
            fields.append(message[at - length : at].decode(errors="surrogateescape"))
        elif kind == _NULL:
            at += 1
            fields.append(None)
        elif kind == _SAME:
            at += 1
            fields.append(UNCHANGED)
        else:
            raise Malformed(f"a value of the unknown kind {message[at : at + 1]!r} in {relation.name}")
    if at > len(message):
        raise Malformed(f"a row of {relation.name} is cut off")
    return tuple(fields), at


def _string(message: bytes, at: int) -> tuple[str, int]:
    """A text that ends with a NUL, and the place after it."""
    end = message.find(b"\0", at)
    if end < 0:
        raise IndexError
    return message[at:end].decode(errors="surrogateescape"), end + 1


def _expect(message: bytes, at: int, kind: int) -> None:
    if message[at] != kind:
        raise Malformed(f"{chr(kind)!r} expected in a message of the kind {message[:1]!r}, found {message[at]}")


def _end(message: bytes, at: int) -> None:
    if at != len(message):
        raise Malformed(f"a message of the kind {message[:1]!r} has {len(message)} bytes, and should have {at}")


def seconds_of(micros: int) -> float:
    """Seconds since 1970 of a time that PostgreSQL counts in microseconds since 2000."""
    return _EPOCH + micros / 1_000_000
