"""``{% load yuheng_web %}``: state symbols and words, durations, names in the reader's language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from yuheng.web import durations
from yuheng.web.island_strings import translated
from yuheng.web.states import look

register = template.Library()

_SHAPES = {
    "p1": '<rect class="shape-p1" x="1" y="1" width="16" height="16"/>',
    "p2": '<path class="shape-p2" d="M9 1 17.5 17H.5z"/>',
    "p3": '<circle class="shape-p3" cx="9" cy="9" r="8"/>',
    "hold": '<path class="shape-hold" d="M9 .5 17.5 9 9 17.5.5 9z"/>',
    "plain": '<rect class="shape-plain" x="1" y="3" width="16" height="12" rx="2"/>',
    "hollow": '<rect class="shape-hollow" x="1" y="3" width="16" height="12" rx="2"/>',
    "dashed": '<rect class="shape-dashed" x="1" y="3" width="16" height="12" rx="2"/>',
}
_MARKS = {"down": "1", "no_data": "?", "unknown": "?", "setup": "⚙\ufe0e", "planned_stop": "="}


def symbol(shape: str, mark: str, mark_class: str) -> SafeString:
    """Return the drawn symbol; the word belongs beside it, so the drawing is hidden from screen readers."""
    text = f'<text class="mark mark-{mark_class}" x="9" y="13">{mark}</text>' if mark else ""
    drawing = f'<svg width="18" height="18" viewBox="0 0 18 18">{_SHAPES[shape]}{text}</svg>'
    return mark_safe(f'<span class="sym" aria-hidden="true">{drawing}</span>')


@register.simple_tag
def state_symbol(state: int) -> SafeString:
    """Draw the symbol of a work unit's state."""
    found = look(state)
    return symbol(found.shape, _MARKS.get(found.name, ""), found.shape_mark)


@register.simple_tag
def priority_symbol(priority: str) -> SafeString:
    """Draw the symbol of a priority: ``1``, ``2``, ``3``, ``hold`` or ``?``."""
    if priority in {"1", "2", "3"}:
        return symbol(f"p{priority}", priority, f"p{priority}")
    return symbol("hold", "", "") if priority == "hold" else symbol("dashed", "?", "plain")


@register.simple_tag
def island_strings() -> SafeString:
    """Send the islands' sentences with the page."""
    return json_script(translated(), element_id="yh-strings")


@register.filter
def state_word(state: int) -> str:
    """Return the state's word in the reader's language."""
    return str(look(state).word)


@register.filter
def state_class(state: int) -> str:
    """Return the CSS class of a state, ``is-down`` for one."""
    return f"is-{look(state).name}"


@register.filter
def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    return durations.in_words(seconds)


@register.filter
def local_name(thing: Any) -> str:
    """Return the name of a thing that has ``name_zh`` and ``name_en``, in the reader's language; else its code."""
    names = (
        (thing.name_en, thing.name_zh) if (get_language() or "").startswith("en") else (thing.name_zh, thing.name_en)
    )
    return names[0] or names[1] or str(getattr(thing, "code", ""))
