"""Calendars in the model: open ticks before an operation's start and end, as linear expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ortools.sat.python import cp_model

from yuheng.engines.schedule.cpsat.task import Ints, NotModelled, Timing

if TYPE_CHECKING:
    from yuheng.engines.schedule.cpsat.model import Model

MOST_INTERVALS = 400
"""Open intervals in which one operation could start: beyond, the model is larger than what it can be worth."""


class WorkingTime:
    """Working time of operations on the calendars of their machines.

    For an operation and a calendar, one literal for every open interval says that it starts there; others, that it
    ends there. Inside a known interval, open ticks and ticks differ by a constant.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._begins: dict[tuple[int, int], dict[int, Any]] = {}
        self._ends: dict[tuple[int, int], dict[int, Any]] = {}

    def takes(self, i: int, k: int, work: Any) -> None:
        """Mode ``k`` of operation ``i`` works ``work`` ticks (a number or a variable) on its machine's calendar."""
        model = self._model
        worked = self.before_end(i, k) - self.before_start(i, k)
        model.cp.add(worked == work).only_enforce_if(model.mode[k])

    def before_start(self, i: int, k: int) -> Any:
        """Open ticks before the start, true when mode ``k`` is chosen."""
        model, calendar = self._model, self._calendar(k)
        if model.arrays.fixed_start[i] >= 0:  # perhaps in closed time: reality keeps no calendar
            return self.before_tick(int(model.arrays.mode_machine[k]), int(model.arrays.fixed_start[i]))
        if calendar < 0:
            return model.start[i]
        if (i, calendar) not in self._begins:
            self._begins[i, calendar] = self._starting(i, calendar)
        return self._open_ticks(model.start[i], calendar, self._begins[i, calendar])

    def before_end(self, i: int, k: int) -> Any:
        """Open ticks before the end, true when mode ``k`` is chosen."""
        model, calendar = self._model, self._calendar(k)
        if calendar < 0:
            return model.end[i]
        if (i, calendar) not in self._ends:
            self._ends[i, calendar] = self._ending(i, k, calendar)
        return self._open_ticks(model.end[i], calendar, self._ends[i, calendar])

    def before_tick(self, m: int, tick: int) -> int:
        """Open ticks of a machine before a tick."""
        calendar = int(self._model.arrays.cal_of_machine[m])
        if calendar < 0:
            return tick
        starts, ends, work = self._slice(calendar)
        k = int(np.searchsorted(starts, tick, side="right")) - 1
        return 0 if k < 0 else int(work[k] + min(tick, int(ends[k])) - starts[k])

    def pieces(self, i: int, calendar: int) -> list[Any]:
        """Return intervals that cover exactly the open time between start and end on one calendar.

        They are present where a mode of that calendar is chosen.
        """
        model = self._model
        modes = [k for k in model.modes_of(i) if self._calendar(k) == calendar]
        if calendar < 0 or not model.arrays.interruptible[i]:
            is_there = model.cp.new_bool_var(f"a{i}_{calendar}")
            model.cp.add(is_there == sum(model.mode[k] for k in modes))
            return [model.cp.new_optional_interval_var(model.start[i], model.size[i], model.end[i], is_there, f"h{i}")]
        for k in modes:
            self.before_start(i, k), self.before_end(i, k)
        starts, ends, _work = self._slice(calendar)
        begins, finishes = self._begins.get((i, calendar)), self._ends[i, calendar]
        if begins is None:  # a fact: it begins where it began
            first = int(np.searchsorted(ends, model.arrays.fixed_start[i], side="right"))
            begins = {first: sum(model.mode[k] for k in modes)}
        found = []
        for where in range(min(begins), max(finishes) + 1):
            low, high = int(starts[where]), int(ends[where])
            runs = sum(literal for at, literal in begins.items() if at <= where)
            runs = runs - sum(literal for at, literal in finishes.items() if at < where)
            is_there = model.cp.new_bool_var(f"a{i}_{where}")
            model.cp.add(is_there == runs)
            since = model.cp.new_int_var(low, high, f"p{i}_{where}")
            until = model.cp.new_int_var(low, high, f"u{i}_{where}")
            here, there = begins.get(where), finishes.get(where)
            if here is not None and isinstance(here, cp_model.IntVar):
                model.cp.add(since == model.start[i]).only_enforce_if(here)
                model.cp.add(since == low).only_enforce_if([is_there, ~here])
            else:
                first = low if here is None else max(low, int(model.arrays.fixed_start[i]))
                model.cp.add(since == first).only_enforce_if(is_there)
            if there is not None:
                model.cp.add(until == model.end[i]).only_enforce_if(there)
                model.cp.add(until == high).only_enforce_if([is_there, ~there])
            else:
                model.cp.add(until == high).only_enforce_if(is_there)
            length = model.cp.new_int_var(0, high - low, f"n{i}_{where}")
            found.append(model.cp.new_optional_interval_var(since, length, until, is_there, f"h{i}_{where}"))
        return found

    def hint(self, timing: Timing) -> None:
        """Say in which intervals a plan's operations lie."""
        for table, at in ((self._begins, timing.start), (self._ends, timing.end - 1)):
            for (i, calendar), literals in table.items():
                if timing.mode[i] < 0 or self._calendar(int(timing.mode[i])) != calendar:
                    continue
                starts, _ends, _work = self._slice(calendar)
                inside = int(np.searchsorted(starts, at[i], side="right")) - 1
                for where, literal in literals.items():
                    if table is self._begins or literal is not self._begins.get((i, calendar), {}).get(where):
                        self._model.cp.add_hint(literal, int(where == inside))

    def _calendar(self, k: int) -> int:
        arrays = self._model.arrays
        return int(arrays.cal_of_machine[arrays.mode_machine[k]])

    def _slice(self, calendar: int) -> tuple[Ints, Ints, Ints]:
        arrays = self._model.arrays
        part = slice(int(arrays.cal_ptr[calendar]), int(arrays.cal_ptr[calendar + 1]))
        return arrays.cal_start[part], arrays.cal_end[part], arrays.cal_work[part]

    def _open_ticks(self, tick: Any, calendar: int, literals: dict[int, Any]) -> Any:
        starts, _ends, work = self._slice(calendar)
        return tick - sum(int(starts[where] - work[where]) * literal for where, literal in literals.items())

    def _starting(self, i: int, calendar: int) -> dict[int, Any]:
        model = self._model
        starts, ends, _work = self._slice(calendar)
        first = int(np.searchsorted(ends, model.head[i], side="right"))
        literals = self._literals(i, calendar, first, f"b{i}_{calendar}")
        for where, literal in literals.items():
            model.cp.add(model.start[i] >= int(starts[where])).only_enforce_if(literal)
            model.cp.add(model.start[i] < int(ends[where])).only_enforce_if(literal)
        return literals

    def _ending(self, i: int, k: int, calendar: int) -> dict[int, Any]:
        model = self._model
        starts, ends, _work = self._slice(calendar)
        if not model.arrays.interruptible[i]:
            self.before_start(i, k)
            literals = self._begins[i, calendar]  # in one piece: it ends in the interval in which it starts
        else:
            first = int(np.searchsorted(ends, model.early[i], side="left"))
            literals = self._literals(i, calendar, first, f"f{i}_{calendar}")
            for where, literal in literals.items():
                model.cp.add(model.end[i] > int(starts[where])).only_enforce_if(literal)
        for where, literal in literals.items():
            model.cp.add(model.end[i] <= int(ends[where])).only_enforce_if(literal)
        return literals

    def _literals(self, i: int, calendar: int, first: int, name: str) -> dict[int, Any]:
        model = self._model
        starts, _ends, _work = self._slice(calendar)
        last = max(int(np.searchsorted(starts, model.latest[i], side="right")), first + 1)
        if last - first > MOST_INTERVALS:
            raise NotModelled(f"{last - first} shifts in which one operation could start")
        literals = {where: model.cp.new_bool_var(f"{name}_{where}") for where in range(first, last)}
        modes = [model.mode[k] for k in model.modes_of(i) if self._calendar(k) == calendar]
        model.cp.add(sum(literals.values()) == sum(modes))
        return literals
