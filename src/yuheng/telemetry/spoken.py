"""Sentences of the historian and the gateway in the reader's language.

Those processes know no reader and speak English. What they say is made of a few known sentences with names and numbers
in them; here each is a msgid. One that is not known is shown as it was said: better English than nothing.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from yuheng.telemetry.spoken_formulas import SENTENCES as FORMULAS
from yuheng.telemetry.spoken_modbus import MODBUS

SENTENCES = (
    _("Too many questions are waiting for the history. Ask again in a moment."),
    _("The answer is too large. Ask for fewer tags, a shorter time or wider buckets."),
    _("The width must be between 1 and 20,000 pixels."),
    _("A bucket must be at least a millisecond."),
    _("That would be more than five million rows. Ask for wider buckets or fewer tags."),
    _("The historian has no configuration yet."),
    _("No tags were asked for."),
    _("More than %(number)s tags were asked for."),
    _("A tag id is not a number from 0 to 4294967295."),
    _("The end must be after the start."),
    _("That moment has not come yet."),
    _("Ask for at most a day of changes at a time."),
    _("Ask for at most 400 days of cycles at a time."),
    _("There is no such work unit."),
    _("Say of which work unit or tag the cycles are asked for."),
    _("There is no such tag."),
    _("The condition names no symbol: it holds always or never."),
    _("This work unit has no tag with the role of a counter; give a condition."),
    _("Ask for 1 to %(number)s intervals."),
    _("The intervals are more than 40 days together. Ask for fewer or shorter ones."),
    _("The message log does not take dead letters or state changes."),
    _("The message log does not answer."),
    _(
        "The disk of the history is almost full: %(free)s MB free, %(reserve)s MB must stay free. Free some space; "
        "nothing is lost."
    ),
    *FORMULAS,
    *MODBUS,
    _("The settings of the source %(code)s cannot be used: %(error)s"),
)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(sentence), sentence) for sentence in SENTENCES)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", sentence)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL
    )


def is_known(sentence: str) -> bool:
    """Return whether a sentence has a translation."""
    return any(pattern.fullmatch(sentence) for pattern, _msgid in _patterns())


def in_readers_words(sentence: str) -> str:
    """Return what a process said, in the reader's language; as it is when it is not known."""
    for pattern, msgid in _patterns():
        if (found := pattern.fullmatch(sentence)) is not None:
            words = {
                name: in_readers_words(text) if name == "why" else text for name, text in found.groupdict().items()
            }
            return gettext(msgid) % words if words else gettext(msgid)
    return sentence
