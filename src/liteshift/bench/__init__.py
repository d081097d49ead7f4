"""The benchmark: PostgreSQL and SQLite with the same rows, under the same SQLAlchemy code, in turn."""
