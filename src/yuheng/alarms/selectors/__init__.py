"""Questions about alarms, by noun."""
