"""Pages: trends and what is calculated from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from yuheng.analysis import trend_query
from yuheng.analysis.selectors import bands, saved, series, tags
from yuheng.analysis.selectors.tags import TrendTag
from yuheng.analysis.trend_query import SPANS_S, TABS, TrendQuery
from yuheng.analysis.views import parts
from yuheng.analysis.views.asking import VIEW, chosen_site, now, number_or_none, units_of
from yuheng.analysis.words import PANES, TAB_NAMES
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import WorkUnitRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.kernel.moments import Moment, replay_context
from yuheng.people.identity import actor_of

FIRST_TAGS = 2
FIRST_ROLES = {"power_kw": 0, "": 1}


@require_GET
def trends(request: HttpRequest) -> HttpResponse:
    """The trend page; everything it shows is in its address."""
    asked = parts.given_of(request)
    actor = actor_of(request)
    actor.require(VIEW)
    given = _given(asked, actor)
    query = trend_query.read(given, now=now())
    shown = tags.trend_tags(actor=actor, tag_ids=query.tag_ids, in_units=query.units)
    units = units_of(actor, shown)
    site = equipment.site(actor=actor, site_id=shown[0].site_id) if shown else chosen_site(request, actor)
    query = _with_unit(query, units)
    areas = equipment.equipment_tree(actor=actor, site_id=site.id).areas
    context = {
        "query": query,
        "given": given,
        "tags": shown,
        "units": units,
        "site": site,
        "areas": areas,
        "spans": tuple(SPANS_S),
        "panes": PANES,
        "tabs": [(name, TAB_NAMES[name]) for name in TABS],
        "views": saved.saved_views(actor=actor, site_id=site.id),
        "view": _opened_view(actor, asked),
        "may_explain": actor.may("states.explain", site_id=site.id),
        "may_edit": actor.may("telemetry.edit", site_id=site.id),
        "config": _config(query, shown, units, site.time_zone),
        **replay_context(site, None if query.at_us is None else Moment(query.at_us)),
        **parts.part_context(actor, query, shown, units, given, now()),
    }
    return render(request, "analysis/trends.html", context)


def _given(asked: dict[str, str], actor: Actor) -> dict[str, str]:
    """Return the query; a saved view or a work unit stands for what it shows, and more in the address wins."""
    given = dict(asked)
    found: dict[str, str] = {}
    unit_id = number_or_none(given.get("of", ""), "of")
    view_id = number_or_none(given.get("view", ""), "view")
    if view_id is not None:
        found = parts.as_dict(saved.saved_view(actor=actor, view_id=view_id).query)
    elif unit_id is not None and not given.get("tags"):
        default = saved.default_view_of(actor=actor, work_unit_id=unit_id)
        found = parts.as_dict(default.query) if default is not None else _first_look(actor, unit_id)
    if given.get("at") or (given.get("from") and given.get("to")) or given.get("span"):
        found = {name: value for name, value in found.items() if name not in {"from", "to", "span", "at"}}
    given = {name: str(value) for name, value in given.items() if name not in {"view", "of"} and str(value)}
    return found | given


def _first_look(actor: Actor, unit_id: int) -> dict[str, str]:
    """Return what is shown of a work unit before anybody chooses: power and other measured values."""
    unit = equipment.work_unit(actor=actor, work_unit_id=unit_id)
    found, _total = tags.find_tags(actor=actor, site_id=unit.site_id, work_unit_id=unit.id)
    numbers = [tag for tag in found if tag.data_type == "float"] or [tag for tag in found if tag.is_number]
    chosen = sorted(numbers, key=lambda tag: FIRST_ROLES.get(tag.role, 2))[:FIRST_TAGS]
    return {"tags": ".".join(str(tag.id) for tag in chosen), "unit": str(unit.id)}


def _with_unit(query: TrendQuery, units: list[WorkUnitRow]) -> TrendQuery:
    if query.unit_id is None and units:
        return replace(query, unit_id=units[0].id)
    return query


def _opened_view(actor: Actor, asked: dict[str, str]) -> saved.SavedViewRow | None:
    view_id = number_or_none(asked.get("view", ""), "view")
    return None if view_id is None else saved.saved_view(actor=actor, view_id=view_id)


def _config(query: TrendQuery, shown: list[TrendTag], units: list[WorkUnitRow], zone: str) -> dict[str, Any]:
    """What the island needs to draw."""
    return {
        "tags": [
            {
                "id": tag.id,
                "label": tag.label,
                "unit": tag.unit,
                "type": tag.data_type,
                "stale_s": tag.stale_after_s,
                "factor": tag.factor,
                "offset": tag.offset,
                "work_unit": tag.work_unit_id,
            }
            for tag in shown
        ],
        "units": [{"id": unit.id, "code": unit.code} for unit in units],
        "zone": zone,
        "from": None if query.is_live else query.start_us / 1e6,
        "to": None if query.is_live else query.end_us / 1e6,
        "span_s": query.span_us / 1e6,
        "at": None if query.at_us is None else query.at_us / 1e6,
        "panes": query.panes,
        "series_url": reverse("analysis:series"),
        "bands_url": reverse("analysis:bands"),
        "part_url": reverse("analysis:part"),
        "overlay_url": reverse("analysis:overlay"),
        "stop_url": reverse("analysis:stop"),
        "spans": SPANS_S,
    }


# ---- what the page asks for ---------------------------------------------------------------------------------------


def _json(body: Any) -> HttpResponse:
    return HttpResponse(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), content_type="application/json")


def _range_of(request: HttpRequest) -> tuple[int, int, int]:
    try:
        start_us, end_us = int(request.GET["start_us"]), int(request.GET["end_us"])
        width = int(request.GET.get("width", "1000"))
    except (KeyError, ValueError):
        raise InvalidInput(_("Give tags, start, end and width as numbers.")) from None
    if not 0 < end_us - start_us <= trend_query.MAX_SPAN_S * 1_000_000 or not 0 <= start_us < 2**62:
        raise InvalidInput(_("A range ends after its start and is at most a year long."))
    return start_us, end_us, width


@require_GET
def curves(request: HttpRequest) -> HttpResponse:
    """First, min, max and last of each pixel of the tags: ``?tags=1.2&start_us=…&end_us=…&width=…``."""
    actor = actor_of(request)
    actor.require(VIEW)
    query = trend_query.read(parts.given_of(request), now=now())
    start_us, end_us, width = _range_of(request)
    shown = tags.trend_tags(actor=actor, tag_ids=query.tag_ids, in_units=query.units)
    width = max(10, min(series.MAX_WIDTH, width))
    found = series.curves(actor=actor, tags=shown, start_us=start_us, end_us=end_us, width=width)
    step_us = series.step_of(start_us, end_us, width)
    return _json({"start_us": start_us, "end_us": end_us, "step_us": step_us, "series": found})


@require_GET
def band_rows(request: HttpRequest) -> HttpResponse:
    """Bands of the page's work units in its range."""
    actor = actor_of(request)
    actor.require(VIEW)
    query = trend_query.read(parts.given_of(request), now=now())
    units = units_of(actor, tags.trend_tags(actor=actor, tag_ids=query.tag_ids, in_units=query.units))
    found = bands.bands(actor=actor, units=units, query=_with_unit(query, units), now=now())
    return _json({"rows": found})


@require_GET
def part(request: HttpRequest) -> HttpResponse:
    """The part under the curves that was chosen: statistics, capsules, overlay, histogram, scatter or raw values."""
    actor = actor_of(request)
    actor.require(VIEW)
    given = parts.given_of(request)
    query = trend_query.read(given, now=now())
    shown = tags.trend_tags(actor=actor, tag_ids=query.tag_ids, in_units=query.units)
    units = units_of(actor, shown)
    site = equipment.site(actor=actor, site_id=shown[0].site_id) if shown else chosen_site(request, actor)
    context = parts.part_context(actor, _with_unit(query, units), shown, units, given, now())
    return render(request, "analysis/_part.html", {"site": site, **context})


@require_GET
def overlay(request: HttpRequest) -> HttpResponse:
    """Curves of the chosen capsules, each on its own time from its start."""
    actor = actor_of(request)
    actor.require(VIEW)
    given = parts.given_of(request)
    query = trend_query.read(given, now=now())
    shown = tags.trend_tags(actor=actor, tag_ids=query.tag_ids, in_units=query.units)
    units = units_of(actor, shown)
    return _json(parts.overlay_body(actor, _with_unit(query, units), shown, units, now()))


@require_GET
def picker(request: HttpRequest) -> HttpResponse:
    """Signals that match, to choose from."""
    actor = actor_of(request)
    site = chosen_site(request, actor)
    actor.require(VIEW, site_id=site.id)
    found, total = tags.find_tags(
        actor=actor,
        site_id=site.id,
        text=request.GET.get("q", "")[:100],
        area_id=number_or_none(request.GET.get("area", ""), "area"),
        work_unit_id=number_or_none(request.GET.get("work_unit", ""), "work_unit"),
    )
    return render(request, "analysis/_picker.html", {"found": found, "total": total, "hidden": total - len(found)})


@require_GET
def of_unit(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """Open a work unit's trends: its default view, else its first signals."""
    actor = actor_of(request)
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    if not actor.may(VIEW, site_id=unit.site_id):
        raise NotVisible(_("There is no such work unit here."))
    query = urlencode(parts.given_of(request) | {"of": str(unit.id)})
    return HttpResponseRedirect(f"{reverse('analysis:trends')}?{query}")
