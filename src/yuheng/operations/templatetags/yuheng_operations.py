"""``{% load yuheng_operations %}``: words, quantities and codes of orders."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils.translation import gettext as _

from yuheng.operations.views.asking import in_language

register = template.Library()


@register.filter
def said(row: object, field: str = "name") -> str:
    """Return ``<field>_zh`` or ``<field>_en`` of a row, in the reader's language."""
    return in_language(str(getattr(row, f"{field}_zh", "")), str(getattr(row, f"{field}_en", "")))


@register.filter
def amount(quantity: Decimal | float | None) -> str:
    """Write a quantity with the digits it has, at most three after the point; "–" for none."""
    if quantity is None:
        return "–"
    text = f"{quantity:,.3f}".rstrip("0").rstrip(".")
    return text or "0"


@register.filter
def lasting(seconds: float | None) -> str:
    """Write a length of time of a job: minutes and hours."""
    if seconds is None:
        return "–"
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("%(min)d min") % {"min": minutes}
    return _("%(h)d h %(min)02d min") % {"h": minutes // 60, "min": minutes % 60}


@register.filter
def share(part: Decimal | float, whole: Decimal | float) -> str:
    """Write a part as percent of a whole."""
    return f"{100 * float(part) / float(whole):.0f} %" if whole else "–"


@register.filter
def later_by(actual: datetime | None, planned: datetime | None) -> str:
    """Say how much later than planned, in words with a sign; "" when one of them is missing."""
    if actual is None or planned is None:
        return ""
    seconds = (actual - planned).total_seconds()
    sign = "+" if seconds >= 0 else "−"
    return f"{sign}{lasting(abs(seconds))}"
