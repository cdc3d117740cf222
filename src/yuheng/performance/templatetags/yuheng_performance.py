"""``{% load yuheng_performance %}``: lengths of time, stages and verdicts in words."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from yuheng.performance.labels import (
    CHANGE_LABELS,
    GROUP_LABELS,
    PART_LABELS,
    STAGE_LABELS,
    TOLD_LABELS,
    VERDICT_LABELS,
)
from yuheng.performance.rules.stages import Stage
from yuheng.performance.rules.standards import Part, Verdict
from yuheng.performance.rules.times import Told

register = template.Library()


@register.filter
def lasts(seconds: float | None) -> str:
    """Write a length of time with two units that mean something; "–" for none."""
    if seconds is None:
        return "–"
    sign, seconds = ("−" if seconds < 0 else ""), abs(seconds)
    if seconds < 120:
        return sign + _("%(s)s s") % {"s": f"{seconds:.3g}"}
    minutes = round(seconds / 60)
    if minutes < 120:
        return sign + _("%(min)d min") % {"min": minutes}
    if minutes < 48 * 60:
        return sign + _("%(h)d h %(min)02d min") % {"h": minutes // 60, "min": minutes % 60}
    hours = round(seconds / 3600)
    return sign + _("%(d)d d %(h)d h") % {"d": hours // 24, "h": hours % 24}


@register.filter
def hours(value: float | None) -> str:
    """Write hours with one digit."""
    return "–" if value is None else f"{value:,.1f}"


@register.filter
def percent(value: float | None) -> str:
    """Write a share as percent."""
    return "–" if value is None else f"{100 * value:.0f} %"


@register.filter
def off_by(ratio: float | None) -> str:
    """Write measured over planned as a difference in percent, with its sign."""
    if ratio is None:
        return "–"
    return f"{'+' if ratio >= 1 else '−'}{abs(ratio - 1) * 100:.0f} %"


@register.filter
def stage_word(stage: str) -> str:
    """Say a stage."""
    return str(STAGE_LABELS[Stage(stage)])


@register.filter
def group_word(key: str) -> str:
    """Say a group of stages."""
    return str(GROUP_LABELS[key])


@register.filter
def part_word(part: str) -> str:
    """Say which time of a step."""
    return str(PART_LABELS[Part(part)])


@register.filter
def told_word(told: str) -> str:
    """Say who told times."""
    return str(TOLD_LABELS[Told(told)])


@register.filter
def verdict_word(verdict: str) -> str:
    """Say what follows from measured times."""
    return str(VERDICT_LABELS[Verdict(verdict)])


@register.filter
def change_word(state: str) -> str:
    """Say where an engineering change stands."""
    return str(CHANGE_LABELS.get(state, state))
