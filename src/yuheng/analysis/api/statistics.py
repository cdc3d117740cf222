"""JSON edge: numbers about tags over a time, and kept views."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema
from pydantic import AwareDatetime

from yuheng.analysis.api.reasons import ids_of
from yuheng.analysis.selectors import saved, statistics, tags
from yuheng.analysis.selectors.saved import SavedViewRow
from yuheng.analysis.selectors.statistics import Description
from yuheng.analysis.trend_query import MAX_TAGS
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of
from yuheng.telemetry.rules import microseconds

router = Router(tags=["analysis"])


class StatisticsOut(Schema):
    """Numbers about a tag over a time, in ``unit`` (UCUM); null where nothing good was there.

    The integral is over the time in which a good value held (``covered_s``), in ``integral_unit``.
    """

    tag_id: int
    unit: str
    count: int
    good_count: int
    min: float | None
    max: float | None
    mean: float | None
    time_weighted_mean: float | None
    std: float | None
    p5: float | None
    p25: float | None
    median: float | None
    p75: float | None
    p95: float | None
    first: float | None
    last: float | None
    covered_s: float
    integral: float | None
    integral_unit: str
    above_s: float
    below_s: float


class SavedViewOut(Schema):
    """A kept view: open ``/trends?<query>``."""

    id: int
    name_zh: str
    name_en: str
    query: str
    is_shared: bool
    default_of_id: int | None
    owner: str
    changed_at: datetime


@router.get("/statistics", response=list[StatisticsOut])
def describe(
    request: HttpRequest,
    tags: str,
    start: AwareDatetime,
    end: AwareDatetime,
    low: float | None = None,
    high: float | None = None,
) -> list[dict[str, Any]]:
    """Describe tags (``1,2``; at most 12) over [start, end); ``low`` and ``high`` are limits in the tag's unit."""
    return _described(request, ids_of(tags), start, end, low, high)


def _described(
    request: HttpRequest, tag_ids: list[int], start: datetime, end: datetime, low: float | None, high: float | None
) -> list[dict[str, Any]]:
    actor = actor_of(request)
    actor.require(saved.VIEW)
    if not 0 < len(tag_ids) <= MAX_TAGS:
        raise InvalidInput(_("Ask for 1 to %(count)s tags.") % {"count": MAX_TAGS}, {"tags": str(len(tag_ids))})
    if end <= start:
        raise InvalidInput(_("The end must be after the start."), {"end": str(end)})
    shown = tags.trend_tags(actor=actor, tag_ids=tag_ids, as_stored=True)
    span = microseconds(start), microseconds(end)
    found = statistics.describe(actor=actor, tags=shown, spans_us=[span], low=low, high=high)
    return [_out(one) for one in found]


@router.get("/sites/{int:site_id}/views", response=list[SavedViewOut])
def list_views(request: HttpRequest, site_id: int) -> list[SavedViewRow]:
    """List your own kept views of a site and the shared ones."""
    return saved.saved_views(actor=actor_of(request), site_id=site_id)


def _out(one: Description) -> dict[str, Any]:
    p5, p25, median, p75, p95 = one.percentiles
    return {
        "tag_id": one.tag.id,
        "unit": one.tag.unit_code,
        "count": one.count,
        "good_count": one.good_count,
        "min": one.least,
        "max": one.most,
        "mean": one.mean,
        "time_weighted_mean": one.weighted,
        "std": one.std,
        "p5": p5,
        "p25": p25,
        "median": median,
        "p75": p75,
        "p95": p95,
        "first": one.first,
        "last": one.last,
        "covered_s": one.covered_s,
        "integral": one.integral,
        "integral_unit": one.integral_code,
        "above_s": one.above_s,
        "below_s": one.below_s,
    }
