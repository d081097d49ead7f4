"""The migration that was applied before the move."""

from django_app.migrations.initial import Migration

__all__ = ["Migration"]
