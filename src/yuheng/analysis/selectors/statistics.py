"""Numbers about a range or about many capsules; each leads to the rows it came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from yuheng.analysis.selectors.tags import TrendTag
from yuheng.kernel.actor import Actor
from yuheng.kernel.unit_symbols import symbol_of
from yuheng.telemetry.selectors import history

PER = {"/h": 3600.0, "/min": 60.0, "/s": 1.0}
SCATTER_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Description:
    """A tag in a span, in its shown unit; None where nothing good was there.

    ``integral`` is over the time in which a good value held, in ``integral_code`` (UCUM), written ``integral_unit``;
    ``weighted`` is the mean over time.
    """

    tag: TrendTag
    span: int
    start_us: int
    end_us: int
    count: int
    good_count: int
    least: float | None
    most: float | None
    least_at_us: int
    most_at_us: int
    mean: float | None
    weighted: float | None
    std: float | None
    percentiles: tuple[float | None, ...]
    first: float | None
    last: float | None
    covered_s: float
    integral: float | None
    integral_code: str
    integral_unit: str
    above_s: float
    below_s: float

    @property
    def coverage(self) -> float:
        """Share of the span in which a good value held."""
        return self.covered_s / ((self.end_us - self.start_us) / 1e6)


def describe(
    *,
    actor: Actor,
    tags: Sequence[TrendTag],
    spans_us: Sequence[tuple[int, int]],
    low: float | None = None,
    high: float | None = None,
) -> list[Description]:
    """Describe each tag in each span, by tag and span; spans without anything are left out.

    ``low`` and ``high`` are in the shown unit of the first tag, and hold for tags of the same unit.
    """
    numbers = [tag for tag in tags if tag.is_number]
    found: list[Description] = []
    if not numbers or not spans_us:
        return found
    for group in _of_one_unit(numbers):
        has_limits = group[0].unit_code == numbers[0].unit_code
        below, above = (group[0].back(low), group[0].back(high)) if has_limits else (None, None)
        table = history.describe(
            actor=actor, tag_ids=[tag.id for tag in group], spans_us=spans_us, low=below, high=above
        )
        by_id = {tag.id: tag for tag in group}
        found += [_description(row, by_id[row["tag"]], spans_us) for row in table.to_pylist()]
    order = {tag.id: number for number, tag in enumerate(numbers)}
    return sorted(found, key=lambda one: (order[one.tag.id], one.span))


def _of_one_unit(tags: Sequence[TrendTag]) -> list[list[TrendTag]]:
    """Group tags for which limits mean the same stored value."""
    groups: dict[tuple[str, float, float], list[TrendTag]] = {}
    for tag in tags:
        groups.setdefault((tag.unit_code, tag.factor, tag.offset), []).append(tag)
    return list(groups.values())


def _description(row: dict[str, Any], tag: TrendTag, spans_us: Sequence[tuple[int, int]]) -> Description:
    is_there = row["good_count"] > 0
    covered = row["covered_s"]

    def shown(value: float) -> float | None:
        return tag.show(value) if is_there and math.isfinite(value) else None

    start_us, end_us = spans_us[row["span"]]
    code, seconds = _integral_unit(tag.unit_code)
    spread = row["std"] * abs(tag.factor) if is_there and math.isfinite(row["std"]) else None
    return Description(
        tag=tag,
        span=row["span"],
        start_us=start_us,
        end_us=end_us,
        count=row["count"],
        good_count=row["good_count"],
        least=shown(row["min"]),
        most=shown(row["max"]),
        least_at_us=row["min_us"],
        most_at_us=row["max_us"],
        mean=shown(row["mean"]),
        weighted=tag.show(row["integral"] / covered) if covered > 0 else None,
        std=spread,
        percentiles=tuple(shown(value) for value in row["percentiles"]),
        first=shown(row["first"]),
        last=shown(row["last"]),
        covered_s=covered,
        integral=(row["integral"] * tag.factor + tag.offset * covered) / seconds if covered > 0 else None,
        integral_code=code,
        integral_unit=symbol_of(code),
        above_s=row["above_s"],
        below_s=row["below_s"],
    )


def _integral_unit(code: str) -> tuple[str, float]:
    """Return the unit of an integral over time, and how many seconds its unit of time has.

    Examples
    --------
    >>> _integral_unit("kW"), _integral_unit("m3/h"), _integral_unit("1")
    (('kW.h', 3600.0), ('m3', 3600.0), ('h', 3600.0))
    """
    for ending, seconds in PER.items():
        if code.endswith(ending) and code.count("/") == 1:
            return code.removesuffix(ending) or "1", seconds
    return ("h" if code == "1" else f"{code}.h"), 3600.0


# ---- histogram and scatter ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """``[low, high)`` in the shown unit, and how many good values lie in it."""

    low: float
    high: float
    count: int


def histogram(*, actor: Actor, tag: TrendTag, start_us: int, end_us: int, bins: int = 40) -> list[HistogramBar]:
    """Count a tag's good values by class; classes without values are there, too."""
    table = history.histogram(actor=actor, tag_id=tag.id, start_us=start_us, end_us=end_us, bins=bins)
    if not table.num_rows:
        return []
    lows, highs, counts = (table[name].to_numpy() for name in ("low", "high", "count"))
    width = float(highs[0] - lows[0])
    bars = [0] * (round(float(lows[-1] - lows[0]) / width) + 1)
    for low, count in zip(lows.tolist(), counts.tolist(), strict=True):
        bars[round((low - float(lows[0])) / width)] = int(count)
    found = []
    for number, count in enumerate(bars):
        edges = sorted(tag.show(float(lows[0]) + width * step) for step in (number, number + 1))
        found.append(HistogramBar(edges[0], edges[1], count))
    return found if tag.factor > 0 else found[::-1]


def scatter(
    *, actor: Actor, across: TrendTag, up: TrendTag, start_us: int, end_us: int
) -> tuple[list[tuple[float, float]], float | None]:
    """Return the means of two tags over the same short times, and their correlation (None: not to be had)."""
    bucket_us = max(1_000_000, -(-(end_us - start_us) // SCATTER_POINTS))
    if bucket_us > 60_000_000:  # whole minutes are answered from roll-ups
        bucket_us = -(-bucket_us // 60_000_000) * 60_000_000
    table = history.aggregate(
        actor=actor, tag_ids=[across.id, up.id], start_us=start_us, end_us=end_us, bucket_us=bucket_us
    )
    by_tag: dict[int, dict[int, float]] = {across.id: {}, up.id: {}}
    buckets = table["bucket"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    for tag_id, bucket, value in zip(table["tag"].to_pylist(), buckets, table["avg"].to_pylist(), strict=True):
        if value is not None and math.isfinite(value):
            by_tag[tag_id][bucket] = value
    pairs = [
        (across.show(value), up.show(by_tag[up.id][bucket]))
        for bucket, value in by_tag[across.id].items()
        if bucket in by_tag[up.id]
    ]
    if len(pairs) < 3:
        return pairs, None
    xs, ys = np.array(pairs).T
    if xs.std() == 0 or ys.std() == 0:
        return pairs, None
    return pairs, float(np.corrcoef(xs, ys)[0, 1])


def outside(values: Sequence[float | None]) -> list[bool]:
    """Return which values lie far from the others: beyond 1.5 times the middle half's width (Tukey, 1977).

    Examples
    --------
    >>> outside([10, 11, 10, 12, 11, 40, None])
    [False, False, False, False, False, True, False]
    """
    known = [value for value in values if value is not None]
    if len(known) < 5:
        return [False] * len(values)
    low, high = np.percentile(known, [25, 75])
    reach = 1.5 * (high - low)
    return [value is not None and not low - reach <= value <= high + reach for value in values]
