"""The parties service: customers and vendors over HTTP, on PostgreSQL or on SQLite."""
