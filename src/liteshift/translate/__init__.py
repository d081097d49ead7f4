"""Decisions: what each PostgreSQL object becomes in SQLite. Pure functions; no I/O."""
