"""JSON edge of performance, below ``/api/v1``: flow, lead times, bottleneck, measured times, proposals."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.operations.selectors.pages import Page
from yuheng.people.identity import actor_of
from yuheng.performance.api.schemas import LeadPageOut, StagePageOut, schema_of
from yuheng.performance.asking import BOTTLENECK_PARTS, asked_period, now, stages_of
from yuheng.performance.rules.periods import MOST_BUCKETS, Period, day_of
from yuheng.performance.rules.standards import Part
from yuheng.performance.selectors import bottlenecks, flow, leads, times
from yuheng.performance.selectors.bottlenecks import Bottleneck
from yuheng.performance.selectors.flow import CumulativeFlow, WipOverTime
from yuheng.performance.selectors.leads import LeadPath, LeadSum
from yuheng.performance.selectors.times import ProposalRow, StepDetail, StepRow
from yuheng.performance.services.standards import propose_standard

router = Router(tags=["performance"])
WipOverTimeOut = schema_of(WipOverTime)
CumulativeOut = schema_of(CumulativeFlow)
BottleneckOut = schema_of(Bottleneck)
LeadSumOut = schema_of(LeadSum)
LeadPathOut = schema_of(LeadPath)
StepOut = schema_of(StepRow)
StepDetailOut = schema_of(StepDetail)
ProposalOut = schema_of(ProposalRow)
Text = Annotated[str, Field(max_length=80)]
Limit = Annotated[int, Field(ge=1, le=500)]


class FlowQuery(Schema):
    """A site, days of its own calendar (without: the last seven), and a place (``c`` and a work center's id)."""

    site_id: int
    first: date | None = None
    last: date | None = None
    place: Text = ""


class StayQuery(FlowQuery):
    """Which job orders: a group (queued, worked, busy, stopped, waiting, open, done, or a stage) at a moment."""

    group: Text = "open"
    at: AwareDatetime | None = None
    until: AwareDatetime | None = None
    work_unit_id: int | None = None
    cursor: Text = ""
    limit: Limit = 50


class LeadQuery(FlowQuery):
    """Which production orders."""

    material_id: int | None = None
    text: Text = ""
    with_parts: bool = False
    cursor: Text = ""
    limit: Limit = 50


class StepQuery(FlowQuery):
    """Which step, on which machine (none: all that share its standard)."""

    material_id: int
    segment: Text
    work_unit_id: int | None = None


class ProposeIn(Schema):
    """The time of a step whose standard is to become what was measured in these days."""

    site_id: int
    material_id: int
    segment: Text
    part: Part
    work_unit_id: int | None = None
    first: date | None = None
    last: date | None = None


def _days(actor: Actor, site_id: int, first: date | None, last: date | None, most: int = MOST_BUCKETS) -> Period:
    given = {name: str(day) for name, day in (("from", first), ("to", last)) if day is not None}
    return asked_period(given, equipment.site(actor=actor, site_id=site_id).time_zone, now(), most=most)


@router.get("/flow/work-in-progress", response=WipOverTimeOut)
def work_in_progress_over_time(request: HttpRequest, asked: Query[FlowQuery]) -> WipOverTime:
    """Work in progress and queues over time: counts at the edges of equal parts of a period."""
    actor = actor_of(request)
    days = _days(actor, asked.site_id, asked.first, asked.last)
    return flow.wip_over_time(actor=actor, site_id=asked.site_id, period=days, place=flow.place_of(asked.place))


@router.get("/flow/cumulative", response=CumulativeOut)
def cumulative_flow(request: HttpRequest, asked: Query[FlowQuery]) -> CumulativeFlow:
    """Cumulative flow of a period: what is over, and what lay in each group of stages."""
    actor = actor_of(request)
    days = _days(actor, asked.site_id, asked.first, asked.last)
    return flow.cumulative_flow(actor=actor, site_id=asked.site_id, period=days, place=flow.place_of(asked.place))


@router.get("/flow/bottleneck", response=BottleneckOut)
def bottleneck(request: HttpRequest, asked: Query[FlowQuery]) -> Bottleneck:
    """Which work center holds the plant back, with utilisation and queue of each."""
    actor = actor_of(request)
    days = _days(actor, asked.site_id, asked.first, asked.last, BOTTLENECK_PARTS)
    return bottlenecks.bottleneck(actor=actor, site_id=asked.site_id, period=days)


@router.get("/flow/job-orders", response=StagePageOut)
def flow_job_orders(request: HttpRequest, asked: Query[StayQuery]) -> Page[flow.StageRow]:
    """The job orders behind a number: at a moment, or with ``until`` at any time between."""
    actor = actor_of(request)
    return flow.jobs_then(
        actor=actor, site_id=asked.site_id, stages=stages_of(asked.group), start=asked.at or now(), end=asked.until,
        place=flow.place_of(asked.place), work_unit_id=asked.work_unit_id, cursor=asked.cursor, limit=asked.limit,
    )  # fmt: skip


@router.get("/flow/lead-times", response=LeadPageOut)
def lead_times(request: HttpRequest, asked: Query[LeadQuery]) -> Page[leads.LeadRow]:
    """Production orders that ended in a period: lead time and its parts, which add up to it."""
    actor = actor_of(request)
    days = _days(actor, asked.site_id, asked.first, asked.last)
    return leads.lead_times(
        actor=actor, site_id=asked.site_id, period=days, material_id=asked.material_id, text=asked.text,
        parts_too=asked.with_parts, cursor=asked.cursor, limit=asked.limit,
    )  # fmt: skip


@router.get("/flow/lead-times/products", response=list[LeadSumOut])  # type: ignore[valid-type]
def lead_times_of_products(request: HttpRequest, asked: Query[LeadQuery]) -> list[LeadSum]:
    """Mean lead times of products in a period, with their parts."""
    actor = actor_of(request)
    days = _days(actor, asked.site_id, asked.first, asked.last)
    return leads.by_product(
        actor=actor, site_id=asked.site_id, period=days, parts_too=asked.with_parts, text=asked.text
    )


@router.get("/requests/{int:request_id}/lead-time", response=LeadPathOut)
def lead_time_of_request(request: HttpRequest, request_id: int) -> LeadPath:
    """The way of one production order from release to end, without a gap."""
    return leads.lead_path(actor=actor_of(request), request_id=request_id)


@router.get("/measured-times", response=list[StepOut])  # type: ignore[valid-type]
def measured_times(
    request: HttpRequest, asked: Query[FlowQuery], material_id: int | None = None, work_unit_id: int | None = None
) -> list[StepRow]:
    """Planned against measured times of each step on each machine."""
    actor = actor_of(request)
    days = _days(actor, asked.site_id, asked.first, asked.last)
    return times.measured_steps(
        actor=actor, site_id=asked.site_id, period=days, material_id=material_id, work_unit_id=work_unit_id
    )


@router.get("/measured-times/step", response=StepDetailOut)
def measured_step(request: HttpRequest, asked: Query[StepQuery]) -> StepDetail:
    """One step: standard, spread, confidence, job orders behind it, what is proposed."""
    actor = actor_of(request)
    site = equipment.site(actor=actor, site_id=asked.site_id)
    days = _days(actor, asked.site_id, asked.first, asked.last)
    return times.measured_step(
        actor=actor, site_id=asked.site_id, material_id=asked.material_id, segment=asked.segment, period=days,
        on=day_of(now(), site.time_zone), work_unit_id=asked.work_unit_id,
    )  # fmt: skip


@router.get("/measured-times/proposals", response=list[ProposalOut])  # type: ignore[valid-type]
def standard_proposals(request: HttpRequest, site_id: int) -> list[ProposalRow]:
    """Proposals to change standards, newest first, with the change that carries each."""
    return times.proposals(actor=actor_of(request), site_id=site_id)


@router.post("/measured-times/proposals", response=ProposalOut)
def propose_measured_standard(request: HttpRequest, body: ProposeIn) -> ProposalRow:
    """Draft the next version of the work master with the measured time, in an engineering change."""
    actor, at = actor_of(request), now()
    site = equipment.site(actor=actor, site_id=body.site_id)
    days = _days(actor, body.site_id, body.first, body.last)
    made = propose_standard(
        actor=actor, site_id=body.site_id, material_id=body.material_id, segment=body.segment, part=body.part,
        period=days, on=day_of(at, site.time_zone), at=at, work_unit_id=body.work_unit_id,
    )  # fmt: skip
    return next(one for one in times.proposals(actor=actor, site_id=body.site_id) if one.id == made.pk)
