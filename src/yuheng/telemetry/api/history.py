"""JSON edge: the plant now and before."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of
from yuheng.telemetry.api.arguments import ids, moment_or_none, word
from yuheng.telemetry.formats import response_of, wanted_format
from yuheng.telemetry.rules import microseconds, moment
from yuheng.telemetry.selectors import history

router = Router(tags=["telemetry"])

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class UnitLiveOut(Schema):
    """A work unit now; ``seen`` is the newest source time of its tags (null: never heard)."""

    work_unit_id: int
    state: str
    cause: str
    since: datetime
    seen: datetime | None


class ValueLiveOut(Schema):
    """A tag now."""

    tag_id: int
    time: datetime
    value: float | str | None
    quality: int


class LiveOut(Schema):
    """The plant as it is now."""

    at: datetime
    data_time: datetime | None
    units: list[UnitLiveOut]
    values: list[ValueLiveOut]


@router.get("/live", response=LiveOut)
def live(request: HttpRequest, site_id: int, tags: str = "") -> dict[str, Any]:
    """Show the state of every work unit of a site now, and the newest values of ``tags=1,2`` (``all``: of all)."""
    tag_ids = None if tags == "all" else ids(tags)
    snapshot = history.live_snapshot(actor=actor_of(request), site_id=site_id, tag_ids=tag_ids)
    return {
        "at": moment(snapshot.at_us),
        "data_time": moment_or_none(snapshot.data_time_us),
        "units": [
            {
                "work_unit_id": unit.work_unit_id,
                "state": word(unit.state),
                "cause": unit.cause,
                "since": moment(unit.since_us),
                "seen": moment_or_none(unit.seen_us),
            }
            for unit in snapshot.units
        ],
        "values": [
            {"tag_id": value.tag_id, "time": moment(value.time_us), "value": value.value, "quality": value.quality}
            for value in snapshot.values
        ],
    }


class SpanQuery(Schema):
    """Which tags (``1,2,3``), from when (inclusive) to when (exclusive); times are ISO 8601 with a zone."""

    tags: str
    start: AwareDatetime
    end: AwareDatetime
    format: Literal["", "json", "arrow", "parquet", "csv"] = ""

    def asked(self) -> dict[str, Any]:
        """Return the arguments of the selectors."""
        return {"tag_ids": ids(self.tags), "start_us": microseconds(self.start), "end_us": microseconds(self.end)}


class RawQuery(SpanQuery):
    """A page of raw values."""

    limit: Annotated[int, Field(ge=1, le=500_000)] = 100_000


class AggregateQuery(SpanQuery):
    """``bucket`` such as ``1m``, ``15m``, ``1h``, ``1d``."""

    bucket: str = "1h"


class PixelsQuery(SpanQuery):
    """``width`` in pixels."""

    width: Annotated[int, Field(ge=1, le=10_000)] = 1000


@router.get("/history/latest")
def latest(request: HttpRequest, tags: str, at: AwareDatetime | None = None, format: str = "") -> HttpResponse:
    """Newest value of each tag: tag, time, value, quality, arrived, text; with ``at``, as it was known then."""
    at_us = None if at is None else microseconds(at)
    return _shaped(request, history.latest(actor=actor_of(request), tag_ids=ids(tags), at_us=at_us), "latest")


@router.get("/history/raw")
def raw(request: HttpRequest, query: Query[RawQuery]) -> HttpResponse:
    """Values as they came: tag, time, seq, value, text, quality, arrived.

    At most ``limit`` rows, ordered by tag, time and sequence; page on with ``start`` = the last time.
    """
    return _shaped(request, history.raw(actor=actor_of(request), limit=query.limit, **query.asked()), "raw")


@router.get("/history/aggregate")
def aggregate(request: HttpRequest, query: Query[AggregateQuery]) -> HttpResponse:
    """Values by bucket: tag, bucket, min, max, avg, count, first, last, time_weighted_avg, good_count."""
    table = history.aggregate(actor=actor_of(request), bucket_us=_bucket_us(query.bucket), **query.asked())
    return _shaped(request, table, "aggregate")


@router.get("/history/pixels")
def pixels(request: HttpRequest, query: Query[PixelsQuery]) -> HttpResponse:
    """One row a pixel that has data: tag, time, min, max, first, last, count; so peaks survive."""
    return _shaped(request, history.pixels(actor=actor_of(request), width=query.width, **query.asked()), "pixels")


@router.get("/history/increase")
def increase(request: HttpRequest, query: Query[SpanQuery]) -> HttpResponse:
    """Growth of counters: tag, increase; a counter that began anew is counted from zero."""
    return _shaped(request, history.increase(actor=actor_of(request), **query.asked()), "increase")


def _shaped(request: HttpRequest, table: pa.Table, name: str) -> HttpResponse:
    return response_of(table, media_type=wanted_format(request), file_name=f"yuheng-{name}")


def _bucket_us(text: str) -> int:
    number, unit = text.rstrip("smhd"), text[len(text.rstrip("smhd")) :]
    try:
        seconds = float(number) * _UNITS_S[unit]
    except (ValueError, KeyError):
        raise InvalidInput(_("A bucket is a number and ms, s, m, h or d, such as 15m."), {"bucket": text}) from None
    if not 0.001 <= seconds <= 366 * 86400:
        raise InvalidInput(_("A bucket is a number and ms, s, m, h or d, such as 15m."), {"bucket": text})
    return round(seconds * 1_000_000)
