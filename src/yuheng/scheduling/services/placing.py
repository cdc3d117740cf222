"""New work gets its place in the plan that holds by itself, where a site wants it. Nobody else is moved."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.operations.selectors import planning
from yuheng.scheduling.building import lasting, read_levers
from yuheng.scheduling.building.placing import place_new
from yuheng.scheduling.models import Plan, SitePlanning
from yuheng.scheduling.rules.states import PlanKind
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.services.access import locked_site
from yuheng.scheduling.services.plans import build_now, write_and_publish

AGAIN = timedelta(seconds=60)
"""A plan holds so long before new work is placed in it: orders come in lots, and people read."""


def place_new_work(*, actor: Actor, at: datetime, tried: MutableMapping[int, frozenset[int]]) -> list[int]:
    """Place what was released since, at every site that wants it.

    Parameters
    ----------
    tried
        Site -> job orders for which there was no place when it was tried last; kept by the caller. They are tried again
        when anything else is new.

    Returns
    -------
    list of int
        Sites at which a plan was published.
    """
    wanted = SitePlanning.objects.filter(places_new=True).values("pk")
    plans = Plan.objects.filter(is_published=True, published_at__lte=at - AGAIN, site_id__in=wanted)
    made = []
    for site_id, number, job_order_ids in plans.values_list("site_id", "number", "job_order_ids"):
        new = planning.open_job_order_ids(site_id=site_id) - set(job_order_ids)
        if not new - tried.get(site_id, frozenset()):
            continue
        tried[site_id] = frozenset(new)
        try:
            plan = place(actor=actor, site_id=site_id, expected=number, at=at)
        except Conflict:  # somebody publishes, or this plan cannot go on: people are told by its own screens
            continue
        if plan is not None:
            tried[site_id] = frozenset(new) - set(plan.job_order_ids)
            made.append(site_id)
    return made


@transaction.atomic
def place(*, actor: Actor, site_id: int, expected: int, at: datetime) -> Plan | None:
    """Publish the plan that holds with all new work behind what it knows; None: there is nothing that can be placed.

    Raises
    ------
    PermissionRefused, NotVisible, Conflict
    """
    locked = locked_site(actor=actor, site_id=site_id, expected=expected)
    if locked.published is None:
        return None
    built = build_now(
        actor=actor, site_id=site_id, at=at, levers=lasting(read_levers(locked.published.levers), at)
    )  # fmt: skip
    found = place_new(built, rows_of_plan(locked.published))
    if found is None:
        return None
    return write_and_publish(
        locked,
        built=built,
        problem=found.problem,
        plan=found.plan,
        before=found.before,
        parent=locked.published,
        actor=actor,
        kind=PlanKind.PLACED,
        reason=_("New work placed: %(count)s job orders") % {"count": len(found.job_order_ids)},
        at=at,
    )
