"""Page: the reason tree of a site, and changing it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yuheng.analysis.rules import ISO_22400, LossKind
from yuheng.analysis.selectors import reasons
from yuheng.analysis.services import reasons as services
from yuheng.analysis.services.reasons import ReasonSpec
from yuheng.analysis.views.asking import VIEW, now
from yuheng.analysis.words import LOSSES
from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import InvalidInput
from yuheng.people.identity import actor_of


@require_GET
def tree(request: HttpRequest, site_id: int) -> HttpResponse:
    """Show the tree; who may, changes it."""
    actor = actor_of(request)
    site = equipment.site(actor=actor, site_id=site_id)
    actor.require(VIEW, site_id=site.id)
    rows = reasons.reason_tree(actor=actor, site_id=site.id, with_retired=True)
    counts = reasons.use_counts(site_id=site.id)
    chosen = request.GET.get("change", "")
    below = {row.code for row in rows if any(one.code == chosen and one.id in row.path for one in rows)}
    context = {
        "site": site,
        "rows": [(row, counts.get(row.id, 0)) for row in rows],
        "losses": [(kind.value, word, ISO_22400[kind]) for kind, word in _losses()],
        "classes": equipment.equipment_classes(actor=actor, site_id=site.id)
        if actor.may("equipment.view", site_id=site.id)
        else [],
        "may_edit": actor.may(reasons.EDIT, site_id=site.id),
        "changed": next((row for row in rows if row.code == chosen), None),
        "parents": [row for row in rows if not row.is_retired and row.code not in below],
        "above": request.GET.get("below", ""),
    }
    return render(request, "analysis/reasons.html", context)


def _losses() -> list[tuple[LossKind, object]]:
    return [(kind, LOSSES[kind]) for kind in LossKind]


@require_POST
def write(request: HttpRequest, site_id: int) -> HttpResponse:
    """Add or change one reason, retire it, or take it into use again."""
    actor = actor_of(request)
    equipment.site(actor=actor, site_id=site_id)
    what = request.POST.get("do", "")
    if what in {"retire", "restore"}:
        row = _row(request, site_id)
        services.retire_reason(actor=actor, reason_id=row.id, is_retired=what == "retire", at=now())
        messages.success(request, _("The reason is retired.") if what == "retire" else _("The reason is in use again."))
    elif what == "write":
        services.write_reasons(actor=actor, site_id=site_id, reasons=[_spec(request, site_id)], at=now())
        messages.success(request, _("The reason is kept."))
    else:
        raise InvalidInput(_("Say what is to be done with the reason."))
    return redirect("analysis:reasons", site_id)


def _row(request: HttpRequest, site_id: int) -> reasons.ReasonRow:
    rows = reasons.reason_tree(actor=actor_of(request), site_id=site_id, with_retired=True)
    found = next((row for row in rows if row.code == request.POST.get("code", "")), None)
    if found is None:
        raise InvalidInput(_("There is no such reason here."))
    return found


def _spec(request: HttpRequest, site_id: int) -> ReasonSpec:
    """Read the form; a reason that is there keeps its place, a new one stands behind its neighbours."""
    given = request.POST
    rows = reasons.reason_tree(actor=actor_of(request), site_id=site_id, with_retired=True)
    there = next((row for row in rows if row.code == given.get("code", "")), None)
    position = there.position if there else max((row.position for row in rows), default=-1) + 1
    return ReasonSpec(
        code=given.get("code", "").strip(),
        name_zh=given.get("name_zh", "").strip(),
        name_en=given.get("name_en", "").strip(),
        parent=given.get("parent", ""),
        loss=given.get("loss", ""),
        classes=tuple(given.getlist("classes")),
        position=position,
        is_retired=there.is_retired if there else False,
    )
