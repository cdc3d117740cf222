"""Template tags of engineering."""
