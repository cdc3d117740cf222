"""The shift hand-over: what happened, what is open, what the next shift should know; on screen and on paper."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.alarms.selectors import alarms, replay
from yuheng.alarms.selectors.health import AlarmHealth, alarm_health
from yuheng.analysis.rules import HandOverPart
from yuheng.analysis.selectors import hand_over, stops
from yuheng.analysis.services.hand_over import EXPLAIN, sign_shift, write_note
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.calendars import ShiftOccurrence
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.moments import EPOCH, Moment
from yuheng.people.identity import actor_of
from yuheng.people.selectors.audit import AuditFilter, AuditRow, audit_rows
from yuheng.web import centre, plant_data
from yuheng.web.drawn_bullets import drawn
from yuheng.web.indicators import bullets
from yuheng.web.names import local_name
from yuheng.web.plant_data import Unavailable

LONGEST = 10
"""Stops and alarms listed; the rest is one click away."""
MOST_CHANGES = 60
QUIET = ("people.signed_in", "people.signed_out", "people.preferences_changed")
"""Audit records that the next shift has no use for."""
TROUBLED = frozenset({UnitState.DOWN, UnitState.NO_DATA, UnitState.UNKNOWN})
ALARMS = "alarms.view"
AUDIT = "audit.view"


@dataclass(frozen=True, slots=True)
class Shown:
    """Which shift is looked at. ``until`` is its end, or now while it runs."""

    site: equipment.SiteRow
    order: hand_over.ShiftInOrder
    until: datetime
    is_running: bool

    @property
    def shift(self) -> ShiftOccurrence:
        """The shift itself."""
        return self.order.shift

    @property
    def moment(self) -> Moment | None:
        """The last moment of a shift that is over."""
        return None if self.is_running else Moment((self.until - EPOCH) // timedelta(microseconds=1) - 1)


# ---- pages --------------------------------------------------------------------------------------------------------


@require_GET
def page(request: HttpRequest, code: str) -> HttpResponse:
    """The hand-over of a shift: the running one, or that which ``?shift=`` names by its beginning (microseconds)."""
    shown = _shown(request, code)
    if isinstance(shown, equipment.SiteRow):
        return render(request, "web/no_shift.html", {"site": shown, "site_name": local_name(shown)})
    return render(request, "web/hand_over.html", _context(request, shown))


@require_POST
def note(request: HttpRequest, code: str) -> HttpResponse:
    """Write a note into a shift."""
    shown = _begun(request, code)
    try:
        write_note(
            actor=actor_of(request),
            site_id=shown.site.id,
            shift_start=shown.shift.start,
            text=request.POST.get("text", ""),
            at=datetime.now(UTC),
        )
    except InvalidInput as error:
        context = {**_context(request, shown), "note_text": request.POST.get("text", ""), "problem": str(error)}
        return render(request, "web/hand_over.html", context, status=422)
    return _back(shown)


@require_POST
def sign(request: HttpRequest, code: str) -> HttpResponse:
    """Sign for giving or taking."""
    shown = _begun(request, code)
    try:
        sign_shift(
            actor=actor_of(request),
            site_id=shown.site.id,
            shift_start=shown.shift.start,
            part=_part(request.POST.get("part", "")),
            at=datetime.now(UTC),
        )
    except Conflict as error:
        return render(request, "web/hand_over.html", {**_context(request, shown), "problem": str(error)}, status=409)
    return _back(shown)


def _part(word: str) -> HandOverPart:
    try:
        return HandOverPart(word)
    except ValueError:
        raise InvalidInput(_("Sign for giving the shift away, or for taking it over."), {"part": word}) from None


def _back(shown: Shown) -> HttpResponse:
    return HttpResponseRedirect(_address(shown.site, shown.shift) + "#notes")


def _address(site: equipment.SiteRow, shift: ShiftOccurrence) -> str:
    start_us = (shift.start - EPOCH) // timedelta(microseconds=1)
    return reverse("web:hand_over", args=[site.code]) + f"?shift={start_us}"


# ---- which shift --------------------------------------------------------------------------------------------------


def _shown(request: HttpRequest, code: str) -> Shown | equipment.SiteRow:
    actor = actor_of(request)
    site = equipment.site_by_code(actor=actor, code=code)
    actor.require("telemetry.view", site_id=site.id)
    now = datetime.now(UTC)
    at = _asked(request.GET.get("shift") or request.POST.get("shift") or "", now)
    order = hand_over.shift_in_order(actor=actor, site_id=site.id, at=at)
    if order is None:
        return site
    is_running = order.shift.end > now
    return Shown(site, order, now if is_running else order.shift.end, is_running)


def _begun(request: HttpRequest, code: str) -> Shown:
    shown = _shown(request, code)
    if isinstance(shown, equipment.SiteRow):
        raise InvalidInput(_("This site has no shifts yet."), {"shift": ""})
    return shown


def _asked(text: str, now: datetime) -> datetime:
    if not text:
        return now
    if not text.isascii() or not text.isdigit() or len(text) > 17:
        raise InvalidInput(_("Name the shift by its beginning, in microseconds since 1970."), {"shift": text[:40]})
    return min(EPOCH + timedelta(microseconds=int(text)), now)


# ---- what is shown ------------------------------------------------------------------------------------------------


def _context(request: HttpRequest, shown: Shown) -> dict[str, Any]:
    actor, site, shift = actor_of(request), shown.site, shown.shift
    plant = centre.plant_now(actor=actor, site_id=site.id, moment=shown.moment)
    span = (shift.start, shown.until)
    found = stops.stops(actor=actor, site_id=site.id, start=span[0], end=span[1], now=datetime.now(UTC))
    lost_s = sum(stop.lost_s for stop in found.stops)
    open_alarms = _open_alarms(actor, shown)
    bars = stops.pareto(found, span)
    return {
        "site": site,
        "site_name": local_name(site),
        "shown": shown,
        "shift_name": local_name(shift.shift),
        "earlier_url": _address(site, shown.order.before) if shown.order.before else "",
        "later_url": _address(site, shown.order.after) if shown.order.after and not shown.is_running else "",
        "shift_us": (shift.start - EPOCH) // timedelta(microseconds=1),
        "bullets": [drawn(one, site.code) for one in bullets(centre.measures(actor=actor, plant=plant))],
        "end_us": shown.moment.at_us if shown.moment else None,
        "energy_kwh": _energy(actor, site.id, span),
        "lost_s": lost_s,
        "unexplained_s": sum(stop.unexplained_s for stop in found.stops),
        "bars": [
            {"bar": bar, "width": f"{100 * bar.lost_s / lost_s:.1f}" if lost_s else "0"} for bar in bars[:LONGEST]
        ],
        "longest": sorted(found.stops, key=lambda stop: -stop.lost_s)[:LONGEST],
        "stop_count": len(found.stops),
        "stops_url": reverse("analysis:pareto") + f"?{_stops_query(site, span)}",
        "waiting": [
            unit for unit in plant.units if unit.state in (UnitState.DOWN, UnitState.NO_DATA, UnitState.UNKNOWN)
        ],
        "now_us": plant.now_us,
        "health": _health(actor, site.id, span),
        "open_alarms": open_alarms[:LONGEST],
        "open_alarm_count": len(open_alarms),
        "changes": _changes(actor, site.id, span),
        "may_see_changes": actor.may(AUDIT, site_id=site.id),
        "notes": hand_over.notes_of(actor=actor, site_id=site.id, shift_start=shift.start),
        "signatures": hand_over.signatures_of(actor=actor, site_id=site.id, shift_start=shift.start),
        "may_write": actor.may(EXPLAIN, site_id=site.id),
        "note_text": "",
        "problem": "",
    }


def _stops_query(site: equipment.SiteRow, span: tuple[datetime, datetime]) -> str:
    return f"site={site.code}&from={span[0]:%FT%TZ}&to={span[1]:%FT%TZ}"


def _energy(actor: Actor, site_id: int, span: tuple[datetime, datetime]) -> float | None:
    """Energy of all units that count it, kWh; None when nobody does or the history is away."""
    try:
        grown = plant_data.growth_by_unit(actor=actor, site_id=site_id, role="energy_kwh", start=span[0], end=span[1])
    except Unavailable:
        return None
    return sum(grown.values()) if grown else None


def _health(actor: Actor, site_id: int, span: tuple[datetime, datetime]) -> AlarmHealth | None:
    if not actor.may(ALARMS, site_id=site_id):
        return None
    return alarm_health(actor=actor, site_id=site_id, start=span[0], end=span[1])


def _open_alarms(actor: Actor, shown: Shown) -> list[alarms.AlarmRow]:
    """Headlines that are open: now while the shift runs, else as they were at its end."""
    if not actor.may(ALARMS, site_id=shown.site.id):
        return []
    if shown.is_running:
        return alarms.alarm_list(actor=actor, site_id=shown.site.id)
    return replay.active_at(actor=actor, site_id=shown.site.id, at=shown.until)


def _changes(actor: Actor, site_id: int, span: tuple[datetime, datetime]) -> list[AuditRow]:
    """What people changed at the site, newest first; nothing for those who may not read the audit trail."""
    if not actor.may(AUDIT, site_id=site_id):
        return []
    wanted = AuditFilter(site_id=site_id, from_at=span[0], to_at=span[1])
    rows = audit_rows(actor=actor, wanted=wanted, most=10 * MOST_CHANGES)
    return [row for row in rows if row.action not in QUIET][:MOST_CHANGES]
