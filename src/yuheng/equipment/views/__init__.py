"""Pages: the equipment tree, importing and exporting a plant."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import importing, selectors, services
from yuheng.equipment.importing import Action, Plan
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.people.identity import actor_of

SITE_COOKIE = "yh_site"
ROWS_SHOWN = 500


@require_GET
def tree(request: HttpRequest) -> HttpResponse:
    """Go to the equipment of the site last looked at, or the first one."""
    sites = selectors.visible_sites(actor=actor_of(request))
    if not sites:
        raise NotVisible(_("There is no site you may see. An administrator can give you a role at one."))
    wanted = request.COOKIES.get(SITE_COOKIE, "")
    chosen = next((site for site in sites if wanted in {site.code, str(site.id)}), sites[0])
    return redirect("equipment:site", site_id=chosen.id)


@require_GET
def site(request: HttpRequest, site_id: int) -> HttpResponse:
    """Show the tree of a site with counts."""
    actor = actor_of(request)
    with_retired = request.GET.get("retired") == "1"
    context = {
        "tree": selectors.equipment_tree(actor=actor, site_id=site_id, with_retired=with_retired),
        "classes": selectors.equipment_classes(actor=actor, site_id=site_id),
        "calendars": selectors.calendars_of_site(actor=actor, site_id=site_id),
        "calendar_ids": selectors.calendar_ids(actor=actor, site_id=site_id),
        "default_calendar": selectors.site_default_calendar(actor=actor, site_id=site_id),
        "targets": selectors.site_targets(actor=actor, site_id=site_id).values(),
        "sites": selectors.visible_sites(actor=actor),
        "with_retired": with_retired,
        "may_edit": actor.may("equipment.edit", site_id=site_id),
        "kinds": [section.name for section in services.sections()],
    }
    return render(request, "equipment/site.html", context)


# ---- import -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, site_id: int) -> HttpResponse:
    """Take a file and go to its dry run."""
    actor = actor_of(request)
    actor.require("equipment.edit", site_id=site_id)
    error = ""
    if request.method == "POST":
        try:
            content, name = _sent_file(request)
            kept, _plan = services.upload_plant(
                actor=actor,
                site_id=site_id,
                file_name=name,
                content=content,
                kind=request.POST.get("kind", ""),
                at=datetime.now(UTC),
            )
        except InvalidInput as refusal:
            error = str(refusal)
        else:
            return redirect("equipment:dry_run", import_id=kept.pk)
    context = {
        "site": selectors.site(actor=actor, site_id=site_id),
        "kinds": [section.name for section in services.sections()],
        "error": error,
    }
    return render(request, "equipment/import.html", context, status=422 if error else 200)


@require_GET
def dry_run(request: HttpRequest, import_id: int) -> HttpResponse:
    """Show every row of an uploaded file and what would happen to it."""
    actor = actor_of(request)
    kept, plan = services.plan_of_upload(actor=actor, import_id=import_id)
    wanted = request.GET.get("action", "")
    rows = [row for row in plan.rows if not wanted or row.action.value == wanted]
    context = {
        "site": selectors.site(actor=actor, site_id=kept.site_id),
        "upload": kept,
        "rows": rows[:ROWS_SHOWN],
        "row_count": len(rows),
        "tabs": _tabs(request, plan, wanted),
        "plan_sha256": plan.sha256(),
        "has_effect": plan.has_effect,
        "refused": plan.count(Action.REFUSE),
        "effect_count": plan.count(Action.ADD) + plan.count(Action.CHANGE),
    }
    return render(request, "equipment/dry_run.html", context)


@require_POST
def apply_import(request: HttpRequest, import_id: int) -> HttpResponse:
    """Do what the dry run said; when the plant changed meanwhile, show the new dry run."""
    actor = actor_of(request)
    try:
        plan = services.apply_upload(
            actor=actor,
            import_id=import_id,
            plan_sha256=request.POST.get("plan_sha256", ""),
            leave_out_refused=request.POST.get("leave_out_refused") == "1",
            at=datetime.now(UTC),
        )
    except Conflict as refusal:
        messages.error(request, str(refusal))
        return redirect("equipment:dry_run", import_id=import_id)
    count = plan.count(Action.ADD) + plan.count(Action.CHANGE)
    done = ngettext("%(count)d row was written.", "%(count)d rows were written.", count) % {"count": count}
    messages.success(request, done)
    return redirect("equipment:site", site_id=plan.site_id)


def _sent_file(request: HttpRequest) -> tuple[bytes, str]:
    sent = request.FILES.get("file")
    if sent is None:
        raise InvalidInput(_("Choose a file first."))
    if (sent.size or 0) > 32 * 1024 * 1024:
        raise InvalidInput(_("The file is larger than 32 MB. Split it."))
    return sent.read(), sent.name or "plant.yaml"


def _tabs(request: HttpRequest, plan: Plan, wanted: str) -> list[dict[str, object]]:
    words = {
        "": _("All"),
        Action.ADD: _("Add"),
        Action.CHANGE: _("Change"),
        Action.UNCHANGED: _("Unchanged"),
        Action.REFUSE: _("Refuse"),
    }
    counts = {"": len(plan.rows), **plan.counts()}
    return [
        {
            "word": word,
            "count": counts[str(action)],
            "url": f"{request.path}?action={action}",
            "is_current": wanted == action,
        }
        for action, word in words.items()
    ]


# ---- export -------------------------------------------------------------------------------------------------------


@require_GET
def export(request: HttpRequest, site_id: int) -> HttpResponse:
    """Download a site: a plant file (YAML), or with ``?format=csv`` one CSV file a kind, zipped."""
    actor = actor_of(request)
    of = selectors.site(actor=actor, site_id=site_id)
    document = importing.export_document(actor=actor, sections=services.sections(), site_id=site_id)
    if request.GET.get("format") == "csv":
        return _download(_zipped(document), f"{of.code}.zip", "application/zip")
    return _download(importing.write_plant_file(document), f"{of.code}.yaml", "application/yaml")


def _zipped(document: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in importing.csv_files(document, services.sections()):
            archive.writestr(name, content)
    return out.getvalue()


def _download(content: bytes, name: str, content_type: str) -> HttpResponse:
    disposition = f'attachment; filename="{name.encode("ascii", "replace").decode()}"'
    return HttpResponse(content, content_type=content_type, headers={"Content-Disposition": disposition})
