"""Pages: keeping views."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.analysis.selectors import saved
from yuheng.analysis.services import saved_views
from yuheng.analysis.views.asking import VIEW, chosen_site, now, number, number_or_none
from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of


@require_GET
def views(request: HttpRequest) -> HttpResponse:
    """Views of a site; with the query of a trend page in ``keep``, a form to keep it."""
    actor = actor_of(request)
    site = chosen_site(request, actor)
    actor.require(VIEW, site_id=site.id)
    units = equipment.work_units(actor=actor, site_id=site.id)
    codes = {unit.id: unit.code for unit in units}
    listed = saved.saved_views(actor=actor, site_id=site.id)
    context = {
        "site": site,
        "units": units,
        "views": [(one, codes.get(one.default_of_id or 0, "")) for one in listed],
        "keep": request.GET.get("keep", "")[:4000],
        "may_edit": actor.may("telemetry.edit", site_id=site.id),
    }
    return render(request, "analysis/views.html", context)


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep a view, and open it."""
    actor = actor_of(request)
    actor.require(VIEW)
    site_id = number(request.POST.get("site", ""), "site")
    row = saved_views.save_view(
        actor=actor,
        site_id=site_id,
        name_zh=request.POST.get("name_zh", ""),
        name_en=request.POST.get("name_en", ""),
        query=request.POST.get("query", ""),
        is_shared=request.POST.get("shared") == "1",
        default_of_id=number_or_none(request.POST.get("default_of", ""), "default_of"),
        at=now(),
    )
    messages.success(request, _("The view is kept."))
    return redirect(f"{reverse('analysis:trends')}?view={row.pk}")


@require_POST
def change(request: HttpRequest, view_id: int) -> HttpResponse:
    """Rename, share, make a default, or delete a view."""
    actor = actor_of(request)
    found = saved.saved_view(actor=actor, view_id=view_id)
    what = request.POST.get("do", "")
    if what == "delete":
        saved_views.delete_view(actor=actor, view_id=view_id, at=now())
        messages.success(request, _("The view is deleted."))
    elif what == "change":
        saved_views.change_view(
            actor=actor,
            view_id=view_id,
            name_zh=request.POST.get("name_zh", ""),
            name_en=request.POST.get("name_en", ""),
            is_shared=request.POST.get("shared") == "1",
            default_of_id=number_or_none(request.POST.get("default_of", ""), "default_of"),
            query=request.POST.get("query") or None,
            at=now(),
        )
        messages.success(request, _("The view is changed."))
    else:
        raise InvalidInput(_("Say what is to be done with the view."))
    return redirect(f"{reverse('analysis:views')}?site={found.site_id}")
