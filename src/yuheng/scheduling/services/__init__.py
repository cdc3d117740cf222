"""Verbs of planning: ask for plans, publish and undo them, move, answer disturbances, accept suggestions."""
