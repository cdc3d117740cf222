"""The screens of a past moment: as shown then (recorded), or as known now (late data and corrections included).

Reading one moment touches the newest whole board before it, at most a minute of changes, and for each tag the place in
its column where the moment lies; never all of the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from yuheng.bus.documents import Plant
from yuheng.bus.messages import (
    BoardBetweenQuestion,
    BoardChanges,
    BoardFrame,
    BoardQuestion,
    PastBoard,
    UnitLive,
    ValueLive,
)
from yuheng.engines.points import Quality
from yuheng.historian.limits import Limits
from yuheng.historian.past_values import PastValues
from yuheng.historian.shown import Reason
from yuheng.historian.spans import HOUR_US
from yuheng.historian.store import Store

DAY_US = 24 * HOUR_US
MOST_STEPS = 100_000
NO_HISTORIAN = "no_historian"

_AT = "fromUnixTimestamp64Micro({{{}:Int64}}, 'UTC')"
_BEFORE = f"at > {_AT.format('low')} AND at <= {_AT.format('high')}"
_BOARD = "toUnixTimestamp64Micro(at), run, reason, data_time_us, units, states, causes, since_us, seen_us"


@dataclass(slots=True)
class _Whole:
    """A recorded board."""

    at_us: int
    run: int
    reason: Reason
    data_time_us: int
    units: dict[int, UnitLive] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Now:
    """What the loop knows when a question comes: of the running historian."""

    plant: Plant
    run: int
    at_us: int


class Boards:
    """Answers of `yh.q.board_at` and `yh.q.board_between`. Every method runs in a thread and may raise
    `StoreFailure`.
    """

    def __init__(self, store: Store, limits: Limits, *, now: Callable[[], Now]) -> None:
        self._store = store
        self._limits = limits
        self._now = now
        self._values = PastValues(store)

    # ---- one moment -----------------------------------------------------------------------------------------------

    def at(self, q: BoardQuestion) -> PastBoard:
        """Return the board of a moment."""
        now = self._now()
        tags = tags_of_site(now.plant, q.site_id) if q.tags is None else _visible(now.plant, q.site_id, q.tags)
        recorded_from_us = self._recorded_from_us(q.site_id)
        self._values.early_us = early_us(now.plant)
        shown = self._shown(now, q) if q.known_as == "shown" and 0 < recorded_from_us <= q.at_us else None
        if shown is None:
            return _completed(self._known(now, q, tags), now, recorded_from_us)
        whole, trouble = shown
        values = self._values.arrived_by(tags, q.at_us, is_past=q.at_us < now.at_us - HOUR_US // 6)
        board = PastBoard(
            epoch=str(whole.run),
            seq=0,
            at_us=q.at_us,
            units=list(whole.units.values()),
            values=values,
            data_time_us=whole.data_time_us,
            trouble=trouble,
        )
        return _completed(board, now, recorded_from_us)

    def _recorded_from_us(self, site_id: int) -> int:
        rows = self._store.rows(
            "SELECT toUnixTimestamp64Micro(at) FROM boards WHERE site = {site:UInt32} ORDER BY at LIMIT 1",
            {"site": site_id},
        )
        return int(rows[0][0]) if rows else 0

    def _shown(self, now: Now, q: BoardQuestion) -> tuple[_Whole, str] | None:
        """Return the board recorded for a moment, and what was in the way of showing it."""
        whole = self._whole_before(q.site_id, q.at_us)
        if whole is None:
            return None
        span = {"site": q.site_id, "low": whole.at_us, "high": q.at_us, "run": whole.run}
        rows = self._store.rows(
            f"SELECT toUnixTimestamp64Micro(at), {_CHANGE} FROM shown "
            f"WHERE site = {{site:UInt32}} AND {_BEFORE} AND run = {{run:UInt64}} ORDER BY at DESC LIMIT 1 BY unit",
            span,
        )
        told_us = whole.at_us
        for at_us, unit, state, cause, since_us, seen_us, data_time_us in rows:
            known = whole.units.get(unit)
            whole.units[unit] = UnitLive(unit, state, cause, since_us, max(seen_us, known.seen_us if known else 0))
            whole.data_time_us = max(whole.data_time_us, data_time_us)
            told_us = max(told_us, at_us)
        return whole, self._trouble(now, q.site_id, whole, told_us, q.at_us)

    def _whole_before(self, site_id: int, at_us: int) -> _Whole | None:
        for back_us in (HOUR_US, DAY_US, at_us + 1):
            rows = self._store.rows(
                f"SELECT {_BOARD} FROM boards WHERE site = {{site:UInt32}} AND {_BEFORE} ORDER BY at DESC LIMIT 1",
                {"site": site_id, "low": at_us - back_us, "high": at_us},
            )
            if rows:
                return _whole(rows[0])
        return None

    def _trouble(self, now: Now, site_id: int, whole: _Whole, told_us: int, at_us: int) -> str:
        """Say that the historian was not running: its run had ended, or was not heard of again for long."""
        if whole.run == now.run:
            return ""
        if whole.reason is not Reason.STOP:
            if at_us - told_us <= 2 * self._limits.board_s * 1e6:
                return ""
            later = self._store.rows(
                f"SELECT 1 FROM boards WHERE site = {{site:UInt32}} AND at > {_AT.format('high')} "
                "AND run = {run:UInt64} LIMIT 1",
                {"site": site_id, "high": at_us, "run": whole.run},
            )
            if later:
                return ""
        return NO_HISTORIAN

    def _known(self, now: Now, q: BoardQuestion, tags: Sequence[int]) -> PastBoard:
        """Return what is true of the moment as known now."""
        units = sorted(unit.id for unit in now.plant.work_units if unit.site_id == q.site_id)
        found = self._states_at(units, q.at_us)
        return PastBoard(
            epoch="known",
            seq=0,
            at_us=q.at_us,
            units=[found.get(unit, UnitLive(unit, 0, "", 0, 0)) for unit in units],
            values=self._values.of_time(tags, q.at_us),
            data_time_us=0,
            known_as="known",
        )

    def _states_at(self, units: Sequence[int], at_us: int) -> dict[int, UnitLive]:
        found: dict[int, UnitLive] = {}
        for back_us in (HOUR_US, DAY_US, 30 * DAY_US, at_us + 1):
            missing = [unit for unit in units if unit not in found]
            if not missing:
                break
            for unit, state, cause, start_us in self._store.rows(
                "SELECT unit, state, cause, toUnixTimestamp64Micro(start) FROM state_changes FINAL "
                f"WHERE unit IN {{units:Array(UInt32)}} AND {_BEFORE.replace('at ', 'start ')} "
                "ORDER BY unit, start DESC LIMIT 1 BY unit",
                {"units": missing, "low": at_us - back_us, "high": at_us},
            ):
                found[unit] = UnitLive(unit, state, cause, start_us, 0)
        return found

    # ---- what changed between -------------------------------------------------------------------------------------

    def between(self, q: BoardBetweenQuestion) -> BoardChanges:
        """Return what the screens were told in ``(from_us, to_us]``, or in its first part when that is very much."""
        now = self._now()
        self._values.early_us = early_us(now.plant)
        until_us = q.to_us
        changes = self._store.rows(
            f"SELECT toUnixTimestamp64Micro(at), {_CHANGE} FROM shown FINAL WHERE site = {{site:UInt32}} AND {_BEFORE} "
            "ORDER BY at, unit LIMIT {limit:UInt64}",
            {"site": q.site_id, "low": q.from_us, "high": q.to_us, "limit": self._limits.frames_changes + 1},
        )
        if len(changes) > self._limits.frames_changes:
            # whole moments only; one moment cannot hold that many units
            until_us = min(until_us, int(changes[-1][0]) - 1)
        tags = _visible(now.plant, q.site_id, q.tags)
        step_us = max(q.step_us, 1000, -(-(q.to_us - q.from_us) // MOST_STEPS))
        values, until_us = self._values.steps(tags, q.from_us, until_us, step_us, self._limits.frames_values)
        frames = [
            *self._wholes(q.site_id, q.from_us, until_us),
            *_frames_of_changes(row for row in changes if row[0] <= until_us),
            *(BoardFrame(at_us, [], found) for at_us, found in values),
        ]
        return BoardChanges(sorted(frames, key=lambda frame: frame.at_us), until_us)

    def _wholes(self, site_id: int, from_us: int, to_us: int) -> list[BoardFrame]:
        """Return boards that replaced what was shown: of a new run, or after units came or went."""
        rows = self._store.rows(
            f"SELECT {_BOARD} FROM boards FINAL WHERE site = {{site:UInt32}} AND {_BEFORE} AND reason != 0 ORDER BY at",
            {"site": site_id, "low": from_us, "high": to_us},
        )
        wholes = [_whole(row) for row in rows]
        return [
            BoardFrame(
                whole.at_us,
                list(whole.units.values()),
                [],
                is_whole=True,
                trouble=NO_HISTORIAN if whole.reason is Reason.STOP else "",
            )
            for whole in wholes
        ]


_CHANGE = "unit, state, cause, since_us, seen_us, data_time_us"


def _frames_of_changes(rows: Iterable[Sequence[int | str]]) -> list[BoardFrame]:
    frames: dict[int, list[UnitLive]] = {}
    for at_us, unit, state, cause, since_us, seen_us, _data_time_us in rows:
        live = UnitLive(int(unit), int(state), str(cause), int(since_us), int(seen_us))
        frames.setdefault(int(at_us), []).append(live)
    return [BoardFrame(at_us, units, []) for at_us, units in frames.items()]


def _whole(row: Sequence[object]) -> _Whole:
    at_us, run, reason, data_time_us, units, states, causes, since_us, seen_us = row
    whole = _Whole(int(at_us), int(run), Reason(reason), int(data_time_us))  # type: ignore[call-overload,arg-type]
    columns = zip(units, states, causes, since_us, seen_us, strict=True)  # type: ignore[call-overload]
    whole.units = {unit: UnitLive(unit, *rest) for unit, *rest in columns}
    return whole


def tags_of_site(plant: Plant, site_id: int) -> list[int]:
    """Return the tags of a site's sources."""
    sources = {source.id for source in plant.sources if source.site_id == site_id}
    return [tag.id for tag in plant.tags if tag.source_id in sources]


def early_us(plant: Plant) -> int:
    """Return how far a value's own time may lie after its arrival."""
    return max(HOUR_US, int(plant.future_tolerance_s * 1e6))


def _visible(plant: Plant, site_id: int, tags: Sequence[int]) -> list[int]:
    if not tags:
        return []
    mine = set(tags_of_site(plant, site_id))
    return [tag for tag in dict.fromkeys(tags) if tag in mine]


def _completed(board: PastBoard, now: Now, recorded_from_us: int) -> PastBoard:
    """Return the board with what its values say of when units were heard, and the newest time of all."""
    seen = _newest_good(board.values, now.plant)
    units = [
        unit if seen.get(unit.work_unit_id, 0) <= unit.seen_us else _with_seen(unit, seen[unit.work_unit_id])
        for unit in board.units
    ]
    newest_us = max([board.data_time_us, *(unit.seen_us for unit in units), *(value.time_us for value in board.values)])
    return replace(board, units=units, data_time_us=newest_us, recorded_from_us=recorded_from_us)


def _newest_good(values: Sequence[ValueLive], plant: Plant) -> Mapping[int, int]:
    unit_of = {tag: unit.id for unit in plant.work_units for tag in unit.symbols.values()}
    seen: dict[int, int] = {}
    for value in values:
        unit = unit_of.get(value.tag_id)
        if unit is not None and value.quality < Quality.BAD:
            seen[unit] = max(seen.get(unit, 0), value.time_us)
    return seen


def _with_seen(unit: UnitLive, seen_us: int) -> UnitLive:
    return UnitLive(unit.work_unit_id, unit.state, unit.cause, unit.since_us, seen_us)
