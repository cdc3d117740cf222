"""Forms of single things: area, work center, work unit, equipment class with its picture and causes, asset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import selectors, services
from yuheng.equipment.rules import Rect
from yuheng.equipment.selectors import EditedRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.people.identity import actor_of

EDIT = "equipment.edit"
_PLACE = ("x", "y", "w", "h")
_RETIRE: dict[str, Callable[..., object]] = {
    "area": services.retire_area,
    "work_center": services.retire_work_center,
    "work_unit": services.retire_work_unit,
}
_RESTORE: dict[str, Callable[..., object]] = {
    "area": services.restore_area,
    "work_center": services.restore_work_center,
    "work_unit": services.restore_work_unit,
}


def _now() -> datetime:
    return datetime.now(UTC)


def _id(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def rect_of(sent: Mapping[str, str]) -> Rect | None:
    """Read a place on the map from a form: four numbers, or none."""
    texts = [sent.get(name, "").strip() for name in _PLACE]
    if not any(texts):
        return None
    try:
        x, y, w, h = (float(text) for text in texts)
    except ValueError as error:
        message = _("A place on the map has all of x, y, w and h, or none.")
        raise InvalidInput(message, {"x": message}) from error
    return Rect(x, y, w, h)


def _given(row: EditedRow | None, request: HttpRequest) -> dict[str, Any]:
    """Return what the form shows: what was sent, else what is."""
    sent = {name: request.POST.get(name, "") for name in request.POST}
    if row is None:
        return {"parent": request.GET.get("parent", ""), "class": request.GET.get("class", ""), **sent}
    place = {name: f"{getattr(row.rect, name):g}" for name in _PLACE} if row.rect is not None else {}
    return {
        "code": row.code,
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "parent": str(row.parent_id or ""),
        "class": str(row.class_id or ""),
        "calendar": row.calendar_code,
        **place,
        **sent,
    }


def _choices(actor: Actor, site_id: int) -> dict[str, Any]:
    tree = selectors.equipment_tree(actor=actor, site_id=site_id)
    return {
        "areas": tree.areas,
        "centers": [(area, center) for area in tree.areas for center in area.centers],
        "classes": selectors.equipment_classes(actor=actor, site_id=site_id),
        "calendars": sorted(selectors.calendar_ids(actor=actor, site_id=site_id)),
    }


def _form(
    request: HttpRequest, *, site_id: int, kind: str, row: EditedRow | None, refusal: Exception | None
) -> HttpResponse:
    actor = actor_of(request)
    context = {
        "site": selectors.site(actor=actor, site_id=site_id),
        "kind": kind,
        "row": row,
        "given": _given(row, request),
        "errors": [str(refusal)] if refusal is not None else [],
        "wrong": getattr(refusal, "fields", {}),
        "may_edit": actor.may(EDIT, site_id=site_id),
        "assets": selectors.assets_of(actor=actor, work_unit_id=row.id) if row and kind == "work_unit" else [],
        **_choices(actor, site_id),
    }
    return render(request, "equipment/form.html", context, status=422 if refusal is not None else 200)


def _names(sent: Mapping[str, str]) -> dict[str, str]:
    return {name: sent.get(name, "").strip() for name in ("name_zh", "name_en")}


def _parent(sent: Mapping[str, str]) -> int:
    found = _id(sent.get("parent", ""))
    if found is None:
        message = _("Choose one.")
        raise InvalidInput(_("Say where it belongs."), {"parent": message})
    return found


@require_http_methods(["GET", "POST"])
def new_area(request: HttpRequest, site_id: int) -> HttpResponse:
    """Add an area."""
    return _new(request, site_id, "area")


@require_http_methods(["GET", "POST"])
def new_center(request: HttpRequest, site_id: int) -> HttpResponse:
    """Add a work center."""
    return _new(request, site_id, "work_center")


@require_http_methods(["GET", "POST"])
def new_unit(request: HttpRequest, site_id: int) -> HttpResponse:
    """Add a work unit."""
    return _new(request, site_id, "work_unit")


def _new(request: HttpRequest, site_id: int, kind: str) -> HttpResponse:
    actor = actor_of(request)
    actor.require(EDIT, site_id=site_id)
    if request.method == "POST":
        sent, at = request.POST, _now()
        own: dict[str, Any] = {"actor": actor, "code": sent.get("code", "").strip(), "at": at, **_names(sent)}
        try:
            if kind == "area":
                services.create_area(site_id=site_id, **own)
            elif kind == "work_center":
                services.create_work_center(area_id=_parent(sent), **own)
            else:
                services.create_work_unit(
                    work_center_id=_parent(sent), equipment_class_id=_id(sent.get("class", "")), **own
                )
        except NotVisible:
            raise
        except (InvalidInput, Conflict) as refusal:
            return _form(request, site_id=site_id, kind=kind, row=None, refusal=refusal)
        messages.success(request, _("%(code)s was added.") % {"code": own["code"]})
        return redirect("equipment:site", site_id=site_id)
    return _form(request, site_id=site_id, kind=kind, row=None, refusal=None)


@require_http_methods(["GET", "POST"])
def edit_area(request: HttpRequest, area_id: int) -> HttpResponse:
    """Change an area: names and place."""
    return _edit(request, "area", area_id)


@require_http_methods(["GET", "POST"])
def edit_center(request: HttpRequest, work_center_id: int) -> HttpResponse:
    """Change a work center: names, area, calendar."""
    return _edit(request, "work_center", work_center_id)


@require_http_methods(["GET", "POST"])
def edit_unit(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """Change a work unit: names, work center, class, calendar, place, the asset that plays it."""
    return _edit(request, "work_unit", work_unit_id)


def _edit(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    row = selectors.edited(actor=actor_of(request), kind=kind, pk=pk)
    if request.method == "POST":
        try:
            _save(request, kind, row)
        except (InvalidInput, Conflict) as refusal:
            return _form(request, site_id=row.site_id, kind=kind, row=row, refusal=refusal)
        messages.success(request, _("%(code)s was saved.") % {"code": row.code})
        return redirect("equipment:site", site_id=row.site_id)
    return _form(request, site_id=row.site_id, kind=kind, row=row, refusal=None)


def _save(request: HttpRequest, kind: str, row: EditedRow) -> None:
    actor, sent, at = actor_of(request), request.POST, _now()
    action = sent.get("action", "save")
    if action == "retire":
        _RETIRE[kind](actor=actor, at=at, **{f"{kind}_id": row.id})
        return
    if action == "restore":
        _RESTORE[kind](actor=actor, at=at, **{f"{kind}_id": row.id})
        return
    if action == "install":
        services.install_asset(
            actor=actor,
            work_unit_id=row.id,
            serial=sent.get("serial", ""),
            maker=sent.get("maker", "").strip()[:120],
            model=sent.get("model", "").strip()[:120],
            built=_year(sent.get("built", "")),
            at=at,
        )
        return
    calendar = sent.get("calendar", "") or None
    names = _names(sent)
    if kind == "area":
        services.edit_area(actor=actor, area_id=row.id, rect=rect_of(sent), at=at, **names)
    elif kind == "work_center":
        services.edit_work_center(
            actor=actor, work_center_id=row.id, area_id=_parent(sent), calendar_code=calendar, at=at, **names
        )
    else:
        services.edit_work_unit(
            actor=actor,
            work_unit_id=row.id,
            work_center_id=_parent(sent),
            equipment_class_id=_id(sent.get("class", "")),
            calendar_code=calendar,
            rect=rect_of(sent),
            at=at,
            **names,
        )


def _year(text: str) -> int | None:
    if not text.strip():
        return None
    year = _id(text.strip())
    if year is None or not 1800 <= year <= 2200:
        message = _("A year has four digits.")
        raise InvalidInput(message, {"built": message})
    return year


# ---- classes ------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def new_class(request: HttpRequest, site_id: int) -> HttpResponse:
    """Add an equipment class and go on to its template."""
    actor = actor_of(request)
    actor.require(EDIT, site_id=site_id)
    if request.method == "POST":
        try:
            kind = services.create_equipment_class(
                actor=actor,
                site_id=site_id,
                code=request.POST.get("code", "").strip(),
                at=_now(),
                **_names(request.POST),
            )
        except (InvalidInput, Conflict) as refusal:
            return _form(request, site_id=site_id, kind="class", row=None, refusal=refusal)
        return redirect("telemetry:class_template", equipment_class_id=kind.pk)
    return _form(request, site_id=site_id, kind="class", row=None, refusal=None)


@require_http_methods(["GET", "POST"])
def edit_class(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Change a class: names, picture, what its cause codes mean."""
    actor = actor_of(request)
    kind = selectors.equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require("equipment.view", site_id=kind.site_id)
    errors: list[str] = []
    if request.method == "POST":
        actor.require(EDIT, site_id=kind.site_id)
        try:
            _save_class(request, equipment_class_id)
        except (InvalidInput, Conflict) as refusal:
            errors = [str(refusal)]
        else:
            messages.success(request, _("%(code)s was saved.") % {"code": kind.code})
            return redirect("equipment:edit_class", equipment_class_id=equipment_class_id)
    context = {
        "kind": kind,
        "tab": "names",
        "errors": errors,
        "given": request.POST if errors else {"name_zh": kind.name_zh, "name_en": kind.name_en},
        "picture": selectors.class_picture(actor=actor, equipment_class_id=equipment_class_id),
        "causes": selectors.causes_of_class(actor=actor, equipment_class_id=equipment_class_id),
        "may_edit": actor.may(EDIT, site_id=kind.site_id),
    }
    return render(request, "equipment/class.html", context, status=422 if errors else 200)


def _save_class(request: HttpRequest, class_id: int) -> None:
    actor, sent, at = actor_of(request), request.POST, _now()
    action = sent.get("action", "")
    if action == "picture":
        file = request.FILES.get("picture")
        if file is None:
            raise InvalidInput(_("Choose a file first."))
        if (file.size or 0) > 1024 * 1024:
            raise InvalidInput(_("A picture has at most 512 KB."))
        services.set_class_picture(actor=actor, equipment_class_id=class_id, content=file.read(), at=at)
    elif action == "no_picture":
        services.remove_class_picture(actor=actor, equipment_class_id=class_id, at=at)
    elif action == "cause":
        services.name_cause(
            actor=actor, equipment_class_id=class_id, code=sent.get("code", "")[:40], at=at, **_names(sent)
        )
    elif action.startswith("forget "):
        services.forget_cause(actor=actor, equipment_class_id=class_id, code=action.removeprefix("forget "), at=at)
    else:
        services.rename_equipment_class(actor=actor, equipment_class_id=class_id, at=at, **_names(sent))


@require_GET
def class_picture(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Serve the picture of a class: cleaned when it was kept, and shown under a policy that allows nothing else."""
    found = selectors.class_picture(actor=actor_of(request), equipment_class_id=equipment_class_id)
    if found is None:
        raise NotVisible(_("This class has no picture."))
    if request.headers.get("If-None-Match") == f'"{found.sha256}"':
        return HttpResponse(status=304)
    return HttpResponse(
        found.content,
        content_type=found.media_type,
        headers={
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
            "Content-Disposition": "inline",
            "ETag": f'"{found.sha256}"',
            "Cache-Control": "private, max-age=300",
        },
    )


@require_POST
def use_calendar(request: HttpRequest, site_id: int) -> HttpResponse:
    """Make a calendar the site's own."""
    code = request.POST.get("calendar", "") or None
    services.assign_calendar(actor=actor_of(request), site_id=site_id, calendar_code=code, at=_now())
    messages.success(request, _("Saved."))
    return redirect("equipment:site", site_id=site_id)
