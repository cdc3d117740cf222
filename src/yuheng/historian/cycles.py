"""Cycles: stretches in which a condition holds, or from one count to the next; their curves laid over each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.bus.documents import Plant, StateRule, WorkUnit
from yuheng.bus.messages import Cycle, CyclesAnswer, CyclesQuestion, CycleStatistics, OverlayQuestion
from yuheng.engines.states.intervals import Change, derive
from yuheng.engines.states.rules import RuleSet, compile_rules
from yuheng.engines.states.vocabulary import UnitState
from yuheng.historian.rederive import read_changes, read_history, unit_events
from yuheng.historian.sampled import Series, statistics
from yuheng.historian.series import read_series
from yuheng.historian.spans import HOUR_US
from yuheng.historian.store import Store

DAY_US = 24 * HOUR_US
MAX_CYCLES = 5_000
MAX_STATISTICS = 20_000
"""Cycles times tags in one answer; fewer cycles are told when many tags are asked for."""
MAX_SPAN_US = 400 * DAY_US
MAX_INTERVALS = 200
MAX_OVERLAY_US = 40 * DAY_US
"""All intervals of one overlay together."""
COUNTER_ROLES = ("good_count", "cycle_count", "produced_count", "total_count", "count")
HELD_BACK_US = HOUR_US

type_spans = list[tuple[int, int]]


def cycles(store: Store, plant: Plant, q: CyclesQuestion) -> CyclesAnswer:
    """Answer a question. Raises `ValueError` with a sentence when it cannot be understood."""
    if q.end_us - q.start_us > MAX_SPAN_US:
        raise ValueError("Ask for at most 400 days of cycles at a time.")
    unit = _unit_asked(plant, q)
    find = _by_condition(store, unit, q.condition) if q.condition else _by_counter(store, _counter(plant, unit, q))
    avoid = _by_condition(store, unit, q.unless) if q.unless else None
    most = min(MAX_CYCLES, MAX_STATISTICS // max(1, len(q.tags)))
    wanted = min(q.last, most) if q.last else most
    found: type_spans = []
    from_us, more = q.end_us, False
    for low in _backwards(q.start_us, q.end_us):
        part = _fitting(find(low, q.end_us if not found else found[0][0]), q)
        # a cycle that the day's edge cuts off is found whole with the day before
        part = [span for span in part if span[0] > low or low == q.start_us]
        if avoid is not None and part:
            part = _without(part, avoid(part[0][0], part[-1][1]))
        found = [*part, *found]
        from_us = low
        if _whole_count(found, q) >= wanted:
            break
    if q.last:
        whole = [span for span in found if _is_whole(span, q)]
        found = whole[-wanted:]
        from_us = found[0][0] if found else from_us
    elif len(found) > wanted:
        found, more = found[-wanted:], True
        from_us = found[0][0]
    elif from_us > q.start_us:
        more = True
    return CyclesAnswer(_with_statistics(store, found, q), from_us, more)


def _backwards(start_us: int, end_us: int) -> Iterator[int]:
    """Yield where to begin looking, from the end back: a day, then two more, four, up to eight."""
    high, step = end_us, DAY_US
    while high > start_us:
        low = max(start_us, high - step)
        yield low
        high, step = low, min(step * 2, 8 * DAY_US)


def _is_whole(span: tuple[int, int], q: CyclesQuestion) -> bool:
    return span[0] > q.start_us and span[1] < q.end_us


def _whole_count(spans: Sequence[tuple[int, int]], q: CyclesQuestion) -> int:
    return sum(_is_whole(span, q) for span in spans)


def _fitting(spans: type_spans, q: CyclesQuestion) -> type_spans:
    longest = q.max_s * 1e6 if q.max_s > 0 else float("inf")
    return [span for span in spans if q.min_s * 1e6 <= span[1] - span[0] <= longest]


def _without(spans: type_spans, avoided: type_spans) -> type_spans:
    starts = np.array([low for low, _ in avoided], np.int64)
    ends = np.array([high for _, high in avoided], np.int64)
    # ends rise with starts: the first that ends after a span's start touches it when it begins before the span's end
    return [
        (low, high)
        for low, high in spans
        if (at := int(np.searchsorted(ends, low, side="right"))) >= len(starts) or starts[at] >= high
    ]


# ---- by condition ---------------------------------------------------------------------------------------------------


def _unit_asked(plant: Plant, q: CyclesQuestion) -> WorkUnit:
    """Return the unit that is meant; a tag alone is a unit with the symbol ``value``."""
    if q.work_unit_id is not None:
        found = next((unit for unit in plant.work_units if unit.id == q.work_unit_id), None)
        if found is None:
            raise ValueError("There is no such work unit.")
        return found
    if q.tag is None:
        raise ValueError("Say of which work unit or tag the cycles are asked for.")
    tag = next((tag for tag in plant.tags if tag.id == q.tag), None)
    if tag is None:
        raise ValueError("There is no such tag.")
    silence_s = max(60.0, tag.stale_after_s)
    return WorkUnit(0, 0, tag.address, "", {"value": tag.id}, no_data_after_s=silence_s)


def _by_condition(store: Store, unit: WorkUnit, condition: str) -> Callable[[int, int], type_spans]:
    rules = compile_rules([StateRule(int(UnitState.PRODUCING), condition)], unit.symbols)
    used = {symbol: tag for symbol, tag in unit.symbols.items() if symbol in rules.symbols}
    if not used:
        raise ValueError("The condition names no symbol: it holds always or never.")

    def find(start_us: int, end_us: int) -> type_spans:
        found = _holding(store, used, rules, silence_us(unit), start_us, end_us)
        return _cut(found, _silences(store, unit.id, start_us, end_us)) if unit.id and found else found

    return find


def silence_us(unit: WorkUnit) -> int:
    """Return after how much silence of the condition's own symbols nothing holds any more.

    A work unit is heard by any of its symbols, and its states know when it was silent; a tag alone has only itself.
    """
    return MAX_SPAN_US if unit.id else int(unit.no_data_after_s * 1e6)


def _silences(store: Store, unit_id: int, start_us: int, end_us: int) -> type_spans:
    changes = read_changes(store, [unit_id], start_us).get(unit_id, [])
    ends = [*(change.start_us for change in changes[1:]), end_us]
    return [
        (change.start_us, end)
        for change, end in zip(changes, ends, strict=False)
        if change.state == UnitState.NO_DATA and change.start_us < end_us
    ]


def _cut(spans: type_spans, silences: type_spans) -> type_spans:
    """End stretches where silence begins; what holds after it is another one.

    Examples
    --------
    >>> _cut([(0, 10), (20, 40)], [(25, 30), (39, 50)])
    [(0, 10), (20, 25), (30, 39)]
    """
    for low, high in silences:
        spans = [
            part
            for span in spans
            for part in ((span[0], min(span[1], low)), (max(span[0], high), span[1]))
            if part[0] < part[1] and not (part[0] < high and part[1] > low)
        ]
    return spans


def _holding(
    store: Store, symbols: Mapping[str, int], rules: RuleSet, timeout_us: int, start_us: int, end_us: int
) -> type_spans:
    """Return the stretches in which the rules say PRODUCING."""
    history = read_history(store, sorted(symbols.values()), start_us, end_us)
    changes: list[Change] = derive(rules, timeout_us, unit_events(history, symbols, rules, timeout_us), until_us=end_us)
    ends = [*(change.start_us for change in changes[1:]), end_us]
    return [
        (max(change.start_us, start_us), min(end, end_us))
        for change, end in zip(changes, ends, strict=False)
        if change.state == UnitState.PRODUCING and end > start_us and change.start_us < end_us
    ]


# ---- by counter -----------------------------------------------------------------------------------------------------


def _counter(plant: Plant, unit: WorkUnit, q: CyclesQuestion) -> int:
    if q.tag is not None:
        return q.tag
    mine = set(unit.symbols.values()) | {tag.id for tag in plant.tags if tag.work_unit_id == unit.id}
    roles = (q.role,) if q.role else COUNTER_ROLES
    for role in roles:
        found = next((tag.id for tag in plant.tags if tag.id in mine and tag.role == role), None)
        if found is not None:
            return found
    raise ValueError("This work unit has no tag with the role of a counter; give a condition.")


def _by_counter(store: Store, tag: int) -> Callable[[int, int], type_spans]:
    def find(start_us: int, end_us: int) -> type_spans:
        series = read_series(store, [tag], start_us, end_us)[tag]
        return counted(series.good(), start_us, end_us)

    return find


def counted(series: Series, start_us: int, end_us: int) -> type_spans:
    """Return the stretches between increases of a counter; a fall (a reset) begins anew.

    Examples
    --------
    >>> import numpy as np
    >>> times = np.array([0, 10, 20, 30, 40, 50, 60])
    >>> counts = np.array([5.0, 5, 6, 6, 8, 0, 1])
    >>> counted(Series(times, counts, np.zeros(7, np.uint8)), 0, 100)
    [(0, 20), (20, 40), (60, 100)]
    """
    steps = np.diff(series.value)
    rises = np.flatnonzero(steps > 0) + 1
    falls = np.flatnonzero(steps < 0) + 1
    marks: list[int] = series.time_us[rises].tolist()
    resets: npt.NDArray[np.int64] = series.time_us[falls]
    inner = [mark for mark in marks if start_us <= mark < end_us]
    if not inner:
        return []
    edges = [start_us, *inner, end_us]
    spans = [(low, high) for low, high in pairwise(edges) if low < high]
    at = np.searchsorted(resets, [low for low, _ in spans], side="right")
    return [
        span for span, place in zip(spans, at.tolist(), strict=True) if place >= len(resets) or resets[place] > span[1]
    ]


# ---- statistics and curves ------------------------------------------------------------------------------------------


def _with_statistics(store: Store, spans: type_spans, q: CyclesQuestion) -> list[Cycle]:
    by_span: dict[tuple[int, int], list[CycleStatistics]] = {span: [] for span in spans}
    if q.tags:
        for part in _near(spans):
            low, high = part[0][0], part[-1][1]
            read: Mapping[int, Series] = read_series(store, q.tags, low, high)
            for span in part:
                by_span[span] = [
                    CycleStatistics(tag=tag, **statistics(read[tag], *span))  # type: ignore[arg-type]
                    for tag in dict.fromkeys(q.tags)
                ]
    return [Cycle(low, high, _is_whole((low, high), q), by_span[low, high]) for low, high in spans]


def _near(spans: type_spans) -> Iterator[type_spans]:
    """Yield neighbours that are read together: at most a day of samples at once."""
    part: type_spans = []
    for span in spans:
        if part and span[1] - part[0][0] > DAY_US:
            yield part
            part = []
        part.append(span)
    if part:
        yield part


def overlay(store: Store, q: OverlayQuestion) -> pa.Table:
    """Return the curves of some intervals, each counted from its own start. Raises `ValueError` with a sentence."""
    if not 1 <= len(q.intervals) <= MAX_INTERVALS:
        raise ValueError(f"Ask for 1 to {MAX_INTERVALS} intervals.")
    if any(low >= high for low, high in q.intervals):
        raise ValueError("The end must be after the start.")
    if sum(high - low for low, high in q.intervals) > MAX_OVERLAY_US:
        raise ValueError("The intervals are more than 40 days together. Ask for fewer or shorter ones.")
    width = min(max(q.width, 1), 5_000)
    step_us = max(1, -(-max(high - low for low, high in q.intervals) // width))
    order = sorted(range(len(q.intervals)), key=lambda at: q.intervals[at])
    parts: list[pa.Table] = []
    for near in _near_intervals(q.intervals, order):
        low = min(q.intervals[at][0] for at in near)
        high = max(q.intervals[at][1] for at in near)
        read = read_series(store, q.tags, low, high)
        parts += [_curve(read[tag], at, tag, q.intervals[at], step_us) for at in near for tag in dict.fromkeys(q.tags)]
    return pa.concat_tables(parts).sort_by([("cycle", "ascending"), ("tag", "ascending"), ("offset", "ascending")])


def _near_intervals(intervals: Sequence[tuple[int, int]], order: Sequence[int]) -> Iterator[list[int]]:
    part: list[int] = []
    for at in order:
        if part and intervals[at][0] > max(intervals[other][1] for other in part) + HELD_BACK_US:
            yield part
            part = []
        part.append(at)
    if part:
        yield part


def _curve(series: Series, cycle: int, tag: int, interval: tuple[int, int], step_us: int) -> pa.Table:
    start_us, end_us = interval
    inside = series.between(start_us, end_us).good()
    pixel = (inside.time_us - start_us) // step_us
    begins = np.flatnonzero(np.diff(pixel, prepend=-1)) if len(pixel) else np.empty(0, np.int64)
    ends = np.append(begins[1:], len(pixel)) - 1 if len(begins) else begins
    columns = {
        "offset": pixel[begins] * step_us,
        "min": np.minimum.reduceat(inside.value, begins) if len(begins) else np.empty(0),
        "max": np.maximum.reduceat(inside.value, begins) if len(begins) else np.empty(0),
        "first": inside.value[begins],
        "last": inside.value[ends],
        "count": (ends - begins + 1).astype(np.uint64),
    }
    before = int(np.searchsorted(series.time_us, start_us))
    held = float(series.value[before - 1]) if before else float("nan")
    if not np.isnan(held) and (not len(begins) or inside.time_us[0] > start_us + step_us):
        row = {"offset": 0, "min": held, "max": held, "first": held, "last": held, "count": 0}
        columns = {name: np.concatenate([[row[name]], column]).astype(column.dtype) for name, column in columns.items()}
    size = len(columns["offset"])
    return pa.table({"cycle": np.full(size, cycle, np.uint32), "tag": np.full(size, tag, np.uint32), **columns})
