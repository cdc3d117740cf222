"""What stands under the curves, tab by tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.http import HttpRequest

from yuheng.analysis.drawing import draw_histogram, draw_scatter
from yuheng.analysis.selectors import capsules, raw_rows, series, statistics
from yuheng.analysis.selectors.capsules import Capsule
from yuheng.analysis.selectors.tags import TrendTag
from yuheng.analysis.trend_query import BANDS, TrendQuery
from yuheng.analysis.words import KINDS, STATES
from yuheng.equipment.selectors import WorkUnitRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError

OVERLAY_WIDTH = 300


def as_dict(query: str) -> dict[str, str]:
    """Read the query of a kept address."""
    return dict(parse_qsl(query))


def given_of(request: HttpRequest) -> dict[str, str]:
    """Return the address' query; a name that stands there several times, joined by dots."""
    return {name: ".".join(request.GET.getlist(name)) for name in request.GET}


def part_context(
    actor: Actor,
    query: TrendQuery,
    tags: Sequence[TrendTag],
    units: Sequence[WorkUnitRow],
    given: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    """Return what the chosen tab shows; when it cannot be had, the sentence that says why (``trouble``)."""
    makers = {
        "statistics": _statistics,
        "capsules": _capsules,
        "overlay": _overlay,
        "histogram": _histogram,
        "scatter": _scatter,
        "raw": _raw,
    }
    base: dict[str, Any] = {"query": query, "tags": tags, "units": units, "given": given, "trouble": ""}
    base |= {"capsule_kinds": KINDS, "state_names": STATES, "band_names": BANDS}
    kept = {name: value for name, value in given.items() if name not in {"from", "to", "span", "at", "after"}}
    base["kept"] = urlencode(kept)
    base["fixed"] = urlencode({**kept, "from": _s(query.start_us), "to": _s(query.end_us)})
    if not tags:
        return base
    try:
        return base | makers[query.tab](actor, query, tags, units, given, now)
    except DomainError as error:
        return base | {"trouble": " ".join([str(error), *_said(error)])}


def _said(error: DomainError) -> list[str]:
    return [text for text in getattr(error, "fields", {}).values() if " " in text and text != str(error)]


def _s(us: int) -> str:
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"


def _statistics(
    actor: Actor, query: TrendQuery, tags: Sequence[TrendTag], units: Any, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    found = statistics.describe(
        actor=actor, tags=tags, spans_us=[(query.start_us, query.end_us)], low=query.low, high=query.high
    )
    unit_code = next((tag.unit_code for tag in tags if tag.is_number), "")
    return {"rows": found, "limit_unit": unit_code, "has_limits": query.low is not None or query.high is not None}


def _unit(query: TrendQuery, units: Sequence[WorkUnitRow]) -> WorkUnitRow | None:
    return next((unit for unit in units if unit.id == query.unit_id), units[0] if units else None)


def _capsules(
    actor: Actor, query: TrendQuery, tags: Any, units: Sequence[WorkUnitRow], given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    unit = _unit(query, units)
    if unit is None or (query.kind == "where" and not query.where):
        return {"capsules": [], "capsule_unit": unit}
    found = capsules.capsules(
        actor=actor, unit=unit, query=query, now=now, start_us=query.start_us, end_us=query.end_us
    )
    seconds = sorted(one.lasting_s for one in found)
    return {
        "capsules": found[::-1],
        "capsule_unit": unit,
        "picked": frozenset(query.picked),
        "total_s": sum(seconds),
        "median_s": seconds[len(seconds) // 2] if seconds else None,
    }


def _overlaid(
    actor: Actor, query: TrendQuery, units: Sequence[WorkUnitRow], now: datetime
) -> tuple[WorkUnitRow | None, list[Capsule]]:
    unit = _unit(query, units)
    if unit is None or (query.kind == "where" and not query.where):
        return unit, []
    found = capsules.last_capsules(actor=actor, unit=unit, query=query, now=now)
    return unit, [one for one in found if one.end_us > one.start_us]


def _overlay(
    actor: Actor,
    query: TrendQuery,
    tags: Sequence[TrendTag],
    units: Sequence[WorkUnitRow],
    given: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    """Compare the capsules in numbers; their curves are asked for by the island."""
    unit, found = _overlaid(actor, query, units, now)
    numbers = [tag for tag in tags if tag.is_number]
    described = statistics.describe(actor=actor, tags=numbers, spans_us=[(c.start_us, c.end_us) for c in found])
    by_place = {(one.tag.id, one.span): one for one in described}
    odd_s = statistics.outside([one.lasting_s for one in found])
    odd = {
        tag.id: statistics.outside([_mean(by_place.get((tag.id, index))) for index in range(len(found))])
        for tag in numbers
    }
    compared = [
        {
            "capsule": one,
            "is_odd": odd_s[index],
            "cells": [(by_place.get((tag.id, index)), odd[tag.id][index]) for tag in numbers],
        }
        for index, one in enumerate(found)
    ]
    return {"capsule_unit": unit, "compared": compared[::-1], "numbers": numbers}


def _mean(one: statistics.Description | None) -> float | None:
    return None if one is None else one.weighted


def overlay_body(
    actor: Actor, query: TrendQuery, tags: Sequence[TrendTag], units: Sequence[WorkUnitRow], now: datetime
) -> dict[str, Any]:
    """Return the capsules and their curves, as ``overlay.js`` draws them: the last one is the current one."""
    _unit_row, found = _overlaid(actor, query, units, now)
    numbers = [tag for tag in tags if tag.is_number]
    if not found or not numbers:
        return {"capsules": [], "curves": [], "step_us": 0, "tags": [tag.id for tag in numbers]}
    spans = capsules.span_pairs(found)
    longest = max(end - start for start, end in spans)
    return {
        "capsules": [[one.start_us, one.end_us, one.label, one.is_lasting] for one in found],
        "curves": series.overlaid(actor=actor, tags=numbers, spans_us=spans, width=OVERLAY_WIDTH),
        "step_us": series.step_of(0, longest, OVERLAY_WIDTH),
        "longest_us": longest,
        "tags": [tag.id for tag in numbers],
    }


def _histogram(
    actor: Actor, query: TrendQuery, tags: Sequence[TrendTag], units: Any, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    drawn = []
    for tag in tags:
        if tag.is_number:
            bars = statistics.histogram(actor=actor, tag=tag, start_us=query.start_us, end_us=query.end_us)
            drawn.append((tag, draw_histogram(bars), bars))
    return {"drawn": drawn}


def _scatter(
    actor: Actor, query: TrendQuery, tags: Sequence[TrendTag], units: Any, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    numbers = [tag for tag in tags if tag.is_number]
    if len(numbers) < 2:
        return {"numbers": numbers}
    across = next((tag for tag in numbers if str(tag.id) == given.get("across")), numbers[0])
    up = next((tag for tag in numbers if str(tag.id) == given.get("up")), numbers[1])
    pairs, correlation = statistics.scatter(
        actor=actor, across=across, up=up, start_us=query.start_us, end_us=query.end_us
    )
    return {
        "numbers": numbers,
        "across": across,
        "up": up,
        "cloud": draw_scatter(pairs),
        "pair_count": len(pairs),
        "correlation": correlation,
    }


def _raw(
    actor: Actor, query: TrendQuery, tags: Sequence[TrendTag], units: Any, given: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    tag = next((one for one in tags if str(one.id) == given.get("raw")), tags[0])
    page = raw_rows.raw_page(actor=actor, tag=tag, start_us=query.start_us, end_us=query.end_us, after=query.after)
    return {"raw_tag": tag, "page": page}
