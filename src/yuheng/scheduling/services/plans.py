"""The published plan: write a plan down, publish it, take the former one back. All need ``operations.dispatch``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from yuheng.engines.schedule.faults import ProblemError
from yuheng.engines.schedule.plan import Plan as EnginePlan
from yuheng.engines.schedule.problem import Problem
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.operations.rules import BEFORE_START
from yuheng.operations.services.planned import give_places
from yuheng.scheduling.building import OUTSIDE, Built, Levers, build, lasting, read_levers, write_levers
from yuheng.scheduling.building.carrying import Carried, carry
from yuheng.scheduling.building.measuring import measure, order_ends
from yuheng.scheduling.events import PlanPublished
from yuheng.scheduling.models import Disturbance, Plan, SitePlanning, Suggestion
from yuheng.scheduling.rules.states import PlanKind, SuggestionState
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.selectors.plant import plant_facts
from yuheng.scheduling.services.access import Locked, locked_site

LONGEST_REASON = 400


def build_now(*, actor: Actor, site_id: int, at: datetime, levers: Levers) -> Built:
    """Return the problem of this second. Raises `NotVisible`, `PermissionRefused`."""
    return build(plant_facts(actor=actor, site_id=site_id, now=at), levers)


def next_number(site_id: int) -> int:
    """Return the site's next plan number; whoever asks next waits until this transaction ends. Two queries."""
    SitePlanning.objects.get_or_create(site_id=site_id)
    row = SitePlanning.objects.select_for_update(of=("self",), no_key=True).get(pk=site_id)
    row.last_number += 1
    row.save(update_fields=["last_number"])
    return row.last_number


def write_plan(
    *,
    site_id: int,
    number: int,
    kind: PlanKind,
    built: Built,
    problem: Problem,
    plan: EnginePlan,
    before: EnginePlan | None,
    parent: Plan | None,
    by: str,
    reason: str,
    at: datetime,
    measures: dict[str, Any] | None = None,
) -> Plan:
    """Write a plan of the engine down, with what it means. One query; not published."""
    rows = built.rows(problem, plan)
    ends = order_ends(built, plan)
    return Plan.objects.create(
        site_id=site_id,
        number=number,
        kind=kind.value,
        parent=parent,
        made_at=at,
        made_by=by[:150],
        reason=reason[:LONGEST_REASON],
        origin=rows.origin,
        job_order_ids=rows.job_order_ids,
        work_unit_ids=rows.work_unit_ids,
        setup_starts=rows.setup_starts,
        starts=rows.starts,
        ends=rows.ends,
        completed_ids=list(ends),
        completed_ends=[built.tick(one.ends_at) for one in ends.values()],
        levers=write_levers(built.levers),
        notices=[notice.to_json() for notice in built.notices],
        measures=measure(built, problem, plan, before) if measures is None else measures,
    )


@transaction.atomic
def publish_plan(*, actor: Actor, plan_id: int, expected: int, reason: str, at: datetime) -> Plan:
    """Make a plan the one that holds: job orders get their machines and times, terminals follow.

    The plan is first brought to this second, within its own levers: what has begun since stays, what could not begin in
    time moves behind. What the checker does not accept is never published.

    Parameters
    ----------
    expected
        Number of the plan that was published when this was decided; 0: none.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        Somebody else published in between, or nothing feasible can be made of the plan any more.
    """
    known = Plan.objects.visible_to(actor).filter(pk=plan_id).values_list("site_id", flat=True).first()
    if known is None:
        actor.require("operations.dispatch")
        raise NotVisible(_("There is no such plan here."))
    locked = locked_site(actor=actor, site_id=known, expected=expected)
    chosen = Plan.objects.get(pk=plan_id)
    if chosen.is_published:
        raise Conflict(_("Plan %(number)s holds already.") % {"number": chosen.number})
    return adopt(locked, chosen, actor=actor, kind=PlanKind(chosen.kind), reason=reason, at=at)


@transaction.atomic
def undo(*, actor: Actor, site_id: int, expected: int, reason: str, at: datetime) -> Plan:
    """Publish the plan before the present one again, as it goes on from now.

    Undone twice, it goes back twice: what was restored is followed by what was before it.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        There is no former plan, or somebody else published in between.
    """
    locked = locked_site(actor=actor, site_id=site_id, expected=expected)
    former = _before(locked.published)
    if former is None:
        raise Conflict(_("There is no plan before this one."))
    why = reason.strip() or _("Undone: plan %(number)s") % {"number": locked.number}
    return adopt(locked, former, actor=actor, kind=PlanKind.RESTORED, reason=why, at=at)


def _before(published: Plan | None) -> Plan | None:
    """The plan that held before the last decision; of a restored one, the one before that which it restored."""
    decided = _decided(published)
    if decided is None or decided.parent_id is None:
        return None
    if decided.kind != PlanKind.RESTORED.value:
        return _held_before(decided)
    restored = _decided(decided.parent)
    return None if restored is None else _held_before(restored)


def _decided(plan: Plan | None) -> Plan | None:
    """The last plan that somebody decided: new work that was placed by itself is nothing to take back."""
    while plan is not None and plan.kind == PlanKind.PLACED.value:
        plan = plan.parent
    return plan


def _held_before(one: Plan) -> Plan | None:
    rows = Plan.objects.filter(site_id=one.site_id, published_at__lt=one.published_at)
    return rows.order_by("-published_at", "-pk").first() if one.published_at else None


def adopt(locked: Locked, chosen: Plan, *, actor: Actor, kind: PlanKind, reason: str, at: datetime) -> Plan:
    """Carry a kept plan to now and publish it, inside the caller's transaction and lock."""
    site_id = locked.planning.pk
    levers = lasting(read_levers(chosen.levers), at)
    built = build_now(actor=actor, site_id=site_id, at=at, levers=levers)
    if built.problem is None:
        raise Conflict(_("There is nothing to plan."))
    published = rows_of_plan(locked.published) if locked.published else None
    found = carried_or_refused(lambda: carry(built, published, rows_of_plan(chosen)))
    before = carry(built, published) if published else None
    return write_and_publish(
        locked,
        built=built,
        problem=found.problem,
        plan=found.plan,
        before=before.plan if before else None,
        parent=chosen if kind is PlanKind.RESTORED else locked.published,
        actor=actor,
        kind=kind,
        reason=reason,
        at=at,
    )


def carried_or_refused(make: Any) -> Carried:
    """Return what ``make`` carries. Raises `Conflict` in words where nothing feasible comes of it."""
    try:
        found: Carried | None = make()
    except ProblemError as error:
        raise Conflict(_("This cannot be planned: %(why)s") % {"why": str(error).splitlines()[0]}) from error
    if found is None:
        raise Conflict(_("Nothing feasible can be made of this plan any more. Make a new one."))
    return found


def write_and_publish(
    locked: Locked,
    *,
    built: Built,
    problem: Problem,
    plan: EnginePlan,
    before: EnginePlan | None,
    parent: Plan | None,
    actor: Actor,
    kind: PlanKind,
    reason: str,
    at: datetime,
) -> Plan:
    """Write a feasible plan, publish it, give job orders their machines and times, tell everybody."""
    if not reason.strip():
        raise InvalidInput(_("Say why; others will ask."), {"reason": _("A few words.")})
    site_id = locked.planning.pk
    locked.planning.last_number += 1
    locked.planning.save(update_fields=["last_number"])
    made = write_plan(
        site_id=site_id,
        number=locked.planning.last_number,
        kind=kind,
        built=built,
        problem=problem,
        plan=plan,
        before=before,
        parent=parent,
        by=actor.name,
        reason=reason.strip(),
        at=at,
    )
    former = locked.published
    if former is not None:
        Plan.objects.filter(pk=former.pk).update(is_published=False)
    Plan.objects.filter(pk=made.pk).update(is_published=True, published_at=at, published_by=actor.name[:150])
    made.is_published, made.published_at, made.published_by = True, at, actor.name[:150]
    changed = _assign(built, made, actor=actor, at=at)
    _expire(site_id, made, at=at)
    publish(
        PlanPublished(site_id, made.pk, made.number, kind.value, made.reason, changed),
        at=at,
    )
    audit.record(
        actor=actor, action="plan.published", at=at, site_id=site_id, object_kind="plan", object_id=made.number,
        kind=kind.value, reason=made.reason, before=former.number if former else 0, changed_jobs=changed,
        moved=made.measures["moved"], late_orders=made.measures["late_orders"], late_min=made.measures["late_min"],
    )  # fmt: skip
    return made


def _assign(built: Built, made: Plan, *, actor: Actor, at: datetime) -> int:
    """Give job orders that have not begun their machines and times where these differ from what they have."""
    rows = rows_of_plan(made)
    units: dict[int, int] = {}
    times: dict[int, tuple[datetime, datetime]] = {}
    placed = []
    for job in built.jobs:
        place = rows.place.get(job.id)
        if place is None or job.state not in _OPEN_TO_CHANGE:
            continue
        placed.append(job.id)
        unit = rows.work_unit_ids[place]
        start, end = rows.moment(rows.starts[place]), rows.moment(rows.ends[place])
        is_elsewhere = unit != OUTSIDE and unit != job.work_unit_id
        if is_elsewhere:
            units[job.id] = unit
        if is_elsewhere or (start, end) != (job.planned_start, job.planned_end):
            times[job.id] = (start, end)
    return give_places(actor=actor, site_id=made.site_id, units=units, times=times, placed=placed, at=at)


_OPEN_TO_CHANGE = frozenset(state.value for state in BEFORE_START)


def _expire(site_id: int, published: Plan, *, at: datetime) -> None:
    """What was suggested for a former plan is no answer any more."""
    Suggestion.objects.filter(site_id=site_id, state=SuggestionState.OPEN.value).exclude(base=published).update(
        state=SuggestionState.EXPIRED.value, ended_at=at
    )
    accepted = Suggestion.objects.filter(disturbance=OuterRef("pk"), state=SuggestionState.ACCEPTED.value)
    open_ones = Disturbance.objects.filter(site_id=site_id, over_at__isnull=True)
    open_ones.exclude(Exists(accepted)).update(answered_at=None)  # the planner answers on the plan that holds now
