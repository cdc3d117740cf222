"""One moment of a plant, as a problem is built from it: a constant number of queries."""

from __future__ import annotations

from datetime import datetime, timedelta

from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.operations.rules import JobState
from yuheng.operations.selectors import planning
from yuheng.scheduling.building import STANDS, Away, PlantFacts, Slow, Standing, UnitFact
from yuheng.scheduling.models import Absence, Disturbance, ExpectedReturn, SitePlanning
from yuheng.scheduling.rules import DisturbanceKind, Policy
from yuheng.scheduling.rules.disturbances import slowness
from yuheng.telemetry.selectors import states

VIEW = "operations.view"
REMEMBERED = timedelta(days=30)
"""Stops of so long tell how long they usually take."""
MOST_ABSENCES = 1000
A_MOMENT = timedelta(microseconds=1)
NOT_AT_WORK = (UnitState.DOWN, UnitState.IDLE, UnitState.PLANNED_STOP)
"""Time in which a machine makes nothing, for reasons that are not its pace …"""
A_WAIT = timedelta(seconds=120)
"""… of idling only what is as long as this: between two pieces is part of making them."""


def policy_of(*, site_id: int) -> Policy:
    """How a site plans; what nobody has set is as usual. One query."""
    row = SitePlanning.objects.filter(pk=site_id).first()
    if row is None:
        return Policy()
    return Policy(
        frozen_min=row.frozen_min,
        stability=row.stability,
        stop_min=row.stop_min,
        hold_h=row.hold_h,
        material_h=row.material_h,
        solve_s=row.solve_s,
        nightly_at=row.nightly_at,
        suggests=row.suggests,
        places_new=row.places_new,
        least_stop_s=row.least_stop_s,
    )


def plant_facts(*, actor: Actor, site_id: int, now: datetime) -> PlantFacts:
    """Everything that a plan of this moment depends on. At most 20 queries, whatever the size of the plant.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    actor.require(VIEW, site_id=site_id)
    rows = equipment.work_units(actor=actor, site_id=site_id)
    ids = [row.id for row in rows]
    calendars = equipment.calendars_for(actor=actor, site_id=site_id, work_unit_ids=ids)
    units = tuple(UnitFact(row.id, row.code, row.class_id, row.work_center_id, calendars[row.id]) for row in rows)
    standing = standing_now(actor=actor, site_id=site_id, now=now)
    work = planning.open_work(actor=actor, site_id=site_id, work_unit_ids=ids, now=now)
    return PlantFacts(
        site_id=site_id,
        now=now,
        units=units,
        work=work,
        policy=policy_of(site_id=site_id),
        standing=standing,
        usual=usual_stops(actor=actor, site_id=site_id, now=now) if standing else {},
        slow=slow_now(actor=actor, site_id=site_id, work=work, now=now),
        absences=absences_from(actor=actor, site_id=site_id, now=now),
    )


def slow_now(*, actor: Actor, site_id: int, work: planning.OpenWork, now: datetime) -> dict[int, Slow]:
    """Work units that take longer than planned for what runs on them. One query; none when nothing seems slow.

    One of which an open disturbance says so already stays slow until it is almost as fast as planned.
    """
    running = [
        job
        for job in work.jobs
        if job.state == JobState.RUNNING.value and job.work_unit_id is not None and not job.shares_work_unit
    ]
    suspects = [job for job in running if _slowness(job, now, 0.0, is_known=True) is not None]
    if not suspects:
        return {}
    known = set(
        Disturbance.objects.filter(site_id=site_id, kind=DisturbanceKind.SLOW.value, over_at__isnull=True).values_list(
            "work_unit_id", flat=True
        )
    )
    stops = states.stops_of_site(
        actor=actor, site_id=site_id, start=min(_began(job, now) for job in suspects), end=now,
        states=[int(state) for state in NOT_AT_WORK], at_least_s=0.0,
        work_unit_ids=[job.work_unit_id or 0 for job in suspects],
    )  # fmt: skip
    found = {}
    for job in suspects:
        began = _began(job, now)
        stood = sum(
            max(0.0, (min(row.ended_at or now, now) - max(row.started_at, began)).total_seconds())
            for row in stops
            if row.work_unit_id == job.work_unit_id
            and (row.state != UnitState.IDLE or (row.ended_at or now) - row.started_at >= A_WAIT)
        )
        factor = _slowness(job, now, stood, is_known=job.work_unit_id in known)
        if factor is not None and job.work_unit_id is not None:
            found[job.work_unit_id] = Slow(job.id, round(factor, 2))
    return found


def _began(job: planning.OpenJob, now: datetime) -> datetime:
    return min(job.actual_start or now, job.running_since or now, now - A_MOMENT)


def _slowness(job: planning.OpenJob, now: datetime, stood_s: float, *, is_known: bool) -> float | None:
    runs_s = max(0.0, (now - job.running_since).total_seconds()) if job.running_since else 0.0
    return slowness(
        worked_s=job.worked_s + runs_s, stood_s=stood_s, setup_s=job.setup_s, run_s=job.run_s,
        quantity=job.quantity, processed=job.processed, is_known=is_known,
    )  # fmt: skip


def absences_from(*, actor: Actor, site_id: int, now: datetime) -> tuple[Away, ...]:
    """Who is away now or will be. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Absence.objects.filter(site_id=site_id, end__gt=now).order_by("start", "pk")
    return tuple(
        Away(*row)
        for row in rows.values_list("pk", "person_id", "person__name_zh", "person__name_en", "start", "end", "note")[
            :MOST_ABSENCES
        ]
    )


def standing_now(*, actor: Actor, site_id: int, now: datetime) -> tuple[Standing, ...]:
    """Work units that stand, and what somebody said about their return. Two queries; one when nothing stands."""
    rows = states.states_of_site(actor=actor, site_id=site_id, start=now - A_MOMENT, end=now + A_MOMENT)
    found = [row for row in rows if row.ended_at is None and UnitState(row.state) in STANDS]
    if not found:
        return ()
    said = {
        row.work_unit_id: row
        for row in ExpectedReturn.objects.filter(work_unit_id__in=[one.work_unit_id for one in found])
    }
    return tuple(
        Standing(
            row.work_unit_id,
            row.cause,
            row.started_at,
            said[row.work_unit_id].at
            if row.work_unit_id in said and said[row.work_unit_id].since == row.started_at
            else None,
        )
        for row in found
    )


def usual_stops(*, actor: Actor, site_id: int, now: datetime) -> dict[tuple[int, str], float]:
    """(work unit, cause) -> median seconds of stops of the last weeks. One query."""
    return states.typical_stops(actor=actor, site_id=site_id, since=now - REMEMBERED, state=UnitState.DOWN)
