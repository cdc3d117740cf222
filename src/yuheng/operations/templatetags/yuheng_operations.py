"""``{% load yuheng_operations %}``: words, quantities and codes of orders."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from unicodedata import east_asian_width

from django import template
from django.utils.translation import gettext as _

from yuheng.kernel.unit_symbols import symbol_of
from yuheng.operations.exception_words import machine_reason as words_of_reason
from yuheng.operations.labels import (
    HELP_LABELS,
    JOB_STATE_LABELS,
    JOB_SUBSTATE_LABELS,
    LOG_LABELS,
    LOT_STATE_LABELS,
    ORDER_STATE_LABELS,
    REQUEST_STATE_LABELS,
    RESPONSE_LABELS,
)
from yuheng.operations.rules import (
    HelpKind,
    JobState,
    JobSubstate,
    LotState,
    MassBalance,
    OrderState,
    RequestState,
    ResponseKind,
)
from yuheng.operations.views.asking import in_language

register = template.Library()


@register.filter
def said(row: object, field: str = "name") -> str:
    """Return ``<field>_zh`` or ``<field>_en`` of a row, in the reader's language."""
    return in_language(str(getattr(row, f"{field}_zh", "")), str(getattr(row, f"{field}_en", "")))


@register.filter
def amount(quantity: Decimal | float | None) -> str:
    """Write a quantity with the digits it has, at most three after the point; "–" for none."""
    if quantity is None:
        return "–"
    text = f"{quantity:,.3f}".rstrip("0").rstrip(".")
    return text or "0"


@register.filter
def letters(text: str, room: int) -> str:
    """Cut a text to the room of so many Latin letters; a Chinese character takes two."""
    taken = 0
    for place, letter in enumerate(text):
        taken += 2 if east_asian_width(letter) in "WF" else 1
        if taken > room:
            return text[: max(1, place - 1)].rstrip() + "…"
    return text


@register.filter
def lasting(seconds: float | None) -> str:
    """Write a length of time of a job: minutes and hours."""
    if seconds is None:
        return "–"
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("%(min)d min") % {"min": minutes}
    return _("%(h)d h %(min)02d min") % {"h": minutes // 60, "min": minutes % 60}


@register.filter
def share(part: Decimal | float, whole: Decimal | float) -> str:
    """Write a part as percent of a whole."""
    return f"{100 * float(part) / float(whole):.0f} %" if whole else "–"


@register.filter
def later_by(actual: datetime | None, planned: datetime | None) -> str:
    """Say how much later than planned, in words with a sign; "" when one of them is missing."""
    if actual is None or planned is None:
        return ""
    seconds = (actual - planned).total_seconds()
    sign = "+" if seconds >= 0 else "−"
    return f"{sign}{lasting(abs(seconds))}"


@register.filter
def job_state(row: object) -> str:
    """Say where a job order stands: its substate where it has one, else its state."""
    substate, state = getattr(row, "substate", ""), getattr(row, "state", "")
    if substate:
        return str(JOB_SUBSTATE_LABELS[JobSubstate(substate)])
    return str(JOB_STATE_LABELS[JobState(state)])


@register.filter
def order_state(state: str) -> str:
    """Say where a customer order stands."""
    return str(ORDER_STATE_LABELS[OrderState(state)])


@register.filter
def request_state(state: str) -> str:
    """Say where a production order stands."""
    return str(REQUEST_STATE_LABELS[RequestState(state)])


@register.filter
def lot_state(state: str) -> str:
    """Say whether a lot may be used."""
    return str(LOT_STATE_LABELS[LotState(state)])


@register.filter
def help_word(kind: str) -> str:
    """Say who is called."""
    return str(HELP_LABELS[HelpKind(kind)])


@register.filter
def piece_unit(code: str) -> str:
    """Write a unit as people do; pieces need none."""
    return "" if code in {"", "1", "{piece}"} else symbol_of(code)


@register.filter
def at_id(mapping: dict[int, object], key: int) -> object:
    """Return what a mapping holds under a number, or ""."""
    return mapping.get(key, "")


@register.filter
def job_state_word(state: str) -> str:
    """Say a job order's state alone."""
    return str(JOB_STATE_LABELS[JobState(state)])


@register.filter
def response_word(kind: str) -> str:
    """Say what a job response tells."""
    return str(RESPONSE_LABELS[ResponseKind(kind)])


@register.filter
def mass_lines(mass: MassBalance) -> list[tuple[str, Decimal]]:
    """Return the lines of a mass balance with their words; those that are nothing are left out but the last two."""
    lines = [
        (_("received"), mass.received),
        (_("made"), mass.produced),
        (_("returned"), mass.returned),
        (_("counted more"), mass.counted_more),
        (_("used"), -mass.consumed),
        (_("scrapped"), -mass.scrapped),
        (_("counted less"), -mass.counted_less),
    ]
    ends = [(_("on hand"), mass.on_hand), (_("unexplained"), mass.difference)]
    return [line for line in lines if line[1]] + ends


@register.filter
def machine_reason(reason: str) -> str:
    """Say a machine's reason of a pause in words; any other as it is."""
    return words_of_reason(reason)


@register.filter
def log_word(name: str) -> str:
    """Say what a number of an event log's report counts; what has no word of its own as it is."""
    return str(LOG_LABELS.get(name, name.replace("_", " ")))
