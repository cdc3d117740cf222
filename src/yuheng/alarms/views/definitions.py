"""Alarm definitions: of classes, of single units, what units do otherwise, and what a change would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.alarms import forms, shown
from yuheng.alarms.forms import DefinitionForm
from yuheng.alarms.labels import CATEGORY_LABELS
from yuheng.alarms.rules import fill_in
from yuheng.alarms.selectors import definitions, previews
from yuheng.alarms.selectors.definitions import DefinitionRow
from yuheng.alarms.selectors.previews import DefinitionPreview
from yuheng.alarms.services import definitions as services
from yuheng.alarms.services.checks import check_definition
from yuheng.alarms.views.asking import asked_site, now, page, site_choices
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.equipment.selectors import SiteRow
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput
from yuheng.people.identity import actor_of
from yuheng.telemetry.selectors import signals

EDIT = "alarms.edit"
PREVIEW_HOURS = (1, 8, 24, 72, 168)
EXAMPLE_VALUE = "81.2"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose alarm it is: a class's or one work unit's."""

    site: SiteRow
    title: str
    url: str
    symbols: list[str]
    equipment_class_id: int | None = None
    work_unit_id: int | None = None

    @property
    def of(self) -> dict[str, int | None]:
        """Arguments of services and previews."""
        return {"equipment_class_id": self.equipment_class_id, "work_unit_id": self.work_unit_id}


def of_class(actor: Actor, equipment_class_id: int) -> Place:
    """Return a class as the place of alarms. Raises `PermissionRefused`, `NotVisible`."""
    kind = equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require("alarms.view", site_id=kind.site_id)
    may_see_tags = actor.may("telemetry.view", site_id=kind.site_id)
    rules = signals.state_rules(actor=actor, equipment_class_id=kind.id) if may_see_tags else None
    return Place(
        site=equipment.site(actor=actor, site_id=kind.site_id),
        title=shown.in_language(kind.name_zh, kind.name_en) or kind.code,
        url=reverse("alarms:class_definitions", args=[kind.id]),
        symbols=rules.symbols if rules is not None else [],
        equipment_class_id=kind.id,
    )


def _of_unit(actor: Actor, work_unit_id: int) -> Place:
    unit = equipment.work_unit(actor=actor, work_unit_id=work_unit_id)
    actor.require("alarms.view", site_id=unit.site_id)
    may_see_tags = actor.may("telemetry.view", site_id=unit.site_id)
    tags = signals.tags_of_work_unit(actor=actor, work_unit_id=unit.id) if may_see_tags else []
    name = shown.in_language(unit.name_zh, unit.name_en)
    return Place(
        site=equipment.site(actor=actor, site_id=unit.site_id),
        title=name if name.startswith(unit.code) else f"{unit.code} {name}",
        url=reverse("alarms:unit_definitions", args=[unit.id]),
        symbols=sorted({tag.symbol for tag in tags if tag.symbol}),
        work_unit_id=unit.id,
    )


def _place(actor: Actor, row: DefinitionRow) -> Place:
    if row.equipment_class_id is not None:
        return of_class(actor, row.equipment_class_id)
    assert row.work_unit_id is not None
    return _of_unit(actor, row.work_unit_id)


# ---- lists --------------------------------------------------------------------------------------------------------


@require_GET
def definition_list(request: HttpRequest) -> HttpResponse:
    """All alarms defined at a site, by class and by unit."""
    actor, site = asked_site(request)
    text = request.GET.get("q", "")[:100].strip()
    rows = definitions.definitions_of_site(actor=actor, site_id=site.id, text=text)
    kinds = equipment.equipment_classes(actor=actor, site_id=site.id) if actor.may("equipment.view") else []
    context = {
        "rows": rows,
        "text": text,
        "kinds": [(kind, sum(row.equipment_class_id == kind.id for row in rows)) for kind in kinds],
        "sites": site_choices(actor),
        "may_edit": actor.may(EDIT, site_id=site.id),
    }
    return page(request, "alarms/definitions.html", context, site)


@require_GET
def class_definitions(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """The alarms of an equipment class."""
    actor = actor_of(request)
    place = of_class(actor, equipment_class_id)
    context = {
        "kind": equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id),
        "tab": "alarms",
        "place": place,
        "rows": definitions.definitions_of_class(actor=actor, equipment_class_id=equipment_class_id),
        "new_url": reverse("alarms:new_of_class", args=[equipment_class_id]),
        "may_edit": actor.may(EDIT, site_id=place.site.id),
    }
    return page(request, "alarms/class_definitions.html", context, place.site)


@require_GET
def unit_definitions(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """The alarms of a work unit as they hold there; what is its own is marked."""
    actor = actor_of(request)
    place = _of_unit(actor, work_unit_id)
    context = {
        "place": place,
        "rows": definitions.definitions_of_unit(actor=actor, work_unit_id=work_unit_id),
        "new_url": reverse("alarms:new_of_unit", args=[work_unit_id]),
        "may_edit": actor.may(EDIT, site_id=place.site.id),
    }
    return page(request, "alarms/unit_definitions.html", context, place.site)


# ---- one definition -----------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def new_of_class(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Define an alarm for a class."""
    actor = actor_of(request)
    return _edited(request, actor, of_class(actor, equipment_class_id), None)


@require_http_methods(["GET", "POST"])
def new_of_unit(request: HttpRequest, work_unit_id: int) -> HttpResponse:
    """Define an alarm for one work unit."""
    actor = actor_of(request)
    return _edited(request, actor, _of_unit(actor, work_unit_id), None)


@require_http_methods(["GET", "POST"])
def definition(request: HttpRequest, definition_id: int) -> HttpResponse:
    """One definition: see it, change it, see before what the change would do."""
    actor = actor_of(request)
    row = definitions.definition(actor=actor, definition_id=definition_id)
    return _edited(request, actor, _place(actor, row), row)


def _edited(request: HttpRequest, actor: Actor, place: Place, row: DefinitionRow | None) -> HttpResponse:
    """Preview on the first post, apply on the second: what is applied is what was previewed."""
    may_edit = actor.may(EDIT, site_id=place.site.id)
    if request.method == "POST" or row is None:
        actor.require(EDIT, site_id=place.site.id)
    form = forms.blank_form() if row is None else forms.form_of(row)
    errors: dict[str, str] = {}
    trouble, seen, preview = "", "", None
    hours = next((one for one in PREVIEW_HOURS if str(one) == request.POST.get("hours")), 24)
    if request.method == "POST":
        form = forms.posted_form(request.POST)
        if row is not None:
            form.values["code"] = row.code
        try:
            spec = forms.spec_of(form)
            check_definition(spec)
            seen = forms.digest(spec)
            if request.POST.get("action") == "apply" and request.POST.get("seen") == seen:
                services.define(actor=actor, spec=spec, at=now(), **place.of)
                messages.success(request, _("Saved. The historian judges by it within a second."))
                return redirect(place.url)
            preview = previews.preview_definition_change(actor=actor, spec=spec, at=now(), hours=hours, **place.of)
        except InvalidInput as refusal:
            trouble, errors = str(refusal), dict(refusal.fields or {})
    context = _form_context(actor, place, row, form) | {
        "errors": errors,
        "trouble": trouble,
        "preview": preview,
        "summary": None if preview is None else _summary(preview),
        "seen": seen,
        "hours": hours,
        "may_edit": may_edit,
    }
    return page(request, "alarms/definition.html", context, place.site, status=422 if trouble else 200)


def _form_context(actor: Actor, place: Place, row: DefinitionRow | None, form: DefinitionForm) -> dict[str, Any]:
    units = equipment.work_units(actor=actor, site_id=place.site.id) if actor.may("equipment.view") else []
    overrides = [] if row is None else definitions.overrides_of(actor=actor, definition_id=row.id)
    return {
        "place": place,
        "row": row,
        "form": form,
        "v": form.values,
        "overrides": overrides,
        "hour_choices": PREVIEW_HOURS,
        "priority_choices": shown.priority_choices(),
        "categories": [(category.value, str(word)) for category, word in CATEGORY_LABELS.items()],
        "states": [state.name.lower() for state in UnitState],
        "units": units,
        "examples": _examples(form.values, dict(form.parameters)),
    }


def _summary(preview: DefinitionPreview) -> dict[str, Any]:
    """Return how many units a change touches, and how often the alarm would have been raised."""
    after = [unit.episodes_after for unit in preview.units if unit.episodes_after is not None]
    return {
        "changed": sum(unit.is_changed for unit in preview.units),
        "kept": sum(bool(unit.overridden) for unit in preview.units),
        "before": sum(unit.episodes_before for unit in preview.units),
        "after": sum(after) if preview.has_history else None,
    }


def _examples(values: dict[str, Any], parameters: dict[str, Any]) -> dict[str, str]:
    """Return the messages with example values in their placeholders."""
    known = {**parameters, "value": EXAMPLE_VALUE, "unit": "H07"}
    return {
        "zh": fill_in(values["message_zh"] or values["name_zh"], {**known, "unit_name": "焊接 7 号机"}),
        "en": fill_in(values["message_en"] or values["name_en"], {**known, "unit_name": "Welding cell 7"}),
    }


@never_cache
@require_POST
def check(request: HttpRequest) -> JsonResponse:
    """Say while somebody types what could not be accepted, and how the messages would read. Nothing is stored."""
    actor_of(request).require(EDIT)
    form = forms.posted_form(request.POST)
    errors: dict[str, str] = {}
    try:
        check_definition(forms.spec_of(form))
    except InvalidInput as refusal:
        errors = dict(refusal.fields or {})
    return JsonResponse({"errors": errors, "examples": _examples(form.values, dict(form.parameters))})


@require_POST
def retire(request: HttpRequest, definition_id: int) -> HttpResponse:
    """Take an alarm out of use; its journal stays."""
    actor = actor_of(request)
    row = definitions.definition(actor=actor, definition_id=definition_id)
    services.retire(actor=actor, definition_id=definition_id, at=now())
    messages.success(request, _("%(code)s is no longer judged; its journal stays.") % {"code": row.code})
    return redirect(_place(actor, row).url)


# ---- overrides ----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def override(request: HttpRequest, definition_id: int, work_unit_id: int) -> HttpResponse:
    """Let one work unit differ from its class: other limits, delays, priority, or not at all."""
    actor = actor_of(request)
    place = _of_unit(actor, work_unit_id)
    actor.require(EDIT, site_id=place.site.id)
    rows = definitions.definitions_of_unit(actor=actor, work_unit_id=work_unit_id)
    row = next((one for one in rows if one.definition.id == definition_id), None)
    if row is None:
        definitions.definition(actor=actor, definition_id=definition_id)  # refuses what is not visible
        raise InvalidInput(_("This work unit has no such alarm."))
    errors: dict[str, str] = {}
    trouble = ""
    if request.method == "POST":
        try:
            return _overridden(request, actor, place, definition_id, work_unit_id)
        except DomainError as refusal:
            trouble, errors = str(refusal), dict(getattr(refusal, "fields", None) or {})
    known = definitions.overrides_of(actor=actor, definition_id=definition_id)
    context = {
        "place": place,
        "row": row,
        "v": forms.override_values(row),
        "reason": next((one.reason for one in known if one.work_unit_id == work_unit_id), ""),
        "errors": errors,
        "trouble": trouble,
        "priority_choices": shown.priority_choices(),
    }
    return page(request, "alarms/override.html", context, place.site, status=422 if trouble else 200)


def _overridden(
    request: HttpRequest, actor: Actor, place: Place, definition_id: int, work_unit_id: int
) -> HttpResponse:
    of = {"definition_id": definition_id, "work_unit_id": work_unit_id}
    if request.POST.get("action") == "clear":
        services.clear_override(actor=actor, at=now(), **of)
        messages.success(request, _("The work unit follows its class again."))
    else:
        services.override(actor=actor, at=now(), spec=forms.posted_override(request.POST), **of)
        messages.success(request, _("Saved. What differs from the class is marked."))
    return redirect(place.url)
