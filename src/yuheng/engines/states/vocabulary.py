"""States of a work unit, with their place in the field's standard vocabulary."""

from __future__ import annotations

from enum import IntEnum


class UnitState(IntEnum):
    """What a work unit is doing. Stored as this number; shown as the word of the glossary.

    References
    ----------
    OPC 40001-1 Annex C: MachineryItemState x MachineryOperationMode -> ISO 22400-2 time element.
    """

    NO_DATA = 0  # nothing trustworthy was heard; never shown as running
    UNKNOWN = 1  # data arrives, but no rule speaks
    PRODUCING = 2
    IDLE = 3  # able to work, without work
    SETUP = 4
    DOWN = 5
    PLANNED_STOP = 6


ANNEX_C: dict[UnitState, tuple[str, str, str]] = {
    # (MachineryItemState, MachineryOperationMode, ISO 22400-2 time element)
    UnitState.NO_DATA: ("NotAvailable", "None", ""),
    UnitState.UNKNOWN: ("NotAvailable", "None", ""),
    UnitState.PRODUCING: ("Executing", "Processing", "APT"),
    UnitState.IDLE: ("NotExecuting", "Processing", "ADET"),
    UnitState.SETUP: ("NotExecuting", "Setup", "AUST"),
    UnitState.DOWN: ("OutOfService", "Processing", "ADOT"),
    UnitState.PLANNED_STOP: ("NotExecuting", "Maintenance", "PDOT"),
}
