"""What is applied after it."""
