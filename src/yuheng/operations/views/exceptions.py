"""Disagreements between machines and reports: the list, and what a dispatcher decides."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.exception_words import KIND_LABELS, STATE_LABELS, evidence_url, sentence
from yuheng.operations.rules.signals import ExceptionKind, ExceptionState
from yuheng.operations.selectors import exceptions as selectors
from yuheng.operations.selectors.exceptions import ExceptionFilter
from yuheng.operations.services.signals import deciding
from yuheng.operations.views.asking import asked_site, now, number, page, query_without
from yuheng.people.identity import actor_of


@require_GET
def exception_list(request: HttpRequest) -> HttpResponse:
    """What disagrees at a site: what is open, or what became of it."""
    actor, site = asked_site(request)
    at, state, kind = now(), request.GET.get("state", ""), request.GET.get("kind", "")
    narrowed = ExceptionFilter(
        state=state if state in {"all", *(one.value for one in ExceptionState)} else "",
        kind=kind if kind in {one.value for one in ExceptionKind} else "",
        work_unit_id=number(request.GET, "unit"),
        job_order_id=number(request.GET, "job"),
        order_id=number(request.GET, "order"),
    )
    found = selectors.exceptions(actor=actor, site_id=site.id, narrowed=narrowed, cursor=request.GET.get("after", ""))
    context = {
        "rows": [
            (row, KIND_LABELS[row.kind], sentence(row), evidence_url(row, at), STATE_LABELS[row.state])
            for row in found.rows
        ],
        "next_cursor": found.next_cursor,
        "narrowed": narrowed,
        "kinds": [(one.value, label) for one, label in KIND_LABELS.items()],
        "states": [(one.value, label) for one, label in STATE_LABELS.items()],
        "units": equipment.work_units(actor=actor, site_id=site.id),
        "query": query_without(request, site, "after"),
    }
    return page(request, "operations/exceptions.html", context, site)


@require_POST
def act_on_exception(request: HttpRequest, exception_id: int) -> HttpResponse:
    """Keep the report, take the machine's count, or say what it was."""
    actor, at = actor_of(request), now()
    row = selectors.exception(actor=actor, exception_id=exception_id)  # before anything is said about the form
    note, action = request.POST.get("note", "")[:1000], request.POST.get("action", "")
    try:
        if action == "accept":
            deciding.accept_report(actor=actor, exception_id=exception_id, note=note, at=at)
        elif action == "correct":
            deciding.take_count(actor=actor, exception_id=exception_id, note=note, at=at)
        elif action == "explain":
            deciding.explain(actor=actor, exception_id=exception_id, note=note, at=at)
        else:
            raise InvalidInput(_("There is no such action."))
        messages.success(request, _("Done."))
    except (Conflict, InvalidInput) as refusal:
        messages.error(request, str(refusal))
    answer = redirect("operations:exceptions")
    site = equipment.site(actor=actor, site_id=row.site_id)
    answer["Location"] += f"?site={site.code}"
    return answer
