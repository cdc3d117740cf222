"""Words for what terminals report, in the reader's language, and for tablets in both at once."""

from __future__ import annotations

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from yuheng.operations.exception_words import machine_reason
from yuheng.operations.rules import HelpKind
from yuheng.operations.terminal.rules import Kind, Outcome

KIND_LABELS: dict[Kind, Promise] = {
    Kind.SIGN_IN: _("Signed in"),
    Kind.SIGN_OUT: _("Signed out"),
    Kind.START: _("Started"),
    Kind.SET_UP: _("Set-up done"),
    Kind.PAUSE: _("Paused"),
    Kind.RESUME: _("Resumed"),
    Kind.REPORT: _("Pieces reported"),
    Kind.FINISH: _("Finished"),
    Kind.CONSUME: _("Material scanned"),
    Kind.CHECK: _("Step checked"),
    Kind.PARAMETERS: _("Parameters set"),
    Kind.CREW: _("Crew changed"),
    Kind.NOTE: _("Note"),
    Kind.HELP: _("Called for help"),
    Kind.UNREADABLE: _("Something unreadable"),
}
OUTCOME_LABELS: dict[Outcome, Promise] = {
    Outcome.APPLIED: _("accepted"),
    Outcome.CONFLICT: _("in conflict"),
    Outcome.HELD: _("waits for an earlier one"),
    Outcome.DISCARDED: _("discarded"),
}
HELP_LABELS: dict[HelpKind, Promise] = {
    HelpKind.LEAD: _("Shift leader"),
    HelpKind.MAINTENANCE: _("Repair"),
    HelpKind.MATERIAL: _("Material is missing"),
    HelpKind.QUALITY: _("Quality"),
    HelpKind.SAFETY: _("Safety, danger"),
}


def in_both(words: Promise) -> dict[str, str]:
    """Return words as the tablet keeps names: in Chinese and in English."""
    found = {}
    for name, code in (("name_zh", "zh-hans"), ("name_en", "en")):
        with translation.override(code):
            found[name] = str(words)
    return found


def said_in_both(reason: str, prefix: str) -> dict[str, str]:
    """Return a machine's reason of a pause in both languages; any other reason as it is."""
    found = {}
    for name, code in (("zh", "zh-hans"), ("en", "en")):
        with translation.override(code):
            found[f"{prefix}_{name}"] = machine_reason(reason)
    return found
