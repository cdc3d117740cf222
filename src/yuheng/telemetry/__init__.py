"""Telemetry, the relational side of signals: data sources, devices, tags, state rules, intervals, dead letters."""
