"""Pages of flow: work in progress, cumulative flow, bottleneck, and the job orders behind each number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from yuheng.kernel.errors import InvalidInput
from yuheng.performance import drawing
from yuheng.performance.asking import BOTTLENECK_PARTS, asked_period, now, stages_of
from yuheng.performance.labels import GROUP_LABELS, STAGE_LABELS
from yuheng.performance.rules.stages import Stage
from yuheng.performance.selectors import bottlenecks, flow
from yuheng.performance.tables import Table
from yuheng.performance.views.asking import (
    asked_place,
    asked_site,
    draw,
    in_language,
    number,
    query_with,
    send,
    wants_file,
)


@require_GET
def wip(request: HttpRequest) -> HttpResponse:
    """Work in progress over time and the queue before each work center."""
    actor, site = asked_site(request)
    days, place = asked_period(request.GET, site.time_zone, now()), asked_place(request.GET)
    found = flow.wip_over_time(actor=actor, site_id=site.id, period=days, place=place)
    bands = {name: getattr(found, name) for name in ("worked", "queued", "stopped", "waiting")}
    if kind := wants_file(request):
        header = [_("Time"), *(str(GROUP_LABELS[name]) for name in bands), *(one.place.code for one in found.places)]
        rows = [
            [at, *(values[index] for values in bands.values()), *(one.queue[index] for one in found.places)]
            for index, at in enumerate(found.edges)
        ]
        return send(Table("wip", header, rows, site.time_zone), kind, days)
    context = {
        "found": found,
        "place": place,
        "place_key": flow.place_key(place) if place is not None else "",
        **_chart(found.edges, bands, site.time_zone),
        "rows": list(zip(found.edges, *bands.values(), strict=True))[::-1],
        "bands": list(bands),
        "lines": [(one, drawing.line(one.queue)) for one in found.places],
        "now_total": sum(values[-1] for values in bands.values()),
    }
    return draw(request, "performance/wip.html", context, site, days, "wip")


@require_GET
def cumulative(request: HttpRequest) -> HttpResponse:
    """Cumulative flow: what is over and what lies where, stacked."""
    actor, site = asked_site(request)
    days, place = asked_period(request.GET, site.time_zone, now()), asked_place(request.GET)
    found = flow.cumulative_flow(actor=actor, site_id=site.id, period=days, place=place)
    bands = {name: getattr(found, name) for name in ("done", "stopped", "worked", "queued", "waiting")}
    if kind := wants_file(request):
        header = [_("Time"), *(str(GROUP_LABELS[name]) for name in bands), _("Released")]
        rows = [
            [at, *(values[index] for values in bands.values()), found.released[index]]
            for index, at in enumerate(found.edges)
        ]
        return send(Table("cumulative-flow", header, rows, site.time_zone), kind, days)
    context = {
        "found": found,
        "place_key": flow.place_key(place) if place is not None else "",
        **_chart(found.edges, bands, site.time_zone),
        "rows": list(zip(found.edges, *bands.values(), found.released, strict=True))[::-1],
        "bands": list(bands),
    }
    return draw(request, "performance/cumulative.html", context, site, days, "cumulative")


@require_GET
def bottleneck(request: HttpRequest) -> HttpResponse:
    """Which work center holds the plant back, with what says so."""
    actor, site = asked_site(request)
    days = asked_period(request.GET, site.time_zone, now(), most=BOTTLENECK_PARTS)
    found = bottlenecks.bottleneck(actor=actor, site_id=site.id, period=days)
    if kind := wants_file(request):
        header = [
            _("Work center"), _("Utilisation"), _("In work, h"), _("Available, h"), _("Mean queue, job orders"),
            _("Mean queue, h"), _("Queue per machine, h"), _("Score"), _("Times bottleneck"),
        ]  # fmt: skip
        rows = [
            [
                one.place.code, one.utilisation, one.busy_h, one.available_h, one.mean_queue, one.mean_queue_h,
                one.queue_h_per_machine, one.score, one.times_worst,
            ]
            for one in found.centers
        ]  # fmt: skip
        return send(Table("bottleneck", header, rows, site.time_zone), kind, days)
    spans = list(zip(found.edges[:-1], found.edges[1:], strict=True))
    names = {one.place.key: one.place for one in found.centers}
    context = {
        "found": found,
        "rows": [_drawn(one) for one in found.centers],
        "parts": [(start, end, names.get(key)) for (start, end), key in zip(spans, found.worst, strict=True)][::-1],
        "count": len(spans),
    }
    return draw(request, "performance/bottleneck.html", context, site, days, "bottleneck")


@require_GET
def jobs(request: HttpRequest) -> HttpResponse:
    """The job orders behind a number: at a moment, or during a time."""
    actor, site = asked_site(request)
    days, place = asked_period(request.GET, site.time_zone, now()), asked_place(request.GET)
    group = request.GET.get("group", "open")
    stages = stages_of(group)
    start, end = _moment(request, "at"), _moment(request, "until")
    found = flow.jobs_then(
        actor=actor, site_id=site.id, stages=stages, start=start or now() + timedelta(minutes=2), end=end, place=place,
        work_unit_id=number(request.GET, "unit"), cursor=request.GET.get("after", ""),
    )  # fmt: skip
    if kind := wants_file(request):
        header = [
            _("Job"),
            _("Product"),
            _("Order"),
            _("Stage"),
            _("From"),
            _("Until"),
            _("Planned work, h"),
            _("Reason"),
        ]
        rows = [_line(one) for one in found.rows]
        return send(Table("job-orders", header, rows, site.time_zone), kind, days)
    context = {
        "found": found,
        "start": start,
        "end": end,
        "group": group,
        "group_label": _group_label(group, stages),
        "next_query": query_with(request, site, after=found.next_cursor),
    }
    return draw(request, "performance/jobs.html", context, site, days, "wip")


def _chart(edges: Sequence[datetime], bands: Mapping[str, Sequence[int]], zone: str) -> dict[str, Any]:
    """Return the chart and what its places open: a click anywhere shows the job orders of that moment."""
    chart = drawing.stacked(edges, bands, zone)
    return {"chart": chart, "hits": [(spot, edges[spot.index]) for spot in chart.spots]}


def _drawn(one: bottlenecks.CenterLoad) -> tuple[bottlenecks.CenterLoad, str, str]:
    return one, drawing.line([min(share or 0.0, 1.0) for share in one.utilisations]), drawing.line(one.queues_h)


def _group_label(group: str, stages: tuple[Stage, ...]) -> str:
    if group in GROUP_LABELS:
        return str(GROUP_LABELS[group])
    return str(STAGE_LABELS[stages[0]]) if len(stages) == 1 else _("In progress")


def _line(one: flow.StageRow) -> list[Any]:
    job = one.job
    product = f"{job.material_code} {in_language(job.material_zh, job.material_en)}"
    stage = str(STAGE_LABELS[one.stage])
    return [job.code, product, job.order_code, stage, one.since, one.until, one.work_s / 3600, one.reason]


def _moment(request: HttpRequest, name: str) -> Any:
    text = request.GET.get(name, "")
    try:
        found = parse_datetime(text) if text else None
    except ValueError:
        found = None
    if text and (found is None or found.tzinfo is None):
        raise InvalidInput(_("Write the time with its offset, as 2026-11-22T14:00:00+08:00."), {name: text[:40]})
    return found
