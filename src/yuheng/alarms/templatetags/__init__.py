"""Template tags of alarm pages."""
