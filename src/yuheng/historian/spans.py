"""Which stretches of a question hours, minutes and raw samples answer: each only where nothing is owed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000

MOST_RAW_SPANS = 200
"""More are fused over the shortest stretches between them: raw samples are right everywhere, only slower."""

NEAR_TAG_MINUTES = 60
"""Raw stretches nearer than so many minutes of a tag are read as one: at 1 Hz an hour of one tag costs what a stretch
does, 1 to 2 ms (a day of one tag with every fifth minute owed: 560 ms by stretches, 35 ms read whole)."""

type_spans = list[tuple[int, int]]
"""Half-open stretches of time in microseconds, in order, apart from each other."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Minutes and hours (their numbers since 1970, sorted) whose roll-ups of some tag asked for are not up to date."""

    minutes: npt.NDArray[np.int64]
    hours: npt.NDArray[np.int64]


NOTHING_OWED = Owed(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to read what; together they cover the question once."""

    hours: type_spans
    minutes: type_spans
    raw: type_spans


def plan(
    start_us: int, end_us: int, owed: Owed, *, use_minutes: bool = True, use_hours: bool = True, tags: int = 100
) -> Plan:
    """Return the plan for ``[start_us, end_us)`` and so many tags.

    Examples
    --------
    >>> plan(30_000_000, 2 * HOUR_US, NOTHING_OWED).raw, plan(0, 60, NOTHING_OWED).raw
    ([(30000000, 60000000)], [(0, 60)])
    """
    first, last = -(-start_us // MINUTE_US), end_us // MINUTE_US  # whole minutes
    if not use_minutes or first >= last:
        return Plan([], [], [(start_us, end_us)] if start_us < end_us else [])
    kind = np.ones(last - first, np.int8)  # 0 raw, 1 minute, 2 hour
    if use_hours:
        from_hour, to_hour = -(-first // 60), last // 60
        is_rolled = np.ones(max(0, to_hour - from_hour), np.bool_)
        is_rolled[_inside(owed.hours, from_hour, to_hour)] = False
        is_rolled[_inside(owed.minutes // 60, from_hour, to_hour)] = False
        kind[from_hour * 60 - first : to_hour * 60 - first][np.repeat(is_rolled, 60)] = 2
    kind[_inside(owed.minutes, first, last)] = 0
    edges = [(start_us, first * MINUTE_US), *_stretches(kind == 0, first), (last * MINUTE_US, end_us)]
    raw = fused(edges, MOST_RAW_SPANS, near_us=NEAR_TAG_MINUTES // max(tags, 1) * MINUTE_US)
    for low, high in raw:
        kind[max(0, low // MINUTE_US - first) : max(0, high // MINUTE_US - first)] = 0
    return Plan(_stretches(kind == 2, first), _stretches(kind == 1, first), raw)


def _inside(numbers: npt.NDArray[np.int64], first: int, last: int) -> npt.NDArray[np.int64]:
    """Return sorted numbers in ``[first, last)``, counted from ``first``."""
    return numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, max(first, last))] - first


def _stretches(mask: npt.NDArray[np.bool_], first: int) -> type_spans:
    steps = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    times = ((steps + first) * MINUTE_US).tolist()
    return list(zip(times[::2], times[1::2], strict=True))


def fused(spans: Sequence[tuple[int, int]], most: int, *, near_us: int = 0) -> type_spans:
    """Return spans without empty ones, those at most ``near_us`` apart joined, and at most ``most`` of them.

    Examples
    --------
    >>> fused([(0, 1), (1, 2), (3, 3), (4, 5), (9, 10)], 2)
    [(0, 5), (9, 10)]
    >>> fused([(0, 1), (3, 4), (9, 10)], 9, near_us=2)
    [(0, 4), (9, 10)]
    """
    joined: type_spans = []
    for low, high in spans:
        if low >= high:
            continue
        if joined and low - joined[-1][1] <= near_us:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    if len(joined) <= most:
        return joined
    gaps = np.array([after[0] - before[1] for before, after in pairwise(joined)])
    keep = set(np.argsort(gaps, kind="stable")[len(gaps) - (most - 1) :].tolist())
    wide = [joined[0]]
    for at, (low, high) in enumerate(joined[1:]):
        if at in keep:
            wide.append((low, high))
        else:
            wide[-1] = (wide[-1][0], high)
    return wide
