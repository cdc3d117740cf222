"""Pages of measured times: steps on machines, one step with everything behind it, the proposal of a standard."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.performance.asking import asked_period, now
from yuheng.performance.labels import TOLD_LABELS
from yuheng.performance.rules.periods import day_of
from yuheng.performance.rules.standards import Part
from yuheng.performance.selectors import times
from yuheng.performance.services.standards import EDIT, propose_standard
from yuheng.performance.tables import Table
from yuheng.performance.views.asking import asked_site, draw, in_language, number, send, wants_file

USUAL_DAYS = 90


@require_GET
def steps(request: HttpRequest) -> HttpResponse:
    """Planned against measured times of each step on each machine."""
    actor, site = asked_site(request)
    days = asked_period(request.GET, site.time_zone, now())
    found = times.measured_steps(
        actor=actor, site_id=site.id, period=days, material_id=number(request.GET, "material"),
        work_unit_id=number(request.GET, "unit"),
    )  # fmt: skip
    if kind := wants_file(request):
        header = [
            _("Product"), _("Step"), _("Machine"), _("Job orders"), _("Planned run, s"), _("Measured run, s"),
            _("p10, s"), _("p90, s"), _("Planned set-up, s"), _("Measured set-up, s"),
            _("Told by people"), _("Told by signals"),
        ]  # fmt: skip
        rows = [
            [
                f"{one.material_code} {in_language(one.material_zh, one.material_en)}", one.segment, one.unit_code,
                one.n, one.planned_run_s, one.run_s, one.run_p10_s, one.run_p90_s, one.planned_setup_s, one.setup_s,
                one.by_person, one.by_signal,
            ]
            for one in found
        ]  # fmt: skip
        return send(Table("measured-times", header, rows, site.time_zone), kind, days)
    context = {
        "rows": found,
        "material": number(request.GET, "material"),
        "unit": number(request.GET, "unit"),
        "proposals": times.proposals(actor=actor, site_id=site.id, limit=20),
    }
    return draw(request, "performance/times.html", context, site, days, "times")


@require_GET
def step(request: HttpRequest) -> HttpResponse:
    """One step: its standard, what was measured, what stands apart, and what is proposed."""
    actor, site = asked_site(request)
    at = now()
    days = asked_period(request.GET, site.time_zone, at)
    found = times.measured_step(
        actor=actor, site_id=site.id, material_id=number(request.GET, "material") or 0,
        segment=request.GET.get("segment", "")[:80], period=days, on=day_of(at, site.time_zone),
        work_unit_id=number(request.GET, "unit"),
    )  # fmt: skip
    if kind := wants_file(request):
        header = [
            _("Job"), _("Machine"), _("Ended"), _("Pieces"), _("Planned set-up, s"), _("Measured set-up, s"),
            _("Planned run, s"), _("Measured run, s"), _("Pauses"), _("Paused, s"), _("Told by"), _("Stands apart"),
        ]  # fmt: skip
        rows = [
            [
                one.code, one.unit_code, one.ended_at, float(one.pieces), one.planned_setup_s, one.setup_s,
                one.planned_run_s, one.run_s, one.pauses, one.paused_s, str(TOLD_LABELS[one.source]),
                int(one.is_run_outlier or one.is_setup_outlier),
            ]
            for one in found.jobs
        ]  # fmt: skip
        return send(Table("step-times", header, rows, site.time_zone), kind, days)
    context = {
        "found": found,
        "standards": [found.setup, found.run],
        "outliers": [one for one in found.jobs if one.is_run_outlier or one.is_setup_outlier],
        "may_propose": actor.may(EDIT, site_id=site.id),
    }
    return draw(request, "performance/step.html", context, site, days, "times")


@require_POST
def propose(request: HttpRequest) -> HttpResponse:
    """Have the standard of a step changed to what was measured, by an engineering change."""
    actor, site = asked_site(request)
    at, given = now(), request.POST
    material, segment, unit = number(given, "material") or 0, given.get("segment", "")[:80], number(given, "unit")
    days = asked_period(given, site.time_zone, at)
    try:
        if given.get("part") not in {one.value for one in Part}:
            raise InvalidInput(_("There is no such time of a step."))
        made = propose_standard(
            actor=actor, site_id=site.id, material_id=material, segment=segment, part=Part(given["part"]), period=days,
            on=day_of(at, site.time_zone), at=at, work_unit_id=unit,
        )  # fmt: skip
        messages.success(
            request,
            _("Version %(number)d is drafted in change %(code)s. Submit it there; another person approves.")
            % {"number": made.draft_number, "code": made.change_code},
        )
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    query = {"site": site.code, "material": material, "segment": segment, "from": days.first, "to": days.last}
    if unit is not None:
        query["unit"] = unit
    return redirect(f"{reverse('performance:step')}?{urlencode(query)}")
