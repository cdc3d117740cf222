"""Verbs about alarms: the only writers."""
