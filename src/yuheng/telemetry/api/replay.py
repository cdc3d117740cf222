"""JSON edge: the plant at a past moment, and what changed between two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.bus.messages import UnitLive, ValueLive
from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import check_order, ids, moment_or_none, word
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import replay

router = Router(tags=["telemetry"])


class UnitThenOut(Schema):
    """A work unit at that moment; ``since`` and ``seen`` are null when nothing had been heard of it."""

    work_unit_id: int
    state: str
    cause: str
    since: datetime | None
    seen: datetime | None


class ValueThenOut(Schema):
    """A tag at that moment."""

    tag_id: int
    time: datetime
    value: float | str | None
    quality: int


class BoardOut(Schema):
    """The plant at ``at``. ``shown_as``: ``known`` when nothing was recorded yet of what was shown at that time."""

    at: datetime
    shown_as: Literal["shown", "known"]
    trouble: str
    recorded_from: datetime | None
    data_time: datetime | None
    units: list[UnitThenOut]
    values: list[ValueThenOut]


class BoardQuery(Schema):
    """``tags=1,2`` or ``all``; ``view`` is ``shown`` (what the screens said then) or ``known`` (what is known now)."""

    site_id: int
    at: AwareDatetime
    tags: str = ""
    view: Literal["shown", "known"] = "shown"


class FrameOut(Schema):
    """What changed at ``at``; ``is_whole``: units that are not named are gone."""

    at: datetime
    is_whole: bool
    trouble: str
    units: list[UnitThenOut]
    values: list[ValueThenOut]


class ChangesOut(Schema):
    """Frames in order; all until ``until`` is told. When that is before ``end``, ask on with ``start`` = ``until``."""

    until: datetime
    frames: list[FrameOut]


class ChangesQuery(Schema):
    """Changes in (start, end], at most a day; of each tag the newest value in every ``step_s`` seconds."""

    site_id: int
    start: AwareDatetime
    end: AwareDatetime
    tags: str = ""
    step_s: Annotated[float, Field(ge=0.001, le=3600)] = 1.0


@router.get("/board", response=BoardOut)
def board(request: HttpRequest, query: Query[BoardQuery]) -> dict[str, Any]:
    """Show the state of every work unit of a site at a past moment, and the newest values of ``tags`` then."""
    found = replay.board_at(
        actor=actor_of(request),
        site_id=query.site_id,
        at_us=microseconds(query.at),
        tag_ids=None if query.tags == "all" else ids(query.tags),
        known_as=query.view,
    )
    return {
        "at": moment(found.at_us),
        "shown_as": found.known_as,
        "trouble": found.trouble,
        "recorded_from": moment_or_none(found.recorded_from_us),
        "data_time": moment_or_none(found.data_time_us),
        "units": _units(found.units),
        "values": _values(found.values),
    }


@router.get("/board/changes", response=ChangesOut)
def board_changes(request: HttpRequest, query: Query[ChangesQuery]) -> dict[str, Any]:
    """List what changed on the screens of a site between two moments, in order, for playing it again."""
    check_order(query.start, query.end)
    found = replay.board_between(
        actor=actor_of(request),
        site_id=query.site_id,
        from_us=microseconds(query.start),
        to_us=microseconds(query.end),
        tag_ids=ids(query.tags),
        step_us=round(query.step_s * 1e6),
    )
    frames = [
        {
            "at": moment(frame.at_us),
            "is_whole": frame.is_whole,
            "trouble": frame.trouble,
            "units": _units(frame.units),
            "values": _values(frame.values),
        }
        for frame in found.frames
    ]
    return {"until": moment(found.until_us), "frames": frames}


def _units(units: Sequence[UnitLive]) -> list[dict[str, Any]]:
    return [
        {
            "work_unit_id": unit.work_unit_id,
            "state": word(unit.state),
            "cause": unit.cause,
            "since": moment_or_none(unit.since_us),
            "seen": moment_or_none(unit.seen_us),
        }
        for unit in units
    ]


def _values(values: Sequence[ValueLive]) -> list[dict[str, Any]]:
    return [
        {"tag_id": value.tag_id, "time": moment(value.time_us), "value": value.value, "quality": value.quality}
        for value in values
    ]
