"""Words of this context in the reader's language: kinds of loss, states, kinds of capsules."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from yuheng.analysis.rules import LossKind
from yuheng.engines.states.vocabulary import UnitState

LOSSES: dict[str, Promise] = {
    LossKind.BREAKDOWN: _("Breakdown"),
    LossKind.SETUP: _("Set-up and adjustment"),
    LossKind.WAITING: _("Waiting"),
    LossKind.MINOR: _("Minor stop"),
    LossKind.PLANNED: _("Planned"),
}

STATES: dict[int, Promise] = {
    UnitState.NO_DATA: _("No data"),
    UnitState.UNKNOWN: _("Unknown"),
    UnitState.PRODUCING: _("Producing"),
    UnitState.IDLE: _("Idle"),
    UnitState.SETUP: _("Set-up"),
    UnitState.DOWN: _("Down"),
    UnitState.PLANNED_STOP: _("Planned stop"),
}

PANES: dict[str, Promise] = {
    "units": _("one picture a unit"),
    "stacked": _("one picture a signal"),
    "shared": _("all in one picture"),
}

KINDS: dict[str, Promise] = {
    "stops": _("Stops"),
    "runs": _("Producing runs"),
    "cycles": _("Cycles"),
    "state": _("In one state"),
    "where": _("Where a condition holds"),
}

TAB_NAMES: dict[str, Promise] = {
    "capsules": _("Slices"),
    "overlay": _("Overlay"),
    "statistics": _("Statistics"),
    "histogram": _("Histogram"),
    "scatter": _("X-Y"),
    "raw": _("Raw values"),
}

BAND_NAMES: dict[str, Promise] = {
    "states": _("States"),
    "reasons": _("Reasons"),
    "alarms": _("Alarms"),
    "shifts": _("Shifts"),
    "capsules": _("Slices"),
}


def state_word(state: int) -> str:
    """Return a state's word; one that is not in the vocabulary is unknown."""
    return str(STATES.get(state, STATES[UnitState.UNKNOWN]))
