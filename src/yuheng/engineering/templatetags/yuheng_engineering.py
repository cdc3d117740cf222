"""``{% load yuheng_engineering %}``: words of states, kinds and columns in the reader's language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

from yuheng.engineering.labels import (
    CHANGE_STATES,
    COLUMNS,
    IMPORT_PHASES,
    SEGMENT_KINDS,
    SOURCES,
    TRACKINGS,
    VERSION_STATES,
)
from yuheng.engineering.rules.effectivity import spoken
from yuheng.kernel.unit_symbols import symbol_of

register = template.Library()


def _word(table: Any, value: Any) -> str:
    return str(table.get(str(value), value))


@register.filter
def version_state(value: Any) -> str:
    """Say a version's state."""
    return _word(VERSION_STATES, value)


@register.filter
def change_state(value: Any) -> str:
    """Say a change's state."""
    return _word(CHANGE_STATES, value)


@register.filter
def source_word(value: Any) -> str:
    """Say where a material comes from."""
    return _word(SOURCES, value)


@register.filter
def tracking_word(value: Any) -> str:
    """Say what is told apart of a material."""
    return _word(TRACKINGS, value)


@register.filter
def segment_kind(value: Any) -> str:
    """Say what is done at a segment."""
    return _word(SEGMENT_KINDS, value)


@register.filter
def column_word(value: Any) -> str:
    """Say a column or field."""
    return _word(COLUMNS, value)


@register.filter
def unit_word(code: str) -> str:
    """Write a unit as people do; what has none is said in words."""
    return symbol_of(code) or _("no unit")


@register.filter
def holds_for(effectivity: Any) -> str:
    """Write for what a version holds, in signs."""
    return spoken(effectivity)


@register.filter
def import_phase(value: Any) -> str:
    """Say how far an uploaded file is."""
    return _word(IMPORT_PHASES, value)
