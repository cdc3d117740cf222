"""Calculated tags, live: at every batch, from the newest values and the samples of the batch.

What is made here is for screens, states and alarms of now. It is not stored; history is calculated from the inputs when
it is asked for. Formulas that look back keep the samples of their inputs that they need, a bounded number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from yuheng.engines.formulas.calculation import Input, calculate, moments
from yuheng.engines.points import PointBlock, Quality
from yuheng.historian.calculations import Calculated, Calculations
from yuheng.historian.latest import Latest
from yuheng.historian.routing import TagTable
from yuheng.historian.sampled import EMPTY, Series

MOST_REMEMBERED = 20_000
"""Samples of one input that are kept for windows; of more, the newest are kept and the window is shorter, live only."""
KEPT_BEFORE = 2

type_slots = npt.NDArray[np.int32]


class Calculating:
    """On the event loop, called by the pipeline before newest values and states take a batch over."""

    def __init__(self, tags: TagTable, latest: Latest) -> None:
        self._tags = tags
        self._latest = latest
        self._calculations = Calculations()
        self._is_input: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._remembered: dict[int, Series] = {}  # input tag -> its samples as far back as any formula looks
        self._reach_us: dict[int, int] = {}  # input tag -> how far
        self.is_seeded = True

    @property
    def calculations(self) -> Calculations:
        """What is calculated."""
        return self._calculations

    def load(self, calculations: Calculations) -> None:
        """Take over the formulas of a configuration."""
        self._calculations = calculations
        self._is_input = np.zeros(len(self._tags), np.bool_)
        self._reach_us = {}
        for one in calculations.by_id.values():
            for tag in one.inputs.values():
                slot = self._tags.slot(tag)
                if slot >= 0:
                    self._is_input[slot] = True
                if one.has_memory or one.reach_us:
                    self._reach_us[tag] = max(self._reach_us.get(tag, 0), one.reach_us)
        self._remembered = {tag: self._remembered.get(tag, EMPTY) for tag in self._reach_us}
        self.is_seeded = not any(not len(series) for series in self._remembered.values())

    def to_seed(self) -> dict[int, int]:
        """Return the stored inputs whose past is wanted: tag -> how far back in microseconds."""
        return {tag: reach for tag, reach in self._reach_us.items() if tag not in self._calculations.by_id}

    def seed(self, past: Mapping[int, Series]) -> None:
        """Take over the stored past of inputs, below what was heard since."""
        for tag, series in past.items():
            if tag in self._remembered:
                known = self._remembered[tag]
                before = series.between(0, int(known.time_us[0])) if len(known) else series
                self._remembered[tag] = before.followed_by(known)
        self.is_seeded = True

    def of_batch(self, points: PointBlock, slots: type_slots, now_us: int) -> PointBlock | None:
        """Return calculated points of a batch in `latest.time_order`; None when it has no input of any formula."""
        if not self._calculations or not len(slots) or not self._is_input[slots].any():
            return None
        fresh = self._fresh(points, slots)
        return self._calculated(fresh, self._affected(fresh), now_us)

    def of_now(self, now_us: int) -> PointBlock | None:
        """Return what can be calculated from the newest values alone, of tags that have no value yet."""
        steps = [
            one
            for one in self._calculations.by_id.values()
            if (slot := self._tags.slot(one.tag)) >= 0 and not self._latest.time_us[slot]
        ]
        return self._calculated({}, steps, now_us) if steps else None

    def _fresh(self, points: PointBlock, slots: type_slots) -> dict[int, Series]:
        """Return the samples of inputs in a batch, by tag."""
        rows = np.flatnonzero(self._is_input[slots])
        mine = slots[rows]
        edges = np.concatenate([[0], np.flatnonzero(mine[1:] != mine[:-1]) + 1, [len(mine)]])
        found = {}
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            at = rows[low:high]
            value = points.value[at].copy()
            value[points.quality[at] >= Quality.BAD] = np.nan
            tag = int(self._tags.tag_ids[mine[low]])
            found[tag] = Series(points.time_us[at], value, points.quality[at])
            self._remember(tag, found[tag])
        return found

    def _affected(self, fresh: Mapping[int, Series]) -> list[Calculated]:
        """Return what must be calculated, in order; what is calculated is an input of others."""
        changed = set(fresh)
        steps = []
        for one in self._calculations.by_id.values():
            if not changed.isdisjoint(one.inputs.values()):
                steps.append(one)
                changed.add(one.tag)
        return steps

    def _calculated(self, fresh: dict[int, Series], steps: Iterable[Calculated], now_us: int) -> PointBlock | None:
        found: dict[int, Series] = {}
        for one in steps:
            inputs = {name: self._input(one, tag, fresh) for name, tag in one.inputs.items()}
            changed = [fresh[tag] for tag in one.inputs.values() if tag in fresh]
            at_us = (
                np.unique(np.concatenate([series.time_us for series in changed]))
                if changed
                else moments(inputs, 0, 2**62)[-1:]
            )
            if not len(at_us):
                continue
            axis = np.unique(np.concatenate([moments(inputs, 0, 2**62), at_us])) if one.has_memory else at_us
            value, quality = calculate(one.tree, inputs, axis)
            place = np.searchsorted(axis, at_us)
            found[one.tag] = fresh[one.tag] = Series(at_us, value[place], quality[place])
            if self._is_input[self._tags.slot(one.tag)]:
                self._remember(one.tag, found[one.tag])
        known = {tag: series for tag, series in found.items() if len(series)}
        return self._block(known, now_us) if known else None

    def _input(self, one: Calculated, tag: int, fresh: Mapping[int, Series]) -> Input:
        """Return an input's samples: those kept, or the newest value and what the batch brought."""
        if one.has_memory and tag in self._remembered:
            return Input(*self._remembered[tag])
        slot = self._tags.slot(tag)
        newest = EMPTY
        if slot >= 0 and self._latest.time_us[slot]:
            quality = int(self._latest.quality[slot])
            value = np.nan if quality >= Quality.BAD else float(self._latest.value[slot])
            newest = Series(
                self._latest.time_us[slot : slot + 1].copy(), np.array([value]), np.array([quality], np.uint8)
            )
        return Input(*_in_order(newest, fresh.get(tag, EMPTY)))

    def _remember(self, tag: int, series: Series) -> None:
        reach_us = self._reach_us.get(tag)
        if reach_us is None:
            return
        whole = _in_order(self._remembered.get(tag, EMPTY), series)
        oldest = int(np.searchsorted(whole.time_us, int(whole.time_us[-1]) - reach_us)) - KEPT_BEFORE
        self._remembered[tag] = whole.part(slice(max(0, oldest, len(whole) - MOST_REMEMBERED), None))

    def _block(self, found: Mapping[int, Series], now_us: int) -> PointBlock:
        tags = sorted(found, key=self._tags.slot)
        size = sum(len(found[tag]) for tag in tags)
        return PointBlock(
            np.concatenate([np.full(len(found[tag]), tag, np.uint32) for tag in tags]),
            np.concatenate([found[tag].time_us for tag in tags]),
            np.concatenate([found[tag].value for tag in tags]),
            np.concatenate([found[tag].quality for tag in tags]),
            np.zeros(size, np.uint64),
            np.full(size, now_us, np.int64),
        )


def _in_order(before: Series, series: Series) -> Series:
    """Return samples of both in order of time; of one moment the later given one stays."""
    if not len(before) or not len(series) or series.time_us[0] > before.time_us[-1]:
        return before.followed_by(series)
    both = before.followed_by(series)
    order = np.argsort(both.time_us, kind="stable")
    last = np.ones(len(order), np.bool_)
    last[:-1] = both.time_us[order][1:] != both.time_us[order][:-1]
    chosen = order[last]
    return Series(both.time_us[chosen], both.value[chosen], both.quality[chosen])
