"""Why a job order does not start earlier, and what it waits for: a dry look at the plan that holds. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.engines.schedule.explain import Floor, Words, why_not_earlier
from yuheng.engines.schedule.explain.reasons import Reason
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.operations.selectors import planned
from yuheng.scheduling.building import Built, lasting, read_levers
from yuheng.scheduling.building.carrying import carry
from yuheng.scheduling.models import Plan
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.services.access import VIEW, clock
from yuheng.scheduling.services.plans import build_now

MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of one job order in the plan.

    Attributes
    ----------
    could_start
        When it could start if only its own reasons counted; None: it stands as early as it can.
    links
        (before, after) of all job orders of its product.
    """

    job_order_id: int
    reasons: tuple[str, ...]
    could_start: datetime | None
    links: tuple[tuple[int, int], ...]


def why(*, actor: Actor, site_id: int, job_order_id: int, at: datetime) -> Why:
    """Say what holds a job order where it is planned.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        No plan holds.
    """
    actor.require(VIEW, site_id=site_id)
    published = Plan.objects.filter(site_id=site_id, is_published=True).first()
    if published is None:
        raise Conflict(_("No plan is published yet. Make one and publish it first."))
    built = build_now(actor=actor, site_id=site_id, at=at, levers=lasting(read_levers(published.levers), at))
    k = built.index_of_job.get(job_order_id, -1)
    job = next((one for one in built.facts.work.jobs if one.id == job_order_id), None)
    links = () if job is None else tuple(planned.links_of_root(actor=actor, site_id=site_id, root_id=job.root_id))
    base = carry(built, rows_of_plan(published)) if k >= 0 and built.problem is not None else None
    if base is None:
        return Why(job_order_id, (_("It is not in the plan: it is over, or it cannot be planned."),), None, links)
    floor = Floor(base.problem, base.plan)
    found = why_not_earlier(floor, k)
    said = Words(floor).reasons(found)
    reasons = tuple(
        _(one.message) % _told(built, floor, k, reason, one.values)
        for reason, one in zip(found.reasons, said, strict=True)
    )
    could = built.moment(found.could_start) if found.is_gap else None
    return Why(job_order_id, reasons, could, links)


def _told(built: Built, floor: Floor, k: int, reason: Reason, values: Any) -> dict[str, Any]:
    """Return the values of a reason with codes and the clock on the wall instead of the engine's numbers."""
    machine = floor.problem.machines[int(floor.machine[k])].id
    codes = [built.jobs[i].code for i in reason.behind]
    more = len(codes) - MOST_NAMED
    named = ", ".join(codes[:MOST_NAMED])
    own = {
        "until": clock(built.moment(reason.until)),
        "machine": built.unit_code.get(machine, "–") if isinstance(machine, int) else _("the supplier"),
        "behind": named if more <= 0 else _("%(first)s and %(count)s more") % {"first": named, "count": more},
    }
    return {name: own.get(name, value) for name, value in values.items()}
