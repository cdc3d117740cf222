"""``{% load yuheng_analysis %}``: numbers with the digits they deserve, moments, words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from yuheng.analysis.words import BAND_NAMES, KINDS, LOSSES, state_word
from yuheng.engines.points import MAX_EXACT_INTEGER, Quality
from yuheng.kernel.names import local_name

register = template.Library()

NEAR_US = 60_000_000
"""How far around one moment its raw values are shown."""


@register.filter
def digits(value: Any) -> str:
    """Write a number as the islands do: "–" without one, digits by size."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    number = float(value)
    if number == int(number) and abs(number) < MAX_EXACT_INTEGER:
        return f"{int(number):,}" if abs(number) >= 10_000 else str(int(number))
    places = 0 if abs(number) >= 10_000 else 1 if abs(number) >= 1000 else 2 if abs(number) >= 1 else 4
    return f"{number:,.{places}f}"


@register.filter
def us_moment(us: int) -> datetime:
    """Return microseconds since 1970 as a moment, for ``|date``."""
    return datetime.fromtimestamp(us / 1e6, UTC)


@register.filter
def us_clock(us: int) -> str:
    """Write a moment as the site's clock shows it, to the second; to the millisecond where it has them."""
    at = timezone.localtime(datetime.fromtimestamp(us // 1_000_000, UTC))
    thousandths = us % 1_000_000 // 1000
    return f"{at:%m-%d %H:%M:%S}" + (f".{thousandths:03d}" if thousandths else "")


@register.filter
def us_seconds(us: int) -> str:
    """Write microseconds as the seconds of an address."""
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"


@register.filter
def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * share:.1f} %"


@register.filter
def loss_word(loss: str) -> str:
    """Say a kind of loss."""
    return str(LOSSES.get(loss, ""))


@register.filter
def band_word(name: str) -> str:
    """Say what a band shows."""
    return str(BAND_NAMES[name])


@register.filter
def kind_word(name: str) -> str:
    """Say a kind of slices."""
    return str(KINDS.get(name, name))


@register.filter
def state_name(state: int) -> str:
    """Say a state."""
    return state_word(state)


@register.filter
def quality_says(quality: int) -> str:
    """Say how far a value can be trusted (OPC UA severity)."""
    if quality >= Quality.BAD:
        return _("bad")
    return _("uncertain") if quality >= Quality.UNCERTAIN else _("good")


@register.simple_tag
def rows_near(kept: str, tag_id: int, at_us: int) -> str:
    """Return the query that opens the raw values around a moment."""
    around = {"from": us_seconds(at_us - NEAR_US), "to": us_seconds(at_us + NEAR_US), "tab": "raw", "raw": tag_id}
    return _with(kept, around)


@register.simple_tag
def query_with(kept: str, **changes: Any) -> str:
    """Return a query with some names set, or left out when empty."""
    return _with(kept, changes)


def _with(kept: str, changes: dict[str, Any]) -> str:
    pairs = dict(part.split("=", 1) for part in kept.split("&") if "=" in part)
    for name in changes:
        pairs.pop(name, None)
    added = urlencode({name: value for name, value in changes.items() if value not in ("", None)})
    return "&".join([*(f"{name}={value}" for name, value in pairs.items()), *([added] if added else [])])


@register.simple_tag
def linked_number(value: Any, query: str) -> SafeString | str:
    """Write a number that opens the rows it came from."""
    if value is None:
        return "–"
    return format_html('<a href="?{}">{}</a>', query, digits(value))


@register.filter
def cut_unit(key: str) -> str:
    """Return the start of a stop's key, in microseconds."""
    return key.split(".")[1]


@register.simple_tag
def reason_name(names: dict[int, Any], reason_id: int) -> str:
    """Say a reason."""
    row = names.get(reason_id)
    return local_name(row) if row is not None else "–"


@register.simple_tag
def share_of(part: float, whole: float) -> str:
    """Write a part as a percentage of the whole."""
    return percent(part / whole) if whole else "–"
