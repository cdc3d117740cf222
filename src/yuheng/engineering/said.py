"""Faults in the reader's language, and the refusals that they become."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from yuheng.engineering.rules.faults import Cyclic, Fault, Faulty, Incalculable, NothingEffective
from yuheng.kernel import spoken
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput
from yuheng.kernel.spoken_formulas import SENTENCES as FORMULAS

MOST_SAID = 5


class NoEffectiveVersion(Conflict):
    """No version, or more than one, holds: nothing can be released."""


class CyclicStructure(Conflict):
    """A material contains itself, or a segment comes before itself."""


class CannotCalculate(InvalidInput):
    """A formula has no value for the chosen options."""


class VersionIsReleased(Conflict):
    """A released version never changes; make a new one."""


def sentence_of(fault: Fault) -> str:
    """Return what is wrong, without where."""
    values = {
        name: sentence_of(value)
        if isinstance(value, Fault)
        else spoken.in_readers_words(str(value), FORMULAS)
        if name == "why"
        else value
        for name, value in fault.values.items()
    }
    if fault.sentence == "%(why)s":
        return str(values["why"])
    return gettext(fault.sentence) % values


def said(fault: Fault) -> str:
    """Return what is wrong, with where before it: ``10/20: …``."""
    text = sentence_of(fault)
    return f"{fault.where}: {text}" if fault.where else text


def all_said(faults: Sequence[Fault]) -> str:
    """Return the first few as one text."""
    text = " ".join(said(fault) for fault in faults[:MOST_SAID])
    more = len(faults) - MOST_SAID
    return text if more <= 0 else f"{text} " + gettext("And %(count)d more.") % {"count": more}


def refused(faults: Sequence[Fault]) -> InvalidInput:
    """Return the refusal of a content; ``fields`` has what is wrong by find number or segment."""
    fields: dict[str, str] = {}
    for fault in faults:
        fields.setdefault(fault.where, sentence_of(fault))
    return InvalidInput(all_said(faults), fields)


def as_refusal(error: Faulty) -> DomainError:
    """Return the refusal that a rule's error becomes."""
    text = all_said(error.faults)
    if isinstance(error, NothingEffective):
        return NoEffectiveVersion(text)
    if isinstance(error, Cyclic):
        return CyclicStructure(text)
    if isinstance(error, Incalculable):
        return CannotCalculate(text, {fault.where: sentence_of(fault) for fault in error.faults})
    return refused(error.faults)
