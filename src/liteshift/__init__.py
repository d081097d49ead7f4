"""liteshift moves a live application from PostgreSQL to SQLite, proves that nothing was lost, and can go back."""

__version__ = "0.1.0"
