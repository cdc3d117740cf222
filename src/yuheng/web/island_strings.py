"""Sentences of the browser islands: English msgids, translated on the server and sent with the page as JSON.

``tests/test_island_strings.py`` compares this list with every ``t("…")`` in ``static/web``.
"""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

STRINGS = (
    _("%(s)d s"),
    _("%(s)s s"),
    _("%(min)d min"),
    _("%(h)d h %(min)02d min"),
    _("%(d)d d %(h)d h"),
    _("none"),
    _("producing %(n)d/%(all)d"),
    _("down %(n)d"),
    _("You are signed out: what you see is old. Sign in again."),
    _("No connection to the server: what you see is %(age)s old."),
    _("The server has no connection to the broker: what you see is %(age)s old."),
    _("The historian does not answer: what you see is %(age)s old."),
    _("No new data from the plant: what you see is %(age)s old."),
)


def translated() -> dict[str, str]:
    """Return English sentence -> sentence in the reader's language."""
    return {sentence: gettext(sentence) for sentence in STRINGS}
