"""Verbs of telemetry, split by noun."""
