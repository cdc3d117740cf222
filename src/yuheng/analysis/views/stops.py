"""Pages: stops that nobody explained, giving their reasons, the Pareto of reasons."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from yuheng.analysis.drawing import draw_pareto
from yuheng.analysis.periods import PERIODS, Period, read_period
from yuheng.analysis.selectors import reasons, stops
from yuheng.analysis.selectors.reasons import EXPLAIN, ReasonRow
from yuheng.analysis.selectors.stops import Stop, StopList
from yuheng.analysis.services import explanations
from yuheng.analysis.services.explanations import Stretch
from yuheng.analysis.views.asking import VIEW, chosen_site, now, number, number_or_none
from yuheng.analysis.words import STATES
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.people.identity import actor_of
from yuheng.telemetry.rules import moment

ROWS = 200
QUICK = 9
SHORTEST_S = {"0": 0.0, "60": 60.0, "300": 300.0, "900": 900.0}
LISTED_STATES = (5, 3, 1, 4, 6, 0)


@require_GET
def unexplained(request: HttpRequest) -> HttpResponse:
    """Stops by minutes lost; without a choice, those that nobody explained."""
    actor = actor_of(request)
    site = chosen_site(request, actor)
    given = request.GET
    period = read_period(given.dict(), actor=actor, site_id=site.id, now=now())
    found = _found(actor, site, period, request)
    reason_id = number_or_none(given.get("reason", ""), "reason")
    which = given.get("which", "all" if reason_id is not None else "open")
    rows = [stop for stop in found.stops if _is_wanted(stop, which, reason_id)]
    rows.sort(key=lambda stop: (-_minutes(stop, which), stop.start))
    tree = reasons.reason_tree(actor=actor, site_id=site.id)
    context = {
        "site": site,
        "period": period,
        "periods": PERIODS,
        "found": found,
        "stops": rows[:ROWS],
        "hidden": max(0, len(rows) - ROWS),
        "count": len(rows),
        "lost_s": sum(stop.lost_s for stop in rows),
        "open_s": sum(stop.unexplained_s for stop in rows),
        "which": which,
        "reason": found.reasons.get(reason_id) if reason_id is not None else None,
        "areas": equipment.equipment_tree(actor=actor, site_id=site.id).areas,
        "states": [(state, STATES[state]) for state in LISTED_STATES],
        "chosen_states": _states(request),
        "least": given.get("least", "60"),
        "quick": _quick(tree, site.id),
        "tree": tree,
        "may_explain": actor.may(EXPLAIN, site_id=site.id),
        "may_edit": actor.may(reasons.EDIT, site_id=site.id),
        "kept": urlencode([(name, value) for name in given for value in given.getlist(name) if name != "reason"]),
    }
    return render(request, "analysis/stops.html", context)


@require_GET
def pareto(request: HttpRequest) -> HttpResponse:
    """What which reason cost; each bar opens its stops."""
    actor = actor_of(request)
    site = chosen_site(request, actor)
    period = read_period(request.GET.dict(), actor=actor, site_id=site.id, now=now())
    found = _found(actor, site, period, request)
    level = 0 if request.GET.get("level") == "0" else None
    bars = stops.pareto(found, (period.start, period.end), level=level)
    kept = urlencode([(name, value) for name in request.GET for value in request.GET.getlist(name) if name != "level"])
    context = {
        "site": site,
        "period": period,
        "periods": PERIODS,
        "found": found,
        "bars": bars,
        "drawing": draw_pareto(bars),
        "lost_s": sum(bar.lost_s for bar in bars),
        "level": level,
        "areas": equipment.equipment_tree(actor=actor, site_id=site.id).areas,
        "states": [(state, STATES[state]) for state in LISTED_STATES],
        "chosen_states": _states(request),
        "least": request.GET.get("least", "60"),
        "kept": kept,
    }
    return render(request, "analysis/pareto.html", context)


@require_GET
def stop(request: HttpRequest) -> HttpResponse:
    """One stop (``?unit=7&at=<µs>``): what it is, what was said about it, and the reasons to choose from."""
    actor = actor_of(request)
    actor.require(VIEW)
    unit = equipment.work_unit(actor=actor, work_unit_id=number(request.GET.get("unit", ""), "unit"))
    at = _moment(request.GET.get("at", ""))
    found = stops.stop_at(actor=actor, unit=unit, at=at, now=now())
    if found is None:
        raise NotVisible(_("%(unit)s has no stop at that time.") % {"unit": unit.code})
    context = {
        "stop": found,
        "site": equipment.site(actor=actor, site_id=unit.site_id),
        "groups": _groups(reasons.reasons_for_unit(actor=actor, unit=unit)),
        "history": reasons.history_of(actor=actor, unit=unit, start=found.start, end=found.end),
        "names": {row.id: row for row in reasons.reason_tree(actor=actor, site_id=unit.site_id, with_retired=True)},
        "may_explain": actor.may(EXPLAIN, site_id=unit.site_id),
        "next": request.GET.get("next", ""),
    }
    return render(request, "analysis/stop.html", context)


@require_POST
def explain(request: HttpRequest) -> HttpResponse:
    """Give the reason of one or several stops (``stop=<unit>.<µs>[.<µs>]``)."""
    actor = actor_of(request)
    actor.require(EXPLAIN)
    chosen = [_stretch(text) for text in request.POST.getlist("stop")]
    chosen = [_cut(one, request) for one in chosen]
    made = explanations.explain_stops(
        actor=actor,
        stretches=chosen,
        reason_id=number(request.POST.get("reason", ""), "reason"),
        comment=request.POST.get("comment", ""),
        at=now(),
    )
    if request.headers.get("X-Requested-With") == "dialog":
        return HttpResponse(status=204)
    sentence = ngettext("The reason of %(n)d stop is kept.", "The reason of %(n)d stops is kept.", len(made))
    messages.success(request, sentence % {"n": len(made)})
    return _back(request)


@require_POST
def withdraw(request: HttpRequest, explanation_id: int) -> HttpResponse:
    """Take back a reason."""
    actor = actor_of(request)
    explanations.withdraw_explanation(actor=actor, explanation_id=explanation_id, at=now())
    if request.headers.get("X-Requested-With") == "dialog":
        return HttpResponse(status=204)
    messages.success(request, _("The reason is taken back."))
    return _back(request)


def _back(request: HttpRequest) -> HttpResponse:
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = reverse("analysis:stops")
    return HttpResponseRedirect(back)


def _found(actor: Actor, site: SiteRow, period: Period, request: HttpRequest) -> StopList:
    return stops.stops(
        actor=actor,
        site_id=site.id,
        start=period.start,
        end=period.end,
        now=now(),
        at_least_s=SHORTEST_S.get(request.GET.get("least", "60"), 60.0),
        in_states=_states(request),
        area_id=number_or_none(request.GET.get("area", ""), "area"),
    )


def _states(request: HttpRequest) -> frozenset[int]:
    words = request.GET.getlist("state")
    chosen = frozenset(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 3)
    return chosen & frozenset(LISTED_STATES) or frozenset(int(state) for state in stops.STOP_STATES)


def _is_wanted(stop: Stop, which: str, reason_id: int | None) -> bool:
    if reason_id is not None:
        return any(piece.reason is not None and reason_id in piece.reason.path for piece in stop.pieces)
    if which == "open":
        return stop.unexplained_s > 0
    return which != "conflicts" or stop.is_conflict


def _minutes(stop: Stop, which: str) -> float:
    return stop.unexplained_s if which == "open" else stop.lost_s


def _quick(tree: list[ReasonRow], site_id: int) -> list[ReasonRow]:
    """Return the reasons given most often: those that a digit gives."""
    counts = reasons.use_counts(site_id=site_id)
    leaves = [row for row in tree if row.is_leaf]
    return sorted(leaves, key=lambda row: -counts.get(row.id, 0))[:QUICK]


def _groups(rows: list[ReasonRow]) -> list[tuple[ReasonRow, list[ReasonRow]]]:
    """Return what stands at the top with everything below it; a top without any stands for itself."""
    found: list[tuple[ReasonRow, list[ReasonRow]]] = []
    for row in rows:
        if row.depth == 0 or not found:
            found.append((row, []))
        else:
            found[-1][1].append(row)
    return [(top, below or [top]) for top, below in found]


def _moment(text: str) -> datetime:
    us = number(text, "at")
    if us >= 2**53:
        raise InvalidInput(_("Give a number."), {"at": text[:40]})
    return moment(us)


def _stretch(text: str) -> Stretch:
    words = text.split(".")
    if len(words) not in (2, 3):
        raise InvalidInput(_("Say which stop it is."), {"stop": text[:80]})
    end = _moment(words[2]) if len(words) == 3 else None
    return Stretch(number(words[0], "stop"), _moment(words[1]), end)


def _cut(stretch: Stretch, request: HttpRequest) -> Stretch:
    """Cut a stop where the form says: ``part`` before or after the moment ``split_us`` or the wall time ``split``."""
    part, text = request.POST.get("part", "whole"), request.POST.get("split", "")
    if part == "whole" or not text:
        return stretch
    unit = equipment.work_unit(actor=actor_of(request), work_unit_id=stretch.work_unit_id)
    split = _wall_time(text, equipment.site(actor=actor_of(request), site_id=unit.site_id).time_zone)
    if part == "before":
        return Stretch(stretch.work_unit_id, stretch.start, split)
    return Stretch(stretch.work_unit_id, max(split, stretch.start), stretch.end)


def _wall_time(text: str, zone: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(_("Give the moment as a date and a time."), {"split": text[:40]}) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))
