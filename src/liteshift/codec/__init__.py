"""Values: PostgreSQL text to SQLite value and back. Pure functions; no I/O."""
