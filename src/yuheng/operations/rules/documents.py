"""What B2MML says in words of its own, and in ours: states, names of parameters, units. Plain Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from yuheng.operations.rules.jobs import JobState, JobSubstate
from yuheng.operations.rules.requests import RequestState
from yuheng.operations.rules.stock import LotState

KEPT_BYTES = 256 * 1024
KEPT_DOCUMENTS = 500
"""Of documents that came a site keeps so many; older ones go."""


class Outcome(StrEnum):
    """What became of a document."""

    APPLIED = "applied"
    REFUSED = "refused"
    WAITING = "waiting"  # uploaded on the page, its dry run looked at


class Parameter(StrEnum):
    """``SegmentParameter`` IDs by which a request says what B2MML has no element for."""

    ORDER = "CustomerOrderID"
    ORDER_LINE = "CustomerOrderLine"
    CUSTOMER = "CustomerID"
    CUSTOMER_NAME = "CustomerName"
    REFERENCE = "CustomerReference"
    PROMISE = "CustomerPromisedTime"
    RUSH = "Rush"
    NOTE = "Note"
    SERIAL = "SerialNumber"


class MaterialProperty(StrEnum):
    """``MaterialDefinitionProperty`` IDs for what a definition has no element for."""

    UNIT = "BaseUnitOfMeasure"
    SOURCE = "Source"
    TRACKING = "Tracking"
    CONVERSION = "UnitConversion"
    NOTE = "Note"


PRODUCED = frozenset({"Produced", "Material Produced", "Yield Produced"})
CONSUMED = frozenset({"Consumed", "Material Consumed", "Consumable"})

REQUEST_WORDS: Mapping[RequestState, str] = {state: state.value.capitalize() for state in RequestState}
"""Our states of a request are words of B2MML: Forecast, Released, Running, Held, Completed and the others."""

RELEASES = frozenset({"Released", "Waiting", "Ready"})
HOLDS = frozenset({"Held", "Suspended"})

JOB_REQUEST_WORDS: Mapping[JobState, str] = {
    JobState.NOT_ALLOWED_TO_START: "Held",
    JobState.ALLOWED_TO_START: "Released",
    JobState.RUNNING: "Running",
    JobState.INTERRUPTED: "Held",
    JobState.ENDED: "Completed",
    JobState.ABORTED: "Aborted",
    JobState.CANCELLED: "Cancelled",
}


def response_word(state: JobState, substate: JobSubstate) -> str:
    """Return the state of a segment response.

    Examples
    --------
    >>> response_word(JobState.INTERRUPTED, JobSubstate.SUSPENDED), response_word(JobState.ENDED, JobSubstate.CLOSED)
    ('Suspended', 'Closed')
    """
    if state is JobState.INTERRUPTED:
        return "Suspended" if substate is JobSubstate.SUSPENDED else "Held"
    if state is JobState.ENDED:
        return "Closed" if substate is JobSubstate.CLOSED else "Completed"
    if state is JobState.ALLOWED_TO_START:
        return "Waiting" if substate is JobSubstate.WAITING else "Ready"
    return {JobState.NOT_ALLOWED_TO_START: "Held", JobState.RUNNING: "Running"}.get(state, "Aborted")


RESPONSE_WORDS: Mapping[RequestState, str] = {
    RequestState.FORECAST: "Waiting",
    RequestState.RELEASED: "Ready",
    RequestState.RUNNING: "Running",
    RequestState.HELD: "Held",
    RequestState.COMPLETED: "Completed",
    RequestState.ABORTED: "Aborted",
    RequestState.CANCELLED: "Aborted",
    RequestState.CLOSED: "Closed",
}

DISPOSITIONS: Mapping[LotState, str] = {
    LotState.AVAILABLE: "UnRestricted",
    LotState.IN_PROGRESS: "In-Process",
    LotState.UNAVAILABLE: "Restricted",
}
"""Our states of a lot -> B2MML's; every other one is Closed."""

UNIT_CODES: Mapping[str, str] = {
    "C62": "{piece}", "EA": "{piece}", "H87": "{piece}", "PCE": "{piece}", "PCS": "{piece}", "PC": "{piece}",
    "ST": "{piece}", "SET": "{set}", "PR": "{pair}", "KGM": "kg", "GRM": "g", "TNE": "t", "MGM": "mg",
    "LBR": "[lb_av]", "ONZ": "[oz_av]", "MTR": "m", "CMT": "cm", "MMT": "mm", "KMT": "km", "INH": "[in_i]",
    "FOT": "[ft_i]", "MTK": "m2", "CMK": "cm2", "MMK": "mm2", "MTQ": "m3", "CMQ": "cm3", "LTR": "L", "MLT": "mL",
    "SEC": "s", "MIN": "min", "HUR": "h", "DAY": "d", "KWH": "kW.h", "P1": "%",
}  # fmt: skip
"""Codes of UN/CEFACT Recommendation 20 that ERPs send for units, in UCUM."""


def unit_of(said: str) -> str:
    """Return the UCUM code of a unit that is UCUM already, or of Recommendation 20.

    Examples
    --------
    >>> unit_of("KGM"), unit_of("kg"), unit_of("")
    ('kg', 'kg', '')
    """
    return UNIT_CODES.get(said.strip().upper(), said.strip()) if said.strip().isupper() else said.strip()


def option_of(said: str, data_type: str) -> str | bool | int | float | None:
    """Read an option's value by its data type; without one by how it looks. None: it does not fit the type."""
    text = said.strip()
    if data_type == "boolean" or (not data_type and text in ("true", "false")):
        return {"true": True, "1": True, "false": False, "0": False}.get(text)
    if data_type in _NUMBERS or (not data_type and _NUMBER.fullmatch(text)):
        if not _NUMBER.fullmatch(text):
            return None
        return int(text) if _WHOLE.fullmatch(text) else float(text)
    return said


_NUMBERS = frozenset({
    "Numeric", "Quantity", "Measure", "Amount", "decimal", "float", "double", "integer", "int", "long",
    "short", "byte", "positiveInteger", "nonNegativeInteger", "negativeInteger", "nonPositiveInteger",
    "unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte",
})  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,15}", re.ASCII)
