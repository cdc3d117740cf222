"""Pages of dispatching: the published plan, what stands and could be done, plans that were asked for, one move."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.selectors import jobs
from yuheng.people.identity import actor_of
from yuheng.scheduling.building.moving import How, Move
from yuheng.scheduling.drawing import columns
from yuheng.scheduling.rules.states import SuggestionState
from yuheng.scheduling.selectors import advice as advised
from yuheng.scheduling.selectors import plans as asked
from yuheng.scheduling.selectors import suggestions
from yuheng.scheduling.selectors.board import BoardFilter, BoardRow, board, board_stamp
from yuheng.scheduling.services import loop, moves, plans, scenarios, why, words
from yuheng.scheduling.views.asking import DISPATCH
from yuheng.scheduling.views.asking import asked_site as _site
from yuheng.scheduling.views.asking import back_to_dispatch as _back
from yuheng.scheduling.views.asking import in_words as _in_words
from yuheng.scheduling.views.asking import now as _now
from yuheng.scheduling.views.asking import number as _number
from yuheng.scheduling.views.asking import page as _page
from yuheng.scheduling.views.asking import wall_time as _wall_time

VIEWS = ("units", "orders", "table")
LEAST_HOURS, MOST_HOURS = 0.5, 1488.0
FARTHEST = timedelta(days=400)
MOST_LINES = 100
GZIP_LEVEL = 3


def _said(row: suggestions.DisturbanceRow) -> suggestions.DisturbanceRow:
    """Return a disturbance with its name in words among its details."""
    title = words.disturbance(row.kind, row.unit_code, row.details, row.expected_end)
    return replace(row, details={**row.details, "title": title})


def _news(actor: Actor, site: SiteRow) -> dict[str, Any]:
    """What changes by itself: what stands, what was asked for, which plan holds."""
    rows = suggestions.open_disturbances(actor=actor, site_id=site.id)
    rows.sort(key=lambda row: row.is_harmless)  # stable: the most lateness first
    head = asked.published_plan(actor=actor, site_id=site.id)
    scenario_rows = asked.scenarios(actor=actor, site_id=site.id, limit=8)
    return {
        "head": head,
        "planner": asked.planner_state(site_id=site.id, now=_now()) if head else None,
        "standing": [
            (
                _said(row),
                words.basis(row.basis),
                [(one, words.alternative(one.kind, one.values)) for one in row.suggestions],
            )
            for row in rows
        ],
        "scenarios": scenario_rows,
    }


@never_cache
@require_GET
def dispatch(request: HttpRequest) -> HttpResponse:
    """The board, its rows as a table, and beside it what stands and what could be done."""
    actor, site = _site(request)
    now = _now()
    view = request.GET.get("view", "")
    news = _news(actor, site)
    narrowed = BoardFilter(
        unit=request.GET.get("unit", ""), center=request.GET.get("center", ""), order=request.GET.get("order", ""),
        customer=request.GET.get("customer", ""), is_late=bool(request.GET.get("late", "")),
    )  # fmt: skip
    start, end = _window(request, site, now)
    units = equipment.work_units(actor=actor, site_id=site.id)
    rows = _rows(actor, site, now, narrowed, (start, end)) if view == "table" else []
    pages = max(1, -(-len(rows) // MOST_LINES))
    at = min(max(1, _number(request, "page") or 1), pages)
    kept = request.GET.copy()
    for name in ("page", "view"):
        kept.pop(name, None)
    head = news["head"]
    context = {
        **news,
        "view": view if view in VIEWS else VIEWS[0],
        "kept": kept.urlencode(),
        "rows": rows[(at - 1) * MOST_LINES : at * MOST_LINES],
        "row_count": len(rows),
        "page": at,
        "pages": pages,
        "narrowed": narrowed,
        "is_narrowed": narrowed != BoardFilter(),
        "centers": sorted({unit.work_center_code for unit in units}),
        "lanes": "all" if request.GET.get("lanes") == "all" else "",
        "hours": f"{(end - start).total_seconds() / 3600:g}",
        "start": start,
        "end": end,
        "hows": list(How),
        "notices": [words.notice(one) for one in (head.notices if head else [])],
        "units": units,
        "default_until": timezone.localtime(now + timedelta(hours=2), ZoneInfo(site.time_zone)),
    }
    return _page(request, "scheduling/dispatch.html", context, site)


def _rows(
    actor: Actor, site: SiteRow, now: datetime, narrowed: BoardFilter, window: tuple[datetime, datetime]
) -> list[BoardRow]:
    """Return the lines of the table view; the islands ask for the board by themselves."""
    found = board(actor=actor, site_id=site.id, now=now)
    center_of = {unit.id: unit.work_center_code for unit in found.units}
    start, end = window
    return [
        row
        for row in (*found.waiting, *found.rows)
        if narrowed.shows(row, center_of)
        and not row.is_over
        and (not row.has_place or (row.end > start and row.setup_start < end))
    ]


def _window(request: HttpRequest, site: SiteRow, now: datetime) -> tuple[datetime, datetime]:
    """Return the time that is looked at: as the address says, else from an hour ago for a day."""
    try:
        hours = float(request.GET.get("hours", "") or 24)
    except ValueError:
        hours = 24.0
    hours = min(max(hours, LEAST_HOURS), MOST_HOURS) if isfinite(hours) else 24.0
    try:
        start = _wall_time(request.GET.get("from", ""), site.time_zone)
    except InvalidInput:
        start = now - timedelta(hours=1)
    if abs(start - now) > FARTHEST:
        start = now - timedelta(hours=1)
    return start, start + timedelta(hours=hours)


@never_cache
@require_GET
def board_columns(request: HttpRequest) -> HttpResponse:
    """The whole board for its island, as columns; 304 when it looks as it did."""
    actor, site = _site(request)
    language = get_language() or ""
    told = board_stamp(actor=actor, site_id=site.id)
    tag = f'"{hashlib.sha256(f"{language}/{told}".encode()).hexdigest()[:24]}"'
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers={"ETag": tag})
    found = board(actor=actor, site_id=site.id, now=_now())
    body = columns(found, zone=site.time_zone, say_basis=words.basis)
    answer = HttpResponse(content_type="application/json", headers={"ETag": tag, "Vary": "Accept-Encoding"})
    answer.content = orjson.dumps(body)
    if "gzip" in request.headers.get("Accept-Encoding", ""):  # columns of numbers shrink to a fifth
        answer.content = gzip.compress(answer.content, GZIP_LEVEL, mtime=0)
        answer["Content-Encoding"] = "gzip"
    return answer


@never_cache
@require_GET
def why_there(request: HttpRequest, job_order_id: int) -> HttpResponse:
    """Why a job order does not start earlier, and what is linked to it."""
    actor = actor_of(request)
    job = jobs.job_order(actor=actor, job_order_id=job_order_id)
    site = equipment.site(actor=actor, site_id=job.site_id)
    with timezone.override(ZoneInfo(site.time_zone)):
        try:
            found = why.why(actor=actor, site_id=job.site_id, job_order_id=job_order_id, at=_now())
        except Conflict as refusal:
            return JsonResponse({"reasons": [_in_words(refusal)], "links": []})
    return JsonResponse({"reasons": found.reasons, "links": found.links})


@never_cache
@require_GET
def dispatch_now(request: HttpRequest) -> HttpResponse:
    """Only what changes by itself; the page asks for it every two seconds."""
    actor, site = _site(request)
    until = timezone.localtime(_now() + timedelta(hours=2), ZoneInfo(site.time_zone))
    return _page(request, "scheduling/_news.html", {**_news(actor, site), "default_until": until}, site)


@require_POST
def make_plan(request: HttpRequest) -> HttpResponse:
    """Ask for a plan, with a lever pulled or not."""
    actor, site = _site(request, DISPATCH)
    try:
        scenarios.make_plan(
            actor=actor, site_id=site.id, at=_now(), name=request.POST.get("name", ""), levers=_lever(request, site)
        )
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, _in_words(refusal))
    return _back(site.code)


def _lever(request: HttpRequest, site: SiteRow) -> list[dict[str, Any]]:
    kind, given = request.POST.get("lever", ""), request.POST
    if not kind:
        return []
    if kind == "rush":
        return [{"kind": "rush", "request_id": _number(request, "request")}]
    unit = _number(request, "unit")
    if kind == "back":
        return [{"kind": "back", "work_unit_id": unit, "at": _wall_time(given.get("end", ""), site.time_zone)}]
    start, end = (_wall_time(given.get(name, ""), site.time_zone) for name in ("start", "end"))
    if kind == "overtime":
        return [{"kind": kind, "work_unit_ids": [unit], "start": start, "end": end}]
    return [{"kind": kind, "work_unit_id": unit, "start": start, "end": end}]


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take the former plan back."""
    actor, site = _site(request, DISPATCH)
    try:
        made = plans.undo(
            actor=actor, site_id=site.id, expected=_number(request, "expected") or 0,
            reason=request.POST.get("reason", ""), at=_now(),
        )  # fmt: skip
        messages.success(request, _("Plan %(number)s holds now.") % {"number": made.number})
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, _in_words(refusal))
    return _back(site.code)


@require_POST
def act_on_scenario(request: HttpRequest, scenario_id: int) -> HttpResponse:
    """Publish what was asked for, or cancel it."""
    actor = actor_of(request)
    row = asked.scenario(actor=actor, scenario_id=scenario_id)
    site = equipment.site(actor=actor, site_id=row.site_id)
    try:
        if request.POST.get("action") == "cancel":
            scenarios.cancel_scenario(actor=actor, scenario_id=scenario_id, at=_now())
            messages.success(request, _("%(name)s is cancelled.") % {"name": row.name})
        elif row.plan_id is None:
            raise Conflict(_("%(name)s has no plan yet.") % {"name": row.name})
        else:
            made = plans.publish_plan(
                actor=actor, plan_id=row.plan_id, expected=_number(request, "expected") or 0,
                reason=request.POST.get("reason", "") or row.name, at=_now(),
            )  # fmt: skip
            messages.success(request, _("Plan %(number)s holds now.") % {"number": made.number})
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, _in_words(refusal))
    return _back(site.code)


@require_POST
def say_return(request: HttpRequest, disturbance_id: int) -> HttpResponse:
    """Say when a machine is back."""
    actor = actor_of(request)
    site_id = suggestions.site_of_disturbance(actor=actor, disturbance_id=disturbance_id)
    actor.require(DISPATCH, site_id=site_id)
    site = equipment.site(actor=actor, site_id=site_id)
    try:
        until = _wall_time(request.POST.get("until", ""), site.time_zone)
        loop.say_return(actor=actor, disturbance_id=disturbance_id, until=until, at=_now())
        messages.success(request, _("Noted. Suggestions are made anew."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, _in_words(refusal))
    return _back(site.code)


@require_POST
def accept(request: HttpRequest, suggestion_id: int) -> HttpResponse:
    """Publish what a suggestion says."""
    actor, site = _site(request, DISPATCH)
    try:
        made = loop.accept_suggestion(actor=actor, suggestion_id=suggestion_id, at=_now())
        messages.success(request, _("Plan %(number)s holds now.") % {"number": made.number})
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, _in_words(refusal))
    if request.POST.get("from") == "plant":
        return redirect("web:site", site.code)
    return _back(site.code)


@never_cache
@require_GET
def danger(request: HttpRequest) -> HttpResponse:
    """Orders in danger and what could be done, a part of the command centre: asked for when the loop has news."""
    actor, site = _site(request)
    return _page(request, "scheduling/_danger.html", _news_of_danger(actor, site), site)


@never_cache
@require_GET
def advice(request: HttpRequest) -> HttpResponse:
    """What came of advice that was followed: predicted against realised lateness, opened to its orders."""
    actor, site = _site(request)
    rows = advised.outcomes(actor=actor, site_id=site.id)
    context = {
        "scores": [
            (one, words.alternative(one.kind, {"machine": "–"})) for one in advised.scores(actor=actor, site_id=site.id)
        ],
        "rows": [(one, words.alternative(one.kind, {"machine": "–"})) for one in rows],
    }
    return _page(request, "scheduling/advice.html", context, site)


def _news_of_danger(actor: Actor, site: SiteRow) -> dict[str, Any]:
    """What endangers orders, with the best way out where it is better than waiting; the rest by name only."""
    shown, harmless = [], []
    for row in suggestions.open_disturbances(actor=actor, site_id=site.id):
        if row.is_harmless:
            harmless.append(_said(row))
            continue
        opened = [one for one in row.suggestions if one.state == SuggestionState.OPEN]
        taken = [one for one in row.suggestions if one.state == SuggestionState.ACCEPTED]
        best = next((one for one in opened if one.is_better), None) or (taken[0] if taken else None)
        title = words.alternative(best.kind, best.values) if best else ""
        shown.append((_said(row), best, title, len(opened), bool(taken)))
    planner = asked.planner_state(site_id=site.id, now=_now())
    return {"endangered": shown, "harmless": harmless, "planner": planner}


@never_cache
@require_http_methods(["GET", "POST"])
def move_job(request: HttpRequest, job_order_id: int) -> HttpResponse:
    """Move one job order: look at what it leads to first, then do it."""
    actor, now = actor_of(request), _now()
    job = jobs.job_order(actor=actor, job_order_id=job_order_id)
    actor.require(DISPATCH, site_id=job.site_id)
    site = equipment.site(actor=actor, site_id=job.site_id)
    head = asked.published_plan(actor=actor, site_id=site.id)
    given = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = {
        "job": job, "head": head, "units": equipment.work_units(actor=actor, site_id=site.id), "hows": list(How),
        "unit": _number(request, "unit") or job.work_unit_id, "how": given.get("how", "insert"),
        "start": timezone.localtime(job.planned_start, ZoneInfo(site.time_zone)), "impact": None, "refusal": "",
    }  # fmt: skip
    if given.get("start") and head is not None:
        try:
            start = _wall_time(given.get("start", ""), site.time_zone)
            how = How(given["how"]) if given.get("how") in set(How) else How.INSERT
            command = Move(job_order_id, start, _number(request, "unit"), how)
            context["start"] = timezone.localtime(start, ZoneInfo(site.time_zone))
            if request.method == "POST":
                seen = _number(request, "expected") or 0
                moves.move(actor=actor, site_id=site.id, command=command, expected=seen, at=now)
                messages.success(request, _("%(job)s is moved.") % {"job": job.code})
                return _back(site.code)
            context["impact"] = moves.try_move(actor=actor, site_id=site.id, command=command, at=now)
        except (Conflict, InvalidInput) as refusal:
            context["refusal"] = _in_words(refusal)
    context["back"] = f"{reverse('scheduling:dispatch')}?site={site.code}"
    return _page(request, "scheduling/move.html", context, site)
