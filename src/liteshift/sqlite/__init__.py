"""The SQLite wing: all I/O with the target file, and no decisions."""
