"""``{% load yuheng_alarms %}``: words of alarms."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template

from yuheng.alarms.labels import CATEGORY_LABELS, KIND_LABELS, PRIORITY_LABELS
from yuheng.alarms.selectors.definitions import EffectiveRow
from yuheng.alarms.shown import FIELD_LABELS, in_language
from yuheng.alarms.tables import NO, YES
from yuheng.engines.alarms.vocabulary import Category, JournalKind, Priority

register = template.Library()


@register.filter
def priority_word(priority: int) -> str:
    """Return a priority's word."""
    return str(PRIORITY_LABELS[Priority(priority)])


@register.filter
def kind_word(kind: str) -> str:
    """Return what a line of the journal says."""
    return str(KIND_LABELS[JournalKind(kind)])


@register.filter
def category_word(category: str) -> str:
    """Return a category's word."""
    return str(CATEGORY_LABELS[Category(category)])


@register.filter
def said(row: object, field: str) -> str:
    """Return ``<field>_zh`` or ``<field>_en`` of a row, in the reader's language."""
    return in_language(str(getattr(row, f"{field}_zh")), str(getattr(row, f"{field}_en")))


@register.filter
def seconds_since(at: datetime | None) -> float:
    """Return how long ago a moment was, in seconds; 0 for none."""
    return 0.0 if at is None else max(0.0, (datetime.now(UTC) - at).total_seconds())


@register.filter
def percent(ratio: float | None) -> str:
    """Write a share, 0 to 1, as percent."""
    return "–" if ratio is None else f"{100 * ratio:.1f} %"


@register.filter
def is_own_parameter(row: EffectiveRow, name: str) -> bool:
    """Return whether a limit is the unit's own."""
    return f"parameters.{name}" in row.overridden


@register.filter
def field_word(name: str) -> str:
    """Return what a field of a definition is called; a limit is called by its own name."""
    if name.startswith("parameters."):
        return name.removeprefix("parameters.")
    return str(FIELD_LABELS.get(name, name))


@register.filter
def field_value(value: object, name: str) -> str:
    """Return what a field of a definition holds, in words; nothing as a dash."""
    if value is None or value in ("", ()):
        return "–"
    if name == "priority":
        return priority_word(value) if isinstance(value, int) else str(value)
    if name == "category":
        return category_word(str(value))
    if isinstance(value, bool):
        return str(YES if value else NO)
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
