"""Durations as people say them on the floor: short, with a unit."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400


def in_words(seconds: float) -> str:
    """Return e.g. ``42 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``; never negative.

    The browser's twin is ``duration`` in ``static/web/format.js``; a browser story compares the two.
    """
    whole = max(0, int(seconds))
    if whole < MINUTE_S:
        return _("%(s)d s") % {"s": whole}
    if whole < HOUR_S:
        return _("%(min)d min") % {"min": whole // MINUTE_S}
    if whole < DAY_S:
        return _("%(h)d h %(min)02d min") % {"h": whole // HOUR_S, "min": whole % HOUR_S // MINUTE_S}
    return _("%(d)d d %(h)d h") % {"d": whole // DAY_S, "h": whole % DAY_S // HOUR_S}


SPAN_WORDS: dict[str, Promise] = {
    "10m": gettext_lazy("10 min"),
    "1h": gettext_lazy("1 h"),
    "8h": gettext_lazy("8 h"),
    "24h": gettext_lazy("24 h"),
    "7d": gettext_lazy("7 days"),
    "30d": gettext_lazy("30 days"),
}
"""Time ranges that a button chooses: what it says, by the key in the page's address."""
