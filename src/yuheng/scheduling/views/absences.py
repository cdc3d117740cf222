"""Who is away: the list, the form, and "back"."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.people import selectors as people
from yuheng.scheduling.selectors.plant import absences_from
from yuheng.scheduling.services.absences import end_absence, enter_absence
from yuheng.scheduling.views.asking import DISPATCH, asked_site, in_words, now, number, page, wall_time


@never_cache
@require_http_methods(["GET", "POST"])
def absences(request: HttpRequest) -> HttpResponse:
    """Everybody who is away now or will be; whoever dispatches enters more."""
    actor, site = asked_site(request)
    wrong: dict[str, str] = {}
    refusal = ""
    if request.method == "POST":
        actor.require(DISPATCH, site_id=site.id)
        try:
            enter_absence(
                actor=actor,
                site_id=site.id,
                person_id=number(request, "person") or 0,
                start=wall_time(request.POST.get("start", ""), site.time_zone),
                end=wall_time(request.POST.get("end", ""), site.time_zone),
                note=request.POST.get("note", ""),
                at=now(),
            )
            messages.success(request, _("Noted. Suggestions are made anew."))
            return _back(site.code)
        except InvalidInput as error:
            wrong, refusal = error.fields or {}, in_words(error)
        except Conflict as error:
            refusal = in_words(error)
    here = people.people_of_site(site_id=site.id)
    context: dict[str, Any] = {
        "rows": absences_from(actor=actor, site_id=site.id, now=now()),
        "people": sorted(((key, zh, en) for key, (_name, zh, en) in here.items()), key=lambda one: one[1]),
        "wrong": wrong,
        "refusal": refusal,
        "given": request.POST,
    }
    return page(request, "scheduling/absences.html", context, site, status=422 if refusal else 200)


@require_POST
def absence_over(request: HttpRequest, absence_id: int) -> HttpResponse:
    """Somebody is back."""
    actor, site = asked_site(request, DISPATCH)
    try:
        end_absence(actor=actor, absence_id=absence_id, at=now())
        messages.success(request, _("Noted. Suggestions are made anew."))
    except Conflict as refusal:
        messages.error(request, in_words(refusal))
    return _back(site.code)


def _back(code: str) -> HttpResponse:
    answer = redirect("scheduling:absences")
    answer["Location"] += f"?site={code}"
    return answer
