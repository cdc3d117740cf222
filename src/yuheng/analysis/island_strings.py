"""Sentences of this context's islands; ``{% island_strings %}`` sends them with the page, beside those of `web`."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

STRINGS = (
    _("%(n)s slices, each from its own start"),
    _("%(n)s values"),
    _("At the cursor"),
    _("Curves; arrow keys move the cursor"),
    _("Done"),
    _("No values in this range."),
    _("Reading the history…"),
    _("Reason"),
    _("Show this time"),
    _("The history could not be read now."),
    _("The reason could not be kept."),
    _("after %(time)s: current %(current)s, median %(median)s, from %(least)s to %(most)s"),
    _("bad quality is marked below the curves"),
    _("now"),
)
