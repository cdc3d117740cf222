"""Calendars and capacities as flat arrays that reach far enough: what the kernels search with bisection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.calendars import FOREVER, merged, refuse_too_far
from yuheng.engines.schedule.parts import Calendar, Interval, Machine, Operator, Resource
from yuheng.engines.schedule.people import Pool

type_ints = npt.NDArray[np.int64]
type_times = tuple[type_ints, type_ints]
"""Starts and ends of open intervals, sorted, disjoint, not touching."""


def open_arrays(calendar: Calendar | None, closures: Sequence[Interval], covered: int) -> type_times:
    """Return the open times in [0, covered), vectorised; the last interval reaches from ``covered`` to `FOREVER`.

    That tail lets no search run dry. A plan that uses it is refused (`HorizonTooShort`), so it is never a lie.
    """
    if calendar is None:
        starts, ends = np.zeros(1, np.int64), np.full(1, FOREVER, np.int64)
        return _cut(starts, ends, closures)
    week = merged(calendar.intervals)
    starts = np.array([start for start, _end in week], np.int64)
    ends = np.array([end for _start, end in week], np.int64)
    if calendar.period is not None and len(week):
        refuse_too_far(calendar, covered)
        periods = np.arange(-(-covered // calendar.period), dtype=np.int64)[:, None] * calendar.period
        starts, ends = (periods + starts).ravel(), (periods + ends).ravel()
        if week[0][0] == 0 and week[-1][1] == calendar.period:
            starts, ends = _joined(starts, ends)
    starts, ends = _cut(starts, ends, calendar.closures)
    if calendar.extra:
        both = merged([*zip(starts.tolist(), ends.tolist(), strict=True), *calendar.extra])
        starts, ends = np.array(both, np.int64).reshape(-1, 2).T
    starts, ends = _cut(starts, ends, closures)
    inside = starts < covered
    starts, ends = starts[inside], np.minimum(ends[inside], covered)
    return _joined(np.append(starts, covered), np.append(ends, FOREVER))


def _joined(starts: type_ints, ends: type_ints) -> type_times:
    gap = np.ones(len(starts) + 1, bool)
    gap[1:-1] = starts[1:] > ends[:-1]
    return np.ascontiguousarray(starts[gap[:-1]]), np.ascontiguousarray(ends[gap[1:]])


def _cut(starts: type_ints, ends: type_ints, closures: Iterable[Interval]) -> type_times:
    """Remove closed times; each touches only the intervals it meets."""
    for closed_from, closed_to in merged(closures):
        first = int(np.searchsorted(ends, closed_from, side="right"))
        last = int(np.searchsorted(starts, closed_to, side="left"))
        if first >= last:
            continue
        left = [(int(starts[first]), closed_from)] if starts[first] < closed_from else []
        right = [(closed_to, int(ends[last - 1]))] if ends[last - 1] > closed_to else []
        kept = np.array([*left, *right], np.int64).reshape(-1, 2)
        starts = np.concatenate((starts[:first], kept[:, 0], starts[last:]))
        ends = np.concatenate((ends[:first], kept[:, 1], ends[last:]))
    return starts, ends


@dataclass(frozen=True, slots=True)
class Calendars:
    """CSR of open intervals: calendar ``c`` has those from ``ptr[c]`` to ``ptr[c + 1]``.

    ``work[i]`` is the open time of its calendar before interval ``i``. ``of_machine`` is −1 for always open.
    """

    of_machine: type_ints
    ptr: type_ints
    start: type_ints
    end: type_ints
    work: type_ints


def compile_calendars(machines: Sequence[Machine], calendars: Sequence[Calendar], covered: int) -> Calendars:
    """Compile every distinct pair of calendar and closures once."""
    by_id = {calendar.id: calendar for calendar in calendars}
    code: dict[tuple[object, ...], int] = {}
    times: list[type_times] = []
    of_machine = np.full(len(machines), -1, np.int64)
    for k, machine in enumerate(machines):
        if machine.calendar is None and not machine.closures:
            continue
        key = (machine.calendar, machine.closures)
        if key not in code:
            code[key] = len(times)
            calendar = None if machine.calendar is None else by_id[machine.calendar]
            times.append(open_arrays(calendar, machine.closures, covered))
        of_machine[k] = code[key]
    ptr = np.zeros(len(times) + 1, np.int64)
    np.cumsum([len(starts) for starts, _ends in times], out=ptr[1:])
    empty = np.zeros(0, np.int64)
    work = [np.concatenate((np.zeros(1, np.int64), np.cumsum(ends - starts)[:-1])) for starts, ends in times]
    return Calendars(
        of_machine,
        ptr,
        np.concatenate([starts for starts, _ends in times] or [empty]),
        np.concatenate([ends for _starts, ends in times] or [empty]),
        np.concatenate(work or [empty]),
    )


@dataclass(frozen=True, slots=True)
class Capacities:
    """CSR of step functions: resource ``r`` has ``value[i]`` units from ``time[i]`` until ``time[i + 1]``."""

    ptr: type_ints
    time: type_ints
    value: type_ints


def compile_capacities(
    resources: Sequence[Resource],
    pools: Sequence[Pool],
    operators: Sequence[Operator],
    calendars: Sequence[Calendar],
    covered: int,
) -> Capacities:
    """Compile resources, then pools of people; behind ``covered`` everything is there at its most."""
    by_id = {calendar.id: calendar for calendar in calendars}
    steps: list[type_times] = []
    for resource in resources:
        calendar = None if resource.calendar is None else by_id[resource.calendar]
        starts, ends = open_arrays(calendar, (), covered)
        units = np.full(len(starts), resource.capacity, np.int64)
        changes = np.array(resource.changes, np.int64).reshape(-1, 3)
        at = np.concatenate((starts, ends, changes[:, 0], changes[:, 1]))
        by = np.concatenate((units, -units, changes[:, 2], -changes[:, 2]))
        steps.append(_stepped(at, by, covered))
    there = [
        open_arrays(None if p.calendar is None else by_id[p.calendar], p.absences, covered)
        for p in (operators if pools else ())
    ]
    for pool in pools:
        starts = np.concatenate([there[k][0] for k in pool.people])
        ends = np.concatenate([there[k][1] for k in pool.people])
        by = np.concatenate((np.ones(len(starts), np.int64), -np.ones(len(ends), np.int64)))
        steps.append(_stepped(np.concatenate((starts, ends)), by, covered))
    ptr = np.zeros(len(steps) + 1, np.int64)
    np.cumsum([len(times) for times, _values in steps], out=ptr[1:])
    empty = np.zeros(0, np.int64)
    return Capacities(
        ptr,
        np.concatenate([times for times, _values in steps] or [empty]),
        np.concatenate([values for _times, values in steps] or [empty]),
    )


def _stepped(at: type_ints, by: type_ints, covered: int) -> type_times:
    """Sum changes into a step function that starts at 0; units never below 0."""
    times, position = np.unique(np.append(at, 0), return_inverse=True)
    change = np.zeros(len(times), np.int64)
    np.add.at(change, position, np.append(by, 0))
    level = np.maximum(np.cumsum(change), 0)
    most = int(level[times <= covered].max())
    keep = (times >= 0) & (times < covered)
    keep[1:] &= (level[1:] != level[:-1]) | ~keep[:-1]
    return np.append(times[keep], covered), np.append(level[keep], most)
