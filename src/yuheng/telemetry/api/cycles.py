"""JSON edge: cycles of machines, and their curves laid over each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.bus import messages
from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import ids
from yuheng.telemetry.formats import response_of, wanted_format
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import cycles as selectors

router = Router(tags=["telemetry"])


class CyclesQuery(Schema):
    """Of a work unit or of a tag. With ``condition``: while it holds (``value`` is the tag); else between counts.

    ``unless`` leaves out cycles in which it held at any time; ``last`` asks for so many whole ones, the newest.
    """

    start: AwareDatetime
    end: AwareDatetime
    work_unit_id: int | None = None
    tag_id: int | None = None
    condition: Annotated[str, Field(max_length=500)] = ""
    role: Annotated[str, Field(max_length=40)] = ""
    unless: Annotated[str, Field(max_length=500)] = ""
    tags: str = ""
    last: Annotated[int, Field(ge=0, le=1000)] = 0
    min_s: Annotated[float, Field(ge=0)] = 0.0
    max_s: Annotated[float, Field(ge=0)] = 0.0


class CycleTagOut(Schema):
    """One tag in one cycle; ``avg`` weighs by time. Null: no good value."""

    tag_id: int
    min: float | None
    max: float | None
    avg: float | None
    first: float | None
    last: float | None
    count: int


class CycleOut(Schema):
    """A cycle; not ``is_whole``: cut off by the ends of the time that was asked for."""

    start: datetime
    end: datetime
    is_whole: bool
    tags: list[CycleTagOut]


class CyclesOut(Schema):
    """Cycles in order; everything since ``told_from`` is told, and before it there may be ``more``."""

    told_from: datetime
    more: bool
    cycles: list[CycleOut]


class IntervalIn(Schema):
    """A stretch of time."""

    start: AwareDatetime
    end: AwareDatetime


class OverlayIn(Schema):
    """Which tags, in which intervals, at how many points each."""

    tags: Annotated[list[int], Field(min_length=1, max_length=12)]
    intervals: Annotated[list[IntervalIn], Field(min_length=1, max_length=200)]
    width: Annotated[int, Field(ge=1, le=5000)] = 600


@router.get("/cycles", response=CyclesOut)
def list_cycles(request: HttpRequest, query: Query[CyclesQuery]) -> dict[str, Any]:
    """List the cycles of a work unit or a tag, with statistics of ``tags`` in each."""
    answer = selectors.cycles(
        actor=actor_of(request),
        question=messages.CyclesQuestion(
            start_us=microseconds(query.start),
            end_us=microseconds(query.end),
            work_unit_id=query.work_unit_id,
            tag=query.tag_id,
            condition=query.condition,
            role=query.role,
            unless=query.unless,
            tags=ids(query.tags),
            last=query.last,
            min_s=query.min_s,
            max_s=query.max_s,
        ),
    )
    found = [
        {
            "start": moment(cycle.start_us),
            "end": moment(cycle.end_us),
            "is_whole": cycle.is_whole,
            "tags": [
                {
                    "tag_id": one.tag,
                    "min": one.min,
                    "max": one.max,
                    "avg": one.avg,
                    "first": one.first,
                    "last": one.last,
                    "count": one.count,
                }
                for one in cycle.statistics
            ],
        }
        for cycle in answer.cycles
    ]
    return {"told_from": moment(answer.from_us), "more": answer.more, "cycles": found}


@router.post("/cycles/overlay")
def overlay_cycles(request: HttpRequest, body: OverlayIn) -> HttpResponse:
    """Lay curves over each other: cycle, tag, offset (us since its interval's start), min, max, first, last, count."""
    table = selectors.overlay(
        actor=actor_of(request),
        tag_ids=body.tags,
        intervals=[(microseconds(one.start), microseconds(one.end)) for one in body.intervals],
        width=body.width,
    )
    return response_of(table, media_type=wanted_format(request), file_name="yuheng-overlay")
