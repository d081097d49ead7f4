"""A field of every kind."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Tag(models.Model):
    name = models.CharField(max_length=20, unique=True)


class Thing(models.Model):
    uuid = models.UUIDField(default=uuid.uuid4, unique=True)
    moment = models.DateTimeField(null=True, db_index=True)
    day = models.DateField(null=True)
    clock = models.TimeField(null=True)
    span = models.DurationField(null=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    exact = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    ratio = models.FloatField(null=True)
    json = models.JSONField(null=True)
    blob = models.BinaryField(null=True)
    flag = models.BooleanField(default=False)
    char = models.CharField(max_length=50, null=True, db_index=True)
    text = models.TextField(null=True)
    slug = models.SlugField(null=True)
    address = models.GenericIPAddressField(null=True)
    integer = models.IntegerField(null=True)
    small = models.SmallIntegerField(null=True)
    positive = models.PositiveIntegerField(null=True)
    big = models.BigIntegerField(null=True)
    doubled = models.GeneratedField(
        expression=F("integer") * 2, output_field=models.IntegerField(), db_persist=True, null=True
    )
    made = models.DateTimeField(db_default=Now())
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    tags = models.ManyToManyField(Tag)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["char", "small"], condition=Q(flag=True), name="one_flagged"),
            models.CheckConstraint(condition=Q(price__gte=-100) | Q(price=None), name="price_floor"),
            models.CheckConstraint(condition=~Q(small=13), name="unlucky"),
        )
        indexes = (models.Index(fields=["-day", "integer"], name="by_day"), models.Index("exact", name="by_exact"))
