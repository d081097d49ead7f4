"""The next one; Django builds the table anew for it."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("django_app", "initial")]
    operations: ClassVar = [
        migrations.AddField("Thing", "note", models.CharField(max_length=10, db_default="")),
        migrations.AlterField("Thing", "char", models.CharField(max_length=80, null=True, db_index=True)),
        migrations.AddIndex("Thing", models.Index(fields=["price"], name="by_price")),
    ]
