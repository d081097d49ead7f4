"""The PostgreSQL wing: all I/O with the source, and no decisions."""
