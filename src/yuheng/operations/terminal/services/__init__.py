"""Verbs of the terminal: registering tablets, signing in at them, taking what they report, deciding on conflicts."""
