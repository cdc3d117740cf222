"""Templates of machine classes: written, previewed, applied to like machines, overridden, taken from a machine."""
