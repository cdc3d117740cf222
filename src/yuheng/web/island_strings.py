"""Sentences of the browser islands: English msgids, translated on the server and sent with the page as JSON.

``tests/test_island_strings.py`` compares this list with every ``t("…")`` in ``static/web``.
"""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from yuheng.analysis.island_strings import STRINGS as ANALYSIS_STRINGS
from yuheng.scheduling.island_strings import STRINGS as SCHEDULING_STRINGS

STRINGS = (
    _("%(d)d d %(h)d h"),
    _("%(h)d h %(min)02d min"),
    _("%(min)d min"),
    _("%(n)s alarms"),
    _("%(n)s values"),
    _("%(s)d s"),
    _("%(s)s s"),
    _("Choose up to six signals in the table to see their trend."),
    _("No connection to the server."),
    _("No connection to the server: what you see is %(age)s old."),
    _("No new data from the plant: what you see is %(age)s old."),
    _("No values in this range."),
    _("Pause"),
    _("Play"),
    _("Reading the history…"),
    _("State timeline; arrow keys go from interval to interval"),
    _("The historian does not answer: what you see is %(age)s old."),
    _("The history could not be read now."),
    _("The history was not being watched at that moment."),
    _("The server does not answer as it should."),
    _("The server has no connection to the broker: what you see is %(age)s old."),
    _("The states could not be read now."),
    _("Time"),
    _("What was shown then is not recorded: this is what is known now."),
    _("You are signed out: what you see is old. Sign in again."),
    _("as it is known now"),
    _("as it was shown then"),
    _("bad quality is marked below the curves"),
    _("bad"),
    _("down %(n)d"),
    _("good"),
    _("none"),
    _("now"),
    _("off"),
    _("on"),
    _("producing %(n)d/%(all)d"),
    _("uncertain"),
    _("unchanged for %(age)s"),
)


def translated() -> dict[str, str]:
    """Return English sentence -> sentence in the reader's language."""
    return {sentence: gettext(sentence) for sentence in (*STRINGS, *ANALYSIS_STRINGS, *SCHEDULING_STRINGS)}
