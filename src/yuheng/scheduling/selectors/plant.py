"""One moment of a plant, as a problem is built from it: a constant number of queries."""

from __future__ import annotations

from datetime import datetime, timedelta

from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.operations.selectors import planning
from yuheng.scheduling.building import STANDS, PlantFacts, Standing, UnitFact
from yuheng.scheduling.models import ExpectedReturn, SitePlanning
from yuheng.scheduling.rules import Policy
from yuheng.telemetry.selectors import states

VIEW = "operations.view"
REMEMBERED = timedelta(days=30)
"""Stops of so long tell how long they usually take."""
A_MOMENT = timedelta(microseconds=1)


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
        least_stop_s=row.least_stop_s,
    )


def plant_facts(*, actor: Actor, site_id: int, now: datetime) -> PlantFacts:
    """Everything that a plan of this moment depends on. At most 18 queries, whatever the size of the plant.

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
    return PlantFacts(
        site_id=site_id,
        now=now,
        units=units,
        work=planning.open_work(actor=actor, site_id=site_id, work_unit_ids=ids, now=now),
        policy=policy_of(site_id=site_id),
        standing=standing,
        usual=usual_stops(actor=actor, site_id=site_id, now=now) if standing else {},
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
