"""JSON edge: alarms now, and what people do to them. The verbs are those of OPC UA Part 9."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.alarms.api.arguments import by_word, ids, now, priorities, word
from yuheng.alarms.selectors import alarms, health, replay
from yuheng.alarms.selectors.alarms import AlarmFilter, AlarmRow, Shown
from yuheng.alarms.services import operate
from yuheng.alarms.services.operate import Done
from yuheng.engines.alarms.vocabulary import SEVERITY, Priority
from yuheng.kernel.actor import Actor
from yuheng.people.identity import actor_of

router = Router(tags=["alarms"])


class AlarmOut(Schema):
    """One alarm now. ``severity`` is OPC UA's; ``root_id`` is the alarm it is grouped under."""

    id: int
    site_id: int
    definition_id: int
    episode_id: int | None
    work_unit_id: int
    unit_code: str
    unit_name_zh: str
    unit_name_en: str
    area_id: int
    area_code: str
    code: str
    category: str
    priority: str
    severity: int
    name_zh: str
    name_en: str
    message_zh: str
    message_en: str
    value: str
    count: int
    is_enabled: bool
    is_active: bool
    is_acked: bool
    is_confirmed: bool
    is_latched: bool
    is_uncertain: bool
    is_suppressed: bool
    is_design_suppressed: bool
    is_out_of_service: bool
    is_chattering: bool
    shelving: str
    shelved_until: datetime | None
    retain: bool
    is_hidden: bool
    activated_at: datetime | None
    cleared_at: datetime | None
    known_at: datetime | None
    acked_at: datetime | None
    acked_by: str
    note: str
    root_id: int | None
    child_count: int


class AlarmQuery(Schema):
    """Which alarms. ``at``: as they were shown at that moment (then only ``site_id`` counts)."""

    site_id: int
    shown: Literal["open", "unacked", "active", "acked", "cleared", "hidden", "all"] = "open"
    priority: str = ""
    area_ids: str = ""
    work_unit_ids: str = ""
    text: str = ""
    with_grouped: bool = False
    at: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=2000)] = 500


class CountsOut(Schema):
    """How many alarms need somebody; ``by_priority`` counts the lines of the list."""

    headlines: int
    unacked: int
    active: int
    grouped: int
    shelved: int
    suppressed: int
    out_of_service: int
    by_priority: dict[str, int]
    unacked_by_priority: dict[str, int]


AlarmIds = Annotated[list[int], Field(min_length=1, max_length=operate.MAX_AT_ONCE)]


class VerbIn(Schema):
    """Alarms, and perhaps a comment."""

    alarm_ids: AlarmIds
    comment: Annotated[str, Field(max_length=1000)] = ""


class AcknowledgeIn(VerbIn):
    """``with_grouped``: what is grouped under them is acknowledged, too."""

    with_grouped: bool = True


class AlarmReasonIn(Schema):
    """Alarms, and why."""

    alarm_ids: AlarmIds
    reason: Annotated[str, Field(max_length=1000)]


class CommentIn(Schema):
    """Alarms, and what to write beside them."""

    alarm_ids: AlarmIds
    comment: Annotated[str, Field(max_length=1000)]


class TimedShelveIn(AlarmReasonIn):
    """For how long, in seconds: at most 7 days."""

    shelving_time_s: Annotated[float, Field(gt=0, le=7 * 86400)]


class DoneOut(Schema):
    """How many alarms were changed; of the others, why not."""

    done: int
    refused: dict[str, str]


class RatesOut(Schema):
    """Announced alarms in each 10 minutes, and whether they belong to a flood."""

    counts: list[int]
    is_flood: list[bool]
    average: float
    peak: int
    flood_ratio: float


class NoisyOut(Schema):
    """An alarm and how often it was raised; ``activations`` counts every time its condition became active."""

    alarm_id: int
    definition_id: int
    code: str
    name_zh: str
    name_en: str
    work_unit_id: int
    unit_code: str
    priority: str
    episodes: int
    activations: int
    ratio: float


class AlarmHealthOut(Schema):
    """The alarm system measured against ISA-18.2 and EEMUA 191."""

    start: datetime
    end: datetime
    rates: RatesOut
    announced: int
    grouped: int
    hidden: int
    top: list[NoisyOut]
    top_ratio: float
    chattering: list[NoisyOut]
    stale: list[AlarmOut]
    shelved: list[AlarmOut]
    suppressed: list[AlarmOut]
    out_of_service: list[AlarmOut]
    never_acked: int
    ack_median_s: float | None
    ack_p95_s: float | None
    by_priority: dict[str, int]
    guide_ratio: dict[str, float]


def alarm_out(row: AlarmRow) -> dict[str, Any]:
    """Return a row as the API writes it."""
    return {
        **asdict(row),
        "priority": word(row.priority),
        "severity": SEVERITY[Priority(row.priority)],
        "shelving": row.shelving.value,
        "is_chattering": row.is_chattering,
    }


@router.get("", response=list[AlarmOut])
def list_alarms(request: HttpRequest, query: Query[AlarmQuery]) -> list[dict[str, Any]]:
    """List a site's alarms: what nobody has acknowledged first, then by priority, newest first."""
    actor = actor_of(request)
    if query.at is not None:
        return [alarm_out(row) for row in replay.active_at(actor=actor, site_id=query.site_id, at=query.at)]
    narrowed = AlarmFilter(
        shown=Shown(query.shown),
        priorities=priorities(query.priority),
        area_ids=ids(query.area_ids),
        work_unit_ids=ids(query.work_unit_ids),
        text=query.text,
        only_headlines=not query.with_grouped,
    )
    rows = alarms.alarm_list(actor=actor, site_id=query.site_id, narrowed=narrowed, limit=query.limit)
    return [alarm_out(row) for row in rows]


@router.get("/counts", response=CountsOut)
def count_alarms(request: HttpRequest, site_id: int) -> dict[str, Any]:
    """Count a site's alarms."""
    counts = alarms.alarm_counts(actor=actor_of(request), site_id=site_id)
    words = {name: by_word(getattr(counts, name)) for name in ("by_priority", "unacked_by_priority")}
    return {**asdict(counts), **words}


@router.get("/health", response=AlarmHealthOut)
def alarm_health(request: HttpRequest, site_id: int, start: AwareDatetime, end: AwareDatetime) -> dict[str, Any]:
    """Measure the alarm system of a site over [start, end)."""
    found = health.alarm_health(actor=actor_of(request), site_id=site_id, start=start, end=end)
    lists = {name: [alarm_out(row) for row in getattr(found, name)] for name in _ALARM_LISTS}
    noisy = {
        name: [{**asdict(row), "priority": word(row.priority)} for row in getattr(found, name)]
        for name in ("top", "chattering")
    }
    rates = {name: getattr(found.rates, name) for name in ("counts", "is_flood", "average", "peak", "flood_ratio")}
    plain = {name: getattr(found, name) for name in _PLAIN}
    return {**plain, **lists, **noisy, "rates": rates, "by_priority": by_word(found.by_priority)}


_ALARM_LISTS = ("stale", "shelved", "suppressed", "out_of_service")
_PLAIN = (
    "start",
    "end",
    "announced",
    "grouped",
    "hidden",
    "top_ratio",
    "never_acked",
    "ack_median_s",
    "ack_p95_s",
    "guide_ratio",
)


@router.get("/{int:alarm_id}", response=AlarmOut)
def get_alarm(request: HttpRequest, alarm_id: int) -> dict[str, Any]:
    """Show one alarm."""
    return alarm_out(alarms.alarm(actor=actor_of(request), alarm_id=alarm_id))


@router.get("/{int:alarm_id}/grouped", response=list[AlarmOut])
def list_grouped(request: HttpRequest, alarm_id: int) -> list[dict[str, Any]]:
    """List the alarms grouped under one."""
    return [alarm_out(row) for row in alarms.children_of(actor=actor_of(request), alarm_id=alarm_id)]


# ---- verbs ---------------------------------------------------------------------------------------------------------


def _out(done: Done) -> dict[str, Any]:
    return {"done": done.done, "refused": {str(pk): sentence for pk, sentence in done.refused.items()}}


def _commented(
    request: HttpRequest, body: VerbIn, verb: Callable[[Actor, Sequence[int], datetime, str], Done]
) -> dict[str, Any]:
    return _out(verb(actor_of(request), body.alarm_ids, now(), body.comment))


@router.post("/acknowledge", response=DoneOut)
def acknowledge(request: HttpRequest, body: AcknowledgeIn) -> dict[str, Any]:
    """Acknowledge alarms (Part 9: Acknowledge)."""
    done = operate.acknowledge(
        actor=actor_of(request),
        alarm_ids=body.alarm_ids,
        at=now(),
        comment=body.comment,
        with_children=body.with_grouped,
    )
    return _out(done)


@router.post("/confirm", response=DoneOut)
def confirm(request: HttpRequest, body: VerbIn) -> dict[str, Any]:
    """Confirm that what had to be done is done (Part 9: Confirm)."""
    return _commented(
        request, body, lambda actor, pks, at, text: operate.confirm(actor=actor, alarm_ids=pks, at=at, comment=text)
    )


@router.post("/comment", response=DoneOut)
def add_comment(request: HttpRequest, body: CommentIn) -> dict[str, Any]:
    """Write something beside alarms (Part 9: AddComment)."""
    done = operate.add_comment(actor=actor_of(request), alarm_ids=body.alarm_ids, comment=body.comment, at=now())
    return _out(done)


@router.post("/reset", response=DoneOut)
def reset(request: HttpRequest, body: VerbIn) -> dict[str, Any]:
    """Release latched alarms (Part 9: Reset)."""
    return _commented(
        request, body, lambda actor, pks, at, text: operate.reset(actor=actor, alarm_ids=pks, at=at, comment=text)
    )


@router.post("/timed-shelve", response=DoneOut)
def timed_shelve(request: HttpRequest, body: TimedShelveIn) -> dict[str, Any]:
    """Hide alarms for a time (Part 9: TimedShelve)."""
    at = now()
    until = datetime.fromtimestamp(at.timestamp() + body.shelving_time_s, at.tzinfo)
    done = operate.shelve(actor=actor_of(request), alarm_ids=body.alarm_ids, reason=body.reason, at=at, until=until)
    return _out(done)


@router.post("/one-shot-shelve", response=DoneOut)
def one_shot_shelve(request: HttpRequest, body: AlarmReasonIn) -> dict[str, Any]:
    """Hide alarms until they are next inactive (Part 9: OneShotShelve)."""
    done = operate.shelve(
        actor=actor_of(request), alarm_ids=body.alarm_ids, reason=body.reason, at=now(), one_shot=True
    )
    return _out(done)


@router.post("/unshelve", response=DoneOut)
def unshelve(request: HttpRequest, body: VerbIn) -> dict[str, Any]:
    """Show shelved alarms again (Part 9: Unshelve)."""
    return _commented(
        request, body, lambda actor, pks, at, text: operate.unshelve(actor=actor, alarm_ids=pks, at=at, comment=text)
    )


@router.post("/suppress", response=DoneOut)
def suppress(request: HttpRequest, body: AlarmReasonIn) -> dict[str, Any]:
    """Hide alarms until somebody shows them again (Part 9: Suppress)."""
    return _out(operate.suppress(actor=actor_of(request), alarm_ids=body.alarm_ids, reason=body.reason, at=now()))


@router.post("/unsuppress", response=DoneOut)
def unsuppress(request: HttpRequest, body: VerbIn) -> dict[str, Any]:
    """Show suppressed alarms again (Part 9: Unsuppress)."""
    return _commented(
        request, body, lambda actor, pks, at, text: operate.unsuppress(actor=actor, alarm_ids=pks, at=at, comment=text)
    )


@router.post("/remove-from-service", response=DoneOut)
def remove_from_service(request: HttpRequest, body: AlarmReasonIn) -> dict[str, Any]:
    """Take alarms out of service (Part 9: RemoveFromService)."""
    done = operate.remove_from_service(actor=actor_of(request), alarm_ids=body.alarm_ids, reason=body.reason, at=now())
    return _out(done)


@router.post("/place-in-service", response=DoneOut)
def place_in_service(request: HttpRequest, body: VerbIn) -> dict[str, Any]:
    """Put alarms back into service (Part 9: PlaceInService)."""
    return _commented(
        request,
        body,
        lambda actor, pks, at, text: operate.place_in_service(actor=actor, alarm_ids=pks, at=at, comment=text),
    )


@router.post("/disable", response=DoneOut)
def disable(request: HttpRequest, body: AlarmReasonIn) -> dict[str, Any]:
    """Let alarms not be judged (Part 9: Disable)."""
    return _out(operate.disable(actor=actor_of(request), alarm_ids=body.alarm_ids, reason=body.reason, at=now()))


@router.post("/enable", response=DoneOut)
def enable(request: HttpRequest, body: VerbIn) -> dict[str, Any]:
    """Let alarms be judged again (Part 9: Enable)."""
    return _commented(
        request, body, lambda actor, pks, at, text: operate.enable(actor=actor, alarm_ids=pks, at=at, comment=text)
    )
