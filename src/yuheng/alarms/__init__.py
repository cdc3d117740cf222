"""Alarms: definitions, the truth about each alarm, journal, health, notifications."""
