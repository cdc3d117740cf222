"""Dispatching rules, their sweep, and lead times learned from the plans they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.arrays import Arrays, compile_problem
from yuheng.engines.schedule.dispatch import kernels
from yuheng.engines.schedule.dispatch.kernels import Desk, Floor
from yuheng.engines.schedule.parts import Job, Machine, Mode, Operation
from yuheng.engines.schedule.problem import Problem
from yuheng.engines.schedule.tardiness.layout import Costs

type_ints = npt.NDArray[np.int64]
type_floats = npt.NDArray[np.float64]
type_flag = npt.NDArray[np.uint8]
"""One byte that somebody sets who wants what there is."""

LOOK_AHEADS = (0.5, 1.0, 2.0, 4.0, 8.0)
LEAD_FACTORS = (1.0, 1.5, 2.0, 3.0)
SETUP_LOOK_AHEADS = (0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """How one ATC pass looks ahead: in mean durations, in shortest remaining work, in mean set-ups."""

    look_ahead: float
    lead_factor: float
    setup_look_ahead: float = 0.5


LEARNING = (Settings(1.0, 1.0), Settings(1.0, 1.5), Settings(2.0, 1.0), Settings(2.0, 1.5))
"""Settings with which lead times are learned."""


class Rule(IntEnum):
    """What goes first: apparent tardiness cost, due date, weighted shortest, slack, waiting, work left, shortest."""

    ATC = kernels.ATC
    EDD = kernels.EDD
    WSPT = kernels.WSPT
    SLACK = kernels.SLACK
    FIFO = kernels.FIFO
    MWKR = kernels.MWKR
    SPT = kernels.SPT
    GIVEN = kernels.GIVEN


class Dispatched(NamedTuple):
    """A complete plan: its cost, and absolute mode index, start and end of every operation."""

    value: float
    mode: type_ints
    start: type_ints
    end: type_ints


class Dispatcher:
    """Makes complete plans in milliseconds: one pass of a rule, a sweep over settings, learned lead times.

    Parameters
    ----------
    arrays
        A problem without the rules of `Arrays.needs_general`.
    costs
        By which plans are compared.
    """

    def __init__(self, arrays: Arrays, costs: Costs | None = None) -> None:
        self.arrays = arrays
        self.costs = costs or Costs()
        self._floor = _floor(arrays)
        self._desk = _desk(arrays)
        self._touched = np.zeros(arrays.machines, np.bool_)
        self._given = np.zeros(arrays.n)
        shortest = np.minimum.reduceat(arrays.mode_duration, arrays.op_ptr[:-1]) if arrays.n else np.zeros(0, np.int64)
        self.least_tail = _longest_after(arrays, shortest)
        self._mean = max(1.0, float(shortest.mean())) if arrays.n else 1.0
        asked = arrays.setup[arrays.setup > 0]
        self._mean_setup = float(asked.mean()) if len(asked) else 1.0
        self._ends = np.flatnonzero(arrays.is_job_end)

    def by_rule(
        self,
        rule: Rule,
        tail: type_floats | None = None,
        settings: Settings | None = None,
        given: type_floats | None = None,
    ) -> Dispatched:
        """Dispatch once.

        Parameters
        ----------
        tail
            Expected time from each operation's end to its order's completion; shortest remaining work if left out.
        settings
            Look-ahead of `Rule.ATC`.
        given
            Priorities of `Rule.GIVEN`, small first.
        """
        settings = settings or Settings(2.0, 1.0)
        desk = self._desk
        if self.arrays.n:
            kernels.dispatch(
                self._floor,
                desk,
                self._touched,
                int(rule),
                settings.lead_factor * self.least_tail if tail is None else tail,
                self._given if given is None else given,
                settings.look_ahead * self._mean,
                settings.setup_look_ahead * self._mean_setup,
            )
        return Dispatched(
            self.value(desk.mode, desk.start, desk.end), desk.mode.copy(), desk.start.copy(), desk.end.copy()
        )

    def sweep(self, stop: type_flag | None = None) -> Dispatched:
        """Best of 20 ATC passes (60 with set-ups), with the settings that made it in `best_settings`.

        ``stop``: no pass but the first begins after it becomes non-zero.
        """
        best, self.best_settings = None, Settings(2.0, 1.0)
        for settings in self._all_settings():
            if best is not None and _is_set(stop):
                break
            made = self.by_rule(Rule.ATC, settings=settings)
            if best is None or made.value < best.value:
                best, self.best_settings = made, settings
        assert best is not None
        return best

    def learn(
        self,
        start: Dispatched,
        settings: Settings,
        rounds: int,
        share: float = 0.5,
        stop: type_flag | None = None,
    ) -> Dispatched:
        """Dispatch again and again with the lead times that the last plan really had in place of the shortest ones.

        An operation in front of a congested part of the plant then becomes urgent early. The better the more rounds, up
        to about twenty; not monotone, the best plan is returned. ``stop`` ends it after a pass.
        """
        best = start
        tail = settings.lead_factor * self.least_tail
        end = start.end
        for _ in range(rounds):
            if _is_set(stop):
                break
            tail = (1.0 - share) * tail + share * (self.completions(end)[self.arrays.job] - end)
            made = self.by_rule(Rule.ATC, tail=tail, settings=settings)
            end = made.end
            if made.value < best.value:
                best = made
        return best

    def completions(self, end: type_ints) -> type_ints:
        """Completion of every order, ``(jobs,)``."""
        done = np.zeros(self.arrays.jobs, np.int64)
        np.maximum.at(done, self.arrays.job[self._ends], end[self._ends])
        return done

    def value(self, mode: type_ints, start: type_ints, end: type_ints) -> float:
        """Cost of a plan."""
        arrays, costs = self.arrays, self.costs
        if not arrays.n:
            return 0.0
        done = self.completions(end)
        late = done - arrays.due
        value = costs.tardiness * float((arrays.weight * np.maximum(late, 0)).sum())
        if costs.flow:
            first = np.full(arrays.jobs, np.iinfo(np.int64).max)
            np.minimum.at(first, arrays.job, arrays.release)
            has = np.unique(arrays.job)
            value += costs.flow * float((done[has] - first[has]).sum())
        if costs.late:
            value += costs.late * float((late > 0).sum())
        if costs.makespan:
            value += costs.makespan * float(done.max())
        if costs.setup:
            value += costs.setup * setup_total(arrays, mode, start)
        return value

    def _all_settings(self) -> Iterable[Settings]:
        looks = SETUP_LOOK_AHEADS if self.arrays.has_setups else (0.5,)
        return [Settings(k, b, s) for s in looks for k in LOOK_AHEADS for b in LEAD_FACTORS]


def setup_total(arrays: Arrays, mode: type_ints, start: type_ints) -> float:
    """Ticks of set-up in a plan."""
    machine = arrays.mode_machine[mode]
    order = np.lexsort((start, machine))
    total = 0
    for m in np.flatnonzero(arrays.setup_of_machine >= 0):
        family = arrays.family[order[machine[order] == m]]
        chain = np.concatenate((arrays.initial_family[m : m + 1], family))
        total += int(arrays.setup[arrays.setup_of_machine[m], chain[:-1], chain[1:]].sum())
    return float(total)


def sweep(arrays: Arrays, costs: Costs | None = None) -> Dispatched:
    """Best ATC plan over the usual settings; the plan that exists in milliseconds and every search begins with."""
    return Dispatcher(arrays, costs).sweep()


def first_plan(
    arrays: Arrays, costs: Costs | None = None, rounds: int = 20, stop: type_flag | None = None
) -> Dispatched:
    """Best ATC plan with learned lead times: five times the work of a sweep, the better start for a search.

    ``stop``: one byte; when it becomes non-zero the best plan so far is returned after the pass under way.
    """
    dispatcher = Dispatcher(arrays, costs)
    swept = dispatcher.sweep(stop)
    plans = [dispatcher.learn(swept, settings, rounds, 0.2, stop) for settings in LEARNING]
    return min(plans, key=lambda plan: plan.value)


def warm() -> None:
    """Compile the kernels, or read them from numba's cache on disk."""
    operation = Operation(id=0, job=0, modes=(Mode(0, 1),))
    sweep(compile_problem(Problem("warm", (Machine(0),), (Job(0),), (operation,), ())))


def _is_set(stop: type_flag | None) -> bool:
    return stop is not None and bool(stop[0])


def _longest_after(arrays: Arrays, length: type_ints) -> type_floats:
    """Longest chain of work and lags behind every operation."""
    tail = [0] * arrays.n
    pointers, later, lags = arrays.succ_ptr.tolist(), arrays.succ.tolist(), arrays.succ_lag.tolist()
    lengths = length.tolist()
    for i in reversed(arrays.topo.tolist()):
        for k in range(pointers[i], pointers[i + 1]):
            through = lags[k] + lengths[later[k]] + tail[later[k]]
            tail[i] = max(tail[i], through)
    return np.array(tail, np.float64)


def _floor(arrays: Arrays) -> Floor:
    machine_of = arrays.mode_machine[np.maximum(arrays.fixed_mode, 0)]
    fixed = np.flatnonzero((arrays.fixed_start >= 0) & (arrays.fixed_mode >= 0))
    fixed = fixed[np.lexsort((arrays.fixed_start[fixed], machine_of[fixed]))]
    counts = np.bincount(machine_of[fixed], minlength=arrays.machines)
    has = arrays.cal_of_machine >= 0
    calendar = np.where(has, arrays.cal_of_machine, 0)
    ends = arrays.cal_ptr[np.minimum(calendar + 1, len(arrays.cal_ptr) - 1)]
    # Copies, because the kernels are compiled for writable arrays and those of a worker may not be.
    return Floor(
        arrays.op_ptr.copy(),
        arrays.mode_machine.copy(),
        arrays.mode_duration.copy(),
        arrays.pred_ptr.copy(),
        arrays.succ_ptr.copy(),
        arrays.succ.copy(),
        arrays.succ_lag.copy(),
        arrays.release.copy(),
        arrays.due[arrays.job].astype(np.float64),
        arrays.weight[arrays.job],
        arrays.family.copy(),
        arrays.setup_of_machine.copy(),
        arrays.setup.copy(),
        arrays.initial_family.copy(),
        arrays.machine_free.copy(),
        np.where(has, arrays.cal_ptr[calendar], -1),
        np.where(has, ends, -1),
        np.ascontiguousarray(np.stack((arrays.cal_start, arrays.cal_end, arrays.cal_work), axis=1)),
        arrays.interruptible.copy(),
        np.where(arrays.fixed_mode >= 0, arrays.fixed_start, -1),
        arrays.fixed_mode.copy(),
        np.concatenate(([0], np.cumsum(counts))),
        fixed,
        np.concatenate(([0], np.cumsum(np.bincount(arrays.mode_machine, minlength=arrays.machines)))),
    )


def _desk(arrays: Arrays) -> Desk:
    n, machines, modes = arrays.n, arrays.machines, len(arrays.mode_machine)
    ints = np.int64
    return Desk(
        np.zeros(n, ints),
        np.zeros(n, ints),
        np.zeros(n, ints),
        np.zeros(n, ints),
        np.zeros(n, ints),
        np.zeros(2 * modes, ints),
        np.zeros(machines, ints),
        np.zeros(machines, ints),
        np.zeros(machines, ints),
        np.zeros(machines, ints),
        np.zeros(2 * (n + modes + machines) + 64, ints),
    )
