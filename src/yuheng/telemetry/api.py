"""JSON edge of telemetry: sources, devices, tags, states, history, dead letters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Field, Query, Router, Schema, Status
from pydantic import AwareDatetime

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of
from yuheng.telemetry.formats import response_of, wanted_format
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import dead_letters as letters
from yuheng.telemetry.selectors import history, signals, states
from yuheng.telemetry.services import dead_letters, devices, sources, state_rules, tags
from yuheng.telemetry.services.state_rules import RuleSpec
from yuheng.telemetry.services.tags import TagSpec

router = Router(tags=["telemetry"])

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _now() -> datetime:
    return datetime.now(UTC)


# ---- data sources -----------------------------------------------------------------------------------------------


class SourceOut(Schema):
    """A data source; ``dead_letters`` counts messages and points of its open groups."""

    id: int
    site_id: int
    site_code: str
    code: str
    connector: str
    topics: list[str]
    settings: dict[str, Any]
    is_enabled: bool
    makes_tags_by_itself: bool
    own_tags_limit: int
    tag_count: int
    dead_letters: int


class SourceSettingsIn(Schema):
    """What of a source can change."""

    topics: list[str] = []
    settings: dict[str, Any] = {}
    makes_tags_by_itself: bool = False
    own_tags_limit: Annotated[int, Field(ge=1, le=1_000_000)] = 5000


class SourceIn(SourceSettingsIn):
    """A new source."""

    site_id: int
    code: str
    connector: str
    is_enabled: bool = True


class SwitchIn(Schema):
    """On or off."""

    is_enabled: bool


@router.get("/sources", response=list[SourceOut])
def list_sources(request: HttpRequest, site_id: int | None = None) -> list[signals.SourceRow]:
    """List the data sources you may see."""
    return signals.sources(actor=actor_of(request), site_id=site_id)


@router.post("/sources", response={201: SourceOut})
def create_source(request: HttpRequest, body: SourceIn) -> Status[Any]:
    """Create a data source. Its settings are checked against the connector's JSON Schema."""
    actor = actor_of(request)
    made = sources.create_source(actor=actor, at=_now(), **body.model_dump())
    return Status(201, signals.source(actor=actor, source_id=made.pk))


@router.get("/sources/{int:source_id}", response=SourceOut)
def get_source(request: HttpRequest, source_id: int) -> signals.SourceRow:
    """Show one data source."""
    return signals.source(actor=actor_of(request), source_id=source_id)


@router.put("/sources/{int:source_id}", response=SourceOut)
def configure_source(request: HttpRequest, source_id: int, body: SourceSettingsIn) -> signals.SourceRow:
    """Give a data source new topics and settings."""
    actor = actor_of(request)
    sources.configure_source(actor=actor, source_id=source_id, at=_now(), **body.model_dump())
    return signals.source(actor=actor, source_id=source_id)


@router.post("/sources/{int:source_id}/switch", response=SourceOut)
def switch_source(request: HttpRequest, source_id: int, body: SwitchIn) -> signals.SourceRow:
    """Let a data source deliver, or stop it."""
    actor = actor_of(request)
    sources.switch_source(actor=actor, source_id=source_id, is_enabled=body.is_enabled, at=_now())
    return signals.source(actor=actor, source_id=source_id)


# ---- devices ----------------------------------------------------------------------------------------------------


class DeviceOut(Schema):
    """A device's credential, without any secret."""

    id: int
    site_id: int
    site_code: str
    username: str
    publish_topics: list[str]
    subscribe_topics: list[str]
    sources: list[str]
    source_ids: list[int]
    is_active: bool
    issued_at: datetime
    revoked_at: datetime | None


class DeviceTopicsIn(Schema):
    """What a device may do."""

    publish_topics: list[str] = []
    subscribe_topics: list[str] = []
    source_ids: list[int] = []


class DeviceIn(DeviceTopicsIn):
    """A new device."""

    site_id: int
    username: str


class IssuedOut(Schema):
    """A device with its password: this is the only time it is shown."""

    device: DeviceOut
    password: str


@router.get("/devices", response=list[DeviceOut])
def list_devices(
    request: HttpRequest, site_id: int | None = None, source_id: int | None = None
) -> list[signals.DeviceRow]:
    """List the devices' credentials you may see."""
    return signals.devices(actor=actor_of(request), site_id=site_id, source_id=source_id)


@router.post("/devices", response={201: IssuedOut})
def issue_device(request: HttpRequest, body: DeviceIn) -> Status[Any]:
    """Create a device's credential for MQTT and HTTP. The password is in the answer, once."""
    return Status(201, _issued(request, devices.issue_device(actor=actor_of(request), at=_now(), **body.model_dump())))


@router.get("/devices/{int:device_id}", response=DeviceOut)
def get_device(request: HttpRequest, device_id: int) -> signals.DeviceRow:
    """Show one device's credential."""
    return signals.device(actor=actor_of(request), device_id=device_id)


@router.put("/devices/{int:device_id}", response=DeviceOut)
def configure_device(request: HttpRequest, device_id: int, body: DeviceTopicsIn) -> signals.DeviceRow:
    """Change what a device may publish and hear."""
    actor = actor_of(request)
    devices.configure_device(actor=actor, device_id=device_id, at=_now(), **body.model_dump())
    return signals.device(actor=actor, device_id=device_id)


@router.post("/devices/{int:device_id}/password", response=IssuedOut)
def rotate_device_password(request: HttpRequest, device_id: int) -> dict[str, Any]:
    """Give a device a new password. It is in the answer, once; the old one stops working."""
    issued = devices.rotate_device_password(actor=actor_of(request), device_id=device_id, at=_now())
    return _issued(request, issued)


@router.post("/devices/{int:device_id}/revoke", response=DeviceOut)
def revoke_device(request: HttpRequest, device_id: int) -> signals.DeviceRow:
    """Take a device's credential away."""
    actor = actor_of(request)
    devices.revoke_device(actor=actor, device_id=device_id, at=_now())
    return signals.device(actor=actor, device_id=device_id)


def _issued(request: HttpRequest, issued: devices.Issued) -> dict[str, Any]:
    row = signals.device(actor=actor_of(request), device_id=issued.device.pk)
    return {"device": row, "password": issued.password}


# ---- tags -------------------------------------------------------------------------------------------------------


class TagOut(Schema):
    """A tag with the codes of what it belongs to."""

    id: int
    site_id: int
    source_id: int
    source: str
    address: str
    data_type: str
    work_unit_id: int | None
    work_unit: str
    symbol: str
    role: str
    name_zh: str
    name_en: str
    unit: str
    scale: float
    offset: float
    deadband: float
    tag_class: str
    stale_after_s: float


class TagPageOut(Schema):
    """One page of tags; ``total`` is how many there are."""

    total: int
    offset: int
    tags: list[TagOut]


class TagIn(Schema):
    """What a tag is to be; (source_id, address) says which one."""

    source_id: int
    address: str
    data_type: str
    work_unit_id: int | None = None
    symbol: str = ""
    role: str = ""
    name_zh: Annotated[str, Field(max_length=120)] = ""
    name_en: Annotated[str, Field(max_length=120)] = ""
    unit: str = "1"
    scale: float = 1.0
    offset: float = 0.0
    deadband: float = 0.0
    tag_class: str = "standard"
    stale_after_s: float = 60.0


class TagsIn(Schema):
    """Tags of one site to create or change: all of them or none."""

    site_id: int
    tags: Annotated[list[TagIn], Field(min_length=1, max_length=10_000)]


class WrittenOut(Schema):
    """How many tags were created, changed, and already as asked."""

    created: int
    changed: int
    unchanged: int


class TagClassIn(Schema):
    """How long tags of a class are kept; days, 0 for ever."""

    site_id: int
    code: str
    raw_days: Annotated[int, Field(ge=0, le=36_500)] = 730
    minute_days: Annotated[int, Field(ge=0, le=36_500)] = 3650
    hour_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    is_time_weighted: bool = False


class TagClassOut(Schema):
    """How long tags of a class are kept; days, 0 for ever."""

    code: str
    raw_days: int
    minute_days: int
    hour_days: int
    is_time_weighted: bool


class TagQuery(Schema):
    """Which tags, and which page of them."""

    site_id: int | None = None
    source_id: int | None = None
    work_unit_id: int | None = None
    text: str = ""
    role: str | None = None
    data_type: str | None = None
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=signals.MAX_PAGE)] = 100


@router.get("/tags", response=TagPageOut)
def list_tags(request: HttpRequest, query: Query[TagQuery]) -> signals.TagPage:
    """List tags; ``text`` is looked for in address, names, symbol and work unit."""
    wanted = signals.TagFilter(**query.model_dump(exclude={"offset", "limit"}))
    return signals.tags(actor=actor_of(request), wanted=wanted, offset=query.offset, limit=query.limit)


@router.post("/tags", response=WrittenOut)
def write_tags(request: HttpRequest, body: TagsIn) -> tags.Written:
    """Create the tags that do not exist and change those that do: all or none."""
    specs = [TagSpec(**tag.model_dump()) for tag in body.tags]
    return tags.write_tags(actor=actor_of(request), site_id=body.site_id, tags=specs, at=_now())


@router.get("/tags/{int:tag_id}", response=TagOut)
def get_tag(request: HttpRequest, tag_id: int) -> signals.TagRow:
    """Show one tag."""
    return signals.tag(actor=actor_of(request), tag_id=tag_id)


@router.get("/tag-classes", response=list[TagClassOut])
def list_tag_classes(request: HttpRequest, site_id: int) -> list[signals.TagClassRow]:
    """List a site's tag classes."""
    return signals.tag_classes(actor=actor_of(request), site_id=site_id)


@router.post("/tag-classes", response=TagClassOut)
def define_tag_class(request: HttpRequest, body: TagClassIn) -> Any:
    """Create a tag class, or change how long its tags are kept."""
    return tags.define_tag_class(actor=actor_of(request), at=_now(), **body.model_dump())


# ---- state rules and states -------------------------------------------------------------------------------------


class RuleIn(Schema):
    """One state rule; the first whose condition holds names the state."""

    state: Literal["no_data", "unknown", "producing", "idle", "setup", "down", "planned_stop"]
    when: str
    cause: str = ""


class RulesIn(Schema):
    """All rules of an equipment class, in order."""

    rules: list[RuleIn]
    no_data_after_s: float = 60.0


class RulesOut(Schema):
    """The rules of a class, and the symbols that the tags of its work units offer."""

    equipment_class_id: int
    class_code: str
    no_data_after_s: float
    rules: list[RuleIn]
    symbols: list[str]


class PreviewIn(Schema):
    """Rules to try on history; without rules, the configured ones are tried."""

    work_unit_ids: Annotated[list[int], Field(min_length=1, max_length=200)]
    start: AwareDatetime
    end: AwareDatetime
    rules: list[RuleIn] | None = None


class IntervalOut(Schema):
    """A state from ``start`` to ``end`` (null: still)."""

    state: str
    cause: str
    start: datetime
    end: datetime | None


class UnitIntervalsOut(Schema):
    """The states of one work unit."""

    work_unit_id: int
    intervals: list[IntervalOut]


@router.get("/equipment-classes/{int:equipment_class_id}/state-rules", response=RulesOut)
def get_state_rules(request: HttpRequest, equipment_class_id: int) -> dict[str, Any]:
    """Show the state rules of an equipment class."""
    return _rules_out(request, equipment_class_id)


@router.put("/equipment-classes/{int:equipment_class_id}/state-rules", response=RulesOut)
def set_state_rules(request: HttpRequest, equipment_class_id: int, body: RulesIn) -> dict[str, Any]:
    """Replace all state rules of an equipment class."""
    state_rules.set_state_rules(
        actor=actor_of(request),
        equipment_class_id=equipment_class_id,
        rules=_specs(body.rules),
        no_data_after_s=body.no_data_after_s,
        at=_now(),
    )
    return _rules_out(request, equipment_class_id)


@router.post("/equipment-classes/{int:equipment_class_id}/state-rules/preview", response=list[UnitIntervalsOut])
def preview_state_rules(request: HttpRequest, equipment_class_id: int, body: PreviewIn) -> list[dict[str, Any]]:
    """Try rules on history. Nothing is stored."""
    rules = None
    if body.rules is not None:
        specs = _specs(body.rules)
        state_rules.check_rules(specs)
        rules = [{"state": int(spec.state), "when": spec.when, "cause": spec.cause} for spec in specs]
    found = history.states_preview(
        actor=actor_of(request),
        equipment_class_id=equipment_class_id,
        work_unit_ids=body.work_unit_ids,
        start_us=microseconds(body.start),
        end_us=microseconds(body.end),
        rules=rules,
    )
    return [
        {
            "work_unit_id": unit_id,
            "intervals": [
                {
                    "state": _word(interval.state),
                    "cause": interval.cause,
                    "start": moment(interval.start_us),
                    "end": None if interval.end_us is None else moment(interval.end_us),
                }
                for interval in intervals
            ],
        }
        for unit_id, intervals in found.items()
    ]


@router.get("/states", response=list[UnitIntervalsOut])
def list_states(
    request: HttpRequest, start: AwareDatetime, end: AwareDatetime, work_unit_ids: str = "", site_id: int | None = None
) -> list[dict[str, Any]]:
    """List the states of work units (``work_unit_ids=1,2``) or of a whole site that touch [start, end)."""
    _check_order(start, end)
    actor = actor_of(request)
    if site_id is not None and not work_unit_ids:
        rows = states.states_of_site(actor=actor, site_id=site_id, start=start, end=end)
    else:
        rows = states.states_between(actor=actor, start=start, end=end, work_unit_ids=_ids(work_unit_ids))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        interval = {"state": _word(row.state), "cause": row.cause, "start": row.started_at, "end": row.ended_at}
        found.setdefault(row.work_unit_id, []).append(interval)
    return [{"work_unit_id": unit_id, "intervals": intervals} for unit_id, intervals in found.items()]


def _rules_out(request: HttpRequest, equipment_class_id: int) -> dict[str, Any]:
    row = signals.state_rules(actor=actor_of(request), equipment_class_id=equipment_class_id)
    return {
        "equipment_class_id": row.equipment_class_id,
        "class_code": row.class_code,
        "no_data_after_s": row.no_data_after_s,
        "rules": [{"state": _word(rule.state), "when": rule.when, "cause": rule.cause} for rule in row.rules],
        "symbols": row.symbols,
    }


def _specs(rules: list[RuleIn]) -> list[RuleSpec]:
    return [RuleSpec(UnitState[rule.state.upper()], rule.when, rule.cause) for rule in rules]


def _word(state: int) -> str:
    return UnitState(state).name.lower()


# ---- live and history -------------------------------------------------------------------------------------------


class UnitLiveOut(Schema):
    """A work unit now; ``seen`` is the newest source time of its tags (null: never heard)."""

    work_unit_id: int
    state: str
    cause: str
    since: datetime
    seen: datetime | None


class ValueLiveOut(Schema):
    """A tag now."""

    tag_id: int
    time: datetime
    value: float | str | None
    quality: int


class LiveOut(Schema):
    """The plant as it is now."""

    at: datetime
    data_time: datetime | None
    units: list[UnitLiveOut]
    values: list[ValueLiveOut]


@router.get("/live", response=LiveOut)
def live(request: HttpRequest, site_id: int, tags: str = "") -> dict[str, Any]:
    """Show the state of every work unit of a site now, and the newest values of ``tags=1,2`` (``all``: of all)."""
    tag_ids = None if tags == "all" else _ids(tags)
    snapshot = history.live_snapshot(actor=actor_of(request), site_id=site_id, tag_ids=tag_ids)
    return {
        "at": moment(snapshot.at_us),
        "data_time": _moment_or_none(snapshot.data_time_us),
        "units": [
            {
                "work_unit_id": unit.work_unit_id,
                "state": _word(unit.state),
                "cause": unit.cause,
                "since": moment(unit.since_us),
                "seen": _moment_or_none(unit.seen_us),
            }
            for unit in snapshot.units
        ],
        "values": [
            {"tag_id": value.tag_id, "time": moment(value.time_us), "value": value.value, "quality": value.quality}
            for value in snapshot.values
        ],
    }


class SpanQuery(Schema):
    """Which tags (``1,2,3``), from when (inclusive) to when (exclusive); times are ISO 8601 with a zone."""

    tags: str
    start: AwareDatetime
    end: AwareDatetime
    format: Literal["", "json", "arrow", "parquet", "csv"] = ""

    def asked(self) -> dict[str, Any]:
        """Return the arguments of the selectors."""
        return {"tag_ids": _ids(self.tags), "start_us": microseconds(self.start), "end_us": microseconds(self.end)}


class RawQuery(SpanQuery):
    """A page of raw values."""

    limit: Annotated[int, Field(ge=1, le=500_000)] = 100_000


class AggregateQuery(SpanQuery):
    """``bucket`` such as ``1m``, ``15m``, ``1h``, ``1d``."""

    bucket: str = "1h"


class PixelsQuery(SpanQuery):
    """``width`` in pixels."""

    width: Annotated[int, Field(ge=1, le=10_000)] = 1000


@router.get("/history/latest")
def latest(request: HttpRequest, tags: str, at: AwareDatetime | None = None, format: str = "") -> HttpResponse:
    """Newest value of each tag: tag, time, value, quality, arrived, text; with ``at``, as it was known then."""
    at_us = None if at is None else microseconds(at)
    return _shaped(request, history.latest(actor=actor_of(request), tag_ids=_ids(tags), at_us=at_us), "latest")


@router.get("/history/raw")
def raw(request: HttpRequest, query: Query[RawQuery]) -> HttpResponse:
    """Values as they came: tag, time, seq, value, text, quality, arrived.

    At most ``limit`` rows, ordered by tag, time and sequence; page on with ``start`` = the last time.
    """
    return _shaped(request, history.raw(actor=actor_of(request), limit=query.limit, **query.asked()), "raw")


@router.get("/history/aggregate")
def aggregate(request: HttpRequest, query: Query[AggregateQuery]) -> HttpResponse:
    """Values by bucket: tag, bucket, min, max, avg, count, first, last, time_weighted_avg, good_count."""
    table = history.aggregate(actor=actor_of(request), bucket_us=_bucket_us(query.bucket), **query.asked())
    return _shaped(request, table, "aggregate")


@router.get("/history/pixels")
def pixels(request: HttpRequest, query: Query[PixelsQuery]) -> HttpResponse:
    """One row a pixel that has data: tag, time, min, max, first, last, count; so peaks survive."""
    return _shaped(request, history.pixels(actor=actor_of(request), width=query.width, **query.asked()), "pixels")


@router.get("/history/increase")
def increase(request: HttpRequest, query: Query[SpanQuery]) -> HttpResponse:
    """Growth of counters: tag, increase; a counter that began anew is counted from zero."""
    return _shaped(request, history.increase(actor=actor_of(request), **query.asked()), "increase")


def _shaped(request: HttpRequest, table: pa.Table, name: str) -> HttpResponse:
    return response_of(table, media_type=wanted_format(request), file_name=f"yuheng-{name}")


def _ids(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise InvalidInput(_("Give numbers separated by commas."), {"ids": text[:200]})
    return list(dict.fromkeys(int(word) for word in words))


def _bucket_us(text: str) -> int:
    number, unit = text.rstrip("smhd"), text[len(text.rstrip("smhd")) :]
    try:
        seconds = float(number) * _UNITS_S[unit]
    except (ValueError, KeyError):
        raise InvalidInput(_("A bucket is a number and ms, s, m, h or d, such as 15m."), {"bucket": text}) from None
    if not 0.001 <= seconds <= 366 * 86400:
        raise InvalidInput(_("A bucket is a number and ms, s, m, h or d, such as 15m."), {"bucket": text})
    return round(seconds * 1_000_000)


def _check_order(start: datetime, end: datetime) -> None:
    if end <= start:
        raise InvalidInput(_("The end must be after the start."), {"end": str(end)})


def _moment_or_none(us: int) -> datetime | None:
    return moment(us) if us > 0 else None


# ---- dead letters -----------------------------------------------------------------------------------------------


class DeadLetterGroupOut(Schema):
    """Dead letters of one source, reason and topic or address."""

    id: int
    site_id: int | None
    source_id: int | None
    source: str
    reason: str
    kind: str
    what: str
    detail: str
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    state: str
    replayed_count: int


class DeadLetterPageOut(Schema):
    """One page of groups; ``letters`` is how many messages and points all of them count."""

    total: int
    letters: int
    offset: int
    groups: list[DeadLetterGroupOut]


class DeadLetterSampleOut(Schema):
    """One kept letter; ``payload_hex`` holds at most its first 64 KB."""

    id: int
    payload_hex: str
    size: int
    topic: str
    arrived_at: datetime
    sequence: int
    detail: str


class GroupsIn(Schema):
    """Which dead-letter groups."""

    group_ids: Annotated[list[int], Field(min_length=1, max_length=5000)]


class MakeTagsIn(Schema):
    """Which groups, or all open ones of a source."""

    group_ids: list[int] = []
    source_id: int | None = None


class CountOut(Schema):
    """How many."""

    count: int


class DeadLetterQuery(Schema):
    """Which groups, and which page of them."""

    site_id: int | None = None
    source_id: int | None = None
    reason: str = ""
    state: str = ""
    text: str = ""
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


@router.get("/dead-letters", response=DeadLetterPageOut)
def list_dead_letters(request: HttpRequest, query: Query[DeadLetterQuery]) -> letters.GroupPage:
    """List what could not be understood, by source, reason and topic or address."""
    return letters.dead_letter_groups(actor=actor_of(request), **query.model_dump())


@router.get("/dead-letters/{int:group_id}/samples", response=list[DeadLetterSampleOut])
def list_dead_letter_samples(request: HttpRequest, group_id: int) -> list[dict[str, Any]]:
    """Show the newest letters of a group."""
    return [
        {
            "id": row.id,
            "payload_hex": row.payload.hex(),
            "size": row.size,
            "topic": row.topic,
            "arrived_at": row.arrived_at,
            "sequence": row.sequence,
            "detail": row.detail,
        }
        for row in letters.dead_letter_samples(actor=actor_of(request), group_id=group_id)
    ]


@router.post("/dead-letters/tags", response=WrittenOut)
def make_tags(request: HttpRequest, body: MakeTagsIn) -> tags.Written:
    """Make tags from unknown addresses; type and name are guessed from the samples."""
    return dead_letters.make_tags_from_dead_letters(
        actor=actor_of(request), group_ids=body.group_ids, source_id=body.source_id, at=_now()
    )


@router.post("/dead-letters/replay", response=CountOut)
def replay(request: HttpRequest, body: GroupsIn) -> dict[str, int]:
    """Send the stored messages of the groups through the path again. The worker does it within moments."""
    return {"count": dead_letters.replay_dead_letters(actor=actor_of(request), group_ids=body.group_ids, at=_now())}


@router.post("/dead-letters/resolve", response=CountOut)
def resolve(request: HttpRequest, body: GroupsIn) -> dict[str, int]:
    """Set groups aside as dealt with; they open again when a new letter comes."""
    return {"count": dead_letters.resolve_dead_letters(actor=actor_of(request), group_ids=body.group_ids, at=_now())}
