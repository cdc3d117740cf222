"""Durations as people say them on the floor: short, with a unit."""

from __future__ import annotations

from django.utils.translation import gettext as _

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
