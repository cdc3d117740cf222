"""What the pages ask of telemetry and the historian, with one way of saying "cannot be had now".

Every function raises `Unavailable` with a sentence for the reader when the answer does not come; a page then says so
and shows the rest. Answers that many readers share are kept for seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pyarrow as pa
from django.core.cache import cache
from django.urls import NoReverseMatch, reverse

from yuheng.analysis.selectors import stops
from yuheng.bus.messages import BoardChanges, Interval, LiveSnapshot, PastBoard, ValueLive
from yuheng.engines.points import Quality
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.moments import Moment
from yuheng.telemetry.selectors import dead_letters, history, replay, signals, states
from yuheng.telemetry.selectors import losses as telemetry_losses
from yuheng.web import unit_symbols
from yuheng.web.freshness import HOLDING_CONNECTORS, MIN_SILENCE_S, heard_by_source, is_current
from yuheng.web.indicators import SourceNow
from yuheng.web.names import local_name

CATALOGUE_S = 60
"""How long the list of a site's tags is kept; a new tag is counted at most so much later."""
STATES_S = 10
PAGE = 1000
QUIET_CONNECTORS = frozenset({"files"})
"""Connectors that bring history when asked: their silence is no fault."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class Unavailable(RuntimeError):
    """The answer did not come; the message says whose and is for the reader."""


@dataclass(frozen=True, slots=True)
class SignalNow:
    """A tag of a work unit with its latest value; ``time_us`` 0: never heard.

    The name is in the reader's language, the unit as people write it. ``heard_us``: until when its source is known to
    be there, so that an unchanged value is a present one. ``factor`` makes the value fit the unit (a ratio in percent).
    """

    id: int
    symbol: str
    address: str
    name: str
    unit: str
    data_type: str
    stale_after_s: float
    source_code: str
    value: float | str | None
    quality: int
    time_us: int
    role: str = ""
    source_id: int = 0
    heard_us: int = 0
    factor: float = 1.0
    is_overridden: bool = False  # a field of it differs from its class's template by hand

    def is_current(self, now_us: int) -> bool:
        """Return whether the value may be used as the present one, see `freshness`."""
        return is_current(self.quality, self.time_us, self.heard_us, self.stale_after_s, now_us)


@dataclass(frozen=True, slots=True)
class DeadLetterLine:
    """A group of dead letters of a work unit's sources."""

    reason: str
    what: str
    count: int
    last_seen_at: datetime
    url: str


@dataclass(frozen=True, slots=True)
class _CatalogueTag:
    """What figures need to know of a tag."""

    id: int
    source_id: int
    work_unit_id: int | None
    role: str
    stale_after_s: float


def _answered(question: Callable[[], T]) -> T:
    try:
        return question()
    except history.HistorianAway as error:
        raise Unavailable(str(error)) from error


def _kept(key: str, seconds: float, make: Callable[[], T]) -> T:
    found: T | None = cache.get(key)
    if found is None:
        found = make()
        cache.set(key, found, seconds)
    return found


def _address(name: str, *arguments: object) -> str:
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


# ---- a site -------------------------------------------------------------------------------------------------------


def live_units(*, actor: Actor, site_id: int) -> LiveSnapshot:
    """The state of every unit of a site now."""
    return _answered(lambda: history.live_snapshot(actor=actor, site_id=site_id, tag_ids=[]))


def past_units(*, actor: Actor, site_id: int, moment: Moment, tag_ids: Sequence[int] = ()) -> PastBoard:
    """The state of every unit of a site at a past moment, and the values of some tags then."""
    return _answered(
        lambda: replay.board_at(
            actor=actor, site_id=site_id, at_us=moment.at_us, tag_ids=tag_ids, known_as=moment.known_as
        )
    )


def past_changes(*, actor: Actor, site_id: int, from_us: int, to_us: int) -> BoardChanges:
    """What changed on the screens between two moments."""
    return _answered(lambda: replay.board_between(actor=actor, site_id=site_id, from_us=from_us, to_us=to_us))


def activity(*, actor: Actor, site_id: int, start: datetime, end: datetime, bins: int) -> list[tuple[int, int]]:
    """(changes of state, stops begun) in each of ``bins`` equal parts of a time."""
    return states.activity_of_site(actor=actor, site_id=site_id, start=start, end=end, bins=bins)


def sources(*, actor: Actor, site_id: int) -> list[SourceNow]:
    """Data sources of a site that should speak, and whether they do: by the newest time of any of their tags."""
    tags = _catalogue(actor, site_id)
    return _source_rows(actor, site_id, tags, _values(actor, site_id, [tag.id for tag in tags]))


def open_dead_letters(*, actor: Actor, site_id: int) -> int:
    """How many groups of dead letters wait for somebody."""
    return dead_letters.dead_letter_groups(actor=actor, site_id=site_id, state="open", limit=1).total


def hold_reason() -> str:
    """Why the history is not being written now; empty when it is."""
    return history.hold_reason()


def losses() -> list[str]:
    """What was dropped or is held because something is full, a sentence each; empty when all is well."""
    return telemetry_losses.losses()


def dead_letters_address() -> str:
    """Where dead letters are looked after."""
    return _address("telemetry:dead_letters")


def state_seconds(*, actor: Actor, site_id: int, start: datetime, end: datetime) -> dict[int, dict[int, float]]:
    """Seconds in each state: ``{work unit: {state: seconds}}``, cut at the range's ends."""
    actor.require("telemetry.view", site_id=site_id)
    return _kept(
        f"web.state_seconds.{site_id}.{start:%s}{_until(end)}",
        STATES_S,
        lambda: _sum_states(states.states_of_site(actor=actor, site_id=site_id, start=start, end=end), start, end),
    )


def _until(end: datetime) -> str:
    """Return what tells the figures of a past moment from those of now, which are the same for some seconds."""
    return f".{end:%s}" if (datetime.now(UTC) - end).total_seconds() > STATES_S else ""


def _sum_states(rows: Iterable[states.StateRow], start: datetime, end: datetime) -> dict[int, dict[int, float]]:
    found: dict[int, dict[int, float]] = {}
    for row in rows:
        seconds = (min(row.ended_at or end, end) - max(row.started_at, start)).total_seconds()
        of_unit = found.setdefault(row.work_unit_id, {})
        of_unit[row.state] = of_unit.get(row.state, 0.0) + max(0.0, seconds)
    return found


def latest_by_unit(*, actor: Actor, site_id: int, role: str, moment: Moment | None = None) -> dict[int, float]:
    """Sum of the latest values of a role, by work unit; only what is present and good counts, see `freshness`."""
    tags = {tag.id: tag for tag in _catalogue(actor, site_id) if tag.role == role and tag.work_unit_id is not None}
    if not tags:
        return {}
    snapshot = _board(actor, site_id, list(tags), moment)
    seen_us = {unit.work_unit_id: unit.seen_us for unit in snapshot.units}
    connectors = _connectors(actor, site_id)
    found: dict[int, float] = {}
    now_us = moment.at_us if moment else time.time_ns() // 1000
    for value in snapshot.values:
        tag = tags[value.tag_id]
        unit_id = tag.work_unit_id
        if unit_id is None or not isinstance(value.value, float | int):
            continue
        heard = heard_by_source([(tag.source_id, value.time_us)], connectors, seen_us.get(unit_id, 0))
        patience_s = max(tag.stale_after_s, MIN_SILENCE_S)
        if is_current(value.quality, value.time_us, heard[tag.source_id], patience_s, now_us):
            found[unit_id] = found.get(unit_id, 0.0) + value.value
    return found


def _board(actor: Actor, site_id: int, tag_ids: list[int], moment: Moment | None) -> LiveSnapshot | PastBoard:
    if moment is not None:
        return past_units(actor=actor, site_id=site_id, moment=moment, tag_ids=tag_ids)
    return _answered(lambda: history.live_snapshot(actor=actor, site_id=site_id, tag_ids=tag_ids))


def _connectors(actor: Actor, site_id: int) -> dict[int, str]:
    """Return source id -> connector."""
    return _kept(
        f"web.connectors.{site_id}",
        CATALOGUE_S,
        lambda: {row.id: row.connector for row in signals.sources(actor=actor, site_id=site_id)},
    )


def growth_by_unit(*, actor: Actor, site_id: int, role: str, start: datetime, end: datetime) -> dict[int, float]:
    """Growth of the counters of a role over ``[start, end)``, by work unit."""
    actor.require("telemetry.view", site_id=site_id)
    key = f"web.growth.{site_id}.{role}.{start:%s}{_until(end)}"
    return _kept(key, STATES_S, lambda: _growth(actor, site_id, role, start, end))


def _growth(actor: Actor, site_id: int, role: str, start: datetime, end: datetime) -> dict[int, float]:
    units = {tag.id: tag.work_unit_id for tag in _catalogue(actor, site_id) if tag.role == role and tag.work_unit_id}
    if not units or end <= start:
        return {}
    table = _answered(lambda: history.increase(actor=actor, tag_ids=list(units), start_us=_us(start), end_us=_us(end)))
    found: dict[int, float] = {}
    for tag_id, grown in zip(table["tag"].to_pylist(), table["increase"].to_pylist(), strict=True):
        unit_id = units[tag_id]
        if unit_id is not None:
            found[unit_id] = found.get(unit_id, 0.0) + (grown or 0.0)
    return found


def _catalogue(actor: Actor, site_id: int) -> list[_CatalogueTag]:
    """Return the tags of a site; two queries a thousand tags, once a minute."""
    actor.require("telemetry.view", site_id=site_id)
    return _kept(f"web.catalogue.{site_id}", CATALOGUE_S, lambda: _read_catalogue(actor, site_id))


def _read_catalogue(actor: Actor, site_id: int) -> list[_CatalogueTag]:
    found: list[_CatalogueTag] = []
    wanted = signals.TagFilter(site_id=site_id)
    while True:
        page = signals.tags(actor=actor, wanted=wanted, offset=len(found), limit=PAGE)
        found += [_CatalogueTag(t.id, t.source_id, t.work_unit_id, t.role, t.stale_after_s) for t in page.tags]
        if not page.tags or len(found) >= page.total:
            return found


def _values(actor: Actor, site_id: int, tag_ids: list[int]) -> list[ValueLive]:
    if not tag_ids:
        return []
    return _answered(lambda: history.live_snapshot(actor=actor, site_id=site_id, tag_ids=tag_ids)).values


def _source_rows(
    actor: Actor, site_id: int, tags: Iterable[_CatalogueTag], values: Iterable[ValueLive]
) -> list[SourceNow]:
    newest = {value.tag_id: value for value in values}
    of_source: dict[int, list[_CatalogueTag]] = {}
    for tag in tags:
        of_source.setdefault(tag.source_id, []).append(tag)
    rates = history.health_of("historian").get("source_messages_per_min", {})
    rows = []
    for row in signals.sources(actor=actor, site_id=site_id):
        if row.id not in of_source or not row.is_enabled or row.connector in QUIET_CONNECTORS:
            continue
        mine = of_source[row.id]
        heard = [newest[tag.id] for tag in mine if tag.id in newest and newest[tag.id].time_us]
        heard_us = max((value.time_us for value in heard), default=0)
        silent_s = max(0.0, time.time() - heard_us / 1e6) if heard_us else None
        if row.connector in HOLDING_CONNECTORS:  # dead when the death certificate has taken every value's quality
            is_connected = any(value.quality < Quality.BAD for value in heard)
        else:
            patience_s = max(min(tag.stale_after_s for tag in mine), MIN_SILENCE_S)
            is_connected = silent_s is not None and silent_s <= patience_s
        units = frozenset(tag.work_unit_id for tag in mine if tag.work_unit_id is not None)
        address = _address("telemetry:source", row.id)
        rate = rates.get(str(row.id))
        rows.append(SourceNow(row.id, row.code, address, is_connected, silent_s, len(units), units, rate))
    return rows


# ---- a work unit --------------------------------------------------------------------------------------------------


def signals_of(*, actor: Actor, site_id: int, work_unit_id: int, moment: Moment | None = None) -> list[SignalNow]:
    """Signals of a work unit with their values now, or at a moment; without a historian, without values."""
    tags = signals.tags_of_work_unit(actor=actor, work_unit_id=work_unit_id)
    if not tags:
        return []
    values: dict[int, ValueLive] = {}
    seen_us = 0
    try:
        found = _board(actor, site_id, [tag.id for tag in tags], moment)
        values = {value.tag_id: value for value in found.values}
        seen_us = next((unit.seen_us for unit in found.units if unit.work_unit_id == work_unit_id), 0)
    except Unavailable:
        pass  # the page says so above the table
    times = [(tag.source_id, values[tag.id].time_us if tag.id in values else 0) for tag in tags]
    heard = heard_by_source(times, _connectors(actor, site_id), seen_us)
    return [_signal(tag, values.get(tag.id), heard[tag.source_id]) for tag in tags]


def _signal(tag: signals.TagRow, value: ValueLive | None, heard_us: int) -> SignalNow:
    value = value or ValueLive(tag.id, 0, None, Quality.GOOD)
    name = local_name(tag) if tag.name_zh or tag.name_en else ""
    unit, factor = unit_symbols.shown(tag.unit, tag.data_type, tag.symbol)
    return SignalNow(
        id=tag.id,
        symbol=tag.symbol,
        address=tag.address,
        name=name,
        unit=unit,
        factor=factor,
        data_type=tag.data_type,
        stale_after_s=tag.stale_after_s,
        source_code=tag.source,
        value=value.value,
        quality=value.quality,
        time_us=value.time_us,
        role=tag.role,
        source_id=tag.source_id,
        heard_us=heard_us,
        is_overridden=bool(tag.overrides),
    )


def intervals(*, actor: Actor, work_unit_id: int, start: datetime, end: datetime) -> list[Interval]:
    """State intervals that touch ``[start, end)``, in order."""
    rows = states.states_between(actor=actor, start=start, end=end, work_unit_ids=[work_unit_id])
    return [Interval(r.state, r.cause, _us(r.started_at), _us(r.ended_at) if r.ended_at else None) for r in rows]


def reasons_of(
    *, actor: Actor, unit: equipment.WorkUnitRow, start: datetime, end: datetime
) -> list[tuple[int, int, str]]:
    """What people said about the stops of a work unit: from, until (µs) and the reason in the reader's language."""
    found = stops.pieces_of_unit(actor=actor, unit=unit, start=start, end=end, now=end)
    return [(_us(p.start), _us(p.end), local_name(p.reason)) for p in found if p.reason is not None]


def sources_of(*, actor: Actor, site_id: int, work_unit_id: int) -> list[SourceNow]:
    """Data sources that the signals of a work unit come from; silent, when this unit's signals are."""
    tags = signals.tags_of_work_unit(actor=actor, work_unit_id=work_unit_id)
    brief = [_CatalogueTag(t.id, t.source_id, t.work_unit_id, t.role, t.stale_after_s) for t in tags]
    return _source_rows(actor, site_id, brief, _values(actor, site_id, [tag.id for tag in tags]))


def dead_letters_of(*, actor: Actor, source_ids: Iterable[int], limit: int = 10) -> list[DeadLetterLine]:
    """The newest open dead letters of some sources."""
    lines = []
    for source_id in source_ids:
        page = dead_letters.dead_letter_groups(actor=actor, source_id=source_id, state="open", limit=limit)
        lines += [
            DeadLetterLine(g.reason, g.what, g.count, g.last_seen_at, _address("telemetry:dead_letter_group", g.id))
            for g in page.groups
        ]
    return sorted(lines, key=lambda line: line.last_seen_at, reverse=True)[:limit]


# ---- trends -------------------------------------------------------------------------------------------------------

BAD_BUCKETS = 200
"""Bad quality is looked for in so many pieces of the picture: it is a mark, not a curve."""
MINUTE_US = 60_000_000


def trend(*, actor: Actor, tag_ids: list[int], start_us: int, end_us: int, width: int) -> list[dict[str, Any]]:
    """Columns of each tag, one entry a pixel that has good data, and the spans that have bad data.

    Returns
    -------
    list
        ``{"tag", "time_us", "min", "max", "first", "last", "count", "bad": [[from_us, to_us], …]}`` for each tag asked
        for, in that order; columns of one length, times in microseconds UTC.
    """
    table = _answered(
        lambda: history.pixels(actor=actor, tag_ids=tag_ids, start_us=start_us, end_us=end_us, width=width)
    )
    bucket_us = max(1, (end_us - start_us) // BAD_BUCKETS)
    if bucket_us > MINUTE_US:  # whole minutes are answered from roll-ups
        bucket_us = -(-bucket_us // MINUTE_US) * MINUTE_US
    counts = _answered(
        lambda: history.aggregate(actor=actor, tag_ids=tag_ids, start_us=start_us, end_us=end_us, bucket_us=bucket_us)
    )
    bad = _bad_spans(counts, bucket_us)
    return [{"tag": tag_id, **_columns(table, tag_id), "bad": bad.get(tag_id, [])} for tag_id in tag_ids]


def _columns(table: pa.Table, tag_id: int) -> dict[str, list[Any]]:
    rows = table.filter(pa.compute.equal(table["tag"], tag_id))
    times = rows["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return {"time_us": times, **{name: rows[name].to_pylist() for name in ("min", "max", "first", "last", "count")}}


def _bad_spans(table: pa.Table, bucket_us: int) -> dict[int, list[list[int]]]:
    found: dict[int, list[list[int]]] = {}
    starts = table["bucket"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    columns = (table["tag"].to_pylist(), starts, table["count"].to_pylist(), table["good_count"].to_pylist())
    for tag_id, start_us, count, good in zip(*columns, strict=True):
        if count > good:
            found.setdefault(tag_id, []).append([start_us, start_us + bucket_us])
    return found


def _us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
