"""The service, on both databases."""
