"""As `makemigrations` wrote it."""

from __future__ import annotations

import uuid
from typing import ClassVar

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar[list[tuple[str, str]]] = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=20, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Thing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("moment", models.DateTimeField(db_index=True, null=True)),
                ("day", models.DateField(null=True)),
                ("clock", models.TimeField(null=True)),
                ("span", models.DurationField(null=True)),
                ("price", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                ("exact", models.DecimalField(decimal_places=6, max_digits=20, null=True)),
                ("ratio", models.FloatField(null=True)),
                ("json", models.JSONField(null=True)),
                ("blob", models.BinaryField(null=True)),
                ("flag", models.BooleanField(default=False)),
                ("char", models.CharField(db_index=True, max_length=50, null=True)),
                ("text", models.TextField(null=True)),
                ("slug", models.SlugField(null=True)),
                ("address", models.GenericIPAddressField(null=True)),
                ("integer", models.IntegerField(null=True)),
                ("small", models.SmallIntegerField(null=True)),
                ("positive", models.PositiveIntegerField(null=True)),
                ("big", models.BigIntegerField(null=True)),
                (
                    "doubled",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            models.F("integer"), "*", models.Value(2)
                        ),
                        null=True,
                        output_field=models.IntegerField(),
                    ),
                ),
                ("made", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="children",
                        to="django_app.thing",
                    ),
                ),
                ("tags", models.ManyToManyField(to="django_app.tag")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-day", "integer"], name="by_day"),
                    models.Index(models.F("exact"), name="by_exact"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("flag", True)), fields=("char", "small"), name="one_flagged"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("price__gte", -100), ("price", None), _connector="OR"), name="price_floor"
                    ),
                    models.CheckConstraint(condition=models.Q(("small", 13), _negated=True), name="unlucky"),
                ],
            },
        ),
    ]
