"""From a disturbance to suggestions, and from a suggestion to the published plan.

The planner calls `look` whenever a state changes and at least once a second: what is true in the database decides, so a
signal that was lost costs a second and no more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engines.schedule.decode import NoPlan
from yuheng.engines.schedule.faults import ProblemError
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.events import publish
from yuheng.operations.selectors import planning
from yuheng.scheduling.building import (
    Built,
    Levers,
    PlantFacts,
    Standing,
    build,
    lasting,
    read_levers,
    write_levers,
)
from yuheng.scheduling.building.answering import Answer, Choice, answer
from yuheng.scheduling.building.measuring import OrderEnd, measure, order_ends
from yuheng.scheduling.building.troubles import Cancelled, Known, troubles, without
from yuheng.scheduling.events import DisturbanceAnswered
from yuheng.scheduling.models import Disturbance, ExpectedReturn, Plan, SitePlanning, Suggestion
from yuheng.scheduling.rules import DisturbanceKind, Policy, Trouble
from yuheng.scheduling.rules.states import PlanKind, SuggestionState
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.selectors.plant import plant_facts, standing_now, usual_stops
from yuheng.scheduling.services import words
from yuheng.scheduling.services.access import DISPATCH, locked_site
from yuheng.scheduling.services.plans import adopt

SEARCH_CPU_S = 0.2
"""For all alternatives of one answer: the rest of the second belongs to the way of the signal and the screen."""
FORESEEN = timedelta(days=60)
MOST_HIT = 50


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found at one site: ids of disturbances that began, were answered or are over.

    ``took_ms``: of its parts, for who wants to know where the second goes.
    """

    site_id: int
    begun: tuple[int, ...] = ()
    answered: tuple[int, ...] = ()
    over: tuple[int, ...] = ()
    took_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_news(self) -> bool:
        """Return whether a screen has to be told."""
        return bool(self.begun or self.answered or self.over)


def planned_sites() -> list[int]:
    """Sites with a published plan. One query."""
    return list(Plan.objects.filter(is_published=True).order_by("site_id").values_list("site_id", flat=True))


def look(
    *,
    actor: Actor,
    site_id: int,
    at: datetime,
    told: Sequence[Standing] = (),
    facts: PlantFacts | None = None,
    is_whole: bool = True,
) -> Looked:
    """Compare what is with what the published plan knows, and answer what is new.

    Parameters
    ----------
    told
        Machines that stand by what was just heard, perhaps before the database knows.
    facts
        Of a moment ago, when the caller knows that no job order has changed since; None: read them where needed.
    is_whole
        Look for everything; False: only for machines that stand, which is all that has to be answered at once.

    Notes
    -----
    Three queries when only machines are looked at and nothing has changed.
    """
    clock = _Clock()
    standing = {one.work_unit_id: one for one in standing_now(actor=actor, site_id=site_id, now=at)}
    standing |= {one.work_unit_id: one for one in told if one.work_unit_id not in standing}
    open_rows = list(Disturbance.objects.filter(site_id=site_id, over_at__isnull=True))
    policy = SitePlanning.objects.filter(pk=site_id).first() or SitePlanning(site_id=site_id)
    clock.lap("database")
    if is_whole:
        found = _everything(actor, site_id, at, facts, tuple(standing.values()), open_rows)
        facts, there = found if found else (facts, [])
        looked_for = frozenset(DisturbanceKind)
    else:
        looked_for = frozenset({DisturbanceKind.DOWN})
        there = _stops(actor, site_id, at, tuple(standing.values()), open_rows, policy)
    clock.lap("detection")
    least = timedelta(seconds=policy.least_stop_s)
    known = {(row.kind, row.about): row for row in open_rows}
    now = {(one.kind.value, one.about): one for one in there}
    new = [
        one
        for key, one in now.items()
        if key not in known and (one.kind is not DisturbanceKind.DOWN or at - one.since >= least)
    ]
    over = [row for key, row in known.items() if key not in now and row.kind in looked_for]
    if over:
        _end([row.pk for row in over], at)
    begun = _begin(site_id, new, at) if new else []
    due = [row for key, row in known.items() if key in now and row.answered_at is None] + begun
    answered: list[int] = []
    if due and policy.suggests:
        answered = answer_disturbances(
            actor=actor, site_id=site_id, disturbances=due, standing=tuple(standing.values()), at=at, facts=facts,
            there=there, clock=clock,
        )  # fmt: skip
    return Looked(site_id, tuple(row.pk for row in begun), tuple(answered), tuple(row.pk for row in over), clock.laps)


class _Clock:
    """Where the time of one look goes, milliseconds of wall time by part."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.laps[part] = round(self.laps.get(part, 0.0) + (now - self._last) * 1000, 1)
        self._last = now


def _stops(
    actor: Actor,
    site_id: int,
    at: datetime,
    standing: tuple[Standing, ...],
    open_rows: Sequence[Disturbance],
    policy: SitePlanning,
) -> list[Trouble]:
    """Machines that stand, as troubles; how long such stops last is asked only when one is new."""
    known = {row.work_unit_id for row in open_rows if row.kind == DisturbanceKind.DOWN.value}
    is_new = any(one.work_unit_id not in known for one in standing)
    usual = usual_stops(actor=actor, site_id=site_id, now=at) if is_new else {}
    bare = PlantFacts(site_id, at, (), planning.NO_WORK, Policy(stop_min=policy.stop_min), standing, usual)
    return troubles(bare, Known(at, ()))


def _everything(
    actor: Actor,
    site_id: int,
    at: datetime,
    facts: PlantFacts | None,
    standing: tuple[Standing, ...],
    open_rows: Sequence[Disturbance],
) -> tuple[PlantFacts, list[Trouble]] | None:
    """Everything that the published plan does not know; what stands only where none is published."""
    plan = Plan.objects.filter(site_id=site_id, is_published=True).first()
    facts = _of_now(actor, site_id, at, facts, standing)
    if plan is None:
        return facts, troubles(facts, Known(at, ()))
    undecided = Suggestion.objects.filter(state=SuggestionState.ACCEPTED.value, disturbance__in=open_rows)
    decided = set(undecided.values_list("disturbance_id", flat=True))
    by_code: dict[str, set[int]] = {}
    for notice in plan.notices:
        by_code.setdefault(notice["code"], set()).add(notice["job"])
    made_with = plan.measures.get("known", {})
    rush, absences = made_with.get("rush"), made_with.get("absences")
    known = Known(
        plan.published_at or plan.made_at,
        frozenset(plan.job_order_ids),
        held=by_code.get("on_hold", ()),
        short=by_code.get("material_short", ()),
        rush=None if rush is None else frozenset(rush),
        absences=None if absences is None else frozenset(absences),
        open=frozenset((row.kind, row.about) for row in open_rows if row.pk not in decided),
    )
    there = {job.root_id for job in facts.work.jobs}
    gone = [root for root in plan.completed_ids if root not in there]
    closed = planning.closed_requests(actor=actor, site_id=site_id, request_ids=gone) if gone else {}
    since = {row.about: row.since for row in open_rows if row.kind == DisturbanceKind.CANCELLED.value}
    cancelled = [
        Cancelled(one.id, one.code, one.order_code, since.get(f"request {one.id}", at))
        for one in closed.values()
        if one.made_at is None
    ]
    return facts, troubles(facts, known, cancelled)


def _of_now(
    actor: Actor, site_id: int, at: datetime, facts: PlantFacts | None, standing: tuple[Standing, ...]
) -> PlantFacts:
    """Facts with this moment and with what stands by what was heard."""
    facts = plant_facts(actor=actor, site_id=site_id, now=at) if facts is None else replace(facts, now=at)
    usual = facts.usual or (usual_stops(actor=actor, site_id=site_id, now=at) if standing else {})
    return replace(facts, standing=standing, usual=usual)


@transaction.atomic
def _end(ids: Sequence[int], at: datetime) -> None:
    Disturbance.objects.filter(pk__in=ids).update(over_at=at)
    Suggestion.objects.filter(disturbance_id__in=ids, state=SuggestionState.OPEN.value).update(
        state=SuggestionState.EXPIRED.value, ended_at=at
    )
    stops = Disturbance.objects.filter(pk__in=ids, kind=DisturbanceKind.DOWN.value)
    ExpectedReturn.objects.filter(work_unit_id__in=stops.values("work_unit_id")).delete()


@transaction.atomic
def _begin(site_id: int, new: Sequence[Trouble], at: datetime) -> list[Disturbance]:
    rows = [
        Disturbance(
            site_id=site_id, kind=one.kind.value, about=one.about, work_unit_id=one.work_unit_id,
            cause=one.cause[:400], details=dict(one.details), since=min(one.since, at), expected_end=one.until.end,
            basis=one.until.basis.value, noticed_at=at,
        )
        for one in new
    ]  # fmt: skip
    Disturbance.objects.bulk_create(rows, ignore_conflicts=True)  # another planner may have been faster
    wanted = {(one.kind.value, one.about) for one in new}
    there = Disturbance.objects.filter(site_id=site_id, about__in=[one.about for one in new], over_at__isnull=True)
    return [row for row in there if (row.kind, row.about) in wanted]


def answer_disturbances(
    *,
    actor: Actor,
    site_id: int,
    disturbances: Sequence[Disturbance],
    standing: tuple[Standing, ...],
    at: datetime,
    there: Sequence[Trouble],
    facts: PlantFacts | None = None,
    cpu_seconds: float = SEARCH_CPU_S,
    clock: _Clock | None = None,
) -> list[int]:
    """Make suggestions for disturbances of one site, all together; they belong to the newest one.

    Whatever the engine cannot do is said on the disturbance; the published plan is never touched.

    Returns
    -------
    list of int
        Disturbances that were answered; none when another plan was published meanwhile: the next look does it.
    """
    clock = clock or _Clock()
    published = Plan.objects.filter(site_id=site_id, is_published=True).first()
    if published is None:
        return []
    facts = _of_now(actor, site_id, at, facts, standing)
    clock.lap("facts")
    keys = {(row.kind, row.about) for row in disturbances}
    struck = [one for one in there if (one.kind.value, one.about) in keys]
    levers = lasting(read_levers(published.levers), at)
    built = build(facts, levers)
    if built.problem is None:
        return _answered_without(disturbances, _("There is nothing to plan."), at)
    calm = _calm(built, facts, levers, struck)
    clock.lap("build")
    rows = rows_of_plan(published)
    roots = frozenset(root for one in struck if one.kind is DisturbanceKind.RUSH for root in one.root_ids)
    try:
        found = answer(built, rows, calm, cpu_seconds=cpu_seconds, roots=roots)
    except (NoPlan, ProblemError) as error:
        return _answered_without(disturbances, str(error).splitlines()[0], at)
    clock.lap("answer")
    written = _write(site_id, disturbances, published, built, found, at, clock.laps)
    clock.lap("write")
    return written


_CHEAP = frozenset({DisturbanceKind.DOWN, DisturbanceKind.SLOW})


def _calm(built: Built, facts: PlantFacts, levers: Levers, struck: Sequence[Trouble]) -> Built:
    """The same moment without what is asked about; machines alone need no second problem."""
    units = {one.work_unit_id for one in struck if one.kind in _CHEAP}
    if all(one.kind in _CHEAP for one in struck):
        return replace(
            built,
            standing={unit: end for unit, end in built.standing.items() if unit not in units},
            slow={unit: factor for unit, factor in built.slow.items() if unit not in units},
        )
    return build(without(facts, struck), levers)


def _answered_without(disturbances: Sequence[Disturbance], message: str, at: datetime) -> list[int]:
    ids = [row.pk for row in disturbances]
    Disturbance.objects.filter(pk__in=ids).update(answered_at=at, message=message[:400])
    return ids


@transaction.atomic
def _write(
    site_id: int,
    disturbances: Sequence[Disturbance],
    base: Plan,
    built: Built,
    found: Answer,
    at: datetime,
    took_ms: Mapping[str, float],
) -> list[int]:
    SitePlanning.objects.get_or_create(site_id=site_id)
    planning = SitePlanning.objects.select_for_update(of=("self",), no_key=True).get(pk=site_id)
    if not Plan.objects.filter(pk=base.pk, is_published=True).exists():
        return []
    newest = max(disturbances, key=lambda row: row.pk)
    Suggestion.objects.filter(disturbance__in=list(disturbances), state=SuggestionState.OPEN.value).update(
        state=SuggestionState.EXPIRED.value, ended_at=at
    )
    first = Suggestion.objects.filter(disturbance=newest, base=base).count()
    was = None if found.waiting is None else order_ends(built, found.waiting)
    plans = [
        _plan_of(site_id, planning.last_number + k, base, choice, found, was, at)
        for k, choice in enumerate(found.choices, start=1)
    ]
    Plan.objects.bulk_create(plans)
    planning.last_number += len(plans)
    planning.save(update_fields=["last_number"])
    Suggestion.objects.bulk_create(
        [
            Suggestion(
                site_id=site_id,
                disturbance=newest,
                rank=first + k,
                kind=choice.kind,
                values=dict(choice.values),
                base=base,
                plan=plan,
                consequences={**plan.measures, "moves": plan.measures["moves"][:50]},
                predicted=plan.measures["weighted_min"],
                made_at=at,
            )
            for k, (choice, plan) in enumerate(zip(found.choices, plans, strict=True), start=1)
        ]
    )
    hit = [one.to_json(before) for one, before in found.hit]
    late = sum(one["late_min"] - one["before_min"] for one in hit)
    for row in disturbances:
        estimate = built.standing.get(row.work_unit_id or 0)
        if estimate is not None and row.kind == DisturbanceKind.DOWN.value:
            row.expected_end, row.basis = estimate.end, estimate.basis.value
        row.answered_at, row.plan, row.hit, row.jobs_hit, row.late_min = at, base, hit[:MOST_HIT], found.jobs_hit, late
        row.message, row.details = "", {**row.details, "took_ms": dict(took_ms)}
        row.save(
            update_fields=[
                "answered_at", "plan", "hit", "jobs_hit", "late_min", "message", "expected_end", "basis", "details",
            ]
        )  # fmt: skip
        publish(DisturbanceAnswered(site_id, row.pk, row.work_unit_id or 0, len(plans), late, row.kind), at=at)
    return [row.pk for row in disturbances]


def _plan_of(
    site_id: int,
    number: int,
    base: Plan,
    choice: Choice,
    found: Answer,
    was: dict[int, OrderEnd] | None,
    at: datetime,
) -> Plan:
    """Return a choice as a plan to keep; ``was``: when orders end when nothing is done, the same for every choice."""
    built = choice.built
    rows, ends = built.rows(choice.problem, choice.plan), order_ends(built, choice.plan)
    return Plan(
        site_id=site_id,
        number=number,
        kind=PlanKind.SUGGESTED.value,
        parent=base,
        made_at=at,
        made_by="planner",
        reason=words.alternative(choice.kind, choice.values)[:400],
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
        measures=measure(built, choice.problem, choice.plan, found.waiting, ends=ends, was=was),
    )


# ---- what people decide --------------------------------------------------------------------------------------------


@transaction.atomic
def accept_suggestion(*, actor: Actor, suggestion_id: int, at: datetime, reason: str = "") -> Plan:
    """Publish what a suggestion says, as it goes on from now: job orders are re-assigned, terminals follow.

    Raises
    ------
    PermissionRefused, NotVisible
    Conflict
        The plan has changed since it was made, it was decided already, or nothing feasible comes of it any more.
    """
    row = _visible(actor, suggestion_id)
    locked = locked_site(actor=actor, site_id=row.site_id, expected=row.base.number)
    found: Suggestion = Suggestion.objects.select_for_update(of=("self",)).get(pk=suggestion_id)
    if found.state != SuggestionState.OPEN.value:
        raise Conflict(_("This suggestion is not open any more. Look at what is suggested now."))
    others = Suggestion.objects.filter(disturbance_id=found.disturbance_id, state=SuggestionState.OPEN.value)
    others.exclude(pk=found.pk).update(state=SuggestionState.PASSED.value, ended_at=at, ended_by=actor.name[:150])
    found.state, found.ended_at, found.ended_by = SuggestionState.ACCEPTED.value, at, actor.name[:150]
    found.save(update_fields=["state", "ended_at", "ended_by"])
    title = words.alternative(found.kind, found.values)
    made = adopt(locked, row.plan, actor=actor, kind=PlanKind.SUGGESTED, reason=reason.strip() or title, at=at)
    audit.record(
        actor=actor, action="suggestion.accepted", at=at, site_id=row.site_id, object_kind="suggestion",
        object_id=row.pk, kind=row.kind, plan=made.number, predicted=row.predicted,
    )  # fmt: skip
    return made


def _visible(actor: Actor, suggestion_id: int) -> Suggestion:
    rows = Suggestion.objects.visible_to(actor).select_related("base", "plan")
    row: Suggestion | None = rows.filter(pk=suggestion_id).first()
    if row is None:
        actor.require(DISPATCH)
        raise NotVisible(_("There is no such suggestion here."))
    actor.require(DISPATCH, site_id=row.site_id)
    return row


@transaction.atomic
def say_return(*, actor: Actor, disturbance_id: int, until: datetime, at: datetime) -> Disturbance:
    """Say when a machine that stands is back; suggestions are made anew with it.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        The machine is back already.
    """
    row: Disturbance | None = Disturbance.objects.visible_to(actor).filter(pk=disturbance_id).first()
    if row is None:
        actor.require(DISPATCH)
        raise NotVisible(_("There is no such disturbance here."))
    actor.require(DISPATCH, site_id=row.site_id)
    if row.over_at is not None:
        raise Conflict(_("The machine works again already."))
    if row.kind != DisturbanceKind.DOWN.value:
        raise Conflict(_("Only of a machine that stands can be said when it is back."))
    if not at < until <= at + FORESEEN:
        raise InvalidInput(_("Give a time from now on, within 60 days."), {"until": _("Later than now.")})
    since = next(
        (
            one.since
            for one in standing_now(actor=actor, site_id=row.site_id, now=at)
            if one.work_unit_id == row.work_unit_id
        ),
        row.since,
    )
    ExpectedReturn.objects.update_or_create(
        work_unit_id=row.work_unit_id,
        defaults={
            "site_id": row.site_id, "since": since, "at": until, "said_at": at, "said_by": actor.name[:150],
        },
    )  # fmt: skip
    row.expected_end, row.basis, row.answered_at = until, "said", None
    row.save(update_fields=["expected_end", "basis", "answered_at"])
    audit.record(
        actor=actor, action="plan.return_said", at=at, site_id=row.site_id, object_kind="disturbance",
        object_id=row.pk, until=until.isoformat(),
    )  # fmt: skip
    return row
