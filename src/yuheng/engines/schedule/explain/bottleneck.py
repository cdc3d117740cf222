"""The bottleneck: what the plan waits for most, and what one more hour of it is worth.

Candidates are what late orders wait for, by the weight of the orders; else the busiest machine. The value is measured,
not derived: the plan's own order is decoded once as it is and once with an hour more of the candidate, put where most
waiting lies. So set-ups, calendars and everything behind the machine have their say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays
from yuheng.engines.schedule.decode import NoPlan, by_order, new_board
from yuheng.engines.schedule.explain.floor import Floor
from yuheng.engines.schedule.explain.story import Share, late_orders, story
from yuheng.engines.schedule.explain.words import SECONDS, Said, Words
from yuheng.engines.schedule.faults import gettext_noop
from yuheng.engines.schedule.layout import lay_out
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.scoring import Scorer, scorer

type_ints = npt.NDArray[np.int64]

STORIES = 200
"""So many late orders, the costliest, say what is waited for."""
CANDIDATES = 6
PLACES = 4
MANY = 10_000
"""From so many operations on, fewer places are tried."""

_LATE = gettext_noop(
    "The bottleneck is %(what)s: late orders wait %(time)s for it. One more hour of it saves %(worth)s of %(of)s."
)
_BUSY = gettext_noop(
    "The bottleneck is %(what)s: it works %(time)s until the end. One more hour of it saves %(worth)s of %(of)s."
)


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What limits a plan.

    Parameters
    ----------
    machine, resource
        Index of one of them, the other is −1.
    waited
        Ticks that late orders wait for it; 0 when none is late, and it is then the busiest machine.
    worked
        Ticks it works in the plan (machines).
    value
        How much the objective falls with one more hour (one more tick where a tick has no known length).
    """

    machine: int
    resource: int
    waited: int
    worked: int
    value: float


def bottleneck(floor: Floor, objective: Objective | None = None) -> Bottleneck | None:
    """Find the bottleneck of a feasible plan; ``None`` when nothing is planned.

    Notes
    -----
    About a dozen decodings of the whole plan.
    """
    objective = objective or Objective()
    waited, places = _waited(floor)
    worked = _worked(floor)
    if not worked.any():
        return None
    hour = hour_of(floor)
    trial = _Trial(floor, scorer(floor.problem, floor.arrays, objective, floor.plan), hour)
    enough = CANDIDATES if floor.arrays.n < MANY else CANDIDATES // 2
    names = sorted(waited, key=lambda key: -waited[key][0])[:enough]
    names = names or [(int(worked.argmax()), -1)]
    found = []
    for machine, resource in names:
        where = places.get((machine, resource), []) or list(_spread(floor, machine))
        value = max(trial.saved(machine, resource, at) for at in where)
        ticks = waited[machine, resource][1] if (machine, resource) in waited else 0
        found.append(Bottleneck(machine, resource, ticks, int(worked[machine]) if machine >= 0 else 0, value))
    return max(found, key=lambda row: (row.value, row.waited, row.worked))


def hour_of(floor: Floor) -> int:
    """Ticks of an hour; 1 where the length of a tick is not known."""
    return max(1, 3600 // SECONDS.get(floor.problem.time_unit, 3600))


def bottleneck_said(floor: Floor, found: Bottleneck, words: Words, objective: Objective) -> Said:
    """Name the bottleneck and its hour's value."""
    what = floor.arrays.resource_ids[found.resource] if found.machine < 0 else floor.problem.machines[found.machine].id
    first = objective.terms[0][0]
    worth = words.time(round(found.value)) if first != "late" else str(round(found.value))
    values = {"what": what, "worth": worth, "of": str(objective)}
    if found.waited:
        return Said("bottleneck", _LATE, {**values, "time": words.time(found.waited)})
    return Said("bottleneck", _BUSY, {**values, "time": words.time(found.worked)})


def _waited(
    floor: Floor,
) -> tuple[dict[tuple[int, int], tuple[float, int]], dict[tuple[int, int], list[int]]]:
    """Return (weighted ticks, ticks) that late orders wait by (machine, resource), and when the waiting begins."""
    totals: dict[tuple[int, int], tuple[float, int]] = {}
    begins: dict[tuple[int, int], list[int]] = {}
    for j in late_orders(floor)[:STORIES]:
        weight = floor.problem.jobs[j].weight
        for segment in story(floor, j).segments:
            if segment.share in {Share.MACHINE, Share.SETUP}:
                key = (segment.machine, -1)
            elif segment.share in {Share.PEOPLE, Share.RESOURCE}:
                key = (-1, segment.resource)
            else:
                continue
            cost, ticks = totals.get(key, (0.0, 0))
            totals[key] = (cost + weight * segment.ticks, ticks + segment.ticks)
            begins.setdefault(key, []).append(segment.start)
    several = PLACES if floor.arrays.n < MANY else 2
    places = {
        key: np.unique(np.quantile(ticks, np.linspace(0.0, 0.75, several), method="lower")).astype(int).tolist()
        for key, ticks in begins.items()
    }
    return totals, places


def _worked(floor: Floor) -> type_ints:
    """Ticks of work by machine."""
    worked = np.zeros(len(floor.problem.machines), np.int64)
    for i, m in enumerate(floor.machine):
        if m >= 0:
            worked[m] += floor.work(i)
    return worked


def _spread(floor: Floor, machine: int) -> Iterator[int]:
    """The beginning, and the middle, of what a machine does."""
    rows = floor.on_machine[machine]
    yield floor.start[rows[0]]
    yield floor.start[rows[len(rows) // 2]]


class _Trial:
    """Decodes the plan's own order, with and without an hour more."""

    def __init__(self, floor: Floor, scorer_: Scorer, hour: int) -> None:
        self.floor, self.scorer, self.hour = floor, scorer_, hour
        self.mode = floor.plan.modes(floor.arrays)
        self.before = self._value(floor.arrays)

    def saved(self, machine: int, resource: int, at: int) -> float:
        """How much the objective falls with an hour more of a machine or a resource from a tick on."""
        if self.before is None:
            return 0.0
        after = self._value(self._quicker(machine, resource, at))
        return 0.0 if after is None else max(0.0, self.before - after)

    def _value(self, arrays: Arrays) -> float | None:
        present = self.mode >= 0
        board = new_board(lay_out(arrays), present.astype(np.int64))
        try:
            by_order(board, np.where(present, self.floor.plan.start, 1 << 40), self.mode, keep_order=True)
        except NoPlan:
            return None
        return self.scorer.value(self.scorer.terms(board.mode, board.start, board.end))

    def _quicker(self, machine: int, resource: int, at: int) -> Arrays:
        """An hour of its work from a tick on is done elsewhere, at the same time."""
        floor = self.floor
        durations = floor.arrays.mode_duration.copy()
        left = self.hour
        for i in floor.on_machine[machine] if machine >= 0 else self._holders(resource):
            if floor.end[i] > at and left:
                cut = min(left, int(durations[self.mode[i]]) - 1)
                durations[self.mode[i]] -= cut
                left -= cut
        return replace(floor.arrays, mode_duration=durations)

    def _holders(self, resource: int) -> list[int]:
        """Operations that hold a resource, in order of time."""
        arrays = self.floor.arrays
        owner = np.repeat(np.arange(arrays.n), np.diff(arrays.dem_ptr))
        holders = owner[(arrays.dem_res == resource) & (self.mode[owner] >= 0)].tolist()
        return sorted(holders, key=lambda i: self.floor.start[i])
