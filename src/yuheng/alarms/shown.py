"""Alarms as lines of a screen: names and words in the reader's language. The island `y-alarms.js` draws the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from yuheng.alarms.labels import PRIORITY_LABELS
from yuheng.alarms.rules import microseconds
from yuheng.alarms.selectors.alarms import AlarmRow, Shown
from yuheng.engines.alarms.machine import Shelving
from yuheng.engines.alarms.vocabulary import Priority

STATE_LABELS: dict[str, Promise] = {
    "unacked": _("Active, not acknowledged"),
    "acked": _("Active, acknowledged"),
    "returned": _("Returned, not acknowledged"),
    "latched": _("Returned, latched: reset it"),
    "unconfirmed": _("Returned, to be confirmed"),
    "normal": _("Normal"),
    "shelved": _("Shelved"),
    "one_shot": _("Shelved once"),
    "suppressed": _("Suppressed"),
    "by_design": _("Suppressed by design"),
    "out_of_service": _("Out of service"),
    "disabled": _("Disabled"),
}
"""What state an alarm is in, as one word; `state_key` says which."""

SHOWN_LABELS: dict[Shown, Promise] = {
    Shown.OPEN: _("All open"),
    Shown.UNACKED: _("Not acknowledged"),
    Shown.ACTIVE: _("Active"),
    Shown.ACKED: _("Active, acknowledged"),
    Shown.CLEARED: _("Returned, not closed"),
    Shown.HIDDEN: _("Shelved, suppressed, out of service"),
    Shown.ALL: _("All with a state of their own"),
}

SHELVING_CHOICES: tuple[tuple[str, Promise, float], ...] = (
    ("15m", _("15 minutes"), 900.0),
    ("1h", _("1 hour"), 3600.0),
    ("4h", _("4 hours"), 4 * 3600.0),
    ("8h", _("8 hours"), 8 * 3600.0),
    ("24h", _("24 hours"), 24 * 3600.0),
    ("3d", _("3 days"), 3 * 86400.0),
    ("7d", _("7 days"), 7 * 86400.0),
)
"""For how long an alarm is usually shelved: key, word, seconds. "once" is until it next returns."""

FIELD_LABELS: dict[str, Promise] = {
    "code": _("Code"),
    "when": _("Condition"),
    "name_zh": _("Name, Chinese"),
    "name_en": _("Name, English"),
    "priority": _("Priority"),
    "parameters": _("Limits"),
    "value_symbol": _("Symbol shown as the value"),
    "deadband": _("Deadband"),
    "on_delay_s": _("On-delay, s"),
    "off_delay_s": _("Off-delay, s"),
    "chatter_window_s": _("Same alarm if again within, s"),
    "category": _("Category"),
    "is_latching": _("It latches: it stays until somebody resets it"),
    "acknowledge_required": _("Somebody has to acknowledge it"),
    "confirm_required": _("Somebody has to confirm that it is done"),
    "message_zh": _("Message, Chinese"),
    "message_en": _("Message, English"),
    "guidance_zh": _("What to do, Chinese"),
    "guidance_en": _("What to do, English"),
    "consequence_zh": _("If nobody acts, Chinese"),
    "consequence_en": _("If nobody acts, English"),
    "response_time_s": _("Time to respond, s"),
    "suppress_states": _("Suppressed while the unit is"),
    "suppress_when": _("Suppressed while this holds"),
    "suppress_outside_shifts": _("Suppressed outside the shifts"),
    "parent_code": _("Grouped under the alarm with the code"),
    "parent_work_unit_id": _("of the work unit"),
    "is_enabled": _("It is judged"),
    "reason": _("Reason"),
}
"""What the fields of a definition are called."""


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """A row of the list."""

    row: AlarmRow
    name: str
    message: str
    unit_name: str
    area_name: str
    state: str

    @property
    def began_us(self) -> int:
        """When it was raised, microseconds UTC; 0 when it is not."""
        return microseconds(self.row.activated_at) if self.row.activated_at else 0

    @property
    def state_word(self) -> str:
        """Its state in the reader's language."""
        return str(STATE_LABELS[self.state])

    @property
    def priority_word(self) -> str:
        """Its priority in the reader's language."""
        return str(PRIORITY_LABELS[self.row.priority])


def in_language(zh: str, en: str) -> str:
    """Return the text in the reader's language, else the other one."""
    return (en or zh) if (get_language() or "").startswith("en") else (zh or en)


def state_key(row: AlarmRow) -> str:
    """Return which of `STATE_LABELS` an alarm is in. Twin of ``stateKey`` in ``y-alarms.js``."""
    hidden = (
        ("disabled", not row.is_enabled),
        ("out_of_service", row.is_out_of_service),
        ("one_shot", row.shelving is Shelving.ONE_SHOT),
        ("shelved", row.shelving is Shelving.TIMED),
        ("suppressed", row.is_suppressed),
        ("by_design", row.is_design_suppressed),
    )
    for key, holds in hidden:
        if holds:
            return key
    if row.is_active:
        return "acked" if row.is_acked else "unacked"
    if not row.is_acked:
        return "returned"
    if row.is_latched:
        return "latched"
    return "normal" if row.is_confirmed else "unconfirmed"


def line_of(row: AlarmRow) -> AlarmLine:
    """Return an alarm as a line in the reader's language."""
    return AlarmLine(
        row=row,
        name=in_language(row.name_zh, row.name_en),
        message=in_language(row.message_zh, row.message_en),
        unit_name=in_language(row.unit_name_zh, row.unit_name_en),
        area_name=in_language(row.area_name_zh, row.area_name_en),
        state=state_key(row),
    )


def lines_of(rows: Sequence[AlarmRow]) -> list[AlarmLine]:
    """Return alarms as lines."""
    return [line_of(row) for row in rows]


def priority_choices() -> list[tuple[int, str]]:
    """Return every priority with its word, most urgent first."""
    return [(int(priority), str(PRIORITY_LABELS[priority])) for priority in Priority]


def shelving_seconds(key: str) -> float | None:
    """Return the seconds of one of `SHELVING_CHOICES`; None for any other key."""
    return next((seconds for name, _word, seconds in SHELVING_CHOICES if name == key), None)
