"""How a state of a work unit looks and what it is called, in one place: symbol, class, word."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from yuheng.engines.states.vocabulary import UnitState


@dataclass(frozen=True, slots=True)
class StateLook:
    """Colour is never the only sign: every state has a mark and a word as well.

    Attributes
    ----------
    name
        Machine name, also the CSS class after ``is-`` and the word of import files.
    word
        The word of the glossary, in the reader's language.
    mark
        What follows the code on a tile; empty when the state is normal.
    shape, shape_mark
        Classes of the drawn symbol, see ``components.css``.
    """

    name: str
    word: Promise
    mark: str
    shape: str
    shape_mark: str


LOOKS: dict[UnitState, StateLook] = {
    UnitState.NO_DATA: StateLook("no_data", _("No data"), "?", "dashed", "plain"),
    UnitState.UNKNOWN: StateLook("unknown", _("Unknown"), "?", "hollow", "plain"),
    UnitState.PRODUCING: StateLook("producing", _("Producing"), "", "plain", ""),
    UnitState.IDLE: StateLook("idle", _("Idle"), "", "hollow", ""),
    UnitState.SETUP: StateLook("setup", _("Set-up"), "⚙\ufe0e", "plain", "plain"),
    UnitState.DOWN: StateLook("down", _("Down"), "■1", "p1", "p1"),
    UnitState.PLANNED_STOP: StateLook("planned_stop", _("Planned stop"), "=", "hollow", "plain"),
}


def look(state: int) -> StateLook:
    """Return the look of a state number; one that is not in the vocabulary looks unknown."""
    try:
        return LOOKS[UnitState(state)]
    except ValueError:
        return LOOKS[UnitState.UNKNOWN]
