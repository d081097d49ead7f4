"""THE type table: what each PostgreSQL type is declared as, how its values are stored, and what is lost.

It drives the DDL, the choice of codec, the docs and the tests. A type that is not in it is not known to liteshift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from liteshift.catalog import PgType, TypeKind
from liteshift.codec import decimals
from liteshift.codec.values import composite_form
from liteshift.plan import Profile
from liteshift.quoting import literal


@dataclass(frozen=True, slots=True)
class Target:
    """What a type becomes.

    Attributes:
        declared: the declared type.
        form: the codec's name.
        family: what its values can be compared with, for the expression translator.
        checks: rules on a value, as SQLite text with `{}` for the quoted column.
        loss: what is lost beside the values, which never are; empty for nothing.
        same_equality: whether two values are equal in PostgreSQL just when they are stored as the same.
        collation: the column's COLLATE clause.
        rules_within: whether the values of an array or a composite had rules of their own, which no CHECK keeps.
    """

    declared: str
    form: str
    family: str
    checks: tuple[str, ...] = ()
    loss: str = ""
    same_equality: bool = True
    collation: str = ""
    rules_within: bool = False

    @property
    def keeps_unique(self) -> bool:
        """Whether a unique rule means the same in SQLite, where the column's collation may see to it."""
        return self.same_equality or self.collation in _FAITHFUL


class Unsupported(ValueError):
    """No stored form keeps this type's values; the message says why."""


_FAITHFUL = ("DECIMAL", "RTRIM")  # collations that take for equal what PostgreSQL does
_NO_NUL = "instr({}, char(0)) = 0"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A row of the table: what SQLAlchemy and Django declare, and the stored form, where Django's is another."""

    sqlalchemy: str
    django: str
    form: str
    family: str
    django_form: str = ""


SCALARS: dict[str, Scalar] = {
    "int2": Scalar("SMALLINT", "smallint", "integer", "integer"),
    "int4": Scalar("INTEGER", "integer", "integer", "integer"),
    "int8": Scalar("BIGINT", "bigint", "integer", "integer"),
    "oid": Scalar("BIGINT", "bigint", "integer", "integer"),
    "bool": Scalar("BOOLEAN", "bool", "boolean", "boolean"),
    "float4": Scalar("FLOAT", "real", "real", "float"),
    "float8": Scalar("FLOAT", "real", "double", "float"),
    "bytea": Scalar("BLOB", "BLOB", "bytea", "bytea"),
    "uuid": Scalar("CHAR(32)", "char(32)", "uuid", "uuid"),
    "date": Scalar("DATE", "date", "date", "date"),
    "time": Scalar("TIME", "time", "time", "time", "time_short"),
    "timestamp": Scalar("DATETIME", "datetime", "timestamp", "timestamp", "timestamp_short"),
    "timestamptz": Scalar("DATETIME", "datetime", "timestamptz", "timestamptz", "timestamptz_short"),
    "interval": Scalar("DATETIME", "bigint", "interval_epoch", "interval", "interval_micros"),
    "money": Scalar("TEXT", "text", "money", "money"),
    "json": Scalar("JSON", "text", "json", "json", "text"),
    "jsonb": Scalar("JSON", "text", "jsonb", "json", "jsonb_text"),
    "text": Scalar("TEXT", "text", "text", "text"),
    "name": Scalar("TEXT", "text", "text", "text"),
}

_OBJECT_NAMES = (
    *("regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper", "regoperator"),
    *("regproc", "regprocedure", "regrole", "regtype"),
)
# Carried as the very text PostgreSQL prints; what went with the type in PostgreSQL stays behind.
AS_TEXT: dict[str, str] = {
    **dict.fromkeys(_OBJECT_NAMES, "its tie to the object it names"),
    "timetz": "its order and arithmetic",
    "inet": "its order and network operators",
    "cidr": "its order and network operators",
    "macaddr": "its order",
    "macaddr8": "its order",
    "bit": "its bit operators",
    "varbit": "its bit operators",
    "xml": "its XML functions",
    "tsvector": "full-text search",
    "tsquery": "full-text search",
    "pg_lsn": "its order and arithmetic",
    "point": "its geometric operators",
    "line": "its geometric operators",
    "lseg": "its geometric operators",
    "box": "its geometric operators",
    "path": "its geometric operators",
    "polygon": "its geometric operators",
    "circle": "its geometric operators",
    "jsonpath": "its meaning as a path",
    "char": "nothing but the type's name",
}

_STRICT_CLASS = {
    "integer": "INTEGER",
    "boolean": "INTEGER",
    "real": "REAL",
    "double": "REAL",
    "numeric": "ANY",  # STRICT has no NUMERIC; ANY keeps an integer an integer and a real a real
    "bytea": "BLOB",
}
# What Django calls a type where it is not SQLAlchemy's name in lower case.
_DJANGO_NAMES = {"JSON": "text", "BLOB": "BLOB", "VARCHAR": "text"}
_ARRAY_LOSS = "its array operators and indexes"
_COMPOSITE_LOSS = "its composite operators"


def as_text(source: PgType) -> Target:
    """What a type that nobody knows becomes on request: the text that PostgreSQL prints for it."""
    return Target("TEXT", "text", "other", (), f"all that {source.name} can do", same_equality=False)


def target(source: PgType, typmod: int, profile: Profile) -> Target:
    """What a type with its modifier becomes.

    Raises:
        Unsupported: no stored form keeps its values exactly.
    """
    found = _target(source, typmod, profile)
    if profile is Profile.DJANGO:
        declared = "decimal" if found.family == "numeric" else _DJANGO_NAMES.get(found.declared, found.declared.lower())
        return replace(found, declared=declared)
    if profile is Profile.PLAIN:
        return replace(found, declared=_STRICT_CLASS.get(found.form.partition("(")[0], "TEXT"))
    return found


def _target(source: PgType, typmod: int, profile: Profile) -> Target:
    if source.kind is TypeKind.DOMAIN:
        assert source.base is not None  # noqa: S101 - the catalog gives every domain its base
        return _target(source.base, source.typmod if typmod < 0 else typmod, profile)
    if source.kind is TypeKind.ARRAY:
        return _array(source, typmod, profile)
    if source.kind is TypeKind.ENUM:
        longest = max((len(label) for label in source.labels), default=0)
        labels = ", ".join(literal(label) for label in source.labels)
        return Target(f"VARCHAR({longest})", "text", "enum", (f"{{}} IN ({labels})",), "the order of its labels")
    if source.kind is TypeKind.COMPOSITE:
        return _composite(source, profile)
    if source.kind in (TypeKind.RANGE, TypeKind.MULTIRANGE):
        return Target("TEXT", "text", "other", (), f"its {source.kind} operators", same_equality=False)
    if source.extension or source.name.schema != "pg_catalog":
        return _extension(source)
    if source.name.name in SCALARS:
        return _scalar(SCALARS[source.name.name], profile)
    return _base(source.name.name, typmod, profile)


def _scalar(row: Scalar, profile: Profile) -> Target:
    form = row.form
    if profile is Profile.DJANGO:
        form = row.django_form or row.form
    elif profile is Profile.PLAIN and row.form in ("uuid", "json", "jsonb", "interval_epoch"):
        form = "text"  # as PostgreSQL prints it
    checks = {"boolean": ("{} IN (0, 1)",), "text": (_NO_NUL,)}.get(row.family, ())
    loss = "its order and arithmetic" if row.family in ("interval", "money") else ""
    if form in ("interval_epoch", "interval_micros"):
        loss = "its arithmetic, and the order of those that stay text: with months, or extremely long"
    declared = row.django if profile is Profile.DJANGO else row.sqlalchemy
    # 1 day is 24 hours, and 1.0 is 1 within jsonb, to PostgreSQL; the texts differ.
    return Target(declared, form, row.family, checks, loss, same_equality=row.family not in ("interval", "json"))


def _base(name: str, typmod: int, profile: Profile) -> Target:
    if name == "numeric":
        precision, scale = precision_and_scale(typmod) if typmod >= 0 else (None, None)
        return _numeric(precision, scale, profile)
    if name == "varchar":
        if typmod < 0:
            return Target("VARCHAR", "text", "text", (_NO_NUL,))
        return Target(f"VARCHAR({typmod - 4})", "text", "text", (f"length({{}}) <= {typmod - 4}", _NO_NUL))
    if name == "bpchar":
        if typmod < 0:
            # Trailing blanks may differ.
            return Target("TEXT", "text", "bpchar", (_NO_NUL,), same_equality=False, collation="RTRIM")
        checks = (f"length({{}}) <= {typmod - 4}", _NO_NUL)
        return Target(f"CHAR({typmod - 4})", "text", "bpchar", checks, collation="RTRIM")
    if name in AS_TEXT:
        return Target("TEXT", "text", "other", (), AS_TEXT[name])
    raise Unsupported(f"liteshift does not know the type {name}")


def precision_and_scale(typmod: int) -> tuple[int, int]:
    """What the modifier of a numeric says."""
    return (typmod - 4) >> 16 & 0xFFFF, ((typmod - 4) & 0x7FF ^ 1024) - 1024  # eleven bits, signed since PostgreSQL 15


def _numeric(precision: int | None, scale: int | None, profile: Profile) -> Target:
    if precision is not None and scale is not None and decimals.fits_double(precision, scale):
        return Target(f"NUMERIC({precision}, {scale})", f"numeric({scale})", "numeric")
    if profile is Profile.DJANGO and precision is not None and scale is not None and 0 <= scale <= precision:
        # Django reads and writes 15 digits here, whatever the field says: more are refused, now and later.
        whole = decimals.EXACT_DIGITS - scale
        bound = 10**whole if whole >= 0 else f"1e{whole}"
        loss = f"numbers of more than {decimals.EXACT_DIGITS} digits, which Django would round: their rows are rejected"
        return Target("NUMERIC", f"numeric({scale})", "numeric", (f"abs({{}}) < {bound}",), loss)
    same_equality = precision is not None  # without a scale 1.0 is not 1.00 as text
    form = "decimal" if scale is None else f"decimal({max(scale, 0)})"
    checks = () if precision is None or scale is None else (_decimal_check(precision, scale),)
    if profile is Profile.SQLALCHEMY:
        loss = (
            "its order and arithmetic in SQL, unless with the collation DECIMAL and the functions decimal_… of"
            " liteshift.app.functions"
        )
        return Target(decimals.declared(precision, scale), form, "decimal", checks, loss, same_equality, "DECIMAL")
    loss = "its order and arithmetic: SQLite sorts it as text, and SUM goes through a double"
    return Target("TEXT", form, "other", checks, loss, same_equality)


def _decimal_check(precision: int, scale: int) -> str:
    """Refuses a number that is not written out to its scale, as one that went through a double."""
    point = f"instr({{}}, '.') = length({{}}) - {scale}" if scale > 0 else "instr({}, '.') = 0"
    longest = max(precision - scale, 1) + (1 + scale if scale > 0 else 0)
    return f"({{}} GLOB 'NaN' OR ({{}} NOT GLOB '*[^-.0-9]*' AND {point} AND length(ltrim({{}}, '-')) <= {longest}))"


def _array(source: PgType, typmod: int, profile: Profile) -> Target:
    assert source.base is not None  # noqa: S101 - the catalog gives every array its element
    element = _target(source.base, typmod, profile)
    # An array's text begins with a bracket or a brace, so a JSON column's NUMERIC affinity leaves it alone.
    form = f"array({source.base.delimiter}{element.form})"
    rules = _has_rules(source.base, element)
    loss = _ARRAY_LOSS + (", and the rules of its elements" if rules else "")
    return Target("JSON", form, "array", (), loss, _same_within(element), rules_within=rules)


def _composite(source: PgType, profile: Profile) -> Target:
    parts = [(field, _target(field.type, field.typmod, profile)) for field in source.fields]
    form = composite_form([(field.name, part.form) for field, part in parts])
    rules = any(_has_rules(field.type, part) for field, part in parts)
    loss = _COMPOSITE_LOSS + (", and the rules of its fields" if rules else "")
    same = all(_same_within(part) and not field.fuzzy for field, part in parts)
    return Target("JSON", form, "composite", (), loss, same, rules_within=rules)


def _same_within(part: Target) -> bool:
    """As `same_equality`, within an array or a composite: there a float's -0 is kept, and is 0 to PostgreSQL."""
    return part.same_equality and part.family != "float"


def _has_rules(source: PgType, kind: Target) -> bool:
    """Whether a column of the type would have a CHECK for more than a NUL, or NOT NULL, or lose such rules."""
    while source.kind is TypeKind.DOMAIN and source.base:
        if source.not_null or source.checks:
            return True
        source = source.base
    return kind.rules_within or any(check not in (_NO_NUL, "{} IN (0, 1)") for check in kind.checks)


def _extension(source: PgType) -> Target:
    if source.extension == "citext" and source.name.name == "citext":
        loss = "comparison without regard to case beyond ASCII letters"
        return Target("TEXT", "text", "other", (_NO_NUL,), loss, same_equality=False, collation="NOCASE")
    if source.extension in ("hstore", "ltree"):
        return Target("TEXT", "text", "other", (), f"its {source.extension} operators")
    raise Unsupported(
        f"the type {source.name} belongs to {source.extension or 'nobody'}, which liteshift does not know"
    )
