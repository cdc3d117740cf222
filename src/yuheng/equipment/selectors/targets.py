"""What a site aims at."""

from __future__ import annotations

from dataclasses import dataclass

from yuheng.equipment.models import (
    SiteTarget,
)
from yuheng.equipment.selectors.access import VIEW
from yuheng.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class TargetRow:
    """What the site aims at for an indicator; ``unit`` is a UCUM code."""

    indicator: str
    value: float
    unit: str


def site_targets(*, actor: Actor, site_id: int) -> dict[str, TargetRow]:
    """Targets of a site by indicator. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = SiteTarget.objects.visible_to(actor).filter(site_id=site_id)
    return {row.indicator: TargetRow(row.indicator, row.value, row.unit) for row in rows}
