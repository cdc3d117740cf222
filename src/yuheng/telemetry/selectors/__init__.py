"""Questions about telemetry, split by noun."""
