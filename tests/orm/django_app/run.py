"""What `test_django.py` asks of one database: `python -m django_app.run COMMAND`, with DATABASE in the environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    DATABASES={"default": json.loads(os.environ["DATABASE"])},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_app"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - after the configuration
from django.db import Error, models, transaction  # noqa: E402

from django_app.models import Tag, Thing  # noqa: E402

SIZE = 30
NASTY: dict[str, list[Any]] = {
    "moment": [
        datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2024, 2, 29, 12, 0, 0, 1, UTC), datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 30, 23, 59, 59, 999999, UTC), datetime(1969, 12, 31, 23, 59, 59, 500000, UTC),
    ],
    "day": [date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)],
    "clock": [time(0), time(23, 59, 59, 999999), time(12, 30, 0, 500000), time(12, 30)],
    "span": [
        timedelta(0), timedelta(microseconds=-1), timedelta(days=-3, hours=5), timedelta(hours=30),
        timedelta(days=99999, microseconds=999999),
    ],
    "price": [Decimal(number) for number in ("0.10", "0.30", "-0.01", "99999999.99", "0", "1", "10")],
    "exact": [Decimal(number) for number in ("0.10", "123456789.123456", "-999999999.999999", "9", "10", "0.000001")],
    "ratio": [0.1, 1e308, -1e-308, 5e-324, float("inf"), float("-inf"), 0.1 + 0.2, 2.0**53 + 2],
    "json": [1.0, 2, "1.0", "", [], {}, {"b": 1, "a": [None, 1.5, "é😀"]}, True, 2**60, 1e300, [[1]], "null", "é"],
    "blob": [b"", b"\0", bytes(range(256))],
    "char": ["", " ", "a ", "a", "A", "ä", "日本語", "😀", "' \" \\ % _", "\t\n\r", "z" * 50],
    "slug": ["a-b", "c_d"],
    "address": ["10.0.0.1", "2001:db8::ff"],
    "integer": [-(2**30), 2**30 - 1, 0],
    "small": [-32768, 32767, 0],
    "positive": [0, 2**31 - 1],
    "big": [-(2**63), 2**63 - 1, 2**53 + 1],
}  # fmt: skip
FIELDS = [field for field in Thing._meta.concrete_fields if field.name != "made"]


def fill() -> None:
    """Through the ORM; the last id is given and taken back."""
    call_command("migrate", verbosity=0)
    random = Random(5)
    columns = NASTY | {"text": NASTY["char"]}
    columns["exact"] += [Decimal(random.randrange(-(10**15), 10**15)).scaleb(-6) for _ in range(20)]
    columns["moment"] += [datetime.fromtimestamp(random.uniform(-6e10, 2e11), UTC) for _ in range(20)]
    columns["span"] += [timedelta(microseconds=random.randrange(-(10**17), 10**17)) for _ in range(20)]
    things: list[Thing] = []
    for number in range(SIZE):
        row = {name: values[number] for name, values in columns.items() if number < len(values)}
        identifier = UUID(int=random.getrandbits(128), version=4)
        parent = things[number // 2 - 1] if number > 3 else None
        things.append(Thing.objects.create(uuid=identifier, flag=number % 2 == 0, parent=parent, **row))
    for name in ("é", "b"):
        things[0].tags.add(Tag.objects.create(name=name))
    User.objects.create_user("someone", "someone@example.org", "secret")
    Thing.objects.create().delete()


def too_long() -> None:
    """A number that Django can't read from SQLite."""
    Thing.objects.create(id=1000, exact=Decimal("12345678901234.567890"))


def look() -> dict[str, Any]:
    """Every object, and the rows that filters by every field find."""
    things = list(Thing.objects.order_by("pk"))
    seen: dict[str, Any] = {
        f"thing {thing.pk}": [_shown(getattr(thing, field.attname)) for field in FIELDS] for thing in things
    }
    seen["tags"] = [tag.name for tag in things[0].tags.order_by("name")]
    seen["children"] = [list(thing.children.order_by("pk").values_list("pk", flat=True)) for thing in things]
    seen["user"] = User.objects.get(username="someone").check_password("secret")
    seen["years"] = [_found(moment__year=2024), _found(moment__date=date(2024, 2, 29)), _found(json__a__1=1.5)]
    for field in FIELDS:
        name = field.attname
        values = [getattr(thing, name) for thing in things if getattr(thing, name) is not None]
        seen[f"{name} is null"] = _found(**{f"{name}__isnull": True})
        seen[f"{name} ="] = [_found(**{name: value}) for value in values]
        if not isinstance(field, models.JSONField | models.BinaryField | models.ForeignKey):
            seen[f"{name} in"] = _found(**{f"{name}__in": values[::2]})
            seen[f"{name} <"] = [_found(**{f"{name}__lt": value}) for value in values]
            seen[f"{name} between"] = [_found(**{f"{name}__range": (value, values[-1])}) for value in values]
            ordered = Thing.objects.exclude(**{name: None}).order_by(name, "-pk")
            seen[f"{name} in order"] = list(ordered.values_list("pk", flat=True))
    return seen


def _found(**conditions: Any) -> list[int]:
    return list(Thing.objects.filter(**conditions).order_by("pk").values_list("pk", flat=True))


def _shown(value: object) -> str:
    return repr(bytes(value) if isinstance(value, memoryview) else value)


def write() -> dict[str, Any]:
    """Inserts and updates go on; what breaks a rule is refused; so does the next migration."""
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
    first = Thing.objects.order_by("pk")[0]
    new = Thing.objects.create(char="new", price=Decimal("1.10"), exact=Decimal("0.000001"), integer=21, parent=first)
    new.refresh_from_db()
    Thing.objects.filter(pk=new.pk).update(
        price=models.F("price") + Decimal("0.20"), moment=datetime(2030, 1, 1, tzinfo=UTC)
    )
    done: dict[str, Any] = {
        "id": new.pk,
        "tag": Tag.objects.create(name="c").pk,
        "doubled": new.doubled,
        "price": _found(price=Decimal("1.30")),
        "age": abs(datetime.now(UTC) - new.made) < timedelta(minutes=10),
        "moment": _found(moment=datetime(2030, 1, 1, tzinfo=UTC)),
    }
    flagged = {"char": "flagged", "small": 1, "flag": True}
    Thing.objects.create(**flagged)
    rules: dict[str, Callable[[], Any]] = {
        "unique": lambda: Thing.objects.create(uuid=first.uuid),
        "unique where": lambda: Thing.objects.create(**flagged),
        "check": lambda: Thing.objects.create(price=Decimal("-100.01")),
        "check not": lambda: Thing.objects.create(small=13),
        "foreign key": lambda: Thing.objects.create(parent_id=12345),
        "positive": lambda: Thing.objects.create(positive=-1),
        "not null": lambda: Thing.objects.create(flag=None),
        "length": lambda: Thing.objects.create(char="x" * 51),
        "too long": lambda: Thing.objects.create(exact=Decimal("12345678901234.567890")),
    }
    done["accepted"] = [name for name, rule in rules.items() if not _refused(rule)]
    return done


def go_on() -> dict[str, Any]:
    """The next migration, for which Django builds a table anew."""
    before = look()
    settings.MIGRATION_MODULES = {"django_app": "django_app.later"}
    call_command("migrate", verbosity=0)
    same = look() == before
    return {"same": same, "next": Thing.objects.create(char="y" * 60).pk > Thing.objects.order_by("-pk")[1].pk}


def _refused(rule: Callable[[], Any]) -> bool:
    try:
        with transaction.atomic():
            rule()
    except Error:
        return True
    return False


if __name__ == "__main__":
    found = {"fill": fill, "too_long": too_long, "look": look, "write": write, "go_on": go_on}[sys.argv[1]]()
    json.dump(found, sys.stdout, ensure_ascii=False, indent=0)
