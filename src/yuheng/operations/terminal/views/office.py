"""Pages about terminals: registering them (engineer), deciding on what they could not report (supervisor)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import InvalidInput
from yuheng.operations.terminal.labels import KIND_LABELS, OUTCOME_LABELS
from yuheng.operations.terminal.models import StationDevice
from yuheng.operations.terminal.rules import Outcome
from yuheng.operations.terminal.selectors import devices as shown
from yuheng.operations.terminal.selectors import reports
from yuheng.operations.terminal.services import conflicts, devices
from yuheng.operations.views.asking import asked_site, now, number, page
from yuheng.people.identity import actor_of


@never_cache
@require_http_methods(["GET", "POST"])
def terminals(request: HttpRequest) -> HttpResponse:
    """Show the registered terminals of a site; register one."""
    actor, site = asked_site(request)
    given, wrong = {}, {}
    if request.method == "POST":
        given = {"name": request.POST.get("name", ""), "station": request.POST.get("station", "")}
        try:
            device, code = devices.register_device(
                actor=actor,
                site_id=site.id,
                name=given["name"],
                work_unit_id=number(request.POST, "station"),
                at=now(),
            )
            return _show_code(request, device, code)
        except InvalidInput as refusal:
            wrong = refusal.fields
    context = {
        "devices": shown.devices_of(actor=actor, site_id=site.id),
        "stations": equipment.work_units(actor=actor, site_id=site.id),
        "given": given,
        "wrong": wrong,
        "address": request.build_absolute_uri(reverse("terminal:page")),
        "is_secure": request.is_secure(),
    }
    return page(request, "terminal/terminals.html", context, site, status=422 if wrong else 200)


@require_POST
def new_code(request: HttpRequest, terminal_id: int) -> HttpResponse:
    """Make a new pairing code and show it once."""
    device, code = devices.new_pairing_code(actor=actor_of(request), device_id=terminal_id, at=now())
    return _show_code(request, device, code)


@require_POST
def revoke(request: HttpRequest, terminal_id: int) -> HttpResponse:
    """Turn a tablet away from now on."""
    devices.revoke_device(actor=actor_of(request), device_id=terminal_id, at=now())
    messages.success(request, _("The terminal is revoked: its tablet is turned away."))
    return redirect("terminal:list")


@require_POST
def set_station(request: HttpRequest, terminal_id: int) -> HttpResponse:
    """Say where a terminal stands."""
    unit = number(request.POST, "station")
    devices.set_station(actor=actor_of(request), device_id=terminal_id, work_unit_id=unit, at=now())
    messages.success(request, _("Saved."))
    return redirect("terminal:list")


def _show_code(request: HttpRequest, device: StationDevice, code: str) -> HttpResponse:
    """Show the code in the answer itself: it is stored nowhere, not even in the session."""
    address = request.build_absolute_uri(reverse("terminal:page"))
    answer = render(request, "terminal/code.html", {"device": device, "code": code, "address": address})
    answer["Cache-Control"] = "no-store"
    return answer


# ---- conflicts ----------------------------------------------------------------------------------------------------


@never_cache
@require_GET
def conflict_list(request: HttpRequest) -> HttpResponse:
    """Show what terminals reported and the rules could not accept, oldest first; or what was decided."""
    actor, site = asked_site(request)
    is_settled = request.GET.get("shown") == "settled"
    ask = reports.settled_reports if is_settled else reports.open_reports
    rows = ask(actor=actor, site_id=site.id)
    codes = reports.codes_of_jobs(rows)
    context = {
        "rows": [
            (row, KIND_LABELS[row.kind], OUTCOME_LABELS[row.outcome], codes.get(row.job_order_id or 0, ""))
            for row in rows
        ],
        "is_settled": is_settled,
        "conflict": Outcome.CONFLICT,
        "most": reports.MOST_REPORTS,
    }
    return page(request, "terminal/conflicts.html", context, site)


@require_POST
def retry(request: HttpRequest, report_id: int) -> HttpResponse:
    """Try a conflict again, for the person and the moment of the report."""
    row = conflicts.retry_action(actor=actor_of(request), action_id=report_id, at=now())
    if row.outcome == Outcome.APPLIED:
        messages.success(request, _("Accepted. What waited for it was tried, too."))
    else:
        messages.error(request, _("Still refused: %(why)s") % {"why": row.sentence})
    return redirect("terminal:conflicts")


@require_POST
def discard(request: HttpRequest, report_id: int) -> HttpResponse:
    """Decide that a report shall not count."""
    reason = request.POST.get("reason", "")
    try:
        conflicts.discard_action(actor=actor_of(request), action_id=report_id, reason=reason, at=now())
        messages.success(request, _("Discarded. What waited for it was tried."))
    except InvalidInput as refusal:
        messages.error(request, str(refusal))
    return redirect("terminal:conflicts")
