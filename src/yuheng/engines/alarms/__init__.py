"""Alarms by ISA-18.2 / IEC 62682 and OPC UA Part 9: conditions, the state machine, grouping, health. Pure."""
