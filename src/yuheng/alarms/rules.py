"""Rules of alarms that need no table: texts with placeholders, states as numbers, retries. Plain Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from yuheng.engines.alarms.machine import AlarmState, Shelving

LONGEST_SHELVING = timedelta(days=7)
MAX_ATTEMPTS = 8
FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 900.0
PLACEHOLDER = re.compile(r"{([A-Za-z_][A-Za-z0-9_]*)}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ChannelKind(StrEnum):
    """A way to tell somebody."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class MessageState(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"  # given up after `MAX_ATTEMPTS`
    DROPPED = "dropped"  # no longer needed, or too many waited


def moment(us: int) -> datetime:
    """Return microseconds of the bus as a moment."""
    return EPOCH + timedelta(microseconds=us)


def microseconds(at: datetime) -> int:
    """Return a moment as microseconds of the bus."""
    return (at - EPOCH) // timedelta(microseconds=1)


def retry_delay_s(attempts: int) -> float:
    """Seconds before the next attempt, doubling from 5 s to 15 min.

    Examples
    --------
    >>> [retry_delay_s(n) for n in (1, 2, 3, 20)]
    [5.0, 10.0, 20.0, 900.0]
    """
    return float(min(FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20), LONGEST_RETRY_S))


def fill_in(template: str, values: Mapping[str, Any]) -> str:
    """Put values into ``{placeholders}``; one that is not known stays as it is written.

    Examples
    --------
    >>> fill_in("{value} > {high} {unit}", {"value": "81.2", "high": 80})
    '81.2 > 80 {unit}'
    """
    return PLACEHOLDER.sub(lambda found: text_of(values[found[1]]) if found[1] in values else found[0], template)


def text_of(value: Any) -> str:
    """Write a value for people: at most four decimals, no trailing zeros.

    Examples
    --------
    >>> text_of(80.0), text_of(81.25), text_of("E7"), text_of(True), text_of(None)
    ('80', '81.25', 'E7', 'true', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
    return str(value)


# ---- states as one number: for the journal and the live stream -------------------------------------------------------

_FLAGS = (
    "is_enabled",
    "is_active",
    "is_acked",
    "is_confirmed",
    "is_latched",
    "is_uncertain",
    "is_suppressed",
    "is_design_suppressed",
    "is_out_of_service",
)
_SHELVINGS = (Shelving.UNSHELVED, Shelving.TIMED, Shelving.ONE_SHOT)
_SHELVING_PLACE = len(_FLAGS)


def packed(state: AlarmState) -> int:
    """Return the state as bits, in the order of `_FLAGS`, then two bits of shelving; without the shelving's end.

    Examples
    --------
    >>> packed(AlarmState()), packed(AlarmState(is_active=True, is_acked=False)), unpacked(13) == AlarmState()
    (13, 11, True)
    """
    flags: int = sum(getattr(state, name) << place for place, name in enumerate(_FLAGS))
    return flags | _SHELVINGS.index(state.shelving) << _SHELVING_PLACE


def unpacked(bits: int, shelved_until_us: int | None = None) -> AlarmState:
    """Return the state that `packed` wrote."""
    flags = {name: bool(bits >> place & 1) for place, name in enumerate(_FLAGS)}
    return AlarmState(**flags, shelving=_SHELVINGS[bits >> _SHELVING_PLACE & 3], shelved_until_us=shelved_until_us)
