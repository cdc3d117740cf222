"""States, transitions and refusals. Plain Python."""
