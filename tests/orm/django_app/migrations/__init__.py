"""What was applied before the move."""
