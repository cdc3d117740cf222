"""HTML edge of alarms, by page."""
