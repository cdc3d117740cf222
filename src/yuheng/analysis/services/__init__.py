"""Verbs: giving reasons, keeping the reason tree, keeping views."""
