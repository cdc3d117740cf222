"""Curves: first, min, max and last of every pixel, in the units in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yuheng.analysis.selectors.tags import TrendTag
from yuheng.kernel.actor import Actor
from yuheng.telemetry.selectors import cycles, history

MAX_WIDTH = 8000
BAD_BUCKETS = 200
"""Bad quality is looked for in so many pieces of the picture: it is a mark, not a curve."""
MINUTE_US = 60_000_000

Floats = npt.NDArray[np.float64]


def curves(*, actor: Actor, tags: Sequence[TrendTag], start_us: int, end_us: int, width: int) -> list[dict[str, Any]]:
    """Columns of each tag, one entry a pixel that has good data.

    Returns
    -------
    list
        ``{"tag", "pixel", "first", "min", "max", "last", "count", "bad"}`` in the order asked for: ``pixel`` are
        indexes on the grid ``start_us + pixel * step_us`` (see `step_of`), the others columns of the same length;
        ``bad`` are spans ``[from_us, to_us]`` with samples of bad quality. Values are in the tag's shown unit.
    """
    numbers = [tag for tag in tags if tag.is_number]
    if not numbers:
        return []
    ids = [tag.id for tag in numbers]
    width = max(10, min(MAX_WIDTH, width))
    step = step_of(start_us, end_us, width)
    bucket_us = max(1, (end_us - start_us) // BAD_BUCKETS)
    if bucket_us > MINUTE_US:  # whole minutes are answered from roll-ups
        bucket_us = -(-bucket_us // MINUTE_US) * MINUTE_US
    table = history.pixels(actor=actor, tag_ids=ids, start_us=start_us, end_us=end_us, width=width)
    counts = history.aggregate(actor=actor, tag_ids=ids, start_us=start_us, end_us=end_us, bucket_us=bucket_us)
    bad = _bad_spans(counts, bucket_us)
    by_tag = _by_tag(table)
    return [_curve(tag, by_tag.get(tag.id), start_us, step, bad.get(tag.id, [])) for tag in numbers]


def step_of(start_us: int, end_us: int, width: int) -> int:
    """Length of a pixel in microseconds: how `queries.pixels` divides the range."""
    return max(1, -(-(end_us - start_us) // max(1, width)))


def _by_tag(table: pa.Table) -> dict[int, pa.Table]:
    ids = table["tag"].to_numpy()
    edges = np.flatnonzero(np.diff(ids)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(ids)]
    return {int(ids[a]): table.slice(a, b - a) for a, b in zip(starts, ends, strict=True) if b > a}


def _curve(tag: TrendTag, rows: pa.Table | None, start_us: int, step: int, bad: list[list[int]]) -> dict[str, Any]:
    empty = np.empty(0)
    if rows is None:
        return {"tag": tag.id, "pixel": [], "first": [], "min": [], "max": [], "last": [], "count": [], "bad": bad}
    times = rows["time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    columns: dict[str, Floats] = {name: _shown(rows[name].to_numpy(), tag) for name in ("first", "min", "max", "last")}
    if tag.factor < 0:
        columns["min"], columns["max"] = columns["max"], columns["min"]
    pixel = (times - start_us) // step if len(times) else empty
    return {"tag": tag.id, "pixel": pixel, **columns, "count": rows["count"].to_numpy().astype(np.int64), "bad": bad}


def _shown(values: Any, tag: TrendTag) -> Floats:
    found = np.asarray(values, np.float64)
    return found if tag.factor == 1.0 and tag.offset == 0.0 else found * tag.factor + tag.offset


def _bad_spans(table: pa.Table, bucket_us: int) -> dict[int, list[list[int]]]:
    counts, good = table["count"].to_numpy(), table["good_count"].to_numpy()
    rows = np.flatnonzero(counts > good)
    if not len(rows):
        return {}
    starts = table["bucket"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()[rows].tolist()
    found: dict[int, list[list[int]]] = {}
    for tag_id, start_us in zip(table["tag"].to_numpy()[rows].tolist(), starts, strict=True):
        found.setdefault(tag_id, []).append([start_us, start_us + bucket_us])
    return found


def overlaid(
    *, actor: Actor, tags: Sequence[TrendTag], spans_us: Sequence[tuple[int, int]], width: int
) -> list[list[dict[str, Any]]]:
    """Curves of each span on one grid of ``width`` pixels over the longest of them: one list of curves a span.

    ``pixel`` counts from the span's own start; the value that held then is its first one.
    """
    step = step_of(0, max(end - start for start, end in spans_us), width)
    table = cycles.overlay(actor=actor, tag_ids=[tag.id for tag in tags], intervals=spans_us, width=width)
    places, ids = table["cycle"].to_numpy(), table["tag"].to_numpy()
    found = []
    for place in range(len(spans_us)):
        curves_of_span = []
        for tag in tags:
            rows = table.filter(pa.array((places == place) & (ids == tag.id)))
            values = {name: _shown(rows[name].to_numpy(), tag) for name in ("first", "min", "max", "last")}
            if tag.factor < 0:
                values["min"], values["max"] = values["max"], values["min"]
            pixel = rows["offset"].to_numpy().astype(np.int64) // step
            count = rows["count"].to_numpy().astype(np.int64)
            curves_of_span.append({"tag": tag.id, "pixel": pixel, **values, "count": count})
        found.append(curves_of_span)
    return found
