"""The demonstration: the parties service on both databases, asked the same."""
