"""Reasons and states of dead letters in the reader's words, and payloads as people can read them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from yuheng.engines.points import Refusal
from yuheng.telemetry.rules import DeadLetterState

SHOWN_BYTES = 2048
_BYTES_A_LINE = 16


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """What happened, and what a person can do about it."""

    what: Promise
    to_do: Promise


REASONS: dict[str, ReasonWords] = {
    Refusal.UNKNOWN_TOPIC: ReasonWords(
        _("No data source claims this topic."),
        _("Create a data source with a topic filter that covers it, or correct the device, then replay."),
    ),
    Refusal.UNKNOWN_TAG: ReasonWords(
        _("The source is known, but no tag has this address."), _("Make a tag from this, then replay.")
    ),
    Refusal.UNDECODABLE: ReasonWords(
        _("The message cannot be decoded."), _("Look at the sample; correct the device or the source's protocol.")
    ),
    Refusal.WRONG_SHAPE: ReasonWords(
        _("The message was decoded, but the payload mapping finds no values in it."),
        _("Correct the source's payload mapping with the preview, then replay."),
    ),
    Refusal.WRONG_TYPE: ReasonWords(
        _("The value is not of the tag's type."), _("Correct the tag's data type or the device, then replay.")
    ),
    Refusal.NOT_FINITE: ReasonWords(
        _("The value is not a number (NaN) or infinite."), _("Correct the device; such a value says nothing.")
    ),
    Refusal.NOT_EXACT: ReasonWords(
        _("The integer is too large to be kept exactly."), _("Make the tag a text, or let the device send less.")
    ),
    Refusal.FUTURE_TIME: ReasonWords(
        _("The source time lies in the future, beyond the tolerance."), _("Set the device's clock, then replay.")
    ),
    Refusal.ANCIENT_TIME: ReasonWords(
        _("The source time is older than what is kept."), _("Set the device's clock, or keep the tag class longer.")
    ),
    Refusal.TOO_LARGE: ReasonWords(
        _("The message is larger than the limit."), _("Let the device send smaller messages.")
    ),
    Refusal.SEQUENCE_GAP: ReasonWords(
        _("A Sparkplug message before this one was lost."), _("A rebirth was requested; replay when it came.")
    ),
    Refusal.UNKNOWN_ALIAS: ReasonWords(
        _("The Sparkplug message uses an alias that no birth announced."),
        _("A rebirth was requested; replay when it came."),
    ),
    Refusal.NOT_BORN: ReasonWords(
        _("Sparkplug data came before a birth."), _("A rebirth was requested; replay when it came.")
    ),
    Refusal.STALE_DEATH: ReasonWords(
        _("A Sparkplug death of an earlier session came late."), _("Nothing to do: it was rightly ignored.")
    ),
}

STATES: dict[str, Promise] = {
    DeadLetterState.OPEN: _("open"),
    DeadLetterState.REPLAYING: _("being replayed"),
    DeadLetterState.REPLAYED: _("replayed"),
    DeadLetterState.RESOLVED: _("dealt with"),
}


def as_text(payload: bytes) -> str:
    """Return the beginning of a payload as text; what is not text is shown as the replacement character."""
    text = payload[:SHOWN_BYTES].decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def as_hex(payload: bytes) -> str:
    """Return the beginning of a payload as a hexadecimal dump.

    Examples
    --------
    >>> as_hex(b"{1}")
    '0000  7b 31 7d                                         {1}'
    """
    lines = []
    for start in range(0, min(len(payload), SHOWN_BYTES // 4), _BYTES_A_LINE):
        part = payload[start : start + _BYTES_A_LINE]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:04x}  {part.hex(' '):<47}  {seen}")
    return "\n".join(lines)
