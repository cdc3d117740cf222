"""Verbs of telemetry, split by noun: sources, devices, tags, state rules, state intervals, dead letters, configuration."""
