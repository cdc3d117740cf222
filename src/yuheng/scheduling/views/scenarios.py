"""What-ifs: pull levers, see them made, compare up to four side by side, look into each number, apply one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.operations.selectors import jobs, orders
from yuheng.operations.selectors.orders import OrderFilter
from yuheng.people.identity import actor_of
from yuheng.scheduling.selectors import plans as asked
from yuheng.scheduling.selectors.plans import PlanHead, ScenarioRow
from yuheng.scheduling.services import plans, scenarios, words
from yuheng.scheduling.views.asking import DISPATCH, asked_site, in_words, now, number, page, site_of, wall_time

LEVER_ROWS = 4
MOST_COMPARED = 4
SHOWN = ("late", "shifts", "customers", "moves", "machines", "setups")
LISTED = 20
SECONDS = (5, 10, 30, 60, 120, 300)


def _told(actor: Actor, site: SiteRow) -> dict[str, Any]:
    rows = asked.scenarios(actor=actor, site_id=site.id, limit=LISTED)
    return {
        "head": asked.published_plan(actor=actor, site_id=site.id),
        "scenarios": [(row, _levers(actor, site, row.levers)) for row in rows],
    }


def _levers(actor: Actor, site: SiteRow, levers: list[Any]) -> list[str]:
    """Levers in words, with codes and the site's clock."""
    if not levers:
        return []
    units = {row.id: row.code for row in equipment.work_units(actor=actor, site_id=site.id)}
    with timezone.override(ZoneInfo(site.time_zone)):
        return [words.lever(one, units, lambda kind, key: _name(actor, kind, key)) for one in levers]


def _name(actor: Actor, kind: str, key: int) -> str:
    try:
        if kind == "request":
            row = orders.request_detail(actor=actor, request_id=key)
            return row.order_code or row.code
        return jobs.job_order(actor=actor, job_order_id=key).code
    except NotVisible:  # what is gone is still named
        return str(key)


@never_cache
@require_GET
def scenario_list(request: HttpRequest) -> HttpResponse:
    """What-ifs of a site, and the form for another one."""
    actor, site = asked_site(request)
    return _list(request, actor, site)


def _list(request: HttpRequest, actor: Actor, site: SiteRow, refusal: str = "") -> HttpResponse:
    given = request.POST if request.method == "POST" else request.GET
    zone = ZoneInfo(site.time_zone)
    open_orders = orders.order_list(actor=actor, site_id=site.id, now=now(), narrowed=OrderFilter(state="released"))
    context = {
        **_told(actor, site),
        "refusal": refusal,
        "given": given,
        "rows": [_row(given, n) for n in range(1, LEVER_ROWS + 1)],
        "units": equipment.work_units(actor=actor, site_id=site.id),
        "orders": open_orders.rows,
        "seconds": SECONDS,
        "start": timezone.localtime(now(), zone),
    }
    return page(request, "scheduling/scenarios.html", context, site, status=422 if refusal else 200)


def _row(given: Any, n: int) -> dict[str, Any]:
    names = ("lever", "unit", "start", "end", "order", "job", "hours")
    return {"n": n, **{name: given.get(f"{name}_{n}", "") for name in names}}


@never_cache
@require_GET
def scenario_rows(request: HttpRequest) -> HttpResponse:
    """Only the list with its progress; the page asks for it again while something is being made."""
    actor, site = asked_site(request)
    return page(request, "scheduling/_scenario_rows.html", _told(actor, site), site)


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for a what-if with the levers of the form, on what is published or on another what-if."""
    actor, site = asked_site(request, DISPATCH)
    try:
        rows = range(1, LEVER_ROWS + 1)
        levers = [one for n in rows for one in _lever(request, actor, site, n)]
        name, base, at = request.POST.get("name", ""), number(request, "base"), now()
        if base:
            made = scenarios.fork_scenario(actor=actor, scenario_id=base, at=at, name=name, levers=levers)
        else:
            made = scenarios.make_plan(
                actor=actor, site_id=site.id, at=at, name=name, levers=levers, seconds=number(request, "seconds")
            )
    except (Conflict, InvalidInput, NotVisible) as refusal:
        return _list(request, actor, site, in_words(refusal))
    messages.success(request, _("%(name)s is being made.") % {"name": made.name})
    return _to_list(site)


def _to_list(site: SiteRow) -> HttpResponse:
    answer = redirect("scheduling:scenarios")
    answer["Location"] += f"?site={site.code}"
    return answer


def _lever(request: HttpRequest, actor: Actor, site: SiteRow, n: int) -> list[dict[str, Any]]:
    given = _row(request.POST, n)
    kind = given["lever"]
    if not kind:
        return []
    if kind == "rush":
        return _rush(actor, site, given["order"])
    if kind == "subcontract":
        job = jobs.job_by_code(actor=actor, site_id=site.id, code=given["job"].strip())
        return [{"kind": kind, "job_order_id": job.id, "hours": _hours(given["hours"])}]
    unit = number(request, f"unit_{n}")
    end = wall_time(given["end"], site.time_zone)
    if kind == "back":
        return [{"kind": kind, "work_unit_id": unit, "at": end}]
    start = wall_time(given["start"], site.time_zone)
    if kind == "overtime":
        return [{"kind": kind, "work_unit_ids": [unit], "start": start, "end": end}]
    return [{"kind": kind, "work_unit_id": unit, "start": start, "end": end}]


def _rush(actor: Actor, site: SiteRow, text: str) -> list[dict[str, Any]]:
    order_id = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    order = orders.order_detail(actor=actor, order_id=order_id)
    if order.site_id != site.id:
        raise InvalidInput(_("Choose an order of this plant."))
    rows = [row for row in orders.requests_of_order(actor=actor, order_id=order_id) if row.parent_id is None]
    if not rows:
        raise InvalidInput(_("Nothing of this order is released."))
    return [{"kind": "rush", "request_id": row.id} for row in rows]


def _hours(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InvalidInput(_("Give the hours that a step takes outside, more than 0.")) from None


@never_cache
@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """Up to four what-ifs beside what is published."""
    actor, site = asked_site(request)
    given = [*request.GET.getlist("ids"), *request.GET.get("id", "").split(",")]
    ids = [int(one) for one in given if one.isascii() and one.isdigit() and len(one) < 19]
    rows = [row for row in asked.compare(actor=actor, scenario_ids=ids) if row.site_id == site.id]
    made = [row for row in rows if row.measures]
    customers = sorted(
        {(one["customer_zh"], one["customer_en"]) for row in made for one in row.measures.get("by_customer", [])}
    )
    context = {
        "head": asked.published_plan(actor=actor, site_id=site.id),
        "rows": [(row, _levers(actor, site, row.levers)) for row in rows],
        "made": made,
        "waiting": [row for row in rows if not row.measures],
        "is_more": len(set(ids)) > MOST_COMPARED,
        "before": made[0].measures.get("before") if made else None,
        "customers": [(zh, en, [_of_customer(row, zh, en) for row in made]) for zh, en in customers[:100]],
    }
    return page(request, "scheduling/compare.html", context, site)


def _of_customer(row: ScenarioRow, zh: str, en: str) -> dict[str, Any] | None:
    found = (one for one in row.measures.get("by_customer", []) if (one["customer_zh"], one["customer_en"]) == (zh, en))
    one = next(found, None)
    return None if one is None else {**one, "last_at": _moment(one["last_at"])}


def _moment(text: str) -> datetime | None:
    return parse_datetime(text) if text else None


@never_cache
@require_http_methods(["GET", "POST"])
def scenario(request: HttpRequest, scenario_id: int) -> HttpResponse:
    """One what-if: its numbers with the rows behind them; apply it with a reason, cancel it."""
    row = asked.scenario(actor=actor_of(request), scenario_id=scenario_id)
    actor, site = site_of(request, row.site_id)
    refusal = ""
    if request.method == "POST":
        actor.require(DISPATCH, site_id=site.id)
        try:
            return _act(request, actor, site, row)
        except (Conflict, InvalidInput) as found:
            refusal = in_words(found)
    show = request.GET.get("show", "")
    context = {
        "row": row,
        "levers": _levers(actor, site, row.levers),
        "head": asked.published_plan(actor=actor, site_id=site.id),
        "m": row.measures,
        "show": show if show in SHOWN else "shifts",
        "tabs": _tabs(row),
        "shifts": [_shift(one) for one in row.measures.get("shifts", [])],
        "notices": _notices(actor, row),
        "refusal": refusal,
        "reason": request.POST.get("reason", ""),
    }
    return page(request, "scheduling/scenario.html", context, site, status=409 if refusal else 200)


def _tabs(row: ScenarioRow) -> list[tuple[str, str, int]]:
    names = {
        "shifts": _("Orders that move"),
        "late": _("Late orders"),
        "customers": _("By customer"),
        "moves": _("Operations that move"),
        "machines": _("Machines"),
        "setups": _("Set-ups"),
    }
    keys = {"customers": "by_customer"}
    return [(key, name, len(row.measures.get(keys.get(key, key), []))) for key, name in names.items()]


def _shift(one: dict[str, Any]) -> dict[str, Any]:
    times = {name: _moment(one[name]) for name in ("due_at", "ends_at", "before_at")}
    return {**one, **times, "minutes": abs(one["shift_min"]), "is_later": one["shift_min"] > 0}


def _notices(actor: Actor, row: ScenarioRow) -> list[str]:
    plan: PlanHead | None = asked.plan(actor=actor, plan_id=row.plan_id) if row.plan_id else None
    return [words.notice(one) for one in (plan.notices if plan else [])]


def _act(request: HttpRequest, actor: Actor, site: SiteRow, row: ScenarioRow) -> HttpResponse:
    if request.POST.get("action") == "cancel":
        scenarios.cancel_scenario(actor=actor, scenario_id=row.id, at=now())
        messages.success(request, _("%(name)s is cancelled.") % {"name": row.name})
        return _to_list(site)
    if row.plan_id is None:
        raise Conflict(_("%(name)s has no plan yet.") % {"name": row.name})
    made = plans.publish_plan(
        actor=actor, plan_id=row.plan_id, expected=number(request, "expected") or 0,
        reason=request.POST.get("reason", ""), at=now(),
    )  # fmt: skip
    messages.success(request, _("Plan %(number)s holds now.") % {"number": made.number})
    return _to_list(site)
