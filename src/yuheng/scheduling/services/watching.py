"""The planner's view of one site: facts kept warm between looks, the first plan where one is wanted, a sign of life."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.operations.selectors import planning
from yuheng.scheduling.building import PlantFacts, Standing
from yuheng.scheduling.models import Plan, Scenario, SitePlanning
from yuheng.scheduling.rules.states import UNDER_WAY, ScenarioState
from yuheng.scheduling.selectors.plant import plant_facts
from yuheng.scheduling.services.loop import Looked, look
from yuheng.scheduling.services.plans import publish_plan
from yuheng.scheduling.services.scenarios import make_plan
from yuheng.scheduling.services.scoring import score_due

WHOLE_EVERY_S = 8.0
"""Everything but machines is looked at so often: it concerns plans, not hands …"""
WHOLE_SHARE = 20.0
"""… and takes no more than a twentieth of the planner's time, however large the plant is."""
WARM_S = 30.0
"""Facts of a moment ago serve so long when no job order has changed: stock and people may have."""
ASK_AGAIN = timedelta(seconds=60)
_WAITS = sorted(state.value for state in UNDER_WAY)


@dataclass(slots=True)
class Watch:
    """What the planner remembers of a site between looks. All of it is in the database, too."""

    site_id: int
    facts: PlantFacts | None = None
    stamp: tuple[int, str] = (0, "")
    whole_at: float = field(default=-1e9)
    whole_took_s: float = 0.0
    plan_id: int = 0
    said_at: float = field(default=-1e9)

    def is_due(self) -> bool:
        """Return whether everything is to be looked at."""
        return time.monotonic() - self.whole_at >= max(WHOLE_EVERY_S, WHOLE_SHARE * self.whole_took_s)


def look_at(*, actor: Actor, watch: Watch, at: datetime, told: Sequence[Standing], is_urgent: bool) -> Looked:
    """Look at one site: at machines at once, at everything when it is due. Raises as `look`.

    Notes
    -----
    What was read is kept. When a machine stands and no job order has changed since, only the machines are asked about.
    """
    is_whole = not is_urgent and watch.is_due()
    began = time.monotonic()
    stamp = planning.changes_of(site_id=watch.site_id)
    facts = watch.facts
    if facts is not None and (stamp != watch.stamp or abs((at - facts.now).total_seconds()) > WARM_S):
        facts = None
    if facts is None and is_whole:
        facts = plant_facts(actor=actor, site_id=watch.site_id, now=at)
        watch.facts, watch.stamp = facts, stamp
    found = look(actor=actor, site_id=watch.site_id, at=at, told=told, facts=facts, is_whole=is_whole)
    if is_whole:
        score_due(actor=actor, site_id=watch.site_id, at=at)
        watch.whole_at = time.monotonic()
        watch.whole_took_s = watch.whole_at - began
    return found


def published_plans() -> dict[int, int]:
    """Site -> the plan that holds there. One query."""
    return dict(Plan.objects.filter(is_published=True).order_by("site_id").values_list("site_id", "pk"))


@transaction.atomic
def say_alive(*, site_id: int, at: datetime, trouble: str = "") -> None:
    """Write down that the planner looks after a site. Not while somebody publishes there: nobody waits for it."""
    rows = SitePlanning.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    row = rows.filter(pk=site_id).first()
    if row is not None:
        row.seen_at, row.trouble = at, trouble[:400]
        row.save(update_fields=["seen_at", "trouble"])


def make_first_plans(*, actor: Actor, at: datetime) -> list[int]:
    """Where a site wants it and nobody has published a plan yet: ask for one, and publish it once it is made.

    Returns
    -------
    list of int
        Sites at which a plan was published.
    """
    published = Plan.objects.filter(is_published=True).values("site_id")
    wanted = SitePlanning.objects.filter(keeps_plan=True).exclude(pk__in=published).values_list("pk", flat=True)
    made = []
    for site_id in list(wanted):
        last = Scenario.objects.filter(site_id=site_id).order_by("-pk").first()
        if last is not None and last.state in _WAITS:
            continue
        try:
            if last is not None and last.state == ScenarioState.DONE.value and last.plan_id and not _is_old(last, at):
                publish_plan(actor=actor, plan_id=last.plan_id, expected=0, reason=_("First plan"), at=at)
                made.append(site_id)
            elif last is None or _is_old(last, at):
                _ask(actor, site_id, at)
        except Conflict:  # somebody publishes, or nothing can be planned yet: the next look tries again
            continue
    return made


def _is_old(last: Scenario, at: datetime) -> bool:
    return at - (last.ended_at or last.asked_at) > ASK_AGAIN


def _ask(actor: Actor, site_id: int, at: datetime) -> None:
    if planning.changes_of(site_id=site_id)[0]:
        make_plan(actor=actor, site_id=site_id, at=at, name=_("First plan"))


__all__ = ["Watch", "look_at", "make_first_plans", "published_plans", "say_alive"]
