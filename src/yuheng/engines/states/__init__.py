"""From signals to exact state intervals of a work unit."""
