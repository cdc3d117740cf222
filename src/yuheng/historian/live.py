"""What the web hears: state changes as they happen, and newest values at a steady rhythm."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from yuheng.bus import subjects
from yuheng.bus.messages import LiveSnapshot, LiveStates, LiveValues, UnitLive, ValueLive
from yuheng.engines.points import Quality
from yuheng.historian.limits import DEFAULT_LIMITS, Limits
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.shown import CHANGE_BYTES, Reason, ShownBoard, ShownChange

MAX_WATCHED = 5_000
"""Tags watched closely at most; more are refused silently: they still move once a second."""
VALUES_A_MESSAGE = 5_000

_json = msgspec.json.Encoder()


class Live:
    """Publishes what changed, and only that. ``epoch`` names this run; ``seq`` rises by one a message and site.

    From `begin` on, all that is told of units is recorded too (see `shown`).
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        epoch: str,
        clock_us: Callable[[], int],
        publish: Callable[[str, bytes], None],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.epoch = epoch
        self._pipeline = pipeline
        self.clock_us = clock_us
        self._publish = publish
        self._seq: dict[int, int] = {}
        self._watched_until: dict[int, int] = {}  # slot -> our clock
        self._seen_before: dict[int, int] = {}  # unit -> seen_us last told
        self._limits = limits
        self.run = 0  # names this run in the record; 0: nothing is recorded yet
        self._told_us = 0
        self._recorded: dict[int, int] = {}  # site -> changes recorded since its last whole board

    def states(self) -> None:
        """Publish changes of states since the last call; called after every batch."""
        units = self._pipeline.units
        if units.touched:
            for site, changed in units.live_changes(units.touched).items():
                self._tell(site, changed)

    def _tell(self, site: int, changed: list[UnitLive]) -> None:
        seq = self._seq[site] = self._seq.get(site, 0) + 1
        message = LiveStates(self.epoch, seq, self._moment_us(), changed)
        self._publish(subjects.live_state(site), _json.encode(message))
        if not self.run:
            return
        pending, newest_us = self._pipeline.pending, self._pipeline.data_time_us.get(site, 0)
        pending.shown.changes.extend(ShownChange(site, message.at_us, self.run, unit, newest_us) for unit in changed)
        pending.other_bytes += CHANGE_BYTES * len(changed)
        self._recorded[site] = self._recorded.get(site, 0) + len(changed)
        if self._recorded[site] >= self._limits.board_changes:
            self._record(site, Reason.RHYTHM)

    def _moment_us(self) -> int:
        """Return the time, later than that of the message before: moments in the record are told apart by it."""
        self._told_us = max(self.clock_us(), self._told_us + 1)
        return self._told_us

    def begin(self, run: int) -> None:
        """Record from now on what is told. ``run`` is higher than that of any earlier run."""
        self.run = run
        self.record_boards(Reason.START)

    def record_boards(self, reason: Reason) -> None:
        """Record the whole board of every site; nothing before `begin`."""
        plant = self._pipeline.plant
        if not self.run or plant is None:
            return
        self.states()  # what is in the board must not come again as a newer change
        for site in sorted({source.site_id for source in plant.sources} | {unit.site_id for unit in plant.work_units}):
            self._record(site, reason)
        self._pipeline.wake.set()

    def _record(self, site: int, reason: Reason) -> None:
        pending = self._pipeline.pending
        units = self._units_of(site)
        newest_us = self._pipeline.data_time_us.get(site, 0)
        pending.shown.boards.append(ShownBoard(site, self._moment_us(), self.run, reason, newest_us, units))
        pending.other_bytes += CHANGE_BYTES * len(units)
        self._recorded[site] = 0

    def _units_of(self, site: int) -> list[UnitLive]:
        units = self._pipeline.units
        return [units.live(unit) for unit in units.in_order() if unit.site_id == site]

    def watch(self, tags: list[int], ttl_s: float) -> None:
        """Somebody looks closely at these tags for a while."""
        until = self.clock_us() + int(min(max(ttl_s, 0.0), 120.0) * 1e6)
        for tag in tags[:MAX_WATCHED]:
            slot = self._pipeline.tags.slot(tag)
            if slot >= 0 and (slot in self._watched_until or len(self._watched_until) < MAX_WATCHED):
                self._watched_until[slot] = until

    def watched_values(self) -> None:
        """Publish watched tags that changed; called ten times a second."""
        if not self._watched_until:
            return
        now_us = self.clock_us()
        self._watched_until = {slot: until for slot, until in self._watched_until.items() if until > now_us}
        slots = np.fromiter(self._watched_until, np.int64, len(self._watched_until))
        changed = slots[self._pipeline.changed_slots[slots]]
        self._pipeline.changed_slots[changed] = False
        self._tell_values(changed, [])

    def values(self) -> None:
        """Publish every tag that changed and every unit that was heard; called once a second."""
        changed = np.flatnonzero(self._pipeline.changed_slots)
        self._pipeline.changed_slots[changed] = False
        self._tell_values(changed, self._heard())

    def _heard(self) -> list[tuple[int, int, int]]:
        """Return (site, unit, seen) of units heard since the last call."""
        units = self._pipeline.units
        heard = []
        for unit, seen_us in zip(units.in_order(), units.seen().tolist(), strict=True):
            if seen_us != self._seen_before.get(unit.id, 0):
                self._seen_before[unit.id] = seen_us
                heard.append((unit.site_id, unit.id, seen_us))
        return heard

    def _tell_values(
        self, slots: np.ndarray[tuple[int], np.dtype[np.int64]], heard: list[tuple[int, int, int]]
    ) -> None:
        sites = self._pipeline.tags.site[slots]
        by_site: dict[int, list[tuple[int, int]]] = {}
        for site, unit, seen_us in heard:
            by_site.setdefault(site, []).append((unit, seen_us))
        for site in {*np.unique(sites).tolist(), *by_site}:
            values = self.values_of(slots[sites == site])
            seen = by_site.get(site, [])
            newest = self._pipeline.data_time_us.get(site, 0)
            for start in range(0, max(len(values), 1), VALUES_A_MESSAGE):
                part = values[start : start + VALUES_A_MESSAGE]
                message = LiveValues(self.clock_us(), part, newest, seen if start == 0 else [])
                self._publish(subjects.live_values(site), _json.encode(message))

    def values_of(self, slots: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[ValueLive]:
        """Return the newest values; slots that never had one are left out."""
        latest = self._pipeline.latest
        slots = slots[latest.time_us[slots] > 0]
        texts = latest.texts
        return [
            ValueLive(tag, time_us, _shown(texts.get(slot, value), quality), quality)
            for slot, tag, time_us, value, quality in zip(
                slots.tolist(),
                self._pipeline.tags.tag_ids[slots].tolist(),
                latest.time_us[slots].tolist(),
                latest.value[slots].tolist(),
                latest.quality[slots].tolist(),
                strict=True,
            )
        ]

    def snapshot(self, site: int, tags: list[int] | None) -> LiveSnapshot:
        """Return everything a page needs to begin; deltas with a higher ``seq`` of this epoch continue it."""
        pipeline = self._pipeline
        self.states()  # what is in the snapshot must not come again as a newer delta
        if tags is None:
            slots = np.flatnonzero((pipeline.tags.site == site) & pipeline.tags.is_known)
        else:
            found = [slot for slot in (pipeline.tags.slot(tag) for tag in tags) if slot >= 0]
            slots = np.array(found, np.int64)
            slots = slots[pipeline.tags.site[slots] == site]
        return LiveSnapshot(
            epoch=self.epoch,
            seq=self._seq.get(site, 0),
            at_us=max(self.clock_us(), self._told_us),  # never before what is in it
            units=self._units_of(site),
            values=self.values_of(slots),
            data_time_us=pipeline.data_time_us.get(site, 0),
        )


def _shown(value: float | str, quality: int) -> float | str | None:
    if isinstance(value, str):
        return value if quality < Quality.BAD else None
    return None if quality >= Quality.BAD or value != value else value
