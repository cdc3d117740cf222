"""``{% load yuheng_web %}``: state symbols and words, durations, names in the reader's language."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import segno
from django import template
from django.template import Context
from django.utils.html import escape, json_script
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from yuheng.engines.points import MAX_EXACT_INTEGER, Quality
from yuheng.kernel.moments import Moment
from yuheng.kernel.unit_symbols import symbol_of
from yuheng.web import durations
from yuheng.web.freshness import is_silent
from yuheng.web.indicators import looks_for_islands
from yuheng.web.island_strings import translated
from yuheng.web.names import local_name
from yuheng.web.plant_data import SignalNow
from yuheng.web.states import look

register = template.Library()

GROUPED_FROM = 10_000
"""Integers from here on are written with separators."""

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


@register.filter
def span_word(key: str) -> str:
    """Say a time range, ``24h``, in the reader's language."""
    return str(durations.SPAN_WORDS[key])


@register.simple_tag
def priority_symbol(priority: str | int) -> SafeString:
    """Draw the symbol of a priority: ``1``, ``2``, ``3``, ``4``, ``hold`` or ``?``."""
    priority = str(priority)
    if priority in {"1", "2", "3"}:
        return symbol(f"p{priority}", priority, f"p{priority}")
    if priority == "4":  # low: no hue, it can wait
        return symbol("plain", "4", "plain")
    return symbol("hold", "", "") if priority == "hold" else symbol("dashed", "?", "plain")


@register.simple_tag
def signal_value(signal: SignalNow) -> str:
    """Write a signal's latest value as the islands do: on and off for switches, digits by size, "–" without one."""
    value = signal.value
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if signal.data_type == "bool":
        return _("on") if value else _("off")
    value *= signal.factor
    if value == int(value) and abs(value) < MAX_EXACT_INTEGER:
        return f"{int(value):,}" if abs(value) >= GROUPED_FROM else str(int(value))
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


@register.simple_tag(takes_context=True)
def signal_age(context: Context, signal: SignalNow) -> str:
    """Say how old a value is; of one whose source is there, how long it has not changed. As of the page's moment."""
    if not signal.time_us:
        return "–"
    moment = context.get("moment")
    now_us = moment.at_us if isinstance(moment, Moment) else time.time_ns() // 1000
    age_s = (now_us - signal.time_us) / 1e6
    words = durations.in_words(age_s)
    is_there = not is_silent(signal.heard_us, signal.stale_after_s, now_us)
    return _("unchanged for %(time)s") % {"time": words} if is_there and age_s > signal.stale_after_s else words


@register.simple_tag
def quality_word(signal: SignalNow) -> str:
    """Say how far a value can be trusted (OPC UA severity)."""
    if not signal.time_us:
        return _("never heard")
    if signal.quality >= Quality.BAD:
        return _("bad")
    return _("uncertain") if signal.quality >= Quality.UNCERTAIN else _("good")


@register.simple_tag
def state_looks() -> SafeString:
    """Send with the page what the islands need to draw states."""
    return json_script(looks_for_islands(), element_id="yh-looks")


@register.filter
def unit_symbol(code: str) -> str:
    """Write a UCUM code as people write the unit: ``Cel`` as ``°C``."""
    return symbol_of(code)


@register.simple_tag
def island_strings() -> SafeString:
    """Send the islands' sentences with the page."""
    return json_script(translated(), element_id="yh-strings")


@register.filter
def at_key(mapping: dict[str, object], key: str) -> object:
    """Return what a mapping holds under a key, or ""."""
    return mapping.get(key, "")


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
def wall_time(at_us: int, time_zone: str) -> str:
    """Return a moment as the clock of a site shows it: the hour, and the day unless it is today."""
    zone = ZoneInfo(time_zone)
    at = datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(zone)
    is_today = at.date() == datetime.now(zone).date()
    return at.strftime("%H:%M" if is_today else "%m-%d %H:%M")


@register.simple_tag
def qr_code(text: str, label: str = "") -> SafeString:
    """Draw a QR code as SVG; what it says is beside it as text, so it is named and not read out."""
    drawing = segno.make(text, error="m", micro=False).svg_inline(
        border=2, omitsize=True, svgclass="qr", lineclass=None
    )
    return mark_safe(drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(label or text)}" ', 1))


register.filter("local_name", local_name)
