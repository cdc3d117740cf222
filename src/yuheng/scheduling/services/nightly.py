"""Plans that nobody asks for by hand: one a night where a site wants it; and whether any plan waits to be made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, tzinfo

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.scheduling.models import Scenario, SitePlanning
from yuheng.scheduling.rules.states import ScenarioState
from yuheng.scheduling.services.scenarios import LOST_AFTER, make_plan


def is_waiting(*, at: datetime) -> bool:
    """Whether a what-if waits, or was left by a solver that died. One query."""
    waiting = Scenario.objects.filter(state=ScenarioState.WAITING.value)
    left = Scenario.objects.filter(state=ScenarioState.SOLVING.value, beat_at__lt=at - LOST_AFTER)
    return (waiting | left).exists()


def ask_what_is_due(*, actor: Actor, now: datetime, zone_of: Callable[[str], tzinfo]) -> list[int]:
    """Ask for the plan of the night at every site where it is time; return the ids of the what-ifs.

    It waits as a what-if until a person publishes it. A planner that was off at night asks when it is on again, once.
    """
    made: list[int] = []
    for row in SitePlanning.objects.filter(nightly_at__isnull=False):
        local = now.astimezone(zone_of(equipment.site(actor=actor, site_id=row.pk).time_zone))
        if row.nightly_at is None or local.time() < row.nightly_at or row.nightly_on == local.date():
            continue
        found = _ask(actor, row.pk, local.date(), now)
        made += [found] if found else []
    return made


@transaction.atomic
def _ask(actor: Actor, site_id: int, day: date, now: datetime) -> int:
    row = SitePlanning.objects.select_for_update(of=("self",), no_key=True).get(pk=site_id)
    if row.nightly_on == day:
        return 0
    row.nightly_on = day
    row.save(update_fields=["nightly_on"])
    try:
        return make_plan(
            actor=actor, site_id=site_id, at=now, name=_("Plan of the night %(day)s") % {"day": day.isoformat()}
        ).pk
    except Conflict:  # too many are under way: people are planning
        return 0
